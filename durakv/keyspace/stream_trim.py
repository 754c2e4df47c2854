"""Trimming a stream: what XADD and XTRIM are told of it, and how many of the first entries go."""

from __future__ import annotations

import msgspec

from durakv.errors import CommandError
from durakv.keyspace.command import NO_CLOCK, Call
from durakv.keyspace.integers import parse_integer
from durakv.keyspace.kinds.by_id import ById, Id
from durakv.keyspace.kinds.stream import Fields
from durakv.keyspace.kinds.stream_id import ID_MIN, parse_id
from durakv.keyspace.replies import printable, syntax_error
from durakv.machine import Command

APPROXIMATE_ENTRIES = 100
"""Trimming with ``~`` removes entries by so many at once, as Redis does with its default settings."""

_LIMIT_DEFAULT = 100 * APPROXIMATE_ENTRIES


class Trim(msgspec.Struct):
    """What XADD and XTRIM are told of trimming."""

    strategy: bytes = b""
    """MAXLEN, MINID or none."""
    length: int = 0
    min_id: Id = ID_MIN
    is_approximate: bool = False
    limit: int | None = None
    makes_stream: bool = True

    def count(self, entries: ById[Fields], added: Id | None = None) -> int:
        """How many of the first entries go, once this one was added to them."""
        length = len(entries) + (added is not None)
        if not self.strategy:
            return 0
        if self.strategy == b"MAXLEN":
            excess = max(0, length - self.length)
        else:
            excess = entries.count_below(self.min_id) + (added is not None and added < self.min_id)
        if not self.is_approximate:
            return excess
        # Whole portions only, of which the last one of the stream may be smaller.
        if excess < length:
            excess -= excess % APPROXIMATE_ENTRIES
        limit = _LIMIT_DEFAULT if self.limit is None else self.limit or length
        return excess if excess <= limit else limit - limit % APPROXIMATE_ENTRIES

    @classmethod
    def parse(cls, command: Command, *, adds: bool) -> tuple[Trim, int]:
        """The options of XADD or XTRIM, and the index of the first argument that is none."""
        options = cls()
        index = 2
        while index < len(command):
            option = command[index].upper()
            has_more = index + 1 < len(command)
            if option in (b"MAXLEN", b"MINID") and has_more:
                index = options._take_strategy(command, index, option)
            elif option == b"LIMIT" and has_more:
                index += 1
                options.limit = parse_integer(command[index])
                if options.limit < 0:
                    raise CommandError("ERR The LIMIT argument must be >= 0.")
            elif adds and option == b"NOMKSTREAM":
                options.makes_stream = False
            elif adds:
                break
            else:
                raise syntax_error()
            index += 1
        return options, index

    def _take_strategy(self, command: Command, index: int, option: bytes) -> int:
        if self.strategy:
            raise CommandError("ERR syntax error, MAXLEN and MINID options at the same time are not compatible")
        self.strategy = option
        index += 1
        self.is_approximate = False
        if index + 1 < len(command) and command[index] in (b"~", b"="):
            self.is_approximate = command[index] == b"~"
            index += 1
        if option == b"MINID":
            self.min_id = parse_id(command[index])
        else:
            self.length = parse_integer(command[index])
            if self.length < 0:
                raise CommandError("ERR The MAXLEN argument must be >= 0.")
        return index

    def check(self, call: Call, *, adds: bool) -> None:
        """Refuse options that do not go together."""
        if self.limit and not self.strategy:
            raise CommandError("ERR syntax error, LIMIT cannot be used without specifying a trimming strategy")
        if not adds and not self.strategy:
            raise CommandError("ERR syntax error, XTRIM must be called with a trimming strategy")
        if call.now_ms == NO_CLOCK:
            # A server writes = and how far it came where it was told ~, and leaves the LIMIT.
            if self.is_approximate:
                raise CommandError(f"ERR '{printable(call.name)}' with ~ cannot be replayed: a log must say how far")
        elif self.limit is not None and not self.is_approximate:
            raise CommandError("ERR syntax error, LIMIT cannot be used without the special ~ option")
