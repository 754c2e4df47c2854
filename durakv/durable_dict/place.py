"""Where a durable dict is in a database, as bytes:

    <prefix>items     a hash: a field for each key, in the order of insertion
    <prefix>codecs    a hash: layout, key, value: with what it was made

One hash, and not a key of the database for each entry: ``len`` is one look, iterating and clearing touch nothing else
in the database, an update is one command of the log, and the order is a dict's, also after a restart.  The log has
single fields, so a write costs what it is long.  The price is paid at a rewrite, whose process has the whole dict in
memory, for a hash is in one slot; and by lazy opening, which loads all of a dict when it is first looked at.

Different prefixes never meet: every key here ends in one of two words, and what is before it is the prefix.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from typing import TypeVar

from durakv.durability import Durability
from durakv.errors import Closed, CodecError, UnsupportedVersion, WrongType
from durakv.keyspace.command import in_database
from durakv.keyspace.database import Database
from durakv.keyspace.kinds.effect import chunks
from durakv.keyspace.kinds.hash import Hash
from durakv.keyspace.values import REBUILD_ITEMS
from durakv.machine import Command

R = TypeVar("R")

_LAYOUT = b"1"
_ABSENT: dict[bytes, bytes] = {}


class Place:
    """The two hashes of one dict.  What is decided here is decided under the engine's lock, and calls no codec."""

    def __init__(self, database: Database, prefix: bytes) -> None:
        if not isinstance(prefix, bytes):
            raise TypeError(f"a prefix is bytes, not {type(prefix).__name__}; encode it first")
        self.database = database
        self.items = bytes(prefix) + b"items"
        self.codecs = bytes(prefix) + b"codecs"
        self.closed = False
        self._store = database.decider.keyspace.store(database.number)

    def claim(self, codecs: Mapping[bytes, str]) -> None:
        """Note with which codecs the dict is made, or raise CodecError if it was made with others."""
        wanted = {b"layout": _LAYOUT} | {role: name.encode() for role, name in codecs.items()}

        def decide(items: dict[bytes, bytes]) -> tuple[list[Command], dict[bytes, bytes]]:
            made = self._fields(self.codecs)
            if made or items:
                return [], made.copy()
            return [(b"HSET", self.codecs, *chain.from_iterable(wanted.items()))], wanted

        made = self.transact(decide, None)
        if not made:
            raise CodecError(f"the hash {self.items!r} has fields, but no {self.codecs!r} beside it: no dict made it")
        if made.get(b"layout") != _LAYOUT:
            version = made.get(b"layout", b"(none)").decode(errors="replace")
            raise UnsupportedVersion(f"the dict in {self.items!r}", version, "Open it with a newer durakv")
        for role, name in codecs.items():
            was = made.get(role, b"").decode(errors="replace")
            if was != name:
                raise CodecError(
                    f"each {role.decode()} in {self.items!r} was encoded by the codec {was!r}, and this one is "
                    f"{name!r}: open it with the one that wrote it, and copy it into another dict to change it"
                )

    def read(self, look: Callable[[dict[bytes, bytes]], R], level: Durability = Durability.APPLIED) -> R:
        """What ``look`` says of the items, once all that it depends on has reached the level (C14)."""
        self._refuse_closed()
        return self.database.engine.read(lambda: look(self._fields(self.items)), level)

    def transact(
        self, decide: Callable[[dict[bytes, bytes]], tuple[list[Command], R]], durability: Durability | None
    ) -> R:
        """Log, as one batch, what ``decide`` says when it has seen the items; see ``Engine.transact``."""
        self._refuse_closed()
        number = self.database.number

        def decide_effects() -> tuple[list[Command], R]:
            effects, answer = decide(self._fields(self.items))
            return in_database(number, effects), answer

        return self.database.engine.transact(decide_effects, durability)

    def sync(self) -> None:
        """Return when every write before this call is on stable storage (C3)."""
        self._refuse_closed()
        self.database.sync()

    def setting(self, pairs: Iterable[tuple[bytes, bytes]]) -> list[Command]:
        """The effects that set these fields; new ones come last, in this order."""
        return [(b"HSET", self.items, *chain.from_iterable(some)) for some in chunks(pairs, REBUILD_ITEMS)]

    def deleting(self, fields: Iterable[bytes]) -> list[Command]:
        """The effects that delete these fields."""
        return [(b"HDEL", self.items, *some) for some in chunks(fields, REBUILD_ITEMS)]

    def clearing(self) -> list[Command]:
        """The effect that deletes all fields; the codecs stay."""
        return [(b"DEL", self.items)]

    def _fields(self, key: bytes) -> dict[bytes, bytes]:
        value = self._store.value(key)
        if value is None:
            return _ABSENT
        if type(value) is not Hash:
            raise WrongType(f"WRONGTYPE {key!r} holds no hash, so it is no dict's: choose another prefix")
        return value.fields

    def _refuse_closed(self) -> None:
        if self.closed or self.database.decider.closed:
            raise Closed("the dict is closed; open it again")
