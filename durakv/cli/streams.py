"""A stream of commands: plain RESP, a stock server's append-only file, or a segment of ours.

Comment lines are passed over, frames of ours are verified, and zeros up to the end (preallocated space) are the end.
What belongs together (MULTI to EXEC, a frame) comes as one group.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from durakv.errors import CommandError, Corruption, UnsupportedVersion
from durakv.machine import Command
from durakv_formats.errors import FormatError, UnsupportedVersionError
from durakv_formats.frame import Frame, FrameDecoder, FrameError
from durakv_formats.resp import CommandDecoder, decode_batch

READ_BYTES = 256 << 10
_COMMENTS = re.compile(rb"(#(?!DKV)[^\n]*\n)*")
_TIMES = re.compile(rb"(?:#TS:[0-9]{1,20}\r?\n)+")
"""How stock servers note the time, as often as once a second."""
_REMEDY = "Everything before this place was taken; mend the stream and import the rest"


class Readable(Protocol):
    """As much of a file as a stream needs."""

    def read(self, size: int, /) -> bytes:
        """Up to so many bytes; none at the end."""
        ...


class Made(NamedTuple):
    """A key that commands make, whatever it held before."""

    database: int
    key: bytes
    digest: int
    """What ``digest_of_key`` has for it once they have run."""


@dataclass(frozen=True, slots=True)
class Group:
    """Commands that belong together, and their place in the stream: it rises from group to group."""

    commands: Sequence[Command]
    offset: int
    made: Made | None = None
    """The key that they make; they are effects then, and need not be decided."""


class CommandStream:
    """Reads groups of commands from a binary stream."""

    def __init__(self, source: Readable, name: str) -> None:
        self._source = source
        self._name = name
        # What the decoder in use was fed and has not passed yet: another decoder may have to go on from there.
        self._kept = bytearray()
        self._kept_offset = 0
        self._decoder: FrameDecoder | CommandDecoder = CommandDecoder()
        self._transaction: list[list[bytes]] | None = None
        self._ended = False

    @property
    def offset(self) -> int:
        """How far it was decoded."""
        return self._decoder.offset

    def __iter__(self) -> Iterator[Group]:
        """The groups; raises Corruption at damage and at an end inside a command or transaction."""
        try:
            while True:
                found = self._next()
                if found is not None:
                    yield from self._group(found)
                elif not self._read():
                    break
        except UnsupportedVersionError as error:
            raise UnsupportedVersion(self._name, error.version, "Import it with the version that wrote it") from error
        except FormatError as error:
            raise Corruption(self._name, error.offset, error.reason, _REMEDY) from error
        rest = bytes(self._kept[self._decoder.offset - self._kept_offset :])
        if rest and not _COMMENTS.fullmatch(rest):
            raise Corruption(self._name, self._decoder.offset, "the stream ends inside a command", _REMEDY)
        if self._transaction is not None:
            raise Corruption(self._name, self._decoder.offset, "the stream ends inside a transaction", _REMEDY)

    def _next(self) -> Frame | list[bytes] | None:
        if self._ended:
            self._only_zeros()
            return None
        try:
            if isinstance(self._decoder, FrameDecoder):
                return self._decoder.next_frame()
            return self._decoder.next_command()
        except FormatError as error:
            # A frame's error is behind the comments before it; a command's may be inside the command.
            offset = error.offset if isinstance(error, FrameError) else self._decoder.offset
            at = offset - self._kept_offset
            first = bytes(self._kept[at : at + 1])
            if first == b"*" and isinstance(self._decoder, FrameDecoder):
                self._switch(CommandDecoder(offset), offset)
            elif first == b"#" and isinstance(self._decoder, CommandDecoder):
                times = _TIMES.match(self._kept, at)
                if times is None or not self._decoder.skip(times.end() - at):
                    self._switch(FrameDecoder(None, None, offset), offset)
            elif first == b"\0":
                self._switch(CommandDecoder(offset), offset)
                self._ended = True
            else:
                raise
            return self._next()

    def _switch(self, decoder: FrameDecoder | CommandDecoder, offset: int) -> None:
        del self._kept[: offset - self._kept_offset]
        self._kept_offset = offset
        self._decoder = decoder
        decoder.feed(self._kept)

    def _group(self, found: Frame | list[bytes]) -> Iterator[Group]:
        offset = self._decoder.offset
        if isinstance(found, Frame):
            if not found.is_opening:
                yield Group(decode_batch(found.payload, found.count), offset)
            return
        name = found[0].upper()
        if name == b"MULTI" and self._transaction is None:
            self._transaction = []
        elif name == b"EXEC" and self._transaction is not None:
            commands, self._transaction = self._transaction, None
            yield Group(commands, offset)
        elif name in (b"MULTI", b"EXEC", b"DISCARD"):
            raise CommandError(f"{self._name} before byte {offset}: {name.decode()} where none can be")
        elif self._transaction is not None:
            self._transaction.append(found)
        else:
            yield Group([found], offset)

    def _read(self) -> bool:
        del self._kept[: self._decoder.offset - self._kept_offset]
        self._kept_offset = self._decoder.offset
        data = self._source.read(READ_BYTES)
        self._kept += data
        self._decoder.feed(data)
        return bool(data)

    def _only_zeros(self) -> None:
        """Padding: pass over it, or raise at the first byte that is none."""
        end = self._kept_offset + len(self._kept)
        rest = self._kept.lstrip(b"\0")
        if rest:
            raise FormatError(end - len(rest), "bytes behind zeros")
        self._switch(CommandDecoder(end), end)
