"""Slots as blocks of a base: keys and values in columns, deadlines beside them.

A block is self-contained: a key, its value and its deadline are in the same one.  A slot that is large becomes
several blocks.  Only a container that is larger than a block goes on in the next ones, which hold nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from durakv.keyspace.kinds import CONTAINERS, copy_value, kind_of
from durakv.keyspace.kinds.hash import Hash
from durakv.keyspace.store import SlotStore
from durakv.keyspace.values import DATABASE_COUNT, Container, Plain, Value
from durakv_formats.column_kinds import KIND_EXPIRY, KIND_MORE, KIND_STRING
from durakv_formats.columns import Column, decode_columns, encode_columns, encode_strings, size_of_strings

BLOCK_BYTES = 8 << 20
"""A block is closed once its keys and values are this large."""

Contents = tuple[int, Mapping[bytes, Value], Mapping[bytes, int]]
"""What one database holds in a slot: its number, values by key, deadlines by key."""


def encode_blocks(contents: Iterable[Contents]) -> Iterator[tuple[bytes, int]]:
    """The blocks of one slot, each with the number of its keys."""
    contents = list(contents)
    if len(contents) == 1 and (payload := _plain_block(*contents[0])) is not None:
        yield payload, len(contents[0][1])
        return
    columns: list[Column] = []
    count = size = 0
    for database, values, deadlines in contents:
        for keys, held, are_strings, portion_size in _portions(values):
            rest: list[tuple[int, Iterator[Plain]]] = []
            if are_strings:
                columns.append(Column(database, KIND_STRING, keys, held))
            else:
                columns += _columns(database, keys, held, rest)
            if deadlines and (mortal := [key for key in keys if key in deadlines]):
                columns.append(Column(database, KIND_EXPIRY, mortal, [deadlines[key] for key in mortal]))
            count += len(keys)
            size += portion_size
            if size >= BLOCK_BYTES:
                yield encode_columns(columns), count
                columns, count, size = [], 0, 0
            for kind, pieces in rest:
                for piece in pieces:
                    yield encode_columns([Column(database, KIND_MORE + kind, keys, [piece])]), 0
    if count:
        yield encode_columns(columns), count


def _plain_block(database: int, values: Mapping[bytes, Value], deadlines: Mapping[bytes, int]) -> bytes | None:
    """The one block of a slot with nothing but a few strings, as most are; None for any other."""
    return None if deadlines or not values else encode_strings(database, values, BLOCK_BYTES - 1)


def copied(values: Mapping[bytes, Value]) -> dict[bytes, Value]:
    """Values that stay as they are now."""
    if size_of_strings(values) is not None:
        return dict(values)
    return {key: copy_value(value) for key, value in values.items()}


def decode_block(
    payload: bytes, slot: int | None, store_of: Callable[[int], SlotStore | None], slot_of: Callable[[bytes], int]
) -> int:
    """Load a block into the stores of its databases (None: leave that one out); return how many keys it held.

    Raises ValueError when it is not what ``encode_blocks`` writes for this slot (None: for any one slot); the codec
    has checked the types.
    """
    count = 0
    for database, kind, keys, values in decode_columns(payload):
        if not keys:
            raise ValueError("it holds an empty column")
        if slot is None:
            slot = slot_of(keys[0])
        # One key of a column tells a block that was put into the wrong place; checksums tell everything else.
        if slot_of(keys[0]) != slot:
            raise ValueError(f"it holds {keys[0]!r}, a key of slot {slot_of(keys[0])} and not of {slot}")
        if database >= DATABASE_COUNT:
            raise ValueError(f"it holds keys of database {database}, but there are {DATABASE_COUNT}")
        store = store_of(database)
        if kind == KIND_EXPIRY:
            if store is not None:
                if not set(keys) <= set(store.keys(slot)):
                    raise ValueError("it holds a deadline of a key that it does not hold")
                store.load_deadlines(slot, keys, values)
        elif kind > KIND_MORE:
            if store is not None:
                _extend(store, CONTAINERS[kind - KIND_MORE], keys, values)
        else:
            count += len(keys)
            if store is not None:
                if kind != KIND_STRING:
                    values = _contained(store, CONTAINERS[kind], keys, values)
                store.load(slot, keys, values)
    return count


def _contained(store: SlotStore, container: type[Container], keys: list[bytes], plains: list[Plain]) -> list[Value]:
    values = list(map(container.from_plain, plains))
    for key, value in zip(keys, values, strict=True) if container is Hash else ():
        _watch(store, key, value)
    return values


def _extend(store: SlotStore, container: type[Container], keys: list[bytes], plains: list[Plain]) -> None:
    for key, plain in zip(keys, plains, strict=True):
        value = store.value(key)
        if value is None or type(value) is not container:
            raise ValueError(f"it goes on with {key!r}, which no block before it began")
        value.extend_plain(plain)
        _watch(store, key, value)


def _watch(store: SlotStore, key: bytes, value: Value) -> None:
    if type(value) is Hash and value.deadlines is not None:
        store.watch_fields(key)


def _columns(
    database: int, keys: list[bytes], values: list[Value], rest: list[tuple[int, Iterator[Plain]]]
) -> Iterator[Column]:
    """The columns of some keys; what is left of a container that is larger than a block, a key alone, is put aside."""
    by_kind: dict[int, tuple[list[bytes], list[Any]]] = {}
    for key, value in zip(keys, values, strict=True):
        kind = kind_of(value).number
        of_kind = by_kind.setdefault(kind, ([], []))
        of_kind[0].append(key)
        if kind == KIND_STRING:
            of_kind[1].append(value)
            continue
        pieces = value.pieces(_piece_items(value) if len(keys) == 1 else len(value))
        of_kind[1].append(next(pieces))
        if len(keys) == 1:
            rest.append((kind, pieces))
    for kind, (members, plains) in by_kind.items():
        yield Column(database, kind, members, plains)


def _piece_items(value: Container) -> int:
    """How many elements of a container fill a block."""
    return max(1, len(value) * BLOCK_BYTES // max(1, value.size_bytes()))


def _portions(values: Mapping[bytes, Value]) -> Iterator[tuple[list[bytes], list[Value], bool, int]]:
    """The keys, in their order, in lists whose contents are about as large as a block.

    With each list come the values, whether they are strings all of them, and the size.  A container that is larger than
    a block is in a list of its own.
    """
    keys, held = list(values), list(values.values())
    are_strings = set(map(type, held)) <= {bytes}
    if are_strings:
        sizes = list(map(len, held))
    else:
        sizes = [len(value) if type(value) is bytes else value.size_bytes() for value in held]
    size = sum(map(len, keys)) + sum(sizes)
    if size < BLOCK_BYTES:
        yield keys, held, are_strings, size
        return
    first = size = 0
    for index, (key, value, value_size) in enumerate(zip(keys, held, sizes, strict=True)):
        is_apart = value_size >= BLOCK_BYTES and type(value) is not bytes
        if first < index and is_apart:
            yield keys[first:index], held[first:index], are_strings, size
            first, size = index, 0
        size += len(key) + value_size
        if size >= BLOCK_BYTES or is_apart:
            yield keys[first : index + 1], held[first : index + 1], are_strings, size
            first, size = index + 1, 0
    if first < len(keys):
        yield keys[first:], held[first:], are_strings, size
