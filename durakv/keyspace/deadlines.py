"""Expiry as callers set it and ask for it.

Whatever a caller says (in seconds or milliseconds, from now or absolute), what is logged is an absolute Unix time in
milliseconds, so that a replay needs no clock.  A key has expired when the time is *past* its deadline.
"""

from __future__ import annotations

import msgspec

from durakv.errors import CommandError
from durakv.keyspace.command import NO_CLOCK, Call, CommandSpec
from durakv.keyspace.integers import INTEGER_MAX, INTEGER_MIN, parse_integer
from durakv.keyspace.replies import Reply, expire_time_error, printable, syntax_error
from durakv.machine import Command

_SPANS = (b"EX", b"PX", b"EXAT", b"PXAT")
_CONDITIONS = (b"NX", b"XX", b"GT", b"LT")


def has_passed(call: Call, deadline: int) -> bool:
    """Whether a key with this new deadline is deleted at once instead."""
    return deadline <= call.now_ms


def lifetime(call: Call, text: bytes, unit: bytes) -> int:
    """The deadline that ``EX``, ``PX``, ``EXAT`` or ``PXAT`` with this argument means; it must be positive."""
    number = parse_integer(text)
    if number <= 0:
        raise expire_time_error(call.name)
    return absolute_deadline(call, number, unit)


def absolute_deadline(call: Call, number: int, unit: bytes) -> int:
    """``lifetime`` of a number of any sign."""
    if unit.startswith(b"EX"):
        number *= 1000
    if not INTEGER_MIN <= number <= INTEGER_MAX:
        raise expire_time_error(call.name)
    if unit.endswith(b"AT"):
        return number
    if call.now_ms == NO_CLOCK:
        raise CommandError(
            f"ERR '{printable(call.name)}' with a deadline counted from now cannot be replayed: a log must say "
            "PEXPIREAT or PXAT. Run these commands against a server and open what it writes"
        )
    if number + call.now_ms > INTEGER_MAX:
        raise expire_time_error(call.name)
    return number + call.now_ms


class LifetimeOptions(msgspec.Struct):
    """The options of SET and GETEX."""

    condition: bytes = b""
    """NX, XX or none."""
    get: bool = False
    word: bytes = b""
    """KEEPTTL (of SET) or PERSIST (of GETEX); excludes a deadline."""
    unit: bytes = b""
    argument: bytes = b""

    @property
    def is_absolute(self) -> bool:
        """Whether the deadline was not counted from now."""
        return self.unit.endswith(b"AT")

    def deadline(self, call: Call) -> int | None:
        """The deadline asked for, None if none was."""
        return lifetime(call, self.argument, self.unit) if self.unit else None

    @classmethod
    def parse(cls, command: Command, start: int, *, words: tuple[bytes, ...], conditions: bool) -> LifetimeOptions:
        """The options from an index on; raises CommandError for one that is unknown or excludes another."""
        options = cls()
        rest = iter(command[start:])
        for argument in rest:
            option = argument.upper()
            if conditions and option in (b"NX", b"XX") and options.condition in (b"", option):
                options.condition = option
            elif conditions and option == b"GET":
                options.get = True
            elif option in words and not options.unit:
                options.word = option
            elif option in _SPANS and not options.word and options.unit in (b"", option):
                options.unit = option
                following = next(rest, None)
                if following is None:
                    raise syntax_error()
                options.argument = following
            else:
                raise syntax_error()
        return options


# --- commands ---------------------------------------------------------------------------------------------------------

_UNITS = {b"expire": b"EX", b"pexpire": b"PX", b"expireat": b"EXAT", b"pexpireat": b"PXAT"}


def expire(call: Call, command: Command) -> Reply:
    """EXPIRE key s, PEXPIRE key ms, EXPIREAT key s, PEXPIREAT key ms, all with [NX | XX | GT | LT]"""
    key = command[1]
    conditions = _conditions(command)
    deadline = absolute_deadline(call, parse_integer(command[2]), _UNITS[call.name])
    if call.meet(key) is None:
        return 0
    current = call.store.deadline(key)
    if current is None:
        refused = b"XX" in conditions or b"GT" in conditions  # no deadline counts as an infinite one
    else:
        refused = (
            b"NX" in conditions
            or (b"GT" in conditions and deadline <= current)
            or (b"LT" in conditions and deadline >= current)
        )
    if refused:
        return 0
    if has_passed(call, deadline):
        call.log(b"DEL", key)
    else:
        call.log(b"PEXPIREAT", key, b"%d" % deadline)
    return 1


def _conditions(command: Command) -> set[bytes]:
    conditions: set[bytes] = set()
    for argument in command[3:]:
        option = argument.upper()
        if option not in _CONDITIONS:
            raise CommandError(f"ERR Unsupported option {printable(argument)}")
        conditions.add(option)
    if b"NX" in conditions and len(conditions) > 1:
        raise CommandError("ERR NX and XX, GT or LT options at the same time are not compatible")
    if conditions >= {b"GT", b"LT"}:
        raise CommandError("ERR GT and LT options at the same time are not compatible")
    return conditions


def persist(call: Call, command: Command) -> Reply:
    """PERSIST key"""
    key = command[1]
    if call.meet(key) is None or call.store.deadline(key) is None:
        return 0
    call.log(b"PERSIST", key)
    return 1


def ttl(call: Call, command: Command) -> Reply:
    """TTL key: seconds left, rounded; -1 without a deadline, -2 without a key."""
    left = _left(call, command[1], call.now_ms)
    return left if left < 0 else (left + 500) // 1000


def pttl(call: Call, command: Command) -> Reply:
    """PTTL key"""
    return _left(call, command[1], call.now_ms)


def expiretime(call: Call, command: Command) -> Reply:
    """EXPIRETIME key: the deadline in Unix seconds, rounded; -1 and -2 as TTL."""
    deadline = _left(call, command[1], 0)
    return deadline if deadline < 0 else (deadline + 500) // 1000


def pexpiretime(call: Call, command: Command) -> Reply:
    """PEXPIRETIME key"""
    return _left(call, command[1], 0)


def _left(call: Call, key: bytes, since_ms: int) -> int:
    if call.find(key) is None:
        return -2
    deadline = call.store.deadline(key)
    return -1 if deadline is None else max(0, deadline - since_ms)


COMMANDS = (
    CommandSpec(b"expire", -3, expire, writes=True),
    CommandSpec(b"pexpire", -3, expire, writes=True),
    CommandSpec(b"expireat", -3, expire, writes=True),
    CommandSpec(b"pexpireat", -3, expire, writes=True),
    CommandSpec(b"persist", 2, persist, writes=True),
    CommandSpec(b"ttl", 2, ttl, writes=False),
    CommandSpec(b"pttl", 2, pttl, writes=False),
    CommandSpec(b"expiretime", 2, expiretime, writes=False),
    CommandSpec(b"pexpiretime", 2, pexpiretime, writes=False),
)
