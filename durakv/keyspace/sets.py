"""The commands on sets.  Random members are logged by name."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from durakv.keyspace.command import ALL_KEYS, NO_KEYS, Call, CommandSpec
from durakv.keyspace.elements import element_scan, random_elements, take_keys
from durakv.keyspace.integers import parse_positive
from durakv.keyspace.kinds import rebuild
from durakv.keyspace.kinds.set import Set
from durakv.keyspace.replies import Reply, syntax_error
from durakv.machine import Command

_NOTHING: set[bytes] = set()


def find_members(call: Call, key: bytes) -> set[bytes]:
    """The members, not to be changed; none if the key is absent."""
    value = call.find_container(key, Set)
    return _NOTHING if value is None else value.members


# --- reading ----------------------------------------------------------------------------------------------------------


def scard(call: Call, command: Command) -> Reply:
    """SCARD key"""
    return len(find_members(call, command[1]))


def sismember(call: Call, command: Command) -> Reply:
    """SISMEMBER key member"""
    return int(command[2] in find_members(call, command[1]))


def smismember(call: Call, command: Command) -> Reply:
    """SMISMEMBER key member ..."""
    members = find_members(call, command[1])
    return [int(member in members) for member in command[2:]]


def smembers(call: Call, command: Command) -> Reply:
    """SMEMBERS key"""
    return [*find_members(call, command[1])]


def srandmember(call: Call, command: Command) -> Reply:
    """SRANDMEMBER key [count]"""
    if len(command) == 2:
        value = call.find_container(command[1], Set)
        return None if value is None else value.random_member()
    return [*random_elements(command, b"", lambda: list(find_members(call, command[1])))]


def sscan(call: Call, command: Command) -> Reply:
    """SSCAN key cursor [MATCH pattern] [COUNT n]: all of it in one step."""
    chosen = element_scan(command, lambda: [(member, b"") for member in find_members(call, command[1])])
    return [b"0", [member for member, _ in chosen.pairs]]


# --- changing ---------------------------------------------------------------------------------------------------------


def sadd(call: Call, command: Command) -> Reply:
    """SADD key member ...: how many are new."""
    key = command[1]
    value = call.meet_container(key, Set)
    members = _NOTHING if value is None else value.members
    new = [member for member in dict.fromkeys(command[2:]) if member not in members]
    if new:
        call.log(b"SADD", key, *new)
    return len(new)


def srem(call: Call, command: Command) -> Reply:
    """SREM key member ...: how many were there."""
    key = command[1]
    value = call.meet_container(key, Set)
    members = _NOTHING if value is None else value.members
    present = [member for member in dict.fromkeys(command[2:]) if member in members]
    if present:
        call.log(b"SREM", key, *present)
    return len(present)


def spop(call: Call, command: Command) -> Reply:
    """SPOP key [count]: random members leave."""
    if len(command) > 3:
        raise syntax_error()
    key = command[1]
    count = None if len(command) == 2 else parse_positive(command[2])
    value = call.meet_container(key, Set)
    if value is None:
        return None if count is None else []
    if count is None:
        member = value.random_member()
        call.log(b"SREM", key, member)
        return member
    if count >= len(value):
        call.log(b"DEL", key)
        return [*value.members]
    popped = random.sample(list(value.members), count) if count else []
    call.log_each(b"SREM", key, popped)
    return [*popped]


def smove(call: Call, command: Command) -> Reply:
    """SMOVE source destination member"""
    _, source, target, member = command
    value = call.meet_container(source, Set)
    if value is None:
        return 0
    other = call.find_container(target, Set)
    if member not in value.members:
        return 0
    if source != target:
        call.log(b"SREM", source, member)
        if other is None or member not in other.members:
            call.meet(target)
            call.log(b"SADD", target, member)
    return 1


# --- several sets -----------------------------------------------------------------------------------------------------


def _union(sets: Sequence[set[bytes]]) -> set[bytes]:
    return sets[0].union(*sets[1:])


def _inter(sets: Sequence[set[bytes]]) -> set[bytes]:
    first, *others = sorted(sets, key=len)
    return first.intersection(*others)


def _diff(sets: Sequence[set[bytes]]) -> set[bytes]:
    return sets[0].difference(*sets[1:])


_OPERATIONS: dict[bytes, Callable[[Sequence[set[bytes]]], set[bytes]]] = {
    b"sunion": _union,
    b"sinter": _inter,
    b"sdiff": _diff,
}


def combine(call: Call, command: Command) -> Reply:
    """SUNION key ..., SINTER key ..., SDIFF key ..."""
    return [*_OPERATIONS[call.name]([find_members(call, key) for key in command[1:]])]


def combine_store(call: Call, command: Command) -> Reply:
    """SUNIONSTORE destination key ..., SINTERSTORE, SDIFFSTORE: how many members there are then."""
    members = _OPERATIONS[call.name.removesuffix(b"store")]([find_members(call, key) for key in command[2:]])
    target = command[1]
    if members:
        call.effects += rebuild(target, Set(members), None)
    elif call.find(target) is not None:
        call.log(b"DEL", target)
    return len(members)


def sintercard(call: Call, command: Command) -> Reply:
    """SINTERCARD numkeys key ... [LIMIT n]"""
    keys, rest = take_keys(command, 1, "Number of keys can't be greater than number of args")
    limit = 0
    while rest:
        if rest[0].upper() != b"LIMIT" or len(rest) < 2:
            raise syntax_error()
        limit = parse_positive(rest[1], "LIMIT can't be negative")
        rest = rest[2:]
    count = len(_inter([find_members(call, key) for key in keys]))
    return min(count, limit) if limit else count


COMMANDS = (
    CommandSpec(b"scard", 2, scard, writes=False),
    CommandSpec(b"sismember", 3, sismember, writes=False),
    CommandSpec(b"smismember", -3, smismember, writes=False),
    CommandSpec(b"smembers", 2, smembers, writes=False),
    CommandSpec(b"srandmember", -2, srandmember, writes=False),
    CommandSpec(b"sscan", -3, sscan, writes=False),
    CommandSpec(b"sadd", -3, sadd, writes=True),
    CommandSpec(b"srem", -3, srem, writes=True),
    CommandSpec(b"spop", -2, spop, writes=True, is_random=True),
    CommandSpec(b"smove", 4, smove, writes=True, keys=(1, 2, 1)),
    CommandSpec(b"sunion", -2, combine, writes=False, keys=ALL_KEYS),
    CommandSpec(b"sinter", -2, combine, writes=False, keys=ALL_KEYS),
    CommandSpec(b"sdiff", -2, combine, writes=False, keys=ALL_KEYS),
    CommandSpec(b"sunionstore", -3, combine_store, writes=True, keys=ALL_KEYS),
    CommandSpec(b"sinterstore", -3, combine_store, writes=True, keys=ALL_KEYS),
    CommandSpec(b"sdiffstore", -3, combine_store, writes=True, keys=ALL_KEYS),
    CommandSpec(b"sintercard", -3, sintercard, writes=False, keys=NO_KEYS),
)
