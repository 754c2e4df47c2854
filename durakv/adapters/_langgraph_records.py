"""What is stored of checkpoints, and how it is read: functions of a view of one moment."""

from __future__ import annotations

import msgspec

import durakv
from durakv.adapters._langgraph_keys import (
    FORMAT,
    THREADS,
    WRITES,
    Place,
    channel_of,
    checkpoints,
    entry_key,
    index_key,
    place_of,
)

FORMAT_VERSION = b"1"

Typed = tuple[str, bytes]
"""What a serializer makes of a value: the name of its type, and bytes."""


class Record(msgspec.Struct, array_like=True, frozen=True):
    """A checkpoint as it is stored, without its channels' values."""

    parent: bytes | None
    checkpoint: Typed
    metadata: Typed
    run: bytes | None
    values: tuple[bytes, ...]
    """The members that name the values."""
    deferred: tuple[bytes, ...]
    """Delta channels without a value here: theirs is made of the ancestors' writes."""


class Write(msgspec.Struct, array_like=True, frozen=True):
    """A write of a task that waits for the task's super-step to end."""

    path: bytes
    task: bytes
    index: int
    channel: bytes
    value: Typed


class Found(msgspec.Struct, frozen=True):
    """A checkpoint with all that belongs to it, seen at one moment."""

    place: Place
    record: Record
    values: dict[str, bytes]
    writes: list[bytes]


def raw(value: str) -> bytes:
    """A string as bytes; there are strings that no format takes as text."""
    return value.encode("utf-8", "surrogatepass")


def unraw(value: bytes) -> str:
    """The string again."""
    return value.decode("utf-8", "surrogatepass")


pack = msgspec.msgpack.Encoder().encode
unpack_value = msgspec.msgpack.Decoder(Typed).decode
unpack_write = msgspec.msgpack.Decoder(Write).decode
_unpack_record = msgspec.msgpack.Decoder(Record).decode


def check_format(db: durakv.Database) -> None:
    """Refuse what a newer version has stored."""
    version = db.get(FORMAT)
    if version not in (None, FORMAT_VERSION):
        raise durakv.UnsupportedVersion(
            FORMAT.decode(),
            version.decode(errors="backslashreplace"),
            f"these checkpoints were stored by a newer durakv, and this one reads version {FORMAT_VERSION.decode()}; "
            "install the newer one",
        )


def find(state: durakv.View, place: Place) -> Found | None:
    """The checkpoint with its values and writes, or None."""
    record = find_record(state, place)
    if record is None:
        return None
    values: dict[str, bytes] = {}
    for member in record.values:
        value = state.get(entry_key(place.thread, member))
        if value is None:
            raise durakv.DurakvError(
                f"checkpoint {place.id!r} of thread {place.thread!r} has lost the value of {channel_of(member)!r}: "
                "something else has deleted keys that begin with `langgraph:`; give the checkpoints a database of "
                "their own (`Database.select`), and delete this thread"
            )
        values[channel_of(member)] = value
    return Found(place, record, values, state.hvals(place.key(WRITES)))


def find_record(state: durakv.View, place: Place) -> Record | None:
    """The checkpoint alone, or None."""
    stored = state.get(place.key())
    return None if stored is None else _unpack_record(stored)


def find_latest(state: durakv.View, thread: str, namespace: str) -> Found | None:
    """The newest checkpoint of a namespace, or None."""
    for place in places(state, thread, namespace, limit=1):
        return find(state, place)
    return None


def places(
    state: durakv.View, thread: str, namespace: str | None, before: str | None = None, limit: int | None = None
) -> list[Place]:
    """The checkpoints of a thread, or of one of its namespaces, newest first in each."""
    last, first = checkpoints(namespace, before)
    some = None if limit is None else (0, limit)
    return [
        place_of(thread, member)
        for member in state.zrange(index_key(thread), last, first, by="lex", reverse=True, limit=some)
    ]


def threads(state: durakv.View) -> list[str]:
    """Every thread that has anything."""
    return sorted(map(unraw, state.smembers(THREADS)))
