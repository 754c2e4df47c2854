"""The commands on strings as arrays of bits.  Bit 0 is the highest of the first byte; behind the end all are 0.

Whole buffers are worked on as large integers, never byte by byte.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce

from durakv.errors import CommandError
from durakv.keyspace.command import Call, CommandSpec
from durakv.keyspace.integers import parse_integer
from durakv.keyspace.replies import Reply, syntax_error
from durakv.machine import Command
from durakv_formats.limits import BULK_BYTES_MAX

_CHUNK_BYTES = 1 << 16
_BLANK = {0: bytes(_CHUNK_BYTES), 1: b"\xff" * _CHUNK_BYTES}
_INVERTED = bytes(range(255, -1, -1))


def parse_bit_offset(text: bytes, *, field_bits: int = 0) -> int:
    """The number of a bit; ``#n`` is the n-th of fields that are so many bits wide."""
    is_index = field_bits > 0 and text.startswith(b"#")
    try:
        offset = parse_integer(text[1:]) * field_bits if is_index else parse_integer(text)
    except CommandError:
        offset = -1
    if not 0 <= offset >> 3 < BULK_BYTES_MAX:
        raise CommandError("ERR bit offset is not an integer or out of range")
    return offset


def setbit(call: Call, command: Command) -> Reply:
    """SETBIT key offset 0|1: what the bit was; the byte it is in is logged."""
    _, key, text, bit = command
    offset = parse_bit_offset(text)
    if bit not in (b"0", b"1"):
        raise CommandError("ERR bit is not an integer or out of range")
    value = call.meet_string(key) or b""
    index, mask = offset >> 3, 0x80 >> (offset & 7)
    old = value[index] if index < len(value) else 0
    new = old | mask if bit == b"1" else old & ~mask
    if new != old or index >= len(value):
        call.log(b"SETRANGE", key, b"%d" % index, bytes((new,)))
    return int(old & mask != 0)


def getbit(call: Call, command: Command) -> Reply:
    """GETBIT key offset"""
    offset = parse_bit_offset(command[2])
    value = call.find_string(command[1]) or b""
    return value[offset >> 3] >> (7 - (offset & 7)) & 1 if offset >> 3 < len(value) else 0


def bitcount(call: Call, command: Command) -> Reply:
    """BITCOUNT key [start end [BYTE | BIT]]: how many bits are 1; both ends belong to the range."""
    value = call.find_string(command[1])
    if value is None:
        return 0
    if len(command) == 2:
        return _count(value, 0, len(value) * 8 - 1)
    if len(command) not in (4, 5):
        raise syntax_error()
    start, end = parse_integer(command[2]), parse_integer(command[3])
    if start < 0 and end < 0 and start > end:
        return 0
    return _count(value, *_bits_between(len(value), start, end, _unit_bits(command[4:])))


def bitpos(call: Call, command: Command) -> Reply:
    """BITPOS key 0|1 [start [end [BYTE | BIT]]]: the first such bit, or -1.

    A 0 that is not found is behind the end, unless the range was given one.
    """
    bit = parse_integer(command[2])
    if bit not in (0, 1):
        raise CommandError("ERR The bit argument must be 1 or 0.")
    value = call.find_string(command[1])
    if value is None:
        return -1 if bit else 0
    if len(command) > 6:
        raise syntax_error()
    start = parse_integer(command[3]) if len(command) > 3 else 0
    unit_bits = _unit_bits(command[5:])
    end = parse_integer(command[4]) if len(command) > 4 else len(value) - 1
    first, last = _bits_between(len(value), start, end, unit_bits)
    if first > last:
        return -1
    position = _find(value, bit, first, last)
    return last + 1 if position < 0 and not bit and len(command) < 5 else position


def bitop(call: Call, command: Command) -> Reply:
    """BITOP AND|OR|XOR|NOT target source ...: how long the result is; an empty one deletes the target."""
    name, target = command[1].upper(), command[2]
    operation = _OPERATIONS.get(name)
    if operation is None and name != b"NOT":
        raise syntax_error()
    if operation is None and len(command) != 4:
        raise CommandError("ERR BITOP NOT must be called with a single source key.")
    sources = [call.find_string(key) or b"" for key in command[3:]]
    size = max(map(len, sources))
    if size == 0:
        if call.meet(target) is not None:
            call.log(b"DEL", target)
    elif operation is None:
        call.log(b"SET", target, sources[0].translate(_INVERTED))
    else:
        # Little-endian, so that shorter sources are padded at their end.
        result = reduce(operation, (int.from_bytes(source, "little") for source in sources))
        call.log(b"SET", target, result.to_bytes(size, "little"))
    return size


_OPERATIONS: dict[bytes, Callable[[int, int], int]] = {
    b"AND": int.__and__,
    b"OR": int.__or__,
    b"XOR": int.__xor__,
}


def _unit_bits(words: Command) -> int:
    """How many bits the unit of a range has, which is named by no word or by one."""
    if not words or words[0].upper() == b"BYTE":
        return 8
    if words[0].upper() == b"BIT":
        return 1
    raise syntax_error()


def _bits_between(size: int, start: int, end: int, unit_bits: int) -> tuple[int, int]:
    """The first and the last bit of a range, in which negative ends count from the back; empty if they are reversed."""
    total = size * 8 // unit_bits
    start = max(0, start + total) if start < 0 else start
    end = max(0, end + total) if end < 0 else end
    return start * unit_bits, (min(end, total - 1) + 1) * unit_bits - 1


def _count(value: bytes, first: int, last: int) -> int:
    if first > last:
        return 0
    head, tail = first >> 3, last >> 3
    outside = (value[head] >> (8 - (first & 7))).bit_count() + (value[tail] & (0x7F >> (last & 7))).bit_count()
    chunks = (value[at : min(at + _CHUNK_BYTES, tail + 1)] for at in range(head, tail + 1, _CHUNK_BYTES))
    return sum(int.from_bytes(chunk, "little").bit_count() for chunk in chunks) - outside


def _find(value: bytes, bit: int, first: int, last: int) -> int:
    blank = _BLANK[1 - bit]
    for at in range(first >> 3, (last >> 3) + 1, _CHUNK_BYTES):
        chunk = value[at : min(at + _CHUNK_BYTES, (last >> 3) + 1)]
        if chunk == blank:
            continue
        size = len(chunk) * 8
        number = int.from_bytes(chunk, "big")
        if not bit:
            number ^= (1 << size) - 1
        if at * 8 < first:
            number &= (1 << (size - (first & 7))) - 1
        position = at * 8 + size - number.bit_length()
        if number:
            return position if position <= last else -1
    return -1


COMMANDS = (
    CommandSpec(b"setbit", 4, setbit, writes=True),
    CommandSpec(b"getbit", 3, getbit, writes=False),
    CommandSpec(b"bitcount", -2, bitcount, writes=False),
    CommandSpec(b"bitpos", -3, bitpos, writes=False),
    CommandSpec(b"bitop", -4, bitop, writes=True, keys=(2, -1, 1)),
)
