"""A request's dictionary, as Scrapy's ``Request.to_dict`` gives it, to bytes and back.

Plain data (strings, bytes, numbers, lists, dictionaries) becomes MessagePack.  A request may carry anything else in its
``meta`` and ``cb_kwargs``: tuples, sets, dates, objects.  That is pickled, as Scrapy's own default queue pickles every
request, and for the same reason: nothing else gives back what was put in.  So reading a job directory can run code that
is named in it, as with Scrapy's own: open only those that you trust.
"""

from __future__ import annotations

import pickle
from typing import Any, cast

import msgspec

PLAIN, PICKLED = b"m", b"p"
DEPTH_MAX = 32
_ATOMS: frozenset[type] = frozenset({type(None), bool, int, float, str, bytes})


def encode(request: dict[str, Any]) -> bytes:
    """The dictionary as bytes; ``ValueError`` if it holds something that cannot be stored."""
    if _is_plain(request, DEPTH_MAX):
        try:
            return PLAIN + msgspec.msgpack.encode(request)
        except (ValueError, OverflowError):  # lone surrogates, integers beyond 64 bits: pickle can
            pass
    try:
        return PICKLED + pickle.dumps(request, protocol=4)
    except (pickle.PicklingError, AttributeError, TypeError, RecursionError) as error:
        raise ValueError(str(error)) from error


def decode(stored: bytes) -> dict[str, Any]:
    """The dictionary that ``encode`` made the bytes of."""
    kind, body = stored[:1], stored[1:]
    if kind == PLAIN:
        return msgspec.msgpack.decode(body, type=dict[Any, Any])
    if kind == PICKLED:
        return dict(pickle.loads(body))
    raise ValueError(f"a stored request begins with {kind!r}: it was written by another version of durakv")


def _is_plain(value: object, depth: int) -> bool:
    """Whether MessagePack gives back exactly this: a tuple would come back as a list, an enum as its value."""
    if type(value) in _ATOMS:
        return True
    if depth == 0:
        return False
    if type(value) is list:
        return all(_is_plain(item, depth - 1) for item in cast("list[object]", value))
    if type(value) is dict:
        pairs = cast("dict[object, object]", value).items()
        return all(type(key) in _ATOMS and _is_plain(item, depth - 1) for key, item in pairs)
    return False
