"""Sparse registers: runs of equal ones.

    00llllll             ZERO   l + 1 registers that are 0
    01llllll llllllll    XZERO  l + 1 of them
    1vvvvvll             VAL    l + 1 registers that are v + 1

A change splits a run in up to three; neighbours that have become equal are joined, though not always: which bytes come
out depends on the order of changes, and is as in Redis.
"""

from __future__ import annotations

from durakv.keyspace.hyperloglog.registers import REGISTER_COUNT

VALUE_BYTES_MAX = 3000
"""A longer value, header included, becomes dense (``hll-sparse-max-bytes``, as servers have it by default)."""

_ZERO_MAX = 64
_VAL_MAX = 4
_RANK_MAX = 32
_JOIN_RUNS = 5

EMPTY = bytes((0x40 | (REGISTER_COUNT - 1) >> 8, (REGISTER_COUNT - 1) & 0xFF))
"""All registers 0."""


def _zeros(count: int) -> bytes:
    if count > _ZERO_MAX:
        return bytes((0x40 | (count - 1) >> 8, (count - 1) & 0xFF))
    return bytes((count - 1,)) if count else b""


def _values(rank: int, count: int) -> bytes:
    return bytes((0x80 | rank - 1 << 2 | count - 1,)) if count else b""


def _is_xzero(opcode: int) -> bool:
    return opcode & 0xC0 == 0x40


def _rank(opcode: int) -> int:
    return (opcode >> 2 & 31) + 1 if opcode & 0x80 else 0


def _length(opcode: int, following: int) -> int:
    if opcode & 0x80:
        return (opcode & 3) + 1
    return ((opcode & 63) << 8 | following) + 1 if _is_xzero(opcode) else opcode + 1


_RUNS = [b"" if _is_xzero(opcode) else bytes((_rank(opcode),)) * _length(opcode, 0) for opcode in range(256)]


def unpack(data: bytes) -> bytes | None:
    """The registers, a byte each; None if there are more or fewer of them than there should be."""
    parts: list[bytes] = []
    count = 0
    opcodes = iter(data)
    for opcode in opcodes:
        run = _RUNS[opcode] or bytes(_length(opcode, next(opcodes, 0)))
        parts.append(run)
        count += len(run)
        if count > REGISTER_COUNT:
            return None
    return b"".join(parts) if count == REGISTER_COUNT else None


class Draft:
    """Sparse registers being changed, with so many bytes at most."""

    def __init__(self, data: bytes, bytes_max: int) -> None:
        self.data = bytearray(data)
        self.changed = False
        self._bytes_max = bytes_max
        # Where to go on searching: a run's position and its first register.  Elements of a merge come in order.
        self._resume = 0, 0

    def raise_to(self, index: int, rank: int) -> bool | None:
        """Make a register as large as it must be at least.  False if that takes the dense form, None if the register
        is not there."""
        if rank > _RANK_MAX:
            return False
        data = self.data
        before, position, first, length = self._find(index)
        if position >= len(data):
            return None
        opcode = data[position]
        old = _rank(opcode)
        if old >= rank:
            return True
        last = first + length - 1
        if old:
            runs = _values(old, index - first) + _values(rank, 1) + _values(old, last - index)
        else:
            runs = _zeros(index - first) + _values(rank, 1) + _zeros(last - index)
        end = position + (2 if _is_xzero(opcode) else 1)
        growth = len(runs) - (end - position)
        if growth > 0 and len(data) + growth > self._bytes_max:
            return False
        data[position:end] = runs
        self._join(before)
        self.changed = True
        return True

    def _find(self, index: int) -> tuple[int, int, int, int]:
        """The run that has a register: the position of the run before it (or its own, 0), its own, its first register
        and its length."""
        data = self.data
        size = len(data)
        position, first = self._resume if index >= self._resume[1] else (0, 0)
        begin = before = position
        before_first = first
        while position < size:
            opcode = data[position]
            if opcode & 0x80:
                length, step = (opcode & 3) + 1, 1
            elif opcode & 0x40:
                length, step = _length(opcode, data[position + 1] if position + 1 < size else 0), 2
            else:
                length, step = opcode + 1, 1
            if index < first + length:
                if position == begin and begin > 0:
                    # What is before the place to go on from is not known.
                    self._resume = 0, 0
                    return self._find(index)
                self._resume = before, before_first
                return before, position, first, length
            before, before_first = position, first
            position += step
            first += length
        return before, size, first, 0

    def _join(self, position: int) -> None:
        """Join neighbours that are equal, from here on and not far."""
        data = self.data
        left = _JOIN_RUNS
        while position < len(data) and left:
            left -= 1
            opcode = data[position]
            if opcode & 0x80 and position + 1 < len(data):
                following = data[position + 1]
                length = (opcode & 3) + (following & 3) + 2
                if following & 0x80 and _rank(opcode) == _rank(following) and length <= _VAL_MAX:
                    data[position : position + 2] = _values(_rank(opcode), length)
                    continue
            position += 2 if _is_xzero(opcode) else 1
