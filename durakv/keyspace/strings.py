"""The commands on strings, and the effects they become."""

from __future__ import annotations

from durakv.errors import CommandError
from durakv.keyspace.command import ALL_KEYS, Call, CommandSpec
from durakv.keyspace.deadlines import LifetimeOptions, has_passed, lifetime
from durakv.keyspace.effects import check_length
from durakv.keyspace.integers import INTEGER_MIN, add_integers, parse_integer
from durakv.keyspace.longdouble import add_floats
from durakv.keyspace.replies import OK, Reply, arity_error
from durakv.machine import Command


def get(call: Call, command: Command) -> Reply:
    """GET key"""
    return call.find_string(command[1])


def mget(call: Call, command: Command) -> Reply:
    """MGET key ...: nil for what is absent or no string."""
    values = [call.find(key) for key in command[1:]]
    return [value if type(value) is bytes else None for value in values]


def strlen(call: Call, command: Command) -> Reply:
    """STRLEN key"""
    return len(call.find_string(command[1]) or b"")


def getrange(call: Call, command: Command) -> Reply:
    """GETRANGE key start end: both ends belong to it, negative ones count from the back."""
    start, end = parse_integer(command[2]), parse_integer(command[3])
    value = call.find_string(command[1])
    if value is None or (start < 0 and end < 0 and start > end):
        return b""
    size = len(value)
    start = max(0, start + size) if start < 0 else start
    end = max(0, end + size) if end < 0 else end
    return value[start : end + 1]


# --- SET and its family -----------------------------------------------------------------------------------------------


def set_(call: Call, command: Command) -> Reply:
    """SET key value [NX | XX] [GET] [KEEPTTL | EX s | PX ms | EXAT s | PXAT ms]"""
    _, key, value = command[:3]
    if len(command) == 3:
        call.log(b"SET", key, value)
        return OK
    options = LifetimeOptions.parse(command, 3, words=(b"KEEPTTL",), conditions=True)
    deadline = options.deadline(call)
    present = call.find(key) is not None
    old = call.find_string(key) if options.get else None
    refused = present if options.condition == b"NX" else not present and options.condition == b"XX"
    if not refused:
        _log_set(call, key, value, deadline, keep=options.word == b"KEEPTTL" and present)
    if options.get:
        return old
    return None if refused else OK


def _log_set(call: Call, key: bytes, value: bytes, deadline: int | None, *, keep: bool = False) -> None:
    if deadline is not None:
        call.log(b"SET", key, value, b"PXAT", b"%d" % deadline)
    elif keep and call.store.deadline(key) is not None:
        call.log(b"SET", key, value, b"KEEPTTL")
    else:
        call.log(b"SET", key, value)


def setnx(call: Call, command: Command) -> Reply:
    """SETNX key value"""
    _, key, value = command
    if call.find(key) is not None:
        return 0
    call.log(b"SET", key, value)
    return 1


def setex(call: Call, command: Command) -> Reply:
    """SETEX key seconds value, PSETEX key milliseconds value"""
    _, key, span, value = command
    _log_set(call, key, value, lifetime(call, span, b"PX" if call.name == b"psetex" else b"EX"))
    return OK


def getset(call: Call, command: Command) -> Reply:
    """GETSET key value"""
    _, key, value = command
    old = call.find_string(key)
    call.log(b"SET", key, value)
    return old


def mset(call: Call, command: Command) -> Reply:
    """MSET key value ...: becomes one SET a key."""
    if len(command) % 2 == 0:
        raise arity_error(call.name)
    for key, value in zip(command[1::2], command[2::2], strict=True):
        call.log(b"SET", key, value)
    return OK


def msetnx(call: Call, command: Command) -> Reply:
    """MSETNX key value ...: all of them or, when one is there already, none."""
    if len(command) % 2 == 0:
        raise arity_error(call.name)
    if any(call.find(key) is not None for key in command[1::2]):
        return 0
    mset(call, command)
    return 1


# --- read and change --------------------------------------------------------------------------------------------------


def getdel(call: Call, command: Command) -> Reply:
    """GETDEL key"""
    value = call.meet_string(command[1])
    if value is not None:
        call.log(b"DEL", command[1])
    return value


def getex(call: Call, command: Command) -> Reply:
    """GETEX key [PERSIST | EX s | PX ms | EXAT s | PXAT ms]"""
    key = command[1]
    options = LifetimeOptions.parse(command, 2, words=(b"PERSIST",), conditions=False)
    value = call.meet_string(key)
    if value is None:
        return None
    deadline = options.deadline(call)
    if deadline is not None:
        if options.is_absolute and has_passed(call, deadline):
            call.log(b"DEL", key)
        else:
            call.log(b"PEXPIREAT", key, b"%d" % deadline)
    elif options.word == b"PERSIST" and call.store.deadline(key) is not None:
        call.log(b"PERSIST", key)
    return value


def append(call: Call, command: Command) -> Reply:
    """APPEND key tail"""
    _, key, tail = command
    value = call.meet_string(key)
    size = len(value or b"") + len(tail)
    check_length(size)
    if tail or value is None:
        call.log(b"APPEND", key, tail)
    return size


def setrange(call: Call, command: Command) -> Reply:
    """SETRANGE key offset part"""
    _, key, offset, part = command
    start = parse_integer(offset)
    if start < 0:
        raise CommandError("ERR offset is out of range")
    size = len(call.meet_string(key) or b"")
    if not part:
        return size
    check_length(start + len(part))
    call.log(b"SETRANGE", key, offset, part)
    return max(size, start + len(part))


def incrby(call: Call, command: Command) -> Reply:
    """INCRBY key n"""
    return _increment(call, command[1], parse_integer(command[2]))


def decrby(call: Call, command: Command) -> Reply:
    """DECRBY key n"""
    decrement = parse_integer(command[2])
    if decrement == INTEGER_MIN:
        raise CommandError("ERR decrement would overflow")
    return _increment(call, command[1], -decrement)


def incr(call: Call, command: Command) -> Reply:
    """INCR key"""
    return _increment(call, command[1], 1)


def decr(call: Call, command: Command) -> Reply:
    """DECR key"""
    return _increment(call, command[1], -1)


def _increment(call: Call, key: bytes, increment: int) -> int:
    value = call.meet_string(key)
    total = add_integers(b"0" if value is None else value, increment)
    call.log(b"INCRBY", key, b"%d" % increment)
    return int(total)


def incrbyfloat(call: Call, command: Command) -> Reply:
    """INCRBYFLOAT key number: the sum itself is logged, so a replay computes nothing."""
    _, key, increment = command
    value = call.find_string(key)
    total = add_floats(b"0" if value is None else value, increment)
    _log_set(call, key, total, None, keep=value is not None)
    return total


COMMANDS = (
    CommandSpec(b"get", 2, get, writes=False),
    CommandSpec(b"mget", -2, mget, writes=False, keys=ALL_KEYS),
    CommandSpec(b"strlen", 2, strlen, writes=False),
    CommandSpec(b"getrange", 4, getrange, writes=False),
    CommandSpec(b"substr", 4, getrange, writes=False),
    CommandSpec(b"set", -3, set_, writes=True),
    CommandSpec(b"setnx", 3, setnx, writes=True),
    CommandSpec(b"setex", 4, setex, writes=True),
    CommandSpec(b"psetex", 4, setex, writes=True),
    CommandSpec(b"getset", 3, getset, writes=True),
    CommandSpec(b"mset", -3, mset, writes=True, keys=(1, -1, 2)),
    CommandSpec(b"msetnx", -3, msetnx, writes=True, keys=(1, -1, 2)),
    CommandSpec(b"getdel", 2, getdel, writes=True),
    CommandSpec(b"getex", -2, getex, writes=True),
    CommandSpec(b"append", 3, append, writes=True),
    CommandSpec(b"setrange", 4, setrange, writes=True),
    CommandSpec(b"incr", 2, incr, writes=True),
    CommandSpec(b"decr", 2, decr, writes=True),
    CommandSpec(b"incrby", 3, incrby, writes=True),
    CommandSpec(b"decrby", 3, decrby, writes=True),
    CommandSpec(b"incrbyfloat", 3, incrbyfloat, writes=True),
)
