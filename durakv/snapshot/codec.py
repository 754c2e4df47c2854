"""Which versions of a base are read, and which one is written.

Where no codec is named the released versions are meant.  Another one is named to try out a version before it is
released (specs/12-versions.md): with it the engine recovers, rewrites and publishes as always, through the same steps.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from durakv_formats.snapshot import SnapshotHeader, StoredBlock


class BlockDecoder(Protocol):
    """Reads one base from bytes, as ``SnapshotDecoder`` does."""

    @property
    def header(self) -> SnapshotHeader | None:
        """The header, once it was read."""
        ...

    @property
    def done(self) -> bool:
        """Whether all was read and agreed."""
        ...

    @property
    def offset(self) -> int:
        """The end of the last good part."""
        ...

    def feed(self, data: bytes, /) -> None:
        """Take more bytes."""
        ...

    def next_block(self) -> StoredBlock | None:
        """The next block, or None: more bytes, please, or that was all (``done``)."""
        ...


class BlockEncoder(Protocol):
    """Makes the bytes of one base, as ``SnapshotEncoder`` does."""

    def header_bytes(self) -> bytes:
        """What stands first in the file."""
        ...

    def block(self, slot: int, payload: bytes, count: int, /) -> bytes:
        """A block.  Slots must not decrease."""
        ...

    def copy_block(self, block: StoredBlock, /) -> bytes:
        """A block of another base, as it is stored there."""
        ...

    def footer(self) -> bytes:
        """What stands last in the file."""
        ...


class Outline(Protocol):
    """Where the blocks of one base are, as ``SnapshotOutline`` tells it."""

    @property
    def header(self) -> SnapshotHeader:
        """Whose it is, up to which command it goes, and what its blocks hold."""
        ...

    @property
    def count(self) -> int:
        """How many things all blocks hold together."""
        ...

    @property
    def size(self) -> int:
        """Where the base ends, and the file has to end as well."""
        ...

    def blocks_of(self, slot: int, /) -> range:
        """The blocks that are said to be of the slot."""
        ...

    def unproven(self, blocks: range, /) -> list[int]:
        """The blocks that have to be verified before ``blocks`` are known to be all of their slot."""
        ...

    def place(self, index: int, /) -> tuple[int, int]:
        """Where a block stands: its offset, and its size with the head."""
        ...

    def verify(self, index: int, data: bytes, /) -> StoredBlock:
        """The block, from the bytes of its place; raises FormatError unless it is what its writer sealed."""
        ...


class BaseCodec(Protocol):
    """Every version that is read, and the one that is written.

    What is read is told apart by its first bytes, and anything else is refused by FormatError, or by
    UnsupportedVersionError if it is of a version that this codec does not know (C12).
    """

    def decoder(self) -> BlockDecoder:
        """A decoder of every version that is read."""
        ...

    def encoder(self, header: SnapshotHeader, /) -> BlockEncoder:
        """An encoder of the version that is written."""
        ...

    def outline(self, read_at: Callable[[int, int], bytes], size: int, /) -> Outline:
        """The outline of a base of any version that is read; ``size`` is that of the file."""
        ...
