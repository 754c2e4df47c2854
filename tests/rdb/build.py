"""RDB files made by hand, for what no server at hand writes any more or not yet."""

from __future__ import annotations

import struct
from collections.abc import Iterable

from durakv_formats.rdb import crc64

END = b"\xff"


def length(number: int) -> bytes:
    if number < 1 << 6:
        return bytes([number])
    if number < 1 << 14:
        return struct.pack(">H", number | 0x4000)
    return b"\x80" + struct.pack(">I", number) if number < 1 << 32 else b"\x81" + struct.pack(">Q", number)


def string(data: bytes) -> bytes:
    return length(len(data)) + data


def record(code: int, body: bytes, key: bytes = b"key") -> bytes:
    return bytes([code]) + string(key) + body


def rdb(*records: bytes, version: int = 9, magic: bytes = b"") -> bytes:
    body = (magic or b"REDIS%04d" % version) + b"".join(records) + END
    return body if version < 5 else body + struct.pack("<Q", crc64(body))


def ziplist(entries: Iterable[bytes]) -> bytes:
    body, before, last, count = b"", 0, 10, 0
    for entry in entries:
        last = 10 + len(body)
        encoded = (bytes([before]) if before < 254 else b"\xfe" + struct.pack("<I", before)) + _ziplist_entry(entry)
        body += encoded
        before = len(encoded)
        count += 1
    return struct.pack("<IIH", 11 + len(body), last, count) + body + b"\xff"


def _ziplist_entry(entry: bytes) -> bytes:
    if entry.lstrip(b"-").isdigit():
        number = int(entry)
        if 0 <= number <= 12:
            return bytes([0xF1 + number])
        for code, size in ((0xFE, 1), (0xC0, 2), (0xF0, 3), (0xD0, 4), (0xE0, 8)):
            if -(1 << 8 * size - 1) <= number < 1 << 8 * size - 1:
                return bytes([code]) + number.to_bytes(size, "little", signed=True)
    if len(entry) < 64:
        return bytes([len(entry)]) + entry
    if len(entry) < 1 << 14:
        return struct.pack(">H", len(entry) | 0x4000) + entry
    return b"\x80" + struct.pack(">I", len(entry)) + entry


def listpack(entries: Iterable[bytes]) -> bytes:
    body, count = b"", 0
    for entry in entries:
        encoded = _listpack_entry(entry)
        body += encoded + _back(len(encoded))
        count += 1
    return struct.pack("<IH", 7 + len(body), min(count, 0xFFFF)) + body + b"\xff"


def _listpack_entry(entry: bytes) -> bytes:
    if entry.lstrip(b"-").isdigit():
        number = int(entry)
        if 0 <= number < 128:
            return bytes([number])
        if -4096 <= number < 4096:
            return struct.pack(">H", 0xC000 | number & 0x1FFF)
        for code, size in ((0xF1, 2), (0xF2, 3), (0xF3, 4), (0xF4, 8)):
            if -(1 << 8 * size - 1) <= number < 1 << 8 * size - 1:
                return bytes([code]) + number.to_bytes(size, "little", signed=True)
    if len(entry) < 64:
        return bytes([0x80 | len(entry)]) + entry
    if len(entry) < 4096:
        return struct.pack(">H", 0xE000 | len(entry)) + entry
    return b"\xf0" + struct.pack("<I", len(entry)) + entry


def _back(size: int) -> bytes:
    groups = [size & 127]
    while size := size >> 7:
        groups.append(size & 127 | 128)
    groups = [group | 128 for group in groups[:-1]] + [groups[-1] & 127] if len(groups) > 1 else groups
    return bytes(reversed(groups))


def lzf(data: bytes) -> bytes:
    """Compressed in the plainest way: literals, and runs of one byte."""
    out, at = b"", 0
    while at < len(data):
        run = 1
        while at + run < len(data) and data[at + run] == data[at] and run < 264:
            run += 1
        if run >= 4:
            out += bytes([0, data[at]]) + bytes([0xE0, run - 1 - 9, 0] if run > 9 else [(run - 3) << 5, 0])
            at += run
        else:
            piece = data[at : at + 32]
            out += bytes([len(piece) - 1]) + piece
            at += len(piece)
    return b"\xc3" + length(len(out)) + length(len(data)) + out
