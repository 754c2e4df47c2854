"""LZF, the compression of strings in RDB files.

control < 32     control + 1 bytes follow as they are
else             a copy of (control >> 5) + 2 bytes, or, where those bits are 111, of 9 and what the next byte adds;
                 it begins ((control & 31) << 8 | next byte) + 1 bytes back, and may overlap with what it makes
"""

from __future__ import annotations

from durakv_formats.errors import FormatError

_RATIO_MAX = 88
"""Three bytes make 264 at most."""


def decompress_lzf(data: bytes, size: int, offset: int = 0) -> bytes:
    """The ``size`` bytes that ``data`` stands for; ``offset`` is where it is, for errors."""
    if size > len(data) * _RATIO_MAX:
        raise FormatError(offset, f"{len(data)} compressed bytes cannot be {size} bytes")
    out = bytearray()
    at, end = 0, len(data)
    try:
        while at < end:
            control = data[at]
            at += 1
            if control < 32:
                stop = at + control + 1
                if stop > end:
                    raise FormatError(offset + at, "compressed data that ends inside its bytes")
                out += data[at:stop]
                at = stop
                continue
            length = control >> 5
            if length == 7:
                length += data[at]
                at += 1
            length += 2
            back = ((control & 31) << 8 | data[at]) + 1
            at += 1
            start = len(out) - back
            if start < 0:
                raise FormatError(offset + at, "compressed data that refers to what is before its beginning")
            if back >= length:
                out += out[start : start + length]
            else:
                piece = bytes(out[start:])
                out += (piece * (length // back + 1))[:length]
            if len(out) > size:
                break
    except IndexError:
        raise FormatError(offset + end, "compressed data that ends inside a reference") from None
    if len(out) != size:
        raise FormatError(
            offset, f"compressed data of {size} bytes that makes {'more' if len(out) > size else len(out)}"
        )
    return bytes(out)
