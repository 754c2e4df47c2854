"""What a database would hold after some effects that are not logged yet.

A batch is decided command by command, each reading what the earlier ones will have done; nothing of it may touch the
state before the whole batch is in the log.  So effects are applied, by the same code, to this instead: it keeps what
they changed and asks the store beneath for the rest.
"""

from __future__ import annotations

from collections.abc import Collection

from durakv.keyspace.kinds import copy_value
from durakv.keyspace.store import Store, slot_of
from durakv.keyspace.values import Value


class OverlayStore:
    """A store whose changes stay in it; see :class:`~durakv.keyspace.store.Store` for the methods."""

    __slots__ = ("_base", "_cleared", "_deadlines", "_values", "slot_count")

    def __init__(self, base: Store) -> None:
        self.slot_count = base.slot_count
        self._base = base
        self._cleared = False
        self._values: dict[bytes, Value | None] = {}
        self._deadlines: dict[bytes, int | None] = {}

    def value(self, key: bytes, /) -> Value | None:
        """The value as changed, None if removed."""
        if key in self._values:
            return self._values[key]
        return None if self._cleared else self._base.value(key)

    def own(self, key: bytes, /) -> Value | None:
        """The value as changed; one of the store beneath is copied first."""
        if key not in self._values:
            value = self.value(key)
            if value is None:
                return None
            self._values[key] = copy_value(value)
        return self._values[key]

    def deadline(self, key: bytes, /) -> int | None:
        """The deadline as changed, None if dropped."""
        if key in self._deadlines:
            return self._deadlines[key]
        return None if self._cleared else self._base.deadline(key)

    def keys(self, slot: int, /) -> Collection[bytes]:
        """The keys of a slot as changed; this costs as much as the whole overlay has keys."""
        changed = {key: value for key, value in self._values.items() if slot_of(key) == slot}
        kept = () if self._cleared else (key for key in self._base.keys(slot) if key not in changed)
        return [*kept, *(key for key, value in changed.items() if value is not None)]

    def __len__(self) -> int:
        count = 0 if self._cleared else len(self._base)
        for key, value in self._values.items():
            was = not self._cleared and self._base.value(key) is not None
            count += (value is not None) - was
        return count

    def replace(self, key: bytes, value: Value, deadline: int | None = None, /) -> None:
        """Keep the new value and deadline."""
        self._values[key] = value
        self._deadlines[key] = deadline

    def put(self, key: bytes, value: Value, /) -> None:
        """Keep the new value."""
        self._values[key] = value

    def put_deadline(self, key: bytes, deadline: int, /) -> None:
        """Keep the new deadline."""
        self._deadlines[key] = deadline

    def drop_deadline(self, key: bytes, /) -> None:
        """Keep that there is none."""
        self._deadlines[key] = None

    def remove(self, key: bytes, /) -> None:
        """Keep that the key is gone."""
        self._values[key] = None
        self._deadlines[key] = None

    def watch_fields(self, key: bytes, /) -> None:
        """Of no use here: nothing expires in an overlay."""

    def clear(self) -> None:
        """Hide everything beneath."""
        self._cleared = True
        self._values.clear()
        self._deadlines.clear()
