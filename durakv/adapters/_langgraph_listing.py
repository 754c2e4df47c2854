"""The order in which checkpoints are listed: newest first, a page at a time where the index has that order."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import durakv
from durakv.adapters._langgraph_config import Address
from durakv.adapters._langgraph_keys import Place
from durakv.adapters._langgraph_records import places, threads

PAGE = 64
"""How many names are read at once."""


def listed(db: durakv.Database, address: Address | None, before: str | None) -> Iterator[Place]:
    """The checkpoints that an address stands for, or all there are; those with ids below ``before``, if it is given."""
    if address is None:
        found = [place for thread in db.read(threads) for place in _all(db, thread, None)]
    elif address.id is not None or address.namespace is None:
        found = _all(db, address.thread, address.namespace)
    else:
        yield from _pages(db, address.thread, address.namespace, before)
        return
    wanted = None if address is None else address.id
    for place in sorted(found, key=lambda place: (place.id, place.thread, place.namespace), reverse=True):
        if (before is None or place.id < before) and (wanted is None or place.id == wanted):
            yield place


def _all(db: durakv.Database, thread: str, namespace: str | None) -> list[Place]:
    return db.read(partial(places, thread=thread, namespace=namespace))


def _pages(db: durakv.Database, thread: str, namespace: str, before: str | None) -> Iterator[Place]:
    cursor = before
    while True:
        page = db.read(partial(places, thread=thread, namespace=namespace, before=cursor, limit=PAGE))
        yield from page
        if len(page) < PAGE:
            return
        cursor = page[-1].id
