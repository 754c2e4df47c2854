"""The keys of a keyspace, as what is written elsewhere has them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from durakv.keyspace.digest import Digest, digest_of_key
from durakv.keyspace.kinds.hash import Hash
from durakv.keyspace.machine import Keyspace
from durakv.keyspace.values import DATABASE_COUNT, Value


class Key(NamedTuple):
    """A key with all it holds."""

    database: int
    name: bytes
    value: Value
    deadline: int | None

    @property
    def digest(self) -> int:
        """See ``digest_of_key``."""
        return digest_of_key(self.database, self.name, self.value, self.deadline)

    def lives(self, until_ms: int) -> bool:
        """Whether nothing of it expires up to then."""
        fields = (self.value.deadlines or {}).values() if type(self.value) is Hash else ()
        return all(deadline is None or deadline > until_ms for deadline in (self.deadline, *fields))


def keys_of(keyspace: Keyspace, now_ms: int, only: int | None = None) -> Iterator[Key]:
    """Every key that has not expired by some time, database by database, or those of one database only."""
    for number in range(DATABASE_COUNT) if only is None else (only,):
        store = keyspace.store(number)
        for slot in range(store.slot_count if len(store) else 0):
            for name, value, deadline in store.columns(slot):
                if deadline is None or deadline >= now_ms:
                    yield Key(number, name, value, deadline)


class Summed:
    """The same keys, and how many have come and what they sum up to."""

    def __init__(self, keys: Iterable[Key]) -> None:
        self._keys = keys
        self.digest = Digest()

    def __iter__(self) -> Iterator[Key]:
        for key in self._keys:
            self.digest.add(key.digest)
            yield key
