"""Commands as RESP arrays of bulk strings, the payload of the log.  The layout is specified in formats/resp.md.

    command := "*" argc CRLF ( "$" length CRLF byte[length] CRLF )*argc
    batch   := command                                      one command
             | MULTI command*n EXEC                         n > 1 commands

There is exactly one encoding of a command: decimal numbers without sign or leading zeros, and nothing else is read.

Decoding cuts a window of the input at its CRLFs and compares each length line with the one that the piece after it
would be given.  That is one C call for hundreds of commands, and it is strict.  A command for which it does not work
out (a value that holds a CRLF, a command across two windows, damage) is read again byte by byte; only that reader
decides what is an error.
"""

from __future__ import annotations

from collections.abc import Sequence

from durakv_formats.errors import FormatError, LimitError
from durakv_formats.intake import Intake
from durakv_formats.limits import (
    BATCH_BYTES_MAX,
    BATCH_COMMANDS_MAX,
    BULK_BYTES_MAX,
    COMMAND_ARGUMENTS_MAX,
    COMMAND_BYTES_MAX,
)

_CRLF = b"\r\n"
_MULTI = b"*1\r\n$5\r\nMULTI\r\n"
_EXEC = b"*1\r\n$4\r\nEXEC\r\n"

_CACHED = 2048
_ARRAY_HEADS = tuple(b"*%d" % count for count in range(_CACHED))
_BULK_HEADS = tuple(b"\r\n$%d\r\n" % size for size in range(_CACHED))
_BULK_LINES = tuple(b"$%d" % size for size in range(_CACHED))
_ARRAY_COUNTS = {line: count for count, line in enumerate(_ARRAY_HEADS) if count}

_WINDOW_BYTES = 32 << 10
"""How much is cut at a time; it also bounds the pieces that hostile bytes can make of it."""

_SHORT_PIECES = 32
"""Of how many pieces a single command may be made to be read without a window."""

_LENGTH_LINE_BYTES_MAX = 14
"""A mark, at most ten digits and a CRLF, with some to spare."""


def encode_command(command: Sequence[bytes]) -> bytes:
    """The encoded form of one command.  Raises LimitError if it has no name or is too large."""
    if not command:
        raise LimitError(0, "a command has a name at least")
    try:
        parts = [_ARRAY_HEADS[len(command)]]
        for argument in command:
            parts.append(_BULK_HEADS[len(argument)])
            parts.append(argument)
    except IndexError:
        return _encode_long(command)
    parts.append(_CRLF)
    return b"".join(parts)


def encode_batch(commands: Sequence[Sequence[bytes]]) -> bytes:
    """The payload of a batch: the command itself, or several between MULTI and EXEC.

    Raises LimitError for an empty batch, and for one that is too large.
    """
    if len(commands) == 1:
        return encode_command(commands[0])
    if not commands:
        raise LimitError(0, "a batch holds one command at least")
    if len(commands) > BATCH_COMMANDS_MAX:
        raise LimitError(0, f"a batch of {len(commands)} commands; {BATCH_COMMANDS_MAX} are allowed")
    payload = b"".join((_MULTI, *map(encode_command, commands), _EXEC))
    if len(payload) > BATCH_BYTES_MAX:
        raise LimitError(0, f"a batch of {len(payload)} bytes; {BATCH_BYTES_MAX} are allowed")
    return payload


def decode_batch(payload: bytes, count: int) -> list[list[bytes]]:
    """The ``count`` commands of a frame's payload, without MULTI and EXEC.

    Raises FormatError if the payload is not exactly what ``encode_batch`` makes of ``count`` commands.
    """
    if count == 1:
        # One short command per frame is the common case of a log, so it is worth a way without a decoder.
        parts = payload.split(_CRLF, _SHORT_PIECES)
        single: list[list[bytes]] = []
        if not parts[-1] and _take_from(parts, 0, single, 1) == len(parts) - 1 > 0:
            return single
    elif not 1 < count <= BATCH_COMMANDS_MAX:
        raise LimitError(0, f"a batch of {count} commands; 1 to {BATCH_COMMANDS_MAX} are allowed")
    decoder = CommandDecoder()
    decoder.feed(payload)
    expected = count if count == 1 else count + 2
    commands = decoder.take(expected)
    if len(commands) < expected:
        raise FormatError(decoder.offset, f"the payload ends before its {count} commands")
    if decoder.offset != len(payload):
        raise FormatError(decoder.offset, f"the payload goes on after its {count} commands")
    if count > 1:
        if commands[0] != [b"MULTI"] or commands[-1] != [b"EXEC"]:
            raise FormatError(0, "a batch of several commands stands between MULTI and EXEC")
        del commands[0], commands[-1]
    return commands


class CommandDecoder:
    """Reads commands from bytes that are fed in pieces of any size.

    ``next_command()`` returns the next command, or None when more bytes are needed.  It raises FormatError, again and
    again, when the next bytes cannot be a command; the error's offset is the byte at which that is certain.
    """

    __slots__ = ("_argc", "_arguments", "_bulk_bytes", "_index", "_intake", "_parts", "_settled", "_start")

    def __init__(self, offset: int = 0) -> None:
        self._intake = Intake(offset)
        # The window: its pieces, the next one to look at, and the one at which the intake stands.  The last piece is
        # not followed by a CRLF (yet).
        self._parts: list[bytes] = []
        self._index = 0
        self._settled = 0
        # A command that is being read byte by byte: where it starts, and what there is of it.
        self._start = offset
        self._argc = 0
        self._arguments: list[bytes] = []
        self._bulk_bytes = -1

    @property
    def offset(self) -> int:
        """The end of the last whole command that was returned, counted from the start of what was fed."""
        if self._argc:
            return self._start
        self._settle()
        return self._intake.position

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        """Take more bytes."""
        self._intake.feed(data)

    def next_command(self) -> list[bytes] | None:
        """The next command, or None: more bytes, please."""
        commands = self.take(1)
        return commands[0] if commands else None

    def take(self, count_max: int) -> list[list[bytes]]:
        """The next commands, at most so many; fewer when more bytes are needed.  An error loses them all."""
        commands: list[list[bytes]] = []
        while len(commands) < count_max:
            if not self._argc:
                if self._index >= len(self._parts) - 1 and not self._cut_window():
                    break
                self._index = _take_from(self._parts, self._index, commands, count_max - len(commands))
                if len(commands) == count_max:
                    break
            command = self._read_exactly()
            if command is None:
                break
            commands.append(command)
        return commands

    def _cut_window(self) -> bool:
        self._settle()
        intake = self._intake
        if not intake.need(1):
            return False
        self._parts = intake.data[intake.at : intake.at + _WINDOW_BYTES].split(_CRLF)
        self._index = self._settled = 0
        return True

    def _settle(self) -> None:
        """Bring the intake to the piece that comes next."""
        if self._settled < self._index:
            consumed = self._parts[self._settled : self._index]
            self._intake.at += sum(map(len, consumed)) + 2 * len(consumed)
            self._settled = self._index

    def _read_exactly(self) -> list[bytes] | None:
        """Read one command byte by byte, or go on with it; None when more bytes are needed."""
        self._settle()
        intake = self._intake
        window, start = intake.data, intake.at
        if not self._argc:
            self._start = intake.position
            self._argc = self._read_length(b"*", 1, COMMAND_ARGUMENTS_MAX) or 0
        while len(self._arguments) < self._argc:
            if self._bulk_bytes < 0:
                size = self._read_length(b"$", 0, BULK_BYTES_MAX)
                if size is None:
                    break
                if intake.position - self._start + size > COMMAND_BYTES_MAX:
                    raise LimitError(intake.position, f"a command of more than {COMMAND_BYTES_MAX} bytes")
                self._bulk_bytes = size
            if not intake.need(self._bulk_bytes + 2):
                break
            end = intake.at + self._bulk_bytes
            if intake.data[end : end + 2] != _CRLF:
                raise FormatError(intake.position + self._bulk_bytes, "a byte string does not end where it should")
            self._arguments.append(intake.data[intake.at : end])
            intake.at = end + 2
            self._bulk_bytes = -1
        arguments = self._arguments
        if not self._argc or len(arguments) < self._argc:
            self._parts = []
            self._index = self._settled = 0
            return None
        self._argc = 0
        self._arguments = []
        # The window is still good if the command ended inside it: every CRLF that was passed is one piece less.
        if self._parts and window is intake.data:
            self._index += window.count(_CRLF, start, intake.at)
        else:
            self._parts = []
            self._index = 0
        self._settled = self._index
        return arguments

    def _read_length(self, mark: bytes, least: int, most: int) -> int | None:
        intake = self._intake
        held = intake.need_any(_LENGTH_LINE_BYTES_MAX)
        if not held:
            return None
        data, at = intake.data, intake.at
        if data[at : at + 1] != mark:
            raise FormatError(intake.position, f"{data[at : at + 1]!r} where {mark!r} was expected")
        end = data.find(_CRLF, at, at + _LENGTH_LINE_BYTES_MAX)
        if end < 0:
            if held < _LENGTH_LINE_BYTES_MAX:
                return None
            raise FormatError(intake.position, "a length line that does not end")
        digits = data[at + 1 : end]
        if not digits.isdigit() or (digits[:1] == b"0" and digits != b"0"):
            raise FormatError(intake.position, f"{digits!r} is not a length")
        value = int(digits)
        if not least <= value <= most:
            raise LimitError(intake.position, f"a length of {value}; {least} to {most} are allowed")
        intake.at = end + 2
        return value


def _take_from(parts: list[bytes], index: int, commands: list[list[bytes]], room: int) -> int:
    """Move up to ``room`` commands from the pieces to ``commands``; return the index of the first piece left."""
    last = len(parts) - 1
    stop = len(commands) + room
    lines = _BULK_LINES
    try:
        while index < last and len(commands) < stop:
            line = parts[index]
            if line == b"*3" and index + 7 <= last:
                # SET and most other writes: a third of a replay's time would go into the general way below.
                _, line1, first, line2, second, line3, third = parts[index : index + 7]
                if line1 != lines[len(first)] or line2 != lines[len(second)] or line3 != lines[len(third)]:
                    break
                commands.append([first, second, third])
                index += 7
                continue
            end = index + 1 + 2 * _ARRAY_COUNTS[line]
            arguments = parts[index + 2 : end : 2]
            if end > last or parts[index + 1 : end : 2] != [lines[len(argument)] for argument in arguments]:
                break
            commands.append(arguments)
            index = end
    except (IndexError, KeyError):
        return index  # a piece too long, or too many of them, for the prepared lines
    return index


def _encode_long(command: Sequence[bytes]) -> bytes:
    """As ``encode_command``, for counts and sizes beyond the prepared heads."""
    if len(command) > COMMAND_ARGUMENTS_MAX:
        raise LimitError(0, f"a command of {len(command)} byte strings; {COMMAND_ARGUMENTS_MAX} are allowed")
    parts = [b"*%d" % len(command)]
    for argument in command:
        if len(argument) > BULK_BYTES_MAX:
            raise LimitError(0, f"a byte string of {len(argument)} bytes; {BULK_BYTES_MAX} are allowed")
        parts += (b"\r\n$%d\r\n" % len(argument), argument)
    parts.append(_CRLF)
    size = sum(map(len, parts))
    if size > COMMAND_BYTES_MAX:
        raise LimitError(0, f"a command of {size} bytes; {COMMAND_BYTES_MAX} are allowed")
    return b"".join(parts)
