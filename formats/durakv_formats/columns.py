"""The payload of a keyspace snapshot's block: columns in MessagePack.  Specified in formats/snapshot-v1.md.

    payload := [ column* ]
    column  := [ kind, database, [key*], [value*] ]         as many values as keys

Kind 0 holds strings (values are byte strings), kind 255 deadlines of keys (values are milliseconds since 1970).
Kinds 1 to 5 are set aside for the other types and are not written in this version.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, NamedTuple, TypeAlias

import msgspec

from durakv_formats.errors import FormatError, LimitError, UnsupportedVersionError

KIND_STRING = 0
KIND_EXPIRY = 255
DATABASE_MAX = (1 << 31) - 1


class Column(NamedTuple):
    """Keys of one kind in one database, and their values in the same order."""

    database: int
    kind: int
    keys: list[bytes]
    values: list[Any]


_Database: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=DATABASE_MAX)]


class _Strings(msgspec.Struct, array_like=True, tag=KIND_STRING, forbid_unknown_fields=True):
    database: _Database
    keys: list[bytes]
    values: list[bytes]


class _Deadlines(msgspec.Struct, array_like=True, tag=KIND_EXPIRY, forbid_unknown_fields=True):
    database: _Database
    keys: list[bytes]
    values: list[int]


_KINDS: dict[type[_Strings | _Deadlines], int] = {_Strings: KIND_STRING, _Deadlines: KIND_EXPIRY}
_VALUE_TYPES: dict[int, type] = {KIND_STRING: bytes, KIND_EXPIRY: int}
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[_Strings | _Deadlines])
_kinds_decoder = msgspec.msgpack.Decoder(list[tuple[int, msgspec.Raw, msgspec.Raw, msgspec.Raw]])


def encode_columns(columns: Sequence[Column | tuple[int, int, list[bytes], list[Any]]]) -> bytes:
    """The payload of a block.  Raises FormatError if it would be refused when it is read."""
    rows: list[tuple[int, int, list[bytes], list[Any]]] = []
    for database, kind, keys, values in columns:
        if kind not in _VALUE_TYPES:
            raise UnsupportedVersionError(0, f"column kind {kind}")
        if not 0 <= database <= DATABASE_MAX:
            raise LimitError(0, f"database {database}; 0 to {DATABASE_MAX} are allowed")
        if len(keys) != len(values):
            raise FormatError(0, f"a column of {len(keys)} keys and {len(values)} values")
        # A wrong type would be written without a murmur and make the whole snapshot unreadable.
        if not _all_are(bytes, keys) or not _all_are(_VALUE_TYPES[kind], values):
            raise FormatError(0, f"a column of kind {kind} with keys or values of another type")
        rows.append((kind, database, keys, values))
    try:
        return _encoder.encode(rows)
    except OverflowError as failure:
        raise LimitError(0, f"a value that does not fit into 64 bits ({failure})") from failure


def decode_columns(payload: bytes) -> list[Column]:
    """The columns of a block.  Raises FormatError if the payload holds anything else."""
    try:
        columns = _decoder.decode(payload)
    except (msgspec.MsgspecError, RecursionError) as failure:
        _refuse_unknown_kinds(payload)
        raise FormatError(0, f"not a payload of columns: {failure}") from failure
    decoded: list[Column] = []
    for column in columns:
        if len(column.keys) != len(column.values):
            raise FormatError(0, f"a column of {len(column.keys)} keys and {len(column.values)} values")
        decoded.append(Column(column.database, _KINDS[type(column)], column.keys, column.values))
    return decoded


def _refuse_unknown_kinds(payload: bytes) -> None:
    try:
        kinds = [kind for kind, *_ in _kinds_decoder.decode(payload)]
    except (msgspec.MsgspecError, RecursionError):
        return
    for kind in kinds:
        if kind not in _VALUE_TYPES:
            raise UnsupportedVersionError(0, f"column kind {kind}")


def _all_are(wanted: type, values: Iterable[Any]) -> bool:
    return set(map(type, values)) <= {wanted}
