"""Mappings that share what did not change: there is one for every crash point, and between two little happens."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping
from typing import TypeVar

V = TypeVar("V")

_COPIED_MAX = 64


def with_layer(old: Mapping[int, V], fresh: Mapping[int, V]) -> Mapping[int, V]:
    """The mapping with these values instead, the old one staying as it is: a large one is not copied each time."""
    if isinstance(old, ChainMap):
        upper = {**old.maps[0], **fresh}
        return ChainMap(upper, old.maps[1]) if len(upper) <= _COPIED_MAX else ChainMap({}, {**old.maps[1], **upper})
    return {**old, **fresh} if len(old) <= _COPIED_MAX else ChainMap(dict(fresh), dict(old))


def in_one(mapping: Mapping[int, V]) -> Mapping[int, V]:
    """The same mapping, for whoever is going to ask for most of it."""
    return {**mapping.maps[1], **mapping.maps[0]} if isinstance(mapping, ChainMap) else mapping
