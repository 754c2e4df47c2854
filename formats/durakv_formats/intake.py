"""Bytes that were fed to a decoder and not yet consumed.

The decoder reads ``data`` from ``at`` on.  Chunks wait in a list and are joined only when the decoder asks for more
than it has *and* that much has arrived: a record of a gigabyte that arrives in a million pieces is copied once or
twice, and not a million times.
"""

from __future__ import annotations


class Intake:
    """A queue of bytes with an absolute position.

    Invariant: ``position`` is the offset of ``data[at]`` in everything that was ever fed, plus the start offset.
    """

    __slots__ = ("_chunks", "_origin", "_waiting", "at", "data")

    def __init__(self, offset: int) -> None:
        self.data = b""
        self.at = 0
        self._origin = offset
        self._chunks: list[bytes] = []
        self._waiting = 0

    @property
    def position(self) -> int:
        """The absolute offset of the next byte."""
        return self._origin + self.at

    @property
    def available(self) -> int:
        """How many bytes can be had."""
        return len(self.data) - self.at + self._waiting

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        """Take more bytes; ``bytes`` are kept and not copied."""
        chunk = bytes(data)
        self._chunks.append(chunk)
        self._waiting += len(chunk)

    def need(self, size: int) -> bool:
        """Whether ``size`` bytes can be had; if so, they are at ``data[at : at + size]`` now."""
        held = len(self.data) - self.at
        if held >= size:
            return True
        if held + self._waiting < size:
            return False
        self._join()
        return True

    def need_any(self, size: int) -> int:
        """Bring up to ``size`` bytes to ``data[at:]``; return how many there are (more is possible)."""
        if len(self.data) - self.at < size and self._waiting:
            self._join()
        return len(self.data) - self.at

    def _join(self) -> None:
        rest = self.data[self.at :]
        self._origin += self.at
        self.at = 0
        self.data = b"".join((rest, *self._chunks)) if rest or len(self._chunks) > 1 else self._chunks[0]
        self._chunks.clear()
        self._waiting = 0
