"""What a key can hold.

Each kind of value has a number (its column in a base), a name (what TYPE answers), a Python type and a way to be
built again by effects.  Strings are plain ``bytes``: a wrapper object would cost 65 bytes a key.  A new kind is one
more line in ``KINDS``, and its effects in ``effects.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from durakv.machine import Command

Value: TypeAlias = Any
"""A value of one of the ``KINDS``; which one is told by its exact type."""

DEADLINES = 255
"""The number of the column that holds expiry deadlines instead of values."""

DATABASE_COUNT = 16
"""How many numbered databases there are."""

SLOT_COUNT = 4096
"""How many dictionaries a database is cut into; four slots of Redis Cluster share one."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of value."""

    number: int
    name: bytes
    type: type
    rebuild: Callable[[bytes, Value, int | None], list[Command]]
    """The effects that make a key hold this value and this deadline, whatever it held before."""


def _rebuild_string(key: bytes, value: bytes, deadline: int | None) -> list[Command]:
    if deadline is None:
        return [(b"SET", key, value)]
    return [(b"SET", key, value, b"PXAT", b"%d" % deadline)]


STRING = Kind(0, b"string", bytes, _rebuild_string)

KINDS = (STRING,)
KIND_BY_TYPE: dict[type, Kind] = {kind.type: kind for kind in KINDS}
