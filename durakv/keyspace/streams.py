"""The commands on streams and their entries; those on groups of consumers are in ``stream_groups.py``.

Whatever the clock, a ``*`` or a ``~`` left open is settled here: what is logged has the id, and the length to trim to.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from durakv.errors import CommandError
from durakv.keyspace.command import NO_CLOCK, NO_KEYS, Call, CommandSpec
from durakv.keyspace.integers import parse_integer
from durakv.keyspace.kinds.by_id import ById, Id
from durakv.keyspace.kinds.stream import Fields, Stream, set_id
from durakv.keyspace.kinds.stream_effects import check_setid, id_too_low
from durakv.keyspace.kinds.stream_id import (
    ID_MAX,
    ID_MIN,
    NUMBER_MAX,
    format_id,
    next_id,
    parse_end,
    parse_id,
    parse_start,
)
from durakv.keyspace.replies import OK, Reply, arity_error, printable, syntax_error
from durakv.machine import Command

APPROXIMATE_ENTRIES = 100
"""Trimming with ``~`` removes entries by so many at once, as Redis does with its default settings."""

_LIMIT_DEFAULT = 100 * APPROXIMATE_ENTRIES


def entry_reply(id_: Id, fields: Fields | None) -> Reply:
    """An entry as replies have it; None for the fields of one that is gone."""
    return [format_id(id_), None if fields is None else list(fields)]


def entries_reply(entries: Iterator[tuple[Id, Fields]], count: int) -> list[Reply]:
    """The first entries as a list; 0: all of them."""
    return [entry_reply(id_, fields) for id_, fields in islice(entries, count or None)]


def now(call: Call) -> int:
    """The time; raises CommandError in a replay."""
    if call.now_ms == NO_CLOCK:
        raise CommandError(
            f"ERR '{printable(call.name)}' that depends on the time cannot be replayed: a log must say the id it "
            "gave, or XCLAIM with TIME. Run these commands against a server and open what it writes"
        )
    return call.now_ms


# --- trimming ---------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Trim:
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


def _log_trim(call: Call, key: bytes, length: int) -> None:
    call.log(b"XTRIM", key, b"MAXLEN", b"=", b"%d" % length)


# --- changing ---------------------------------------------------------------------------------------------------------


def xadd(call: Call, command: Command) -> Reply:
    """XADD key [NOMKSTREAM] [MAXLEN | MINID [= | ~] threshold [LIMIT n]] * | ms-* | id field value ..."""
    key = command[1]
    trim, index = Trim.parse(command, adds=True)
    wanted = _WantedId.parse(command[index]) if index < len(command) else None
    trim.check(call, adds=True)
    fields = command[index + 1 :]
    if wanted is None or not fields or len(fields) % 2:
        raise arity_error(call.name)
    if wanted.ms == wanted.seq == 0:
        raise CommandError("ERR The ID specified in XADD must be greater than 0-0")
    value = call.meet_container(key, Stream)
    if value is None and not trim.makes_stream:
        return None
    id_ = wanted.settle(call, ID_MIN if value is None else value.last_id)
    text = format_id(id_)
    call.log(b"XADD", key, text, *fields)
    entries: ById[Fields] = ById() if value is None else value.entries
    trimmed = trim.count(entries, id_)
    if trimmed:
        _log_trim(call, key, len(entries) + 1 - trimmed)
    return text


@dataclass(frozen=True, slots=True)
class _WantedId:
    """The id that XADD is to give; None for what it may choose."""

    ms: int | None
    seq: int | None

    @classmethod
    def parse(cls, text: bytes) -> _WantedId:
        if text == b"*":
            return cls(None, None)
        if text.endswith(b"-*"):
            return cls(parse_id(text[:-1] + b"0")[0], None)
        return cls(*parse_id(text))

    def settle(self, call: Call, last: Id) -> Id:
        """The id, which must be higher than the last one."""
        if last == ID_MAX:
            raise CommandError("ERR The stream has exhausted the last possible ID, unable to add more items")
        if self.ms is None:
            time_ms = now(call)
            return (time_ms, 0) if time_ms > last[0] else next_id(last)
        if self.seq is not None:
            id_ = self.ms, self.seq
        elif self.ms == last[0] and last[1] < NUMBER_MAX:
            id_ = next_id(last)
        else:
            id_ = self.ms, 0
        if id_ <= last:
            raise id_too_low()
        return id_


def xtrim(call: Call, command: Command) -> Reply:
    """XTRIM key MAXLEN | MINID [= | ~] threshold [LIMIT n]: how many entries are gone."""
    trim, _ = Trim.parse(command, adds=False)
    trim.check(call, adds=False)
    value = call.meet_container(command[1], Stream)
    if value is None:
        return 0
    trimmed = trim.count(value.entries)
    if trimmed:
        _log_trim(call, command[1], len(value.entries) - trimmed)
    return trimmed


def xdel(call: Call, command: Command) -> Reply:
    """XDEL key id ...: how many were there."""
    value = call.meet_container(command[1], Stream)
    if value is None:
        return 0
    present = [id_ for id_ in dict.fromkeys(map(parse_id, command[2:])) if id_ in value.entries]
    if present:
        call.log(b"XDEL", command[1], *map(format_id, present))
    return len(present)


def xsetid(call: Call, command: Command) -> Reply:
    """XSETID key id [ENTRIESADDED n] [MAXDELETEDID id]"""
    last_id, added, max_deleted_id = parse_id(command[2]), None, ID_MIN
    rest = iter(command[3:])
    for name in rest:
        option = name.upper()
        argument = next(rest, None)
        if argument is None or option not in (b"ENTRIESADDED", b"MAXDELETEDID"):
            raise syntax_error()
        if option == b"ENTRIESADDED":
            added = parse_integer(argument)
        else:
            max_deleted_id = parse_id(argument)
        check_setid(Stream(), last_id, added, max_deleted_id)
    value = call.find_container(command[1], Stream)
    if value is None:
        raise CommandError("ERR no such key")
    check_setid(value, last_id, added, max_deleted_id)
    call.effects.append(set_id(command[1], last_id, value.entries_added if added is None else added, max_deleted_id))
    return OK


# --- reading ----------------------------------------------------------------------------------------------------------


def xlen(call: Call, command: Command) -> Reply:
    """XLEN key"""
    value = call.find_container(command[1], Stream)
    return 0 if value is None else len(value.entries)


def xrange(call: Call, command: Command) -> Reply:
    """XRANGE key start end [COUNT n]"""
    return _range(call, command, command[2], command[3], is_down=False)


def xrevrange(call: Call, command: Command) -> Reply:
    """XREVRANGE key end start [COUNT n]"""
    return _range(call, command, command[3], command[2], is_down=True)


def _range(call: Call, command: Command, low: bytes, high: bytes, *, is_down: bool) -> Reply:
    start, end = parse_start(low), parse_end(high)
    count = -1
    rest = iter(command[4:])
    for option in rest:
        argument = next(rest, None)
        if option.upper() != b"COUNT" or argument is None:
            raise syntax_error()
        count = max(0, parse_integer(argument))
    value = call.find_container(command[1], Stream)
    if value is None:
        return []
    if not count:
        return None
    return entries_reply(between(value.entries, start, end, is_down=is_down), max(0, count))


def between(
    entries: ById[Fields], start: Id = ID_MIN, end: Id = ID_MAX, *, is_down: bool = False
) -> Iterator[tuple[Id, Fields]]:
    """The entries from one id to another, both included."""
    if is_down:
        for id_, fields in entries.items_down(end):
            if id_ < start:
                return
            yield id_, fields
    else:
        for id_, fields in entries.items(start):
            if id_ > end:
                return
            yield id_, fields


def xread(call: Call, command: Command) -> Reply:
    """XREAD [COUNT n] [BLOCK ms] STREAMS key ... id ...: nobody waits here, so BLOCK ends at once."""
    options = ReadOptions.parse(command, reads_group=False)
    found: list[tuple[bytes, Stream | None, Id]] = []
    for key, text in zip(options.keys, options.ids, strict=True):
        value = call.find_container(key, Stream)
        if text == b">":
            raise CommandError(
                "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option."
            )
        last = ID_MIN if value is None else value.last_id
        found.append((key, value, last if text == b"$" else parse_id(text)))
    replies: list[Reply] = []
    for key, value, after in found:
        top = None if value is None else value.entries.last()
        if value is not None and top is not None and top > after:
            replies.append([key, entries_reply(value.entries.items(next_id(after)), options.count)])
    return replies or None


@dataclass(slots=True)
class ReadOptions:
    """What XREAD and XREADGROUP are told."""

    keys: Command = ()
    ids: Command = ()
    count: int = 0
    group: bytes | None = None
    consumer: bytes = b""
    acknowledges: bool = False

    @classmethod
    def parse(cls, command: Command, *, reads_group: bool) -> ReadOptions:
        """The options; raises CommandError for one that is unknown, or lacks what belongs to it."""
        options = cls()
        rest = iter(range(1, len(command)))
        for index in rest:
            left = len(command) - index - 1
            option = command[index].upper()
            if option == b"STREAMS" and left:
                if left % 2:
                    raise CommandError(
                        "ERR Unbalanced XREAD list of streams: for each stream key an ID or '$' must be specified."
                    )
                streams = command[index + 1 :]
                options.keys, options.ids = streams[: left // 2], streams[left // 2 :]
                break
            if option == b"COUNT" and left:
                options.count = max(0, parse_integer(command[next(rest)]))
            elif option == b"BLOCK" and left:
                _check_timeout(command[next(rest)])
            elif option == b"GROUP" and left >= 2:
                _check_group_option(option, reads_group)
                options.group, options.consumer = command[next(rest)], command[next(rest)]
            elif option == b"NOACK":
                _check_group_option(option, reads_group)
                options.acknowledges = True
            else:
                raise syntax_error()
        if not options.keys:
            raise syntax_error()
        return options


def _check_group_option(option: bytes, reads_group: bool) -> None:
    if not reads_group:
        name = option.decode()
        raise CommandError(f"ERR The {name} option is only supported by XREADGROUP. You called XREAD instead.")


def _check_timeout(text: bytes) -> None:
    try:
        timeout = parse_integer(text)
    except CommandError as error:
        raise CommandError("ERR timeout is not an integer or out of range") from error
    if timeout < 0:
        raise CommandError("ERR timeout is negative")


COMMANDS = (
    CommandSpec(b"xadd", -5, xadd, writes=True),
    CommandSpec(b"xtrim", -4, xtrim, writes=True),
    CommandSpec(b"xdel", -3, xdel, writes=True),
    CommandSpec(b"xsetid", -3, xsetid, writes=True),
    CommandSpec(b"xlen", 2, xlen, writes=False),
    CommandSpec(b"xrange", -4, xrange, writes=False),
    CommandSpec(b"xrevrange", -4, xrevrange, writes=False),
    CommandSpec(b"xread", -4, xread, writes=False, keys=NO_KEYS),
)
