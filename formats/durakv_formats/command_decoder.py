"""Reading commands from bytes that arrive in pieces.  The layout is specified in formats/resp.md.

A window of the input is cut at its CRLFs, and each length line is compared with the one that the piece after it would
be given: one C call for hundreds of commands, and strict.  A command for which it does not work out (a value that
holds a CRLF, a command across two windows, damage) is read again byte by byte; only that reader decides what is an
error.
"""

from __future__ import annotations

from durakv_formats.errors import FormatError, LimitError
from durakv_formats.intake import Intake
from durakv_formats.limits import BULK_BYTES_MAX, COMMAND_ARGUMENTS_MAX, COMMAND_BYTES_MAX

_CRLF = b"\r\n"

_CACHED = 2048
_BULK_LINES = tuple(b"$%d" % size for size in range(_CACHED))
_ARRAY_COUNTS = {b"*%d" % count: count for count in range(1, _CACHED)}

_WINDOW_BYTES = 32 << 10
"""How much is cut at a time; it also bounds the pieces that hostile bytes can make of it."""

_SHORT_PIECES = 32
"""Of how many pieces a single command may be made to be read without a window."""

_LENGTH_LINE_BYTES_MAX = 14
"""A mark, at most ten digits and a CRLF, with some to spare."""


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

    def skip(self, size: int) -> bool:
        """Pass over so many bytes, which are no command, where the next one should begin; False if they are not all
        here yet, or a command is being read."""
        if self._argc:
            return False
        self._settle()
        intake = self._intake
        window, start = intake.data, intake.at
        if not intake.need(size):
            return False
        intake.at += size
        # As behind a command that was read byte by byte; the pieces end with a CRLF each.
        if self._parts and window is intake.data and window.startswith(_CRLF, intake.at - 2):
            self._index += window.count(_CRLF, start, intake.at)
        else:
            self._parts = []
            self._index = 0
        self._settled = self._index
        return True

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


def decode_short(data: bytes) -> list[bytes] | None:
    """The command that ``data`` is, if it is exactly one and a plain one; None says nothing at all."""
    parts = data.split(_CRLF, _SHORT_PIECES)
    if len(parts) == 8 and parts[0] == b"*3" and not parts[7]:
        # SET and most other writes, as in _take_from.
        _, line1, first, line2, second, line3, third, _ = parts
        lines = _BULK_LINES
        try:
            if line1 == lines[len(first)] and line2 == lines[len(second)] and line3 == lines[len(third)]:
                return [first, second, third]
        except IndexError:
            return None  # a piece too long for the prepared lines
        return None
    commands: list[list[bytes]] = []
    if not parts[-1] and _take_from(parts, 0, commands, 1) == len(parts) - 1 > 0:
        return commands[0]
    return None


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
