"""The commands on HyperLogLogs.  They are strings; what is logged are the bytes that changed, or all of a small one."""

from __future__ import annotations

import re
from collections.abc import Iterator

from durakv.keyspace import hyperloglog
from durakv.keyspace.command import ALL_KEYS, Call, CommandSpec
from durakv.keyspace.hyperloglog.registers import OVERFLOWN, REGISTER_COUNT, estimate, place, union
from durakv.keyspace.replies import OK, Reply
from durakv.machine import Command

_EFFECT_BYTES = 40
"""About what a SETRANGE costs in the log, beside what it writes."""

_PART = re.compile(rb"[^\0]+(?:\0{1,%d}[^\0]+)*" % _EFFECT_BYTES)
"""What differs, with what is between two differences that are near."""


def pfadd(call: Call, command: Command) -> Reply:
    """PFADD key element ...: whether anything has changed, if only that the key is there now."""
    key, places = command[1], [place(element) for element in command[2:]]
    old = call.meet_string(key)
    if old is None:
        call.log(b"SET", key, hyperloglog.outdated(hyperloglog.with_elements(hyperloglog.EMPTY, places)))
        return 1
    new = hyperloglog.with_elements(hyperloglog.checked(old), places)
    _log_change(call, key, old, new)
    return int(new != old)


def pfcount(call: Call, command: Command) -> Reply:
    """PFCOUNT key ...: how many different elements were added to any of them.

    The count of a single one is kept in the value, and logged, until it changes.
    """
    keys = command[1:]
    if len(keys) > 1:
        registers = bytes(REGISTER_COUNT)
        for value in _values(call, keys):
            registers = union(registers, hyperloglog.registers_of(value))
        return _as_signed(estimate(registers))
    for value in _values(call, keys):
        cardinality = hyperloglog.cardinality_of(value)
        if cardinality is None:
            cardinality = estimate(hyperloglog.registers_of(value))
            _log_change(call, keys[0], value, hyperloglog.with_cardinality(value, cardinality))
        return _as_signed(cardinality)
    return 0


def pfmerge(call: Call, command: Command) -> Reply:
    """PFMERGE key source ...: the key holds the union of them all, its own elements included."""
    key, registers, to_dense = command[1], bytes(REGISTER_COUNT), False
    for value in _values(call, command[1:]):
        registers = union(registers, hyperloglog.registers_of(value))
        to_dense = to_dense or hyperloglog.is_dense(value)
    old = call.meet_string(key)
    new = hyperloglog.merged_into(hyperloglog.EMPTY if old is None else old, registers, to_dense=to_dense)
    if old is None:
        call.log(b"SET", key, new)
    else:
        _log_change(call, key, old, new)
    return OK


def _values(call: Call, keys: Command) -> Iterator[bytes]:
    """What those of the keys hold that are there."""
    for key in keys:
        value = call.find_string(key)
        if value is not None:
            yield hyperloglog.checked(value)


def _as_signed(cardinality: int) -> int:
    """The number in 64 bits with a sign: what Redis answers for registers that make no sense."""
    return cardinality - (1 << 64) if cardinality >= OVERFLOWN else cardinality


def _log_change(call: Call, key: bytes, old: bytes, new: bytes) -> None:
    """Log the parts that differ, or the whole value if that is shorter."""
    if len(new) == len(old):
        difference = int.from_bytes(old, "little") ^ int.from_bytes(new, "little")
        parts = [match.span() for match in _PART.finditer(difference.to_bytes(len(old), "little"))]
        if sum(end - start + _EFFECT_BYTES for start, end in parts) < len(new):
            for start, end in parts:
                call.log(b"SETRANGE", key, b"%d" % start, new[start:end])
            return
    call.log(b"SET", key, new, *(() if call.store.deadline(key) is None else (b"KEEPTTL",)))


COMMANDS = (
    CommandSpec(b"pfadd", -2, pfadd, writes=True),
    CommandSpec(b"pfcount", -2, pfcount, writes=True, keys=ALL_KEYS),
    CommandSpec(b"pfmerge", -2, pfmerge, writes=True, keys=ALL_KEYS),
)
