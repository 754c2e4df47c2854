"""Reading a base: block after block, in memory bounded by one block, every byte verified.

    with read_base(filesystem, name) as reader:
        reader.expect(identity=..., number=..., seq=...)
        for block in reader: ...

A block is handed out as soon as its own checksum agrees.  That none is missing, doubled or swapped is known only when
the iteration ends without an error; a caller publishes nothing before that.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import Self

from durakv.errors import Corruption, UnsupportedVersion
from durakv.snapshot.codec import BaseCodec, BlockDecoder
from durakv.storage.filesystem import File, Filesystem
from durakv_formats.errors import FormatError, UnsupportedVersionError
from durakv_formats.snapshot import SnapshotDecoder, SnapshotHeader, StoredBlock, newer_header

READ_BYTES = 256 << 10

REMEDY = "Restore the file from a copy; `durakv verify` lists what the directory holds"


def read_base(filesystem: Filesystem, name: str, codec: BaseCodec | None = None) -> BaseReader:
    """Open a base and read its header; ``codec`` if not that of the released versions.

    Raises Corruption, UnsupportedVersion (of a newer version; untouched) or ``OSError``.
    """
    file = filesystem.open(name)
    try:
        return BaseReader(file, name, codec)
    except BaseException:
        file.close()
        raise


def newer_base(filesystem: Filesystem, name: str) -> SnapshotHeader | None:
    """What a base of a version that cannot be read says of itself; None if it says nothing that holds."""
    file = filesystem.open(name)
    try:
        return newer_header(file.read_at(READ_BYTES, 0))
    except FormatError:
        return None
    finally:
        file.close()


class BaseReader:
    """One pass over the blocks of a base, in slot order."""

    def __init__(self, file: File, name: str, codec: BaseCodec | None = None) -> None:
        self.name = name
        self._file = file
        self._size = file.size()
        self._position = 0
        self._decoder: BlockDecoder = SnapshotDecoder() if codec is None else codec.decoder()
        self._first = self._next()
        header = self._decoder.header
        if header is None:
            raise self._corrupt(0, "the file ends inside its header")
        self.header: SnapshotHeader = header
        """Whose it is, up to which command it goes, and what its blocks hold."""

    @property
    def offset(self) -> int:
        """How many bytes were read and found good."""
        return self._decoder.offset

    @property
    def size(self) -> int:
        """The size of the file when it was opened."""
        return self._size

    def expect(self, *, identity: bytes, number: int, seq: int) -> None:
        """Raise Corruption unless the header is that of the file which the manifest means (C11)."""
        check_place(self.name, self.header, identity=identity, number=number, seq=seq)

    def __iter__(self) -> Iterator[StoredBlock]:
        """The blocks; ends only when the whole file was verified, else raises Corruption.  Once."""
        block, self._first = self._first, None
        while block is not None:
            yield block
            block = self._next()
        if not self._decoder.done:
            raise self._corrupt(self.offset, "the file ends before the snapshot does")

    def _next(self) -> StoredBlock | None:
        """The next block; None at the end of the file."""
        decoder = self._decoder
        try:
            while True:
                block = decoder.next_block()
                if block is not None:
                    return block
                data = self._file.read_at(READ_BYTES, self._position)
                if not data:
                    return None
                self._position += len(data)
                # Even behind the footer: that nothing follows it is the decoder's to say.
                decoder.feed(data)
        except UnsupportedVersionError as error:
            raise UnsupportedVersion(self.name, error.version, "Open it with the version that wrote it") from error
        except FormatError as error:
            raise self._corrupt(error.offset, error.reason) from error

    def _corrupt(self, offset: int, reason: str) -> Corruption:
        return Corruption(self.name, offset, reason, REMEDY)

    def close(self) -> None:
        """Release the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def check_place(name: str, header: SnapshotHeader, *, identity: bytes, number: int, seq: int) -> None:
    """Raise Corruption unless the header is that of the file which the manifest means (C11)."""
    reason = ""
    if header.identity != identity:
        reason = f"it belongs to directory {header.identity.hex()}, not {identity.hex()}"
    elif header.number != number:
        reason = f"it was written as base {header.number}, not {number}"
    elif header.seq != seq:
        reason = f"it goes up to number {header.seq}, but the manifest says {seq}"
    if reason:
        raise Corruption(name, 0, reason, REMEDY)
