"""The commands on lists."""

from __future__ import annotations

from collections.abc import Iterator

from durakv.errors import CommandError
from durakv.keyspace.command import NO_KEYS, Call, CommandSpec
from durakv.keyspace.elements import take_count, take_keys
from durakv.keyspace.integers import INTEGER_MAX, INTEGER_MIN, parse_integer, parse_positive
from durakv.keyspace.kinds.effect import span
from durakv.keyspace.kinds.list import List
from durakv.keyspace.replies import OK, Reply, arity_error, index_range_error, no_key_error, syntax_error
from durakv.machine import Command

_PUSH = {b"LEFT": b"LPUSH", b"RIGHT": b"RPUSH"}
_POP = {b"LEFT": b"LPOP", b"RIGHT": b"RPOP"}


# --- reading ----------------------------------------------------------------------------------------------------------


def llen(call: Call, command: Command) -> Reply:
    """LLEN key"""
    value = call.find_container(command[1], List)
    return 0 if value is None else len(value)


def lindex(call: Call, command: Command) -> Reply:
    """LINDEX key index"""
    value = call.find_container(command[1], List)
    if value is None:
        return None
    index = parse_integer(command[2])
    return value[index % len(value)] if -len(value) <= index < len(value) else None


def lrange(call: Call, command: Command) -> Reply:
    """LRANGE key start stop"""
    start, stop = parse_integer(command[2]), parse_integer(command[3])
    value = call.find_container(command[1], List)
    return [] if value is None else [*value.elements(*span(start, stop, len(value)))]


def lpos(call: Call, command: Command) -> Reply:
    """LPOS key element [RANK n] [COUNT n] [MAXLEN n]: with COUNT a list of indices, else the first or nil."""
    rank, count, visits_max = 1, None, 0
    rest = iter(command[3:])
    for name in rest:
        option = name.upper()
        argument = next(rest, None)
        if argument is None:
            raise syntax_error()
        if option == b"RANK":
            rank = _rank(argument)
        elif option == b"COUNT":
            count = parse_positive(argument, "COUNT can't be negative")
        elif option == b"MAXLEN":
            visits_max = parse_positive(argument, "MAXLEN can't be negative")
        else:
            raise syntax_error()
    value = call.find_container(command[1], List)
    found: list[int] = []
    if value is not None:
        wanted = 1 if count is None else count or len(value)
        for match, index in enumerate(_matches(value, command[2], visits_max, backwards=rank < 0), 1):
            if match >= abs(rank):
                found.append(index)
                if len(found) == wanted:
                    break
    if count is not None:
        return [*found]
    return found[0] if found else None


def _rank(text: bytes) -> int:
    rank = parse_integer(text)
    if rank == INTEGER_MIN:
        raise CommandError(f"ERR value is out of range, value must between {-INTEGER_MAX} and {INTEGER_MAX}")
    if rank == 0:
        raise CommandError(
            "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... "
            "or use negative to start from the end of the list"
        )
    return rank


def _matches(value: List, element: bytes, visits_max: int, *, backwards: bool) -> Iterator[int]:
    visits = min(visits_max or len(value), len(value))
    if backwards:
        elements = value.elements(len(value) - visits)
        last = len(value) - 1
        return (last - place for place, item in enumerate(reversed(elements)) if item == element)
    return (place for place, item in enumerate(value.elements(0, visits)) if item == element)


# --- changing ---------------------------------------------------------------------------------------------------------


def push(call: Call, command: Command) -> Reply:
    """LPUSH key element ..., RPUSH key element ...: how long the list is then."""
    value = call.meet_container(command[1], List)
    call.log(call.name.upper(), *command[1:])
    return len(command) - 2 + (0 if value is None else len(value))


def pushx(call: Call, command: Command) -> Reply:
    """LPUSHX key element ..., RPUSHX key element ...: only if the list is there."""
    value = call.find_container(command[1], List)
    if value is None:
        return 0
    call.log(call.name[:-1].upper(), *command[1:])
    return len(command) - 2 + len(value)


def pop(call: Call, command: Command) -> Reply:
    """LPOP key [count], RPOP key [count]: with a count a list of elements."""
    if len(command) > 3:
        raise arity_error(call.name)
    count = None if len(command) == 2 else parse_positive(command[2])
    value = call.meet_container(command[1], List)
    if value is None:
        return None
    popped = _pop(call, command[1], value, call.name.upper(), 1 if count is None else count)
    return popped[0] if count is None else [*popped]


def _pop(call: Call, key: bytes, value: List, name: bytes, count: int) -> list[bytes]:
    count = min(count, len(value))
    if not count:
        return []
    call.log(name, key, *([] if count == 1 else [b"%d" % count]))
    if name == b"LPOP":
        return value.elements(0, count)
    return value.elements(len(value) - count)[::-1]


def lmpop(call: Call, command: Command) -> Reply:
    """LMPOP numkeys key ... LEFT | RIGHT [COUNT n]: from the first list that is there."""
    keys, rest = take_keys(command, 1)
    if not rest:
        raise syntax_error()
    name, count = _side(_POP, rest[0]), take_count(rest[1:])
    for key in keys:
        value = call.find_container(key, List)
        if value is not None:
            return [key, [*_pop(call, key, value, name, count)]]
    return None


def _side(names: dict[bytes, bytes], side: bytes) -> bytes:
    name = names.get(side.upper())
    if name is None:
        raise syntax_error()
    return name


def lmove(call: Call, command: Command) -> Reply:
    """LMOVE source destination LEFT | RIGHT LEFT | RIGHT"""
    return _move(call, command[1], command[2], _side(_POP, command[3]), _side(_PUSH, command[4]))


def rpoplpush(call: Call, command: Command) -> Reply:
    """RPOPLPUSH source destination"""
    return _move(call, command[1], command[2], b"RPOP", b"LPUSH")


def _move(call: Call, source: bytes, target: bytes, pop_name: bytes, push_name: bytes) -> Reply:
    value = call.meet_container(source, List)
    if value is None:
        return None
    if target != source:
        call.meet_container(target, List)
    element = value[0 if pop_name == b"LPOP" else len(value) - 1]
    if target != source or pop_name[0] != push_name[0]:
        # First the push: a list that is moved onto itself must not be empty, and lose its deadline, in between.
        call.log(push_name, target, element)
        call.log(pop_name, source)
    return element


def lset(call: Call, command: Command) -> Reply:
    """LSET key index element"""
    _, key, text, _ = command
    value = call.meet_container(key, List)
    if value is None:
        raise no_key_error()
    index = parse_integer(text)
    if not -len(value) <= index < len(value):
        raise index_range_error()
    call.log(b"LSET", *command[1:])
    return OK


def linsert(call: Call, command: Command) -> Reply:
    """LINSERT key BEFORE | AFTER pivot element: how long the list is then; -1 without a pivot, 0 without a list."""
    _, key, where, pivot, element = command
    where = where.upper()
    if where not in (b"BEFORE", b"AFTER"):
        raise syntax_error()
    value = call.meet_container(key, List)
    if value is None:
        return 0
    if value.find(pivot) < 0:
        return -1
    call.log(b"LINSERT", key, where, pivot, element)
    return len(value) + 1


def lrem(call: Call, command: Command) -> Reply:
    """LREM key count element: how many were removed."""
    _, key, text, element = command
    count = parse_integer(text)
    value = call.meet_container(key, List)
    if value is None:
        return 0
    present = value.elements().count(element)
    if present:
        call.log(b"LREM", *command[1:])
    return min(present, abs(count)) if count else present


def ltrim(call: Call, command: Command) -> Reply:
    """LTRIM key start stop"""
    start, stop = parse_integer(command[2]), parse_integer(command[3])
    value = call.meet_container(command[1], List)
    if value is not None and span(start, stop, len(value)) != (0, len(value)):
        call.log(b"LTRIM", *command[1:])
    return OK


COMMANDS = (
    CommandSpec(b"llen", 2, llen, writes=False),
    CommandSpec(b"lindex", 3, lindex, writes=False),
    CommandSpec(b"lrange", 4, lrange, writes=False),
    CommandSpec(b"lpos", -3, lpos, writes=False),
    CommandSpec(b"lpush", -3, push, writes=True),
    CommandSpec(b"rpush", -3, push, writes=True),
    CommandSpec(b"lpushx", -3, pushx, writes=True),
    CommandSpec(b"rpushx", -3, pushx, writes=True),
    CommandSpec(b"lpop", -2, pop, writes=True),
    CommandSpec(b"rpop", -2, pop, writes=True),
    CommandSpec(b"lmpop", -4, lmpop, writes=True, keys=NO_KEYS),
    CommandSpec(b"lmove", 5, lmove, writes=True, keys=(1, 2, 1)),
    CommandSpec(b"rpoplpush", 3, rpoplpush, writes=True, keys=(1, 2, 1)),
    CommandSpec(b"lset", 4, lset, writes=True),
    CommandSpec(b"linsert", 5, linsert, writes=True),
    CommandSpec(b"lrem", 4, lrem, writes=True),
    CommandSpec(b"ltrim", 4, ltrim, writes=True),
)
