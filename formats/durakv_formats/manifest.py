"""The manifest: which files make up a data directory, and in which order.  Specified in formats/manifest.md.

    #DKVM1 <identity 32> <generation 16> <synced_seq 16> <crc32c 8>          numbers in lower-case hex
    file <name> seq <N> type <b|h|i> [dkv-first <seq>] [dkv-last <seq> [dkv-bytes <size>] | dkv-capacity <size>]

It is a stock server's manifest whose first comment and whose ``dkv-`` pairs a stock server passes over, and drops when
it writes its own.  So a manifest without any of ours was written by a stock server, and one with only a part of ours
is damaged.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Literal, TypeAlias, cast

import msgspec

from durakv_formats.checksum import crc32c
from durakv_formats.errors import FormatError, LimitError, UnsupportedVersionError
from durakv_formats.limits import (
    MANIFEST_BYTES_MAX,
    MANIFEST_LINE_BYTES_MAX,
    MANIFEST_NAME_BYTES_MAX,
    SEGMENT_NUMBER_MAX,
    SEQ_MAX,
)
from durakv_formats.words import FormatWordError, join_word, split_words

Kind: TypeAlias = Literal["b", "h", "i"]

_HEADER = re.compile(rb"#DKVM1 ([0-9a-f]{32}) ([0-9a-f]{16}) ([0-9a-f]{16}) ([0-9a-f]{8})\n")
_VERSION = re.compile(rb"#DKVM([0-9]{1,9})[ \n]")
_HEADER_BYTES = 83
_CHECKED_BYTES = 74
_NUMBER = re.compile(rb"0|[1-9][0-9]{0,18}")

_MANIFESTS_KEPT = 16
"""What a swap wrote is read back at once; a laboratory reads the same ones thousands of times."""

_LINES_KEPT = 512
"""Every swap reads back the manifest it is about to write, of which all but a line or two are as they were."""


class ManifestFile(msgspec.Struct, frozen=True):
    """One line: a base (``b``), a log segment (``i``), or a file that only waits to be removed (``h``).

    ``first`` is the number of the first command the file can hold, ``last`` that of the last one it does hold, and
    ``bytes`` how much of the file counts.  A file without ``last`` is open: it is being written, or its writer died.
    Of an open file ``capacity`` is the size to which it may be filled, whatever a crash leaves of it.
    """

    name: str
    seq: int
    kind: Kind
    first: int | None = None
    last: int | None = None
    bytes: int | None = None
    capacity: int | None = None

    @property
    def sealed(self) -> bool:
        """Whether the file's end is known."""
        return self.last is not None


class Manifest(msgspec.Struct, frozen=True):
    """A whole manifest.  Without an identity it is a stock server's, and nothing in it was ever promised by us."""

    identity: bytes | None
    generation: int
    synced_seq: int
    files: tuple[ManifestFile, ...]

    @property
    def base(self) -> ManifestFile | None:
        """The file that the log goes on from, if there is one."""
        return next((file for file in self.files if file.kind == "b"), None)

    @property
    def segments(self) -> tuple[ManifestFile, ...]:
        """The log segments in the order of the log."""
        return tuple(file for file in self.files if file.kind == "i")

    @property
    def foreign(self) -> bool:
        """Whether a stock server wrote it."""
        return self.identity is None


def encode_manifest(manifest: Manifest) -> bytes:
    """The text of a manifest of ours.  Raises FormatError if it would be refused when it is read."""
    identity = manifest.identity
    if identity is None or len(identity) != 16:
        raise FormatError(0, "a manifest of ours carries an identity of 16 bytes")
    for name, number in (("generation", manifest.generation), ("synced_seq", manifest.synced_seq)):
        if not 0 <= number <= SEQ_MAX:
            raise LimitError(0, f"{name} {number} is out of bounds")
    lines = b"".join(map(_encode_file, manifest.files))
    head = b"#DKVM1 %b %016x %016x " % (identity.hex().encode(), manifest.generation, manifest.synced_seq)
    data = b"%b%08x\n%b" % (head, crc32c(lines, crc32c(head)), lines)
    # Every rule about the lines is written once, on the reading side.
    if decode_manifest(data) != manifest:
        raise FormatError(0, "the manifest does not survive being written and read")
    return data


@lru_cache(maxsize=_MANIFESTS_KEPT)
def decode_manifest(data: bytes, /) -> Manifest:
    """Read a whole manifest, ours or a stock server's.

    Raises FormatError for anything a stock server would refuse, for a checksum that does not match, and for our pairs
    without our header; UnsupportedVersionError for a newer header.
    """
    if len(data) > MANIFEST_BYTES_MAX:
        raise LimitError(0, f"a manifest of {len(data)} bytes; {MANIFEST_BYTES_MAX} are allowed")
    header = _HEADER.match(data)
    if header is None:
        _refuse_damaged_header(data)
    elif crc32c(data[_HEADER_BYTES:], crc32c(data[:_CHECKED_BYTES])) != int(header[4], 16):
        raise FormatError(0, "the manifest's checksum does not match")
    files: list[ManifestFile] = []
    previous: ManifestFile | None = None
    for offset, line in _lines(data):
        if line.startswith(b"#"):
            continue
        try:
            file = _decode_file(line, header is not None)
        except FormatError as failure:
            raise type(failure)(offset + failure.offset, failure.reason) from failure
        files.append(file)
        if file.kind != "h":
            _check_order(offset, previous, file)
            previous = file
    if header is None:
        if not files:
            raise FormatError(0, "a manifest that names no file")
        return Manifest(None, 0, 0, tuple(files))
    generation, synced_seq = int(header[2], 16), int(header[3], 16)
    if generation > SEQ_MAX or synced_seq > SEQ_MAX:
        raise LimitError(0, "a generation or synced_seq is out of bounds")
    return Manifest(bytes.fromhex(header[1].decode()), generation, synced_seq, tuple(files))


def _refuse_damaged_header(data: bytes) -> None:
    """Raise unless the first line is none of ours, not even one with a flipped bit."""
    version = _VERSION.match(data)
    if version is not None and version[1] != b"1":
        raise UnsupportedVersionError(0, f"manifest {version[1].decode()}")
    if data.startswith(b"#") and (version is not None or data.find(b"\n") + 1 == _HEADER_BYTES):
        raise FormatError(0, "the manifest's header line is damaged")


def _lines(data: bytes) -> Iterator[tuple[int, bytes]]:
    offset = 0
    while offset < len(data):
        end = data.find(b"\n", offset, offset + MANIFEST_LINE_BYTES_MAX) + 1
        if not end:
            raise FormatError(offset, f"a line that does not end within {MANIFEST_LINE_BYTES_MAX} bytes")
        line = data[offset : end - 1]
        if b"\0" in line:
            raise FormatError(offset, "a line with a NUL")
        yield offset, line
        offset = end


@lru_cache(maxsize=_LINES_KEPT)
def _decode_file(line: bytes, ours: bool, /) -> ManifestFile:
    """What one line says.  Errors count from its start."""
    try:
        words = split_words(line)
    except FormatWordError as failure:
        raise FormatError(failure.index, failure.reason) from failure
    if len(words) < 6 or len(words) % 2:
        raise FormatError(0, "a line that is no sequence of at least three pairs")
    pairs: dict[bytes, bytes] = {}
    for key, value in zip(words[::2], words[1::2], strict=True):
        if key.lower() in pairs:
            raise FormatError(0, f"{key!r} twice in one line")
        pairs[key.lower()] = value
    if not ours and any(key.startswith(b"dkv-") for key in pairs):
        raise FormatError(0, "pairs of ours without the header that vouches for them")
    for key in (b"file", b"seq", b"type"):
        if key not in pairs:
            raise FormatError(0, f"a line without {key.decode()!r}")
    if pairs[b"type"] not in (b"b", b"h", b"i"):
        raise FormatError(0, f"unknown type {pairs[b'type']!r}")
    file = ManifestFile(
        name=_decode_name(pairs[b"file"]),
        seq=_decode_number(pairs[b"seq"], 1, SEGMENT_NUMBER_MAX),
        kind=cast(Kind, pairs[b"type"].decode()),
        first=_decode_number(pairs[b"dkv-first"], 1, SEQ_MAX) if b"dkv-first" in pairs else None,
        last=_decode_number(pairs[b"dkv-last"], 0, SEQ_MAX) if b"dkv-last" in pairs else None,
        bytes=_decode_number(pairs[b"dkv-bytes"], 0, SEQ_MAX) if b"dkv-bytes" in pairs else None,
        capacity=_decode_number(pairs[b"dkv-capacity"], 0, SEQ_MAX) if b"dkv-capacity" in pairs else None,
    )
    if file.bytes is not None and file.last is None:
        raise FormatError(0, f"{file.name} has an end in bytes and none in commands")
    if file.capacity is not None and file.last is not None:
        raise FormatError(0, f"{file.name} has an end, and yet a capacity")
    if file.first is not None and file.last is not None and file.last < file.first - 1:
        raise FormatError(0, f"{file.name} ends at {file.last}, before its first command {file.first}")
    return file


def _check_order(offset: int, previous: ManifestFile | None, file: ManifestFile) -> None:
    """Raise unless ``file`` may stand after the one before it: one base, and segments that follow it and each other."""
    if previous is None:
        return
    if file.kind == "b":
        # A base is the first one, or it was refused.
        where = "a second base" if previous.kind == "b" else "a base after a log segment"
        raise FormatError(offset, f"{file.name} is {where}")
    if previous.kind == "i":
        if file.seq <= previous.seq:
            raise FormatError(offset, f"{file.name} has the number {file.seq} after {previous.seq}")
        if file.first is not None and previous.last is None:
            raise FormatError(offset, f"{file.name} follows {previous.name}, whose end is not known")
    if file.first is not None and previous.last is not None and file.first <= previous.last:
        raise FormatError(offset, f"{file.name} begins with {file.first}, but {previous.name} holds {previous.last}")


def _decode_number(digits: bytes, least: int, most: int) -> int:
    if not _NUMBER.fullmatch(digits):
        raise FormatError(0, f"{digits!r} is not a number")
    number = int(digits)
    if not least <= number <= most:
        raise LimitError(0, f"{number} is out of bounds; {least} to {most} are allowed")
    return number


def _decode_name(name: bytes) -> str:
    if not name or name in (b".", b"..") or b"/" in name or b"\0" in name:
        raise FormatError(0, f"{name!r} is not the name of a file in this directory")
    if len(name) > MANIFEST_NAME_BYTES_MAX:
        raise LimitError(0, f"a name of {len(name)} bytes; {MANIFEST_NAME_BYTES_MAX} are allowed")
    return name.decode("utf-8", "surrogateescape")


@lru_cache(maxsize=_LINES_KEPT)
def _encode_file(file: ManifestFile, /) -> bytes:
    try:
        name = join_word(file.name.encode("utf-8", "surrogateescape"))
    except UnicodeEncodeError as failure:
        raise FormatError(0, f"{file.name!r} cannot be the name of a file") from failure
    line = b"file %b seq %d type %b" % (name, file.seq, file.kind.encode())
    numbers = (
        (b"dkv-first", file.first),
        (b"dkv-last", file.last),
        (b"dkv-bytes", file.bytes),
        (b"dkv-capacity", file.capacity),
    )
    for key, value in numbers:
        if value is not None:
            line += b" %b %d" % (key, value)
    return line + b"\n"
