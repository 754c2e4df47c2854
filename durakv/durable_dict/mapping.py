"""A durable dict: a mutable mapping in a data directory, or in a part of an open database.

with durakv.DurableDict("settings", value=durakv.JsonCodec(), fsync="always") as settings:
    settings["theme"] = {"dark": True}                    # on disk when this returns

drafts = durakv.DurableDict.over(db, prefix=b"drafts:", key=durakv.MsgpackCodec(int), value=durakv.TextCodec())
"""

from __future__ import annotations

import os
from collections.abc import ItemsView, Iterable, Iterator, MutableMapping, ValuesView
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, NoReturn, Self, TypeVar, cast, overload

from durakv.codecs import Codec
from durakv.durability import Durability, FsyncPolicy
from durakv.durable_dict.batch import DictBatch
from durakv.durable_dict.coding import Coding
from durakv.durable_dict.place import Place
from durakv.durable_dict.views import PairedValuesView, PairsView
from durakv.errors import Closed
from durakv.keyspace.database import Database, open
from durakv.machine import Command
from durakv.options import Options

if TYPE_CHECKING:
    from _typeshed import SupportsKeysAndGetItem

K = TypeVar("K")
V = TypeVar("V")
D = TypeVar("D")

_MISSING: Final = object()


class DurableDict(MutableMapping[K, V]):
    """A dict that is still there after a crash.

    A write returns when it has reached its level, the policy's unless ``put`` or ``batch`` names one, and then survives
    what that level survives: WRITTEN the death of the process (C2), SYNCED a loss of power too (C3).  ``update`` and a
    ``batch`` block are all or nothing (C1).  A read may show what a crash takes back (C14).

    It has the order of a dict, also after a restart, and ``len`` takes no longer for a large one.  Any thread may call
    any method; ``pop``, ``popitem``, ``setdefault`` and ``clear`` are each one step beside other threads.  Iterating,
    ``items()`` and ``values()`` included, goes over what was there when it began: writing meanwhile is allowed, and not
    seen.  Values are decoded anew at each read: changing one that was read stores nothing, assign it again.

    What a codec refuses raises the codec's own error before anything is logged, for keys also in ``key in d``.  Stored
    bytes that do not decode raise CodecError, and change nothing.
    """

    @overload
    def __init__(
        self: DurableDict[str, D],
        path: str | os.PathLike[str],
        *,
        value: Codec[D],
        fsync: FsyncPolicy | str | None = ...,
        options: Options | None = ...,
        create: bool = ...,
    ) -> None: ...
    @overload
    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        key: Codec[K],
        value: Codec[V],
        fsync: FsyncPolicy | str | None = ...,
        options: Options | None = ...,
        create: bool = ...,
    ) -> None: ...

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        key: Codec[Any] | None = None,
        value: Codec[Any],
        fsync: FsyncPolicy | str | None = None,
        options: Options | None = None,
        create: bool = True,
    ) -> None:
        """Open a data directory that holds one dict, creating it unless ``create`` is false; ``close`` closes it.

        Keys are ``str`` unless there is a codec for them, which must be injective; see ``Codec``.  Raises what ``open``
        raises, and CodecError for a dict that was made with other codecs.
        """
        coding = Coding[Any, Any](key, value)  # before a directory is made for it
        database = open(path, fsync=fsync, options=options, create=create)
        try:
            self._begin(database, b"", coding)
        except BaseException:
            database.close()
            raise
        self._owns = True

    @overload
    @classmethod
    def over(cls, database: Database, *, prefix: bytes, value: Codec[V]) -> DurableDict[str, V]: ...
    @overload
    @classmethod
    def over(cls, database: Database, *, prefix: bytes, key: Codec[K], value: Codec[V]) -> DurableDict[K, V]: ...

    @classmethod
    def over(
        cls, database: Database, *, prefix: bytes, key: Codec[Any] | None = None, value: Codec[Any]
    ) -> DurableDict[Any, Any]:
        """A dict inside an open database, which is closed by whoever opened it.

        All its keys begin with the prefix; as many dicts as there are prefixes fit into one database.  What else writes
        to those keys breaks it.
        """
        made = cls.__new__(cls)
        made._begin(database, prefix, Coding(key, value))
        made._owns = False
        return made

    def _begin(self, database: Database, prefix: bytes, coding: Coding[K, V]) -> None:
        self._coding = coding
        self._place = Place(database, prefix)
        self._place.claim({b"key": self._coding.key.name, b"value": self._coding.value.name})

    # --- one key --------------------------------------------------------------------------------------------------

    def __getitem__(self, key: K) -> V:
        field = self._coding.field_of(key)
        data = self._place.read(lambda items: items.get(field))
        if data is None:
            raise KeyError(key)
        return self._coding.value_of(key, data)

    def __contains__(self, key: object) -> bool:
        field = self._coding.field_of(cast("K", key))
        return self._place.read(lambda items: field in items)

    def __setitem__(self, key: K, value: V) -> None:
        self.put(key, value)

    def put(self, key: K, value: V, *, durability: Durability | None = None) -> None:
        """``d[key] = value``, at a level of its own."""
        self._set([(self._coding.field_of(key), self._coding.data_of(value))], durability)

    def __delitem__(self, key: K) -> None:
        field = self._coding.field_of(key)
        effects = self._place.deleting([field])
        if not self._place.transact(lambda items: (effects, True) if field in items else ([], False), None):
            raise KeyError(key)

    @overload
    def pop(self, key: K, /) -> V: ...
    @overload
    def pop(self, key: K, /, default: V) -> V: ...
    @overload
    def pop(self, key: K, /, default: D) -> V | D: ...

    def pop(self, key: K, /, default: Any = _MISSING) -> Any:
        """Remove a key and return its value, which no other thread gets too."""
        field = self._coding.field_of(key)
        while (data := self._place.read(lambda items: items.get(field))) is not None:
            value = self._coding.value_of(key, data)
            if self._removed(field, data):
                return value
        if default is _MISSING:
            raise KeyError(key)
        return default

    def popitem(self) -> tuple[K, V]:
        """Remove the last key and return it with its value, as a dict does."""
        while (last := self._place.read(_last)) is not None:
            field, data = last
            key = self._coding.key_of(field)
            value = self._coding.value_of(key, data)
            if self._removed(field, data, is_last=True):
                return key, value
        raise KeyError("the dict is empty")

    def _removed(self, field: bytes, data: bytes, *, is_last: bool = False) -> bool:
        """Whether it was removed, for it still held this; decoded before, so that what does not decode stays."""

        def decide(items: dict[bytes, bytes]) -> tuple[list[Command], bool]:
            holds = _last(items) == (field, data) if is_last else items.get(field) == data
            return (self._place.deleting([field]), True) if holds else ([], False)

        return self._place.transact(decide, None)

    @overload
    def setdefault(self: DurableDict[K, D | None], key: K, default: None = None, /) -> D | None: ...
    @overload
    def setdefault(self, key: K, default: V, /) -> V: ...

    def setdefault(self, key: K, default: Any = None, /) -> Any:
        """The value of the key, after it was set to ``default`` if it was absent: what is stored, decoded."""
        field = self._coding.field_of(key)
        level = self._place.database.engine.fsync.default_durability
        data = self._place.read(lambda items: items.get(field), level)
        if data is None:
            made = self._coding.data_of(default)
            effects = self._place.setting([(field, made)])
            data = self._place.transact(lambda items: ([], items[field]) if field in items else (effects, made), None)
        return self._coding.value_of(key, data)

    # --- all keys -------------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return self._place.read(len)

    def __iter__(self) -> Iterator[K]:
        return map(self._coding.key_of, self._place.read(list))

    def items(self) -> ItemsView[K, V]:
        """The pairs; each iteration goes over those of one moment."""
        return PairsView(self)

    def values(self) -> ValuesView[V]:
        """The values; each iteration goes over those of one moment."""
        return PairedValuesView(self)

    def _pairs(self) -> Iterator[tuple[K, V]]:
        """The pairs of this moment, decoded one by one."""
        coding = self._coding
        for field, data in self._place.read(lambda items: list(items.items())):
            key = coding.key_of(field)
            yield key, coding.value_of(key, data)

    # --- several keys ---------------------------------------------------------------------------------------------

    # The signatures are those of the base, which pyright does not recognize behind a ``self`` of this class.
    @overload
    def update(self, other: SupportsKeysAndGetItem[K, V], /) -> None: ...
    @overload
    def update(self: DurableDict[str, D], other: SupportsKeysAndGetItem[str, D], /, **named: D) -> None: ...
    @overload
    def update(self, other: Iterable[tuple[K, V]], /) -> None: ...
    @overload
    def update(self: DurableDict[str, D], other: Iterable[tuple[str, D]], /, **named: D) -> None: ...
    @overload
    def update(self: DurableDict[str, D], /, **named: D) -> None: ...

    def update(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, other: Any = (), /, **named: Any
    ) -> None:
        """Set all these keys, as one batch: all or nothing (C1)."""
        pairs: dict[Any, Any] = dict(other, **named)
        coding = self._coding
        fields = {coding.field_of(key): coding.data_of(value) for key, value in pairs.items()}
        self._set(fields.items(), None)

    def _set(self, fields: Iterable[tuple[bytes, bytes]], durability: Durability | None) -> None:
        effects = self._place.setting(fields)
        self._place.transact(lambda items: (effects, None), durability)

    def clear(self) -> None:
        """Remove every key, in one step (C1)."""
        self._place.transact(lambda items: (self._place.clearing() if items else [], None), None)

    def batch(self, *, durability: Durability | None = None) -> DictBatch[K, V]:
        """Collect changes in a ``with`` block and store them as one: all or nothing (C1); see :class:`DictBatch`."""
        return DictBatch(self._place, self._coding, durability)

    # --- the store ------------------------------------------------------------------------------------------------

    @property
    def database(self) -> Database:
        """The database in which it is: its ``report``, ``status``, ``rewrite``."""
        return self._place.database

    def sync(self) -> None:
        """Return when every write before this call survives a loss of power, under any policy (C3)."""
        self._place.sync()

    def close(self) -> None:
        """Refuse every later call with Closed; a directory that was opened by path is synced, sealed and given up."""
        self._place.closed = True
        if self._owns:
            self._place.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        try:
            content = f"{len(self)} keys"
        except Closed:
            content = "closed"
        return f"<DurableDict {self._place.items!r}: {content}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a DurableDict is a place on disk, and cannot be copied or pickled: take dict(d.items())")


def _last(items: dict[bytes, bytes]) -> tuple[bytes, bytes] | None:
    field = next(reversed(items), None)
    return None if field is None else (field, items[field])
