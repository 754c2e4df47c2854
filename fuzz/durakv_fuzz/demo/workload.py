"""What the demonstration writes, and how it reads it back: numbers, in order, each with a value that tells it.

    write n    key:n = value of n        and for every eighth n, in the same batch, mark:n = value of n

So after any crash the state is right exactly if it holds writes 1..k for one k, each whole (C1); and nobody has to
remember what was written.
"""

from __future__ import annotations

from dataclasses import dataclass

from durakv.durability import Durability
from durakv.keyspace.database import Database

MARK_EVERY = 8


def write(db: Database, number: int, durability: Durability | None = None) -> None:
    """Write this number, and wait for this level, or the one that the policy gives it."""
    if number % MARK_EVERY:
        db.set(_key(number), _value(number), durability=durability)
    else:
        with db.batch(durability=durability) as batch:
            batch.set(_key(number), _value(number))
            batch.set(_mark(number), _value(number))


@dataclass(frozen=True, slots=True)
class Found:
    """What a recovered database holds."""

    last: int
    """Writes 1 to this one are there."""

    damage: str = ""
    """Why this is not the state after any number of writes, or nothing."""


def read_back(db: Database) -> Found:
    """Read every key."""
    count = db.dbsize()
    # With k writes there are k + k // 8 keys, and that grows with k.
    last = count * MARK_EVERY // (MARK_EVERY + 1)
    while last + last // MARK_EVERY < count:
        last += 1
    for number in range(1, last + 1):
        keys = [_key(number)] if number % MARK_EVERY else [_key(number), _mark(number)]
        for key in keys:
            value = db.get(key)
            if value != _value(number):
                what = "is missing" if value is None else f"holds {value!r}"
                return Found(number - 1, f"there are {count} keys, but {key.decode()} {what}")
    if last + last // MARK_EVERY != count:
        return Found(last - 1, f"write {last} is there in part")
    return Found(last)


def _key(number: int) -> bytes:
    return b"key:%d" % number


def _mark(number: int) -> bytes:
    return b"mark:%d" % number


def _value(number: int) -> bytes:
    return b"%020d" % number * 3
