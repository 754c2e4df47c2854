"""Slots as blocks of a base: keys and values in columns, deadlines beside them.

A block is self-contained: a key, its value and its deadline are in the same one.  A slot that is large becomes
several blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from durakv.keyspace.store import SlotStore
from durakv.keyspace.values import DATABASE_COUNT, DEADLINES, KIND_BY_TYPE, Value
from durakv_formats.columns import Column, decode_columns, encode_columns

BLOCK_BYTES = 8 << 20
"""A block is closed once its keys and values are this large."""

Contents = tuple[int, Mapping[bytes, Value], Mapping[bytes, int]]
"""What one database holds in a slot: its number, values by key, deadlines by key."""


def encode_blocks(contents: Iterable[Contents]) -> Iterator[tuple[bytes, int]]:
    """The blocks of one slot, each with the number of its keys."""
    columns: list[Column] = []
    count = size = 0
    for database, values, deadlines in contents:
        for keys, portion_size in _portions(values):
            columns += _columns(database, keys, values, deadlines)
            count += len(keys)
            size += portion_size
            if size >= BLOCK_BYTES:
                yield encode_columns(columns), count
                columns, count, size = [], 0, 0
    if count:
        yield encode_columns(columns), count


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
        if kind != DEADLINES:
            count += len(keys)
            if store is not None:
                store.load(slot, keys, values)
        elif store is not None:
            if not set(keys) <= set(store.keys(slot)):
                raise ValueError("it holds a deadline of a key that it does not hold")
            store.load_deadlines(slot, keys, values)
    return count


def _columns(
    database: int, keys: list[bytes], values: Mapping[bytes, Value], deadlines: Mapping[bytes, int]
) -> Iterator[Column]:
    of_keys = list(values.values()) if len(keys) == len(values) else [values[key] for key in keys]
    types = set(map(type, of_keys))
    if len(types) == 1:
        yield Column(database, KIND_BY_TYPE[types.pop()].number, keys, of_keys)
    else:
        by_kind: dict[int, list[bytes]] = {}
        for key in keys:
            by_kind.setdefault(KIND_BY_TYPE[type(values[key])].number, []).append(key)
        for kind, members in by_kind.items():
            yield Column(database, kind, members, [values[key] for key in members])
    mortal = [key for key in keys if key in deadlines] if deadlines else []
    if mortal:
        yield Column(database, DEADLINES, mortal, [deadlines[key] for key in mortal])


def _portions(values: Mapping[bytes, Value]) -> Iterator[tuple[list[bytes], int]]:
    """The keys, in their order, in lists whose contents are about as large as a block, with that size."""
    size = sum(map(len, values)) + sum(map(len, values.values()))
    if size < BLOCK_BYTES:
        yield list(values), size
        return
    portion: list[bytes] = []
    size = 0
    for key, value in values.items():
        portion.append(key)
        size += len(key) + len(value)
        if size >= BLOCK_BYTES:
            yield portion, size
            portion, size = [], 0
    if portion:
        yield portion, size
