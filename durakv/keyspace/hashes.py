"""The commands on hashes.  Fields that have expired are not there; a change that meets them deletes them first."""

from __future__ import annotations

import random
from collections.abc import Mapping
from itertools import chain

from durakv.errors import CommandError
from durakv.keyspace.command import Call, CommandSpec
from durakv.keyspace.elements import element_scan, random_elements
from durakv.keyspace.integers import INTEGER_MAX, INTEGER_MIN, parse_integer
from durakv.keyspace.kinds.hash import Hash
from durakv.keyspace.longdouble import add_floats, parse_float
from durakv.keyspace.replies import OK, Reply, arity_error
from durakv.machine import Command

_NOTHING: dict[bytes, bytes] = {}


def find_fields(call: Call, key: bytes) -> Mapping[bytes, bytes]:
    """The fields that have not expired; none if the key is absent."""
    value = call.find_container(key, Hash)
    return _NOTHING if value is None else _live(call, value)


def meet_fields(call: Call, key: bytes) -> Mapping[bytes, bytes]:
    """``find_fields`` for a change: what has expired is deleted first."""
    value = call.meet_container(key, Hash)
    if value is None:
        return _NOTHING
    fields = _live(call, value)
    if len(fields) < len(value.fields):
        call.log(b"HDEL", key, *(field for field in value.fields if field not in fields))
    return fields


def _live(call: Call, value: Hash) -> Mapping[bytes, bytes]:
    deadlines = value.deadlines
    if deadlines is None:
        return value.fields
    now_ms = call.now_ms
    expired = {field for field, deadline in deadlines.items() if deadline < now_ms}
    if not expired:
        return value.fields
    return {field: content for field, content in value.fields.items() if field not in expired}


# --- reading ----------------------------------------------------------------------------------------------------------


def hget(call: Call, command: Command) -> Reply:
    """HGET key field"""
    return find_fields(call, command[1]).get(command[2])


def hmget(call: Call, command: Command) -> Reply:
    """HMGET key field ..."""
    fields = find_fields(call, command[1])
    return [fields.get(field) for field in command[2:]]


def hgetall(call: Call, command: Command) -> Reply:
    """HGETALL key: fields and values in turn."""
    return list(chain.from_iterable(find_fields(call, command[1]).items()))


def hkeys(call: Call, command: Command) -> Reply:
    """HKEYS key"""
    return list(find_fields(call, command[1]))


def hvals(call: Call, command: Command) -> Reply:
    """HVALS key"""
    return list(find_fields(call, command[1]).values())


def hlen(call: Call, command: Command) -> Reply:
    """HLEN key"""
    return len(find_fields(call, command[1]))


def hstrlen(call: Call, command: Command) -> Reply:
    """HSTRLEN key field"""
    return len(find_fields(call, command[1]).get(command[2], b""))


def hexists(call: Call, command: Command) -> Reply:
    """HEXISTS key field"""
    return int(command[2] in find_fields(call, command[1]))


def hrandfield(call: Call, command: Command) -> Reply:
    """HRANDFIELD key [count [WITHVALUES]]"""
    if len(command) == 2:
        fields = find_fields(call, command[1])
        return random.choice(list(fields)) if fields else None
    pairs = random_elements(command, b"WITHVALUES", lambda: list(find_fields(call, command[1]).items()))
    return list(chain.from_iterable(pairs)) if len(command) > 3 else [field for field, _ in pairs]


def hscan(call: Call, command: Command) -> Reply:
    """HSCAN key cursor [MATCH pattern] [COUNT n] [NOVALUES]: all of it in one step."""
    chosen = element_scan(command, lambda: find_fields(call, command[1]).items(), words=(b"NOVALUES",))
    if chosen.word:
        return [b"0", [field for field, _ in chosen.pairs]]
    return [b"0", list(chain.from_iterable(chosen.pairs))]


# --- changing ---------------------------------------------------------------------------------------------------------


def hset(call: Call, command: Command) -> Reply:
    """HSET key field value ...: how many are new; HMSET: OK."""
    if len(command) % 2:
        raise arity_error(call.name)
    key = command[1]
    fields = meet_fields(call, key)
    call.log(b"HSET", *command[1:])
    # Not the difference of two sets: that goes through all the fields there are.
    return OK if call.name == b"hmset" else sum(field not in fields for field in {*command[2::2]})


def hsetnx(call: Call, command: Command) -> Reply:
    """HSETNX key field value"""
    _, key, field, _ = command
    if field in meet_fields(call, key):
        return 0
    call.log(b"HSET", *command[1:])
    return 1


def hdel(call: Call, command: Command) -> Reply:
    """HDEL key field ..."""
    fields = meet_fields(call, command[1])
    present = [field for field in dict.fromkeys(command[2:]) if field in fields]
    if present:
        call.log(b"HDEL", command[1], *present)
    return len(present)


def hincrby(call: Call, command: Command) -> Reply:
    """HINCRBY key field n"""
    _, key, field, text = command
    increment = parse_integer(text)
    value = meet_fields(call, key).get(field, b"0")
    try:
        total = parse_integer(value) + increment
    except CommandError as error:
        raise CommandError("ERR hash value is not an integer") from error
    if not INTEGER_MIN <= total <= INTEGER_MAX:
        raise CommandError("ERR increment or decrement would overflow")
    call.log(b"HINCRBY", key, field, text)
    return total


def hincrbyfloat(call: Call, command: Command) -> Reply:
    """HINCRBYFLOAT key field number: the sum itself is logged, and the deadline that the field had."""
    _, key, field, increment = command
    if parse_float(increment) is None:
        raise CommandError("ERR value is NaN or Infinity")
    value = meet_fields(call, key).get(field, b"0")
    try:
        parse_float(value)
    except CommandError as error:
        raise CommandError("ERR hash value is not a float") from error
    total = add_floats(value, increment)
    deadline = deadline_of(call, key, field)
    call.log(b"HSET", key, field, total)
    if deadline is not None:
        call.log(b"HPEXPIREAT", key, b"%d" % deadline, b"FIELDS", b"1", field)
    return total


def deadline_of(call: Call, key: bytes, field: bytes) -> int | None:
    """When a field expires that has not expired yet; None if never, or if it is absent."""
    value = call.find_container(key, Hash)
    if value is None or value.deadlines is None:
        return None
    deadline = value.deadlines.get(field)
    return None if deadline is None or deadline < call.now_ms or deadline > INTEGER_MAX else deadline


COMMANDS = (
    CommandSpec(b"hget", 3, hget, writes=False),
    CommandSpec(b"hmget", -3, hmget, writes=False),
    CommandSpec(b"hgetall", 2, hgetall, writes=False),
    CommandSpec(b"hkeys", 2, hkeys, writes=False),
    CommandSpec(b"hvals", 2, hvals, writes=False),
    CommandSpec(b"hlen", 2, hlen, writes=False),
    CommandSpec(b"hstrlen", 3, hstrlen, writes=False),
    CommandSpec(b"hexists", 3, hexists, writes=False),
    CommandSpec(b"hrandfield", -2, hrandfield, writes=False),
    CommandSpec(b"hscan", -3, hscan, writes=False),
    CommandSpec(b"hset", -4, hset, writes=True),
    CommandSpec(b"hmset", -4, hset, writes=True),
    CommandSpec(b"hsetnx", 4, hsetnx, writes=True),
    CommandSpec(b"hdel", -3, hdel, writes=True),
    CommandSpec(b"hincrby", 4, hincrby, writes=True),
    CommandSpec(b"hincrbyfloat", 4, hincrbyfloat, writes=True),
)
