"""Deadlines of single fields of hashes, as callers set them and ask for them.

As with keys, what is logged is absolute, and a deadline that has passed already deletes at once.  A field named twice
is met twice, as the first time left it.
"""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from durakv.errors import CommandError
from durakv.keyspace.command import NO_CLOCK, Call, CommandSpec
from durakv.keyspace.deadlines import absolute_deadline, has_passed
from durakv.keyspace.hashes import deadline_of, find_fields, meet_fields
from durakv.keyspace.integers import parse_integer, parse_positive
from durakv.keyspace.kinds.hash import Hash
from durakv.keyspace.replies import Reply, expire_time_error, printable
from durakv.machine import Command

DEADLINE_MAX = (1 << 46) - 1
"""The last millisecond that Redis has room for beside a field; in the year 4199."""

_ABSENT, _IMMORTAL = -2, -1
_REFUSED, _SET, _DELETED = 0, 1, 2
_SPANS = (b"EX", b"PX", b"EXAT", b"PXAT")
_UNITS = {b"hexpire": b"EX", b"hpexpire": b"PX", b"hexpireat": b"EXAT", b"hpexpireat": b"PXAT"}


def hexpire(call: Call, command: Command) -> Reply:
    """HEXPIRE key s [NX | XX | GT | LT] FIELDS n field ..., HPEXPIRE key ms, HEXPIREAT key s, HPEXPIREAT key ms"""
    key = command[1]
    call.find_container(key, Hash)
    deadline = _parse_deadline(call, command[2], _UNITS[call.name])
    options = _Options.parse(call, command, 3, words=(b"NX", b"XX", b"GT", b"LT"))
    if len(options.words) > 1:
        raise CommandError("ERR Multiple condition flags specified")
    passed = has_passed(call, deadline)
    current = _deadlines(call, key, options.fields)
    changed: dict[bytes, None] = {}
    replies: list[Reply] = []
    for name in options.fields:
        if name not in current:
            replies.append(_ABSENT)
        elif _refuses(options.words, current[name], deadline):
            replies.append(_REFUSED)
        else:
            changed[name] = None
            replies.append(_DELETED if passed else _SET)
            if passed:
                del current[name]
            else:
                current[name] = deadline
    _log_deadline(call, key, deadline, changed)
    return replies


def _deadlines(call: Call, key: bytes, names: Command) -> dict[bytes, int | None]:
    """The deadlines, or None, of those of these fields that are there; what has expired is deleted."""
    present = meet_fields(call, key)
    return {name: deadline_of(call, key, name) for name in names if name in present}


def _refuses(conditions: set[bytes], current: int | None, deadline: int) -> bool:
    if current is None:
        return b"XX" in conditions or b"GT" in conditions  # no deadline counts as an infinite one
    return (
        b"NX" in conditions
        or (b"GT" in conditions and deadline <= current)
        or (b"LT" in conditions and deadline >= current)
    )


def hpersist(call: Call, command: Command) -> Reply:
    """HPERSIST key FIELDS n field ...: 1 for each that had a deadline, else -1, -2 for an absent one."""
    key = command[1]
    call.find_container(key, Hash)
    names = _parse_fields(command)
    current = _deadlines(call, key, names)
    changed: dict[bytes, None] = {}
    replies: list[Reply] = []
    for name in names:
        if name in current and current[name] is not None:
            current[name] = None
            changed[name] = None
            replies.append(1)
        else:
            replies.append(_IMMORTAL if name in current else _ABSENT)
    _log(call, (b"HPERSIST", key), changed)
    return replies


def httl(call: Call, command: Command) -> Reply:
    """HTTL key FIELDS n field ...: seconds left, rounded up; -1 without a deadline, -2 without a field.  HPTTL: ms."""
    return _times(call, command, call.now_ms)


def hexpiretime(call: Call, command: Command) -> Reply:
    """HEXPIRETIME key FIELDS n field ...: the deadlines in Unix seconds, rounded up.  HPEXPIRETIME: in ms."""
    return _times(call, command, 0)


def _times(call: Call, command: Command, since_ms: int) -> Reply:
    key = command[1]
    present = find_fields(call, key)
    replies: list[Reply] = []
    for name in _parse_fields(command):
        deadline = deadline_of(call, key, name)
        if name not in present:
            replies.append(_ABSENT)
        elif deadline is None:
            replies.append(_IMMORTAL)
        else:
            left = deadline - since_ms
            replies.append(left if call.name.startswith(b"hp") else (left + 999) // 1000)
    return replies


# --- values and deadlines at once -------------------------------------------------------------------------------------


def hgetdel(call: Call, command: Command) -> Reply:
    """HGETDEL key FIELDS n field ..."""
    key = command[1]
    call.find_container(key, Hash)
    names = _parse_fields(command)
    left = dict(meet_fields(call, key))
    present = {name: None for name in names if name in left}
    if present:
        call.log(b"HDEL", key, *present)
    return [left.pop(name, None) for name in names]


def hgetex(call: Call, command: Command) -> Reply:
    """HGETEX key [EX s | PX ms | EXAT s | PXAT ms | PERSIST] FIELDS n field ..."""
    key = command[1]
    call.find_container(key, Hash)
    options = _Options.parse(call, command, 2, alternatives=(b"PERSIST",))
    names = options.fields
    if not options.alternative:
        fields = find_fields(call, key)
        return [fields.get(name) for name in names]
    left = dict(meet_fields(call, key))
    present = {name: None for name in names if name in left}
    if options.deadline is None:
        _log(call, (b"HPERSIST", key), [name for name in present if deadline_of(call, key, name) is not None])
    else:
        _log_deadline(call, key, options.deadline, present)
        if has_passed(call, options.deadline):
            return [left.pop(name, None) for name in names]
    return [left.get(name) for name in names]


def hsetex(call: Call, command: Command) -> Reply:
    """HSETEX key [FNX | FXX] [EX s | PX ms | EXAT s | PXAT ms | KEEPTTL] FIELDS n field value ...: 0 if refused."""
    key = command[1]
    options = _Options.parse(call, command, 2, words=(b"FNX", b"FXX"), alternatives=(b"KEEPTTL",), width=2)
    values = dict(zip(options.fields[::2], options.fields[1::2], strict=True))
    present = meet_fields(call, key)
    # A log has it only where the condition held; a replay, in which nothing ever expires, might see a field that had.
    is_asked = call.now_ms != NO_CLOCK
    if (b"FNX" in options.words and is_asked and values.keys() & present.keys()) or (
        b"FXX" in options.words and is_asked and not values.keys() <= present.keys()
    ):
        return 0
    deadline = options.deadline
    if deadline is not None and has_passed(call, deadline):
        _log_deadline(call, key, deadline, [name for name in values if name in present])
        return 1
    by_deadline: dict[int, list[bytes]] = {}
    for name in values:
        after = deadline_of(call, key, name) if options.alternative == b"KEEPTTL" else deadline
        if after is not None:
            by_deadline.setdefault(after, []).append(name)
    call.log(b"HSET", key, *(word for pair in values.items() for word in pair))
    for after, names in by_deadline.items():
        _log_deadline(call, key, after, names)
    return 1


def _log_deadline(call: Call, key: bytes, deadline: int, names: Collection[bytes]) -> None:
    """Log what this deadline of fields that are there comes to."""
    if has_passed(call, deadline):
        if names:
            call.log(b"HDEL", key, *names)
    else:
        _log(call, (b"HPEXPIREAT", key, b"%d" % deadline), names)


def _log(call: Call, start: Command, names: Collection[bytes]) -> None:
    if names:
        call.log(*start, b"FIELDS", b"%d" % len(names), *names)


# --- arguments --------------------------------------------------------------------------------------------------------

_COUNT_MAX = (1 << 31) - 1


def _parse_fields(command: Command) -> Command:
    """``FIELDS n field ...`` behind the key, and nothing else."""
    if command[2].upper() != b"FIELDS":
        raise CommandError("ERR Mandatory argument FIELDS is missing or not at the right position")
    count = parse_positive(command[3], "Number of fields must be a positive integer", least=1)
    if count != len(command) - 4:
        raise CommandError("ERR The `numfields` parameter must match the number of arguments")
    return command[4:]


def _parse_deadline(call: Call, text: bytes, unit: bytes) -> int:
    number = parse_integer(text)
    if number < 0:
        raise CommandError("ERR invalid expire time, must be >= 0")
    deadline = absolute_deadline(call, number, unit)
    if deadline > DEADLINE_MAX:
        raise expire_time_error(call.name)
    return deadline


class _Options(msgspec.Struct):
    """What may come in any order: the fields, with their values where ``width`` is 2, and words around them."""

    fields: Command = ()
    words: set[bytes] = msgspec.field(default_factory=set[bytes])
    alternative: bytes = b""
    """The unit of a deadline, or what excludes one."""
    deadline: int | None = None

    @classmethod
    def parse(
        cls,
        call: Call,
        command: Command,
        place: int,
        *,
        words: tuple[bytes, ...] = (),
        alternatives: tuple[bytes, ...] = (),
        width: int = 1,
    ) -> _Options:
        """Read the command from a place on, to the first thing that is wrong."""
        options = cls()
        while place < len(command):
            option = command[place].upper()
            place += 1
            if option == b"FIELDS":
                place = options._take_fields(call, command, place, width)
            elif option in words:
                if options.words and alternatives:
                    raise CommandError("ERR Only one of FXX or FNX arguments can be specified")
                options.words.add(option)
            elif option in alternatives or (alternatives and option in _SPANS):
                if options.alternative:
                    raise CommandError(
                        f"ERR Only one of EX, PX, EXAT, PXAT or {alternatives[0].decode()} arguments can be specified"
                    )
                options.alternative = option
                if option in _SPANS:
                    if place == len(command):
                        raise CommandError("ERR missing expire time")
                    options.deadline = _parse_deadline(call, command[place], option)
                    place += 1
            else:
                raise CommandError(f"ERR unknown argument: {printable(command[place - 1])}")
        if not options.fields:
            raise CommandError("ERR missing FIELDS argument")
        return options

    def _take_fields(self, call: Call, command: Command, place: int, width: int) -> int:
        """Read what follows FIELDS; return the place behind it."""
        if self.fields:
            raise CommandError("ERR FIELDS keyword specified multiple times")
        expires = call.name in _UNITS
        if expires and place + 2 > len(command):
            raise CommandError("ERR FIELDS requires at least numfields and one field argument")
        refusal = "Parameter `numFields` should be greater than 0" if expires else "invalid number of fields"
        if place == len(command):
            raise CommandError("ERR wrong number of arguments")
        count = parse_positive(command[place], refusal, least=1)
        if count > _COUNT_MAX:
            raise CommandError(f"ERR {refusal}")
        first, stop = place + 1, place + 1 + width * count
        if stop > len(command):
            raise CommandError("ERR wrong number of arguments")
        self.fields = command[first:stop]
        return stop


COMMANDS = (
    *(CommandSpec(name, -6, hexpire, writes=True) for name in _UNITS),
    CommandSpec(b"hpersist", -5, hpersist, writes=True),
    CommandSpec(b"httl", -5, httl, writes=False),
    CommandSpec(b"hpttl", -5, httl, writes=False),
    CommandSpec(b"hexpiretime", -5, hexpiretime, writes=False),
    CommandSpec(b"hpexpiretime", -5, hexpiretime, writes=False),
    CommandSpec(b"hgetdel", -5, hgetdel, writes=True),
    CommandSpec(b"hgetex", -5, hgetex, writes=True),
    CommandSpec(b"hsetex", -6, hsetex, writes=True),
)
