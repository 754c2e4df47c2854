"""HyperLogLogs as Redis stores them: estimates of how many different elements there were, in at most 12 KiB.

    "HYLL"  encoding:u8  0 0 0  cardinality:u64  registers          little-endian

An element's hash chooses one of 16384 registers and says how large that must be at least: the element's place.  They
are stored ``dense``, six bits each, or ``sparse``, as runs of equal ones.  The cardinality is that of the last count;
its highest bit is set when the registers have changed since.  Every byte is as Redis would have it, so that values can
be exchanged.
"""

from __future__ import annotations

from collections.abc import Sequence

from durakv.errors import CommandError, WrongType
from durakv.keyspace.hyperloglog import dense, sparse
from durakv.keyspace.hyperloglog.registers import REGISTER_COUNT, Place

_MAGIC = b"HYLL"
_DENSE, _SPARSE = 0, 1
HEADER_BYTES = 16
_ENCODING_OFFSET = 4
_CARDINALITY_OFFSET = 8
_OUTDATED = 1 << 63
DENSE_BYTES = HEADER_BYTES + REGISTER_COUNT * 6 // 8

EMPTY = _MAGIC + bytes((_SPARSE,)) + bytes(HEADER_BYTES - 5) + sparse.EMPTY
"""One that nothing was added to, and that was counted."""


def checked(value: bytes) -> bytes:
    """The value, if it looks like one of these; raises WrongType if not."""
    if len(value) >= HEADER_BYTES and value.startswith(_MAGIC):
        encoding = value[_ENCODING_OFFSET]
        if encoding == _SPARSE or (encoding == _DENSE and len(value) == DENSE_BYTES):
            return value
    raise WrongType("WRONGTYPE Key is not a valid HyperLogLog string value.")


def is_dense(value: bytes) -> bool:
    """Whether its registers are stored dense."""
    return value[_ENCODING_OFFSET] == _DENSE


def cardinality_of(value: bytes) -> int | None:
    """What the last count came to; None if it is to be counted again."""
    cardinality = int.from_bytes(value[_CARDINALITY_OFFSET:HEADER_BYTES], "little")
    return None if cardinality & _OUTDATED else cardinality


def with_cardinality(value: bytes, cardinality: int) -> bytes:
    """The value after it was counted."""
    return value[:_CARDINALITY_OFFSET] + cardinality.to_bytes(8, "little") + value[HEADER_BYTES:]


def outdated(value: bytes) -> bytes:
    """The value, to be counted again."""
    cardinality = int.from_bytes(value[_CARDINALITY_OFFSET:HEADER_BYTES], "little")
    return with_cardinality(value, cardinality | _OUTDATED)


def registers_of(value: bytes) -> bytes:
    """The registers, a byte each; raises CommandError if the runs of a sparse one do not add up."""
    data = value[HEADER_BYTES:]
    unpacked = dense.unpack(data) if is_dense(value) else sparse.unpack(data)
    if unpacked is None:
        raise _corrupted()
    return unpacked


def with_elements(value: bytes, places: Sequence[Place]) -> bytes:
    """The value after elements were added; the very same if they change no register."""
    if is_dense(value):
        data = bytearray(value[HEADER_BYTES:])
        return outdated(value[:HEADER_BYTES] + data) if dense.raise_all(data, places) else value
    draft = sparse.Draft(value[HEADER_BYTES:], sparse.VALUE_BYTES_MAX - HEADER_BYTES)
    for done, place in enumerate(places):
        fits = draft.raise_to(*place)
        if fits is None:
            raise _corrupted()
        if not fits:
            return with_elements(as_dense(value[:HEADER_BYTES] + draft.data), places[done:])
    return outdated(value[:HEADER_BYTES] + draft.data) if draft.changed else value


def as_dense(value: bytes) -> bytes:
    """The same with its registers stored dense."""
    return value if is_dense(value) else _header(value, _DENSE) + dense.pack(registers_of(value))


def merged_into(value: bytes, registers: bytes, *, to_dense: bool) -> bytes:
    """The value after it was merged with registers of which none is smaller than its own."""
    if to_dense:
        return outdated(_header(value, _DENSE) + dense.pack(registers))
    return outdated(with_elements(value, [(index, rank) for index, rank in enumerate(registers) if rank]))


def _header(value: bytes, encoding: int) -> bytes:
    return value[:_ENCODING_OFFSET] + bytes((encoding,)) + value[_ENCODING_OFFSET + 1 : HEADER_BYTES]


def _corrupted() -> CommandError:
    return CommandError("INVALIDOBJ Corrupted HLL object detected")
