"""What a file says, field by field, in a form in which two readers that share no code can be compared."""

from __future__ import annotations

from typing import Any, Protocol

import msgspec

Words = tuple[bytes, ...]


class FrameFacts(msgspec.Struct, frozen=True):
    """A frame of a log: where it stands, what its header says, and the commands in it."""

    offset: int
    end: int
    seq: int
    count: int
    length: int
    synced_seq: int
    identity: int
    segment: int
    crc32c: int
    commands: tuple[Words, ...]


class LogFacts(msgspec.Struct, frozen=True):
    """A segment: its frames, the commands that a stock server appended, and how and where it ends.

    ``ending`` is "end", "torn" (the bytes behind the last frame or command are none, and more might make them one),
    "zeros" or "bad".
    """

    frames: tuple[FrameFacts, ...]
    unframed: tuple[Words, ...]
    ending: str
    ending_offset: int


class HeaderFacts(msgspec.Struct, frozen=True):
    """The header of a snapshot."""

    identity: bytes
    number: int
    slot_count: int
    seq: int
    created_ms: int
    content: str
    crc32c: int


class BlockFacts(msgspec.Struct, frozen=True):
    """A block of a snapshot.  ``columns`` are None where the payload is another machine's."""

    offset: int
    end: int
    codec: int
    slot: int
    count: int
    raw_bytes: int
    stored_bytes: int
    crc32c: int
    payload: bytes
    columns: tuple[Any, ...] | None


class FooterFacts(msgspec.Struct, frozen=True):
    """The footer of a snapshot."""

    chain: int
    block_count: int
    count: int
    raw_bytes: int
    file_bytes: int
    crc32c: int


class SnapshotFacts(msgspec.Struct, frozen=True):
    """A snapshot, as far as it is good; ``ending`` as that of a log."""

    header: HeaderFacts | None
    blocks: tuple[BlockFacts, ...]
    footer: FooterFacts | None
    ending: str
    ending_offset: int


class FileFacts(msgspec.Struct, frozen=True):
    """A line of a manifest."""

    name: bytes
    seq: int
    kind: str
    first: int | None
    last: int | None
    bytes: int | None
    capacity: int | None


class ManifestFacts(msgspec.Struct, frozen=True):
    """A manifest; one of a stock server has no identity and no checksum."""

    identity: bytes | None
    generation: int
    synced_seq: int
    crc32c: int | None
    files: tuple[FileFacts, ...]


class Reader(Protocol):
    """Whoever can read all files.  What a good reader finds does not depend on who it is."""

    def log(self, data: bytes, identity: int, segment: int) -> LogFacts:
        """The facts of a segment that should carry this identity and number."""
        ...

    def snapshot(self, data: bytes) -> SnapshotFacts:
        """The facts of a snapshot, its payloads taken apart if they should be columns."""
        ...

    def manifest(self, data: bytes) -> ManifestFacts | None:
        """The facts of a manifest; None if it is refused."""
        ...


SETS = (3, 131)
COLUMNS = ("keyspace", "columns")
"""The words for payloads of columns; the second one stands in a golden file."""


def plain_columns(columns: list[tuple[int, int, list[bytes], list[Any]]]) -> tuple[Any, ...]:
    """Columns of kind, database, keys and values in the form to compare; sets have no order."""
    return tuple(
        (kind, database, tuple(keys), tuple(_plain(set(value) if kind in SETS else value) for value in values))
        for kind, database, keys, values in columns
    )


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value.hex()  # unlike the numbers, these tell 0.0 from -0.0 and from 0
    if isinstance(value, list | tuple):
        return tuple(map(_plain, value))
    if isinstance(value, set):
        return frozenset(map(_plain, value))
    if isinstance(value, dict):
        return {_plain(key): _plain(held) for key, held in value.items()}
    return value
