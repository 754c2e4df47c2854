"""A file's bytes in memory: holes take nothing, and what it began with is shared until it is written over."""

from __future__ import annotations

CHUNK_BYTES = 64 << 10


class FileMemory:
    """``base``, then chunks written over it; a chunk may be shorter than it could be and then ends in zeros.

    Every change returns by how many bytes the memory taken grew, so that a bound can be kept.
    """

    __slots__ = ("_base", "_base_end", "_chunks", "size", "stored")

    def __init__(self, base: bytes = b"") -> None:
        self.size = len(base)
        self.stored = len(base)
        """Bytes of memory taken."""
        self._base = base
        self._base_end = len(base)
        """What is behind it in ``base`` was cut off, and is zeros if the file grows again."""
        self._chunks: dict[int, bytearray] = {}

    def read(self, offset: int, size: int) -> bytes:
        """At most ``size`` bytes, fewer at the end."""
        end = min(offset + size, self.size)
        if offset >= end:
            return b""
        index, at = divmod(offset, CHUNK_BYTES)
        if at + end - offset <= CHUNK_BYTES:
            return self._piece(index, at, end - offset)
        return b"".join(self._piece(index, at, count) for index, at, count, _ in _pieces(offset, end - offset))

    def write(self, offset: int, data: bytes) -> int:
        """Write all of it, past the end too."""
        before = self.stored
        for index, at, count, begin in _pieces(offset, len(data)):
            chunk = self._chunks.get(index)
            if chunk is None:
                chunk = self._own(index)
            known = len(chunk)
            if known < at:
                chunk.extend(bytes(at - known))
            chunk[at : at + count] = data if count == len(data) else memoryview(data)[begin : begin + count]
            self.stored += len(chunk) - known
        self.size = max(self.size, offset + len(data))
        return self.stored - before

    def truncate(self, size: int) -> int:
        """Cut it, or let it grow by a hole."""
        before = self.stored
        if size < self.size:
            self._base_end = min(self._base_end, size)
            last, rest = divmod(size, CHUNK_BYTES)
            for index in [index for index in self._chunks if index >= last]:
                keep = rest if index == last else 0
                chunk = self._chunks[index]
                self.stored -= max(0, len(chunk) - keep)
                del chunk[keep:]
                if not chunk and index * CHUNK_BYTES >= self._base_end:  # else the base would show again
                    del self._chunks[index]
            if not self._base_end and self._base:
                self.stored -= len(self._base)
                self._base = b""
        self.size = size
        return self.stored - before

    def zero(self, offset: int, size: int) -> tuple[list[tuple[int, int]], int]:
        """Make it read as zeros; the file's size stays.  Returns the ranges that did not yet, and the growth."""
        before, end = self.stored, min(offset + size, self.size)
        held: list[tuple[int, int]] = []
        for index in self._held(offset, end):
            begin = max(offset, index * CHUNK_BYTES)
            count = min(end, (index + 1) * CHUNK_BYTES) - begin
            if not self._piece(index, begin % CHUNK_BYTES, count).strip(b"\0"):
                continue
            if held and sum(held[-1]) == begin:
                held[-1] = (held[-1][0], held[-1][1] + count)
            else:
                held.append((begin, count))
        for begin, count in held:
            for index, at, length, _ in _pieces(begin, count):
                chunk = self._chunks.get(index)
                if chunk is None:
                    chunk = self._own(index)
                known = len(chunk)
                if at + length >= known:
                    del chunk[at:]
                else:
                    chunk[at : at + length] = bytes(length)
                self.stored += len(chunk) - known
        return held, self.stored - before

    def whole(self) -> bytes:
        """All of it, holes as zeros; the very object that it began with if nothing was changed."""
        if not self._chunks and self._base_end == self.size == len(self._base):
            return self._base
        return self.read(0, self.size)

    def _piece(self, index: int, at: int, count: int) -> bytes:
        chunk = self._chunks.get(index)
        if chunk is not None:
            return bytes(chunk[at : at + count]).ljust(count, b"\0")
        begin = index * CHUNK_BYTES + at
        return self._base[begin : min(begin + count, self._base_end)].ljust(count, b"\0")

    def _own(self, index: int) -> bytearray:
        begin = index * CHUNK_BYTES
        chunk = self._chunks[index] = bytearray(self._base[begin : min(begin + CHUNK_BYTES, self._base_end)])
        self.stored += len(chunk)
        return chunk

    def _held(self, offset: int, end: int) -> list[int]:
        if offset >= end:
            return []
        first, last = offset // CHUNK_BYTES, (end - 1) // CHUNK_BYTES
        of_base = range(first, min(last + 1, -(-self._base_end // CHUNK_BYTES)))
        return sorted({index for index in self._chunks if first <= index <= last} | set(of_base))


def _pieces(offset: int, size: int) -> list[tuple[int, int, int, int]]:
    """For each chunk touched: its index, where in it, how many bytes, and where in the whole."""
    pieces: list[tuple[int, int, int, int]] = []
    done = 0
    while done < size:
        index, at = divmod(offset + done, CHUNK_BYTES)
        count = min(CHUNK_BYTES - at, size - done)
        pieces.append((index, at, count, done))
        done += count
    return pieces
