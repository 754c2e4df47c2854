"""A digest of what a keyspace holds, whatever the order it is gone through.

    key      := database:u32  deadline (i64, or nothing)  key  kind  content
    digest   := sum of BLAKE2b-128(key) over all keys, modulo 2^128

The content is in a canonical form: fields and members sorted, elements and entries in their order, scores as doubles
with one zero; how many byte strings there are, their lengths, then they themselves.  So two states have the same digest
if, but for chance, they hold the same: strings, elements, scores, deadlines of keys and fields, streams with their
groups and what is pending.  When consumers were last seen is left out: servers do not log it, and no command sets it.

A sum can be kept up as keys come and go, which is how an import knows what the state must come to.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from struct import Struct, pack

from durakv.keyspace.databases import Databases
from durakv.keyspace.kinds import kind_of
from durakv.keyspace.kinds.hash import Hash
from durakv.keyspace.kinds.list import List
from durakv.keyspace.kinds.set import Set
from durakv.keyspace.kinds.stream import Stream
from durakv.keyspace.kinds.zset import SortedSet
from durakv.keyspace.store import SlotStore
from durakv.keyspace.values import DATABASE_COUNT, Value

_BYTES = 16
_MODULUS = 1 << 8 * _BYTES
_SCORE = Struct("<d").pack
_HEAD = Struct("<IBQ").pack
_TIME = Struct("<q").pack


class Digest:
    """A number of keys and the sum of their digests."""

    __slots__ = ("_sum", "keys")

    def __init__(self, keys: int = 0, sum_: int = 0) -> None:
        self.keys = keys
        self._sum = sum_ % _MODULUS

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Digest) and (self.keys, self._sum) == (other.keys, other._sum)

    __hash__ = None  # type: ignore[assignment]

    def __str__(self) -> str:
        return f"{self._sum:032x}"

    def add(self, of_key: int) -> None:
        """A key comes, with the digest that ``digest_of_key`` has for it."""
        self.keys += 1
        self._sum = (self._sum + of_key) % _MODULUS

    def remove(self, of_key: int) -> None:
        """A key goes."""
        self.keys -= 1
        self._sum = (self._sum - of_key) % _MODULUS


def digest_of_key(database: int, key: bytes, value: Value, deadline: int | None) -> int:
    """The digest of one key with all it holds."""
    head = _HEAD(database, 0 if deadline is None else 1, len(key)) + key
    digest = blake2b(head if deadline is None else head + _TIME(deadline), digest_size=_BYTES)
    if type(value) is bytes:
        digest.update(b"string")
        digest.update(value)
    else:
        digest.update(kind_of(value).name)
        parts = list(_parts(value))
        digest.update(pack(f"<{len(parts) + 1}Q", len(parts), *map(len, parts)))
        digest.update(b"".join(parts))
    return int.from_bytes(digest.digest(), "little")


def digest_of(keyspace: Databases[SlotStore]) -> Digest:
    """The digest of everything that is held, expired or not."""
    digest = Digest()
    for number in range(DATABASE_COUNT):
        store = keyspace.store(number)
        for slot in range(store.slot_count if len(store) else 0):
            for key, value, deadline in store.columns(slot):
                digest.add(digest_of_key(number, key, value, deadline))
    return digest


def _parts(value: Value) -> Iterator[bytes]:
    if isinstance(value, Hash):
        deadlines = value.deadlines or {}
        for field in sorted(value.fields):
            deadline = deadlines.get(field)
            yield field
            yield value.fields[field]
            yield b"" if deadline is None else _TIME(deadline)
    elif isinstance(value, List):
        yield from value.elements()
    elif isinstance(value, Set):
        yield from sorted(value.members)
    elif isinstance(value, SortedSet):
        for member in sorted(value.scores):
            yield member
            yield _SCORE(value.scores[member] + 0.0)  # -0 and 0 are equal scores
    else:
        assert isinstance(value, Stream), "every kind has its form"
        yield from _stream_parts(value)


def _stream_parts(value: Stream) -> Iterator[bytes]:
    yield repr((value.last_id, value.max_deleted_id, value.entries_added, len(value), len(value.groups))).encode()
    for id_, fields in value.entries.items():
        yield repr((id_, len(fields))).encode()
        yield from fields
    for name in sorted(value.groups):
        group = value.groups[name]
        yield name
        yield repr((group.last_id, group.entries_read, len(group.pending), len(group.consumers))).encode()
        for id_, delivery in group.pending.items():
            yield repr((id_, delivery.time_ms, delivery.count)).encode()
            yield delivery.consumer
        yield from sorted(group.consumers)
