"""The payload of a keyspace snapshot's block: columns in MessagePack.  Specified in formats/snapshot-v1.md.

    payload := [ column* ]
    column  := [ kind, database, [key*], [value*] ]         as many values as keys

Kind 0 holds strings (values are byte strings), kind 255 deadlines of keys (values are milliseconds since 1970).
Kinds 1 to 5 hold containers; kinds 129 to 133 hold further pieces of such as an earlier block of the slot began.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from typing import Annotated, Any, NamedTuple, TypeAlias

import msgspec

from durakv_formats.column_kinds import (
    KIND_EXPIRY,
    KIND_HASH,
    KIND_LIST,
    KIND_MORE,
    KIND_SET,
    KIND_STREAM,
    KIND_STRING,
    KIND_ZSET,
)
from durakv_formats.compiled import count_bytes
from durakv_formats.errors import FormatError, LimitError, UnsupportedVersionError

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


_Hash: TypeAlias = tuple[dict[bytes, bytes], dict[bytes, int] | None]
_List: TypeAlias = list[bytes]
_Set: TypeAlias = set[bytes]
_Zset: TypeAlias = dict[bytes, float]
_Word: TypeAlias = Annotated[int, msgspec.Meta(ge=0)]
_Id: TypeAlias = tuple[_Word, _Word]
_Pending: TypeAlias = tuple[list[_Word], list[_Word], list[_Word], list[_Word], list[_Word]]
_Group: TypeAlias = tuple[bytes, _Id, Annotated[int, msgspec.Meta(ge=-1)], list[bytes], list[int], _Pending]
_Entries: TypeAlias = tuple[list[_Word], list[_Word], list[tuple[bytes, ...]]]
_Stream: TypeAlias = tuple[tuple[_Id, _Id, _Word], _Entries, list[_Group]]


class _Hashes(msgspec.Struct, array_like=True, tag=KIND_HASH, forbid_unknown_fields=True):
    database: _Database
    keys: list[bytes]
    values: list[_Hash]


class _Lists(msgspec.Struct, array_like=True, tag=KIND_LIST, forbid_unknown_fields=True):
    database: _Database
    keys: list[bytes]
    values: list[_List]


class _Sets(msgspec.Struct, array_like=True, tag=KIND_SET, forbid_unknown_fields=True):
    database: _Database
    keys: list[bytes]
    values: list[_Set]


class _Zsets(msgspec.Struct, array_like=True, tag=KIND_ZSET, forbid_unknown_fields=True):
    database: _Database
    keys: list[bytes]
    values: list[_Zset]


class _Streams(msgspec.Struct, array_like=True, tag=KIND_STREAM, forbid_unknown_fields=True):
    database: _Database
    keys: list[bytes]
    values: list[_Stream]


class _MoreHashes(_Hashes, array_like=True, tag=KIND_MORE + KIND_HASH, forbid_unknown_fields=True):
    pass


class _MoreLists(_Lists, array_like=True, tag=KIND_MORE + KIND_LIST, forbid_unknown_fields=True):
    pass


class _MoreSets(_Sets, array_like=True, tag=KIND_MORE + KIND_SET, forbid_unknown_fields=True):
    pass


class _MoreZsets(_Zsets, array_like=True, tag=KIND_MORE + KIND_ZSET, forbid_unknown_fields=True):
    pass


class _MoreStreams(_Streams, array_like=True, tag=KIND_MORE + KIND_STREAM, forbid_unknown_fields=True):
    pass


_AnyColumn: TypeAlias = (
    _Strings
    | _Deadlines
    | _Hashes
    | _Lists
    | _Sets
    | _Zsets
    | _Streams
    | _MoreHashes
    | _MoreLists
    | _MoreSets
    | _MoreZsets
    | _MoreStreams
)
_KINDS: dict[type, int] = {
    _Strings: KIND_STRING,
    _Deadlines: KIND_EXPIRY,
    _Hashes: KIND_HASH,
    _Lists: KIND_LIST,
    _Sets: KIND_SET,
    _Zsets: KIND_ZSET,
    _Streams: KIND_STREAM,
    _MoreHashes: KIND_MORE + KIND_HASH,
    _MoreLists: KIND_MORE + KIND_LIST,
    _MoreSets: KIND_MORE + KIND_SET,
    _MoreZsets: KIND_MORE + KIND_ZSET,
    _MoreStreams: KIND_MORE + KIND_STREAM,
}


def _are_hashes(values: list[Any]) -> bool:
    fields = [fields for fields, _ in values]
    deadlines = [deadlines for _, deadlines in values if deadlines is not None]
    return (
        _all_are(dict, fields)
        and _all_are(bytes, chain.from_iterable(fields))
        and _all_are(bytes, chain.from_iterable(of_one.values() for of_one in fields))
        and _all_are(dict, deadlines)
        and _all_are(bytes, chain.from_iterable(deadlines))
        and _all_are(int, chain.from_iterable(of_one.values() for of_one in deadlines))
    )


def _are_zsets(values: list[Any]) -> bool:
    return (
        _all_are(dict, values)
        and _all_are(bytes, chain.from_iterable(values))
        and _all_are(float, chain.from_iterable(of_one.values() for of_one in values))
    )


def _are_streams(values: list[Any]) -> bool:
    try:
        msgspec.convert(values, list[_Stream], builtin_types=(bytes,))
    except msgspec.ValidationError:
        return False
    return True


_are_right: dict[int, Callable[[list[Any]], bool]] = {
    KIND_STRING: lambda values: _all_are(bytes, values),
    KIND_EXPIRY: lambda values: _all_are(int, values),
    KIND_HASH: _are_hashes,
    KIND_LIST: lambda values: _all_are(list, values) and _all_are(bytes, chain.from_iterable(values)),
    KIND_SET: lambda values: _all_are(set, values) and _all_are(bytes, chain.from_iterable(values)),
    KIND_ZSET: _are_zsets,
    KIND_STREAM: _are_streams,
}
_ARE_RIGHT = _are_right | {KIND_MORE + kind: check for kind, check in _are_right.items() if 0 < kind < KIND_MORE}
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[_AnyColumn])
_kinds_decoder = msgspec.msgpack.Decoder(list[tuple[int, msgspec.Raw, msgspec.Raw, msgspec.Raw]])


def encode_columns(columns: Sequence[Column | tuple[int, int, list[bytes], list[Any]]]) -> bytes:
    """The payload of a block.  Raises FormatError if it would be refused when it is read."""
    rows: list[tuple[int, int, list[bytes], list[Any]]] = []
    for database, kind, keys, values in columns:
        if kind not in _ARE_RIGHT:
            raise UnsupportedVersionError(0, f"column kind {kind}")
        if not 0 <= database <= DATABASE_MAX:
            raise LimitError(0, f"database {database}; 0 to {DATABASE_MAX} are allowed")
        if len(keys) != len(values):
            raise FormatError(0, f"a column of {len(keys)} keys and {len(values)} values")
        # A wrong type would be written without a murmur and make the whole snapshot unreadable.
        if not _all_are(bytes, keys) or not _ARE_RIGHT[kind](values):
            raise FormatError(0, f"a column of kind {kind} with keys or values of another type")
        rows.append((kind, database, keys, values))
    try:
        return _encoder.encode(rows)
    except OverflowError as failure:
        raise LimitError(0, f"a value that does not fit into 64 bits ({failure})") from failure


def encode_strings(database: int, strings: Mapping[bytes, Any], bytes_max: int) -> bytes | None:
    """What ``encode_columns`` makes of one column of strings, in less time: most blocks hold nothing else.

    None if that has to be asked: something is no byte string, or all of them have more bytes than that together.
    """
    size = size_of_strings(strings)
    if size is None or size > bytes_max or not 0 <= database <= DATABASE_MAX:
        return None
    return _encoder.encode([(KIND_STRING, database, list(strings), list(strings.values()))])


def size_of_strings(strings: Mapping[bytes, Any]) -> int | None:
    """How many bytes keys and values have together; None if any of them is no byte string."""
    if count_bytes is not None and isinstance(strings, dict):
        return count_bytes(strings)
    if not {*map(type, strings), *map(type, strings.values())} <= {bytes}:
        return None
    return sum(map(len, strings)) + sum(map(len, strings.values()))


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
        if kind not in _ARE_RIGHT:
            raise UnsupportedVersionError(0, f"column kind {kind}")


def _all_are(wanted: type, values: Iterable[Any]) -> bool:
    return set(map(type, values)) <= {wanted}
