"""Going over keys: SCAN, KEYS and RANDOMKEY.

A SCAN cursor is the number of the next slot.  A key never changes its slot, so a full scan returns every key that was
there all along exactly once, and no key twice, whatever else is written meanwhile; keys that came or went during the
scan may be in it or not.  A call returns whole slots: at least COUNT keys were looked at, unless the end came first.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import chain, islice

from durakv.errors import CommandError
from durakv.keyspace.command import NO_KEYS, Call, CommandSpec
from durakv.keyspace.glob import matcher
from durakv.keyspace.integers import parse_integer
from durakv.keyspace.kinds import kind_of
from durakv.keyspace.replies import Reply, syntax_error
from durakv.machine import Command

_COUNT_DEFAULT = 10
_CURSOR_MAX = (1 << 64) - 1
_RANDOM_SLOTS = 32


def scan(call: Call, command: Command) -> Reply:
    """SCAN cursor [MATCH pattern] [COUNT n] [TYPE name]"""
    slot = parse_cursor(command[1])
    count, pattern, kind = _scan_options(command)
    matches = matcher(pattern)
    found: list[Reply] = []
    seen = 0
    while slot < call.store.slot_count and seen < count:
        keys = call.store.keys(slot)
        if keys:
            seen += len(keys)
            found += [key for key in keys if matches(key) and _is_live(call, key, kind)]
        slot += 1
    return [b"%d" % (slot if slot < call.store.slot_count else 0), found]


def parse_cursor(text: bytes) -> int:
    """A cursor as clients send it; raises CommandError for what is none."""
    if not text:
        return 0  # as C's strtoul has it
    if text.isdigit() and len(text) <= 20 and int(text) <= _CURSOR_MAX:
        return int(text)
    raise CommandError("ERR invalid cursor")


def _scan_options(command: Command) -> tuple[int, bytes, bytes | None]:
    count, pattern, kind = _COUNT_DEFAULT, b"*", None
    rest = iter(command[2:])
    for name in rest:
        option = name.upper()
        argument = next(rest, None)
        if argument is None:
            raise syntax_error()
        if option == b"COUNT":
            count = parse_integer(argument)
            if count < 1:
                raise syntax_error()
        elif option == b"MATCH":
            pattern = argument
        elif option == b"TYPE":
            kind = argument.lower()
        else:
            raise syntax_error()
    return count, pattern, kind


def _is_live(call: Call, key: bytes, kind: bytes | None = None) -> bool:
    value = call.find(key)
    return value is not None and (kind is None or kind_of(value).name == kind)


def keys(call: Call, command: Command) -> Reply:
    """KEYS pattern"""
    matches = matcher(command[1])
    return [key for key in _all_keys(call) if matches(key) and _is_live(call, key)]


def _all_keys(call: Call) -> Iterator[bytes]:
    for slot in range(call.store.slot_count):
        yield from call.store.keys(slot)


def randomkey(call: Call, _command: Command) -> Reply:
    """RANDOMKEY: a live key of a random slot that has one; keys of emptier slots are likelier."""
    count = call.store.slot_count
    first = random.randrange(count)
    tries = [random.randrange(count) for _ in range(_RANDOM_SLOTS)]
    for slot in (*tries, *range(first, count), *range(first)):
        present = call.store.keys(slot)
        if present:
            start = random.randrange(len(present))
            for key in chain(islice(present, start, None), islice(present, start)):
                if call.find(key) is not None:
                    return key
    return None


COMMANDS = (
    CommandSpec(b"scan", -2, scan, writes=False, keys=NO_KEYS),
    CommandSpec(b"keys", 2, keys, writes=False, keys=NO_KEYS),
    CommandSpec(b"randomkey", 1, randomkey, writes=False, keys=NO_KEYS),
)
