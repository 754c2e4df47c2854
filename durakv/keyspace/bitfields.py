"""BITFIELD: integers of 1 to 64 bits anywhere in a string."""

from __future__ import annotations

import msgspec

from durakv.errors import CommandError
from durakv.keyspace.bits import parse_bit_offset
from durakv.keyspace.command import Call, CommandSpec
from durakv.keyspace.effects import check_length
from durakv.keyspace.integers import parse_integer
from durakv.keyspace.replies import Reply, syntax_error
from durakv.machine import Command

_OVERFLOWS = (b"WRAP", b"SAT", b"FAIL")


class Field(msgspec.Struct, frozen=True):
    """Where an integer is, and of which type."""

    signed: bool
    bits: int
    offset: int

    @classmethod
    def parse(cls, kind: bytes, offset: bytes) -> Field:
        """``u8`` or ``i16``, and the number of its first bit or ``#`` and an index."""
        try:
            bits = parse_integer(kind[1:].partition(b"\0")[0])
        except CommandError:
            bits = 0
        signed = kind[:1] == b"i"
        if kind[:1] not in (b"i", b"u") or not 1 <= bits <= (64 if signed else 63):
            raise CommandError(
                "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is."
            )
        return cls(signed, bits, parse_bit_offset(offset, field_bits=bits))

    @property
    def byte_range(self) -> range:
        """The bytes it has bits in."""
        return range(self.offset >> 3, ((self.offset + self.bits - 1) >> 3) + 1)

    @property
    def largest(self) -> int:
        """The largest number it can hold."""
        return (1 << (self.bits - self.signed)) - 1

    @property
    def smallest(self) -> int:
        """The smallest number it can hold."""
        return -self.largest - 1 if self.signed else 0

    def wrapped(self, number: int) -> int:
        """The number it holds when only so many bits of this one are kept."""
        number &= (1 << self.bits) - 1
        return number - (1 << self.bits) if number > self.largest else number

    def fitted(self, number: int, overflow: bytes) -> int | None:
        """The number that is stored for this one; None if it is refused."""
        if self.smallest <= number <= self.largest:
            return number
        if overflow == b"FAIL":
            return None
        if overflow == b"WRAP":
            return self.wrapped(number)
        return self.largest if number > self.largest else self.smallest

    def as_set(self, number: int) -> int:
        """The number as SET compares it with the bounds: Redis computes in 64 bits without a sign, so that far enough
        beneath the range it is above."""
        highest_that_wraps = self.largest - (1 << 63) if self.signed else -1
        return number + (1 << 64) if self.bits < 64 and number <= highest_that_wraps else number


class _Operation(msgspec.Struct, frozen=True):
    name: bytes
    field: Field
    operand: int
    overflow: bytes


class _Draft:
    """A string, and the bytes of it that are to be written."""

    def __init__(self, value: bytes) -> None:
        self._value = value
        self.written: dict[int, int] = {}

    def _window(self, field: Field) -> int:
        where = field.byte_range
        window = bytearray(self._value[where.start : where.stop].ljust(len(where), b"\0"))
        for index in where:
            if index in self.written:
                window[index - where.start] = self.written[index]
        return int.from_bytes(window, "big")

    def read(self, field: Field) -> int:
        return field.wrapped(self._window(field) >> _behind(field))

    def write(self, field: Field, number: int) -> None:
        mask = (1 << field.bits) - 1
        window = self._window(field) & ~(mask << _behind(field)) | (number & mask) << _behind(field)
        self.written.update(zip(field.byte_range, window.to_bytes(len(field.byte_range), "big"), strict=True))


def _behind(field: Field) -> int:
    """How many bits of its last byte come after it."""
    return -(field.offset + field.bits) & 7


def bitfield(call: Call, command: Command) -> Reply:
    """BITFIELD key (GET type offset | SET type offset n | INCRBY type offset n | OVERFLOW WRAP|SAT|FAIL) ...

    What is logged are the bytes of the fields that changed, and the last one if the string became longer.
    """
    key = command[1]
    operations = _parse(command)
    ends = [operation.field.byte_range.stop for operation in operations if operation.name != b"GET"]
    if not ends:
        return _answers(_Draft(call.find_string(key) or b""), operations)
    if call.name == b"bitfield_ro":
        raise CommandError("ERR BITFIELD_RO only supports the GET subcommand")
    value = call.meet_string(key) or b""
    size = max(ends)
    check_length(size)
    draft = _Draft(value)
    answers = _answers(draft, operations)
    if size > len(value):
        draft.written.setdefault(size - 1, 0)
    for start, part in _runs(draft.written):
        call.log(b"SETRANGE", key, b"%d" % start, part)
    return answers


def _parse(command: Command) -> list[_Operation]:
    operations: list[_Operation] = []
    overflow = b"WRAP"
    index = 2
    while index < len(command):
        name, left = command[index].upper(), len(command) - index - 1
        if name == b"OVERFLOW" and left >= 1:
            overflow = command[index + 1].upper()
            if overflow not in _OVERFLOWS:
                raise CommandError("ERR Invalid OVERFLOW type specified")
            index += 2
        elif name == b"GET" and left >= 2:
            operations.append(_Operation(name, Field.parse(command[index + 1], command[index + 2]), 0, overflow))
            index += 3
        elif name in (b"SET", b"INCRBY") and left >= 3:
            field = Field.parse(command[index + 1], command[index + 2])
            operations.append(_Operation(name, field, parse_integer(command[index + 3]), overflow))
            index += 4
        else:
            raise syntax_error()
    return operations


def _answers(draft: _Draft, operations: list[_Operation]) -> list[Reply]:
    answers: list[Reply] = []
    for operation in operations:
        field = operation.field
        old = draft.read(field)
        if operation.name == b"GET":
            answers.append(old)
            continue
        is_set = operation.name == b"SET"
        new = field.fitted(field.as_set(operation.operand) if is_set else old + operation.operand, operation.overflow)
        if new is not None and new != old:
            draft.write(field, new)
        answers.append(old if is_set and new is not None else new)
    return answers


def _runs(written: dict[int, int]) -> list[tuple[int, bytes]]:
    """The bytes, those that are neighbours together."""
    runs: list[tuple[int, bytearray]] = []
    for index in sorted(written):
        if runs and index == runs[-1][0] + len(runs[-1][1]):
            runs[-1][1].append(written[index])
        else:
            runs.append((index, bytearray((written[index],))))
    return [(start, bytes(part)) for start, part in runs]


COMMANDS = (
    CommandSpec(b"bitfield", -2, bitfield, writes=True),
    CommandSpec(b"bitfield_ro", -2, bitfield, writes=False),
)
