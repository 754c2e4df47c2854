"""The commands on streams and their entries; those on groups of consumers are in ``stream_groups.py``.

Whatever the clock, a ``*`` or a ``~`` left open is settled here: what is logged has the id, and the length to trim to.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import msgspec

from durakv.errors import CommandError
from durakv.keyspace.command import NO_CLOCK, Call, CommandSpec
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
from durakv.keyspace.stream_trim import Trim
from durakv.machine import Command


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


class _WantedId(msgspec.Struct, frozen=True):
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


COMMANDS = (
    CommandSpec(b"xadd", -5, xadd, writes=True),
    CommandSpec(b"xtrim", -4, xtrim, writes=True),
    CommandSpec(b"xdel", -3, xdel, writes=True),
    CommandSpec(b"xsetid", -3, xsetid, writes=True),
    CommandSpec(b"xlen", 2, xlen, writes=False),
    CommandSpec(b"xrange", -4, xrange, writes=False),
    CommandSpec(b"xrevrange", -4, xrevrange, writes=False),
)
