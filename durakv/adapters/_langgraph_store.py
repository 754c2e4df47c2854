"""What changes checkpoints: functions of a view of one moment that put what is to be written into a batch.

Each change is decided on what is there and is one batch, so these hold before and after any crash:

    every member of a thread's index has its entry, and every entry its member
    a thread is among the threads if and only if its index is there
    every value that a checkpoint names is there, and every value is named by some checkpoint

Values are stored once for each version of a channel, whichever checkpoints share it.  That a value is there already is
only believed of the parent, whose version it is; anything else is compared byte for byte, and what differs though its
version is the same gets a copy of its own.  So no checkpoint can change what another one shows.

What changes an index comes last in its batch: a command is decided on a copy of what the earlier ones changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import count

import msgspec

import durakv
from durakv.adapters._langgraph_keys import (
    CHECKPOINT,
    FORMAT,
    THREADS,
    VALUE,
    WRITES,
    Place,
    channel_of,
    entry_key,
    index_key,
    text,
    value_member,
)
from durakv.adapters._langgraph_records import FORMAT_VERSION, Record, Typed, Write, find_record, pack, raw
from durakv.adapters._langgraph_removal import drop_unnamed


class NewCheckpoint(msgspec.Struct, frozen=True):
    """A checkpoint to be stored; ``packed`` has the values that may be new."""

    place: Place
    parent: str | None
    checkpoint: Typed
    metadata: Typed
    run: str | None
    versions: Mapping[str, str | int | float | None]
    """The version of each channel that has a value."""
    packed: dict[str, bytes]
    deferred: Sequence[str]


def put(
    state: durakv.View, batch: durakv.Batch, new: NewCheckpoint, writes: Mapping[bytes, Write] | None = None
) -> list[str]:
    """Store a checkpoint and, if there are any, writes that wait for it.

    Returns the channels whose values have to be packed first, because the parent does not have them in this version;
    then nothing is stored.
    """
    place = new.place
    members, missing = _name_values(state, new)
    if missing:
        return missing
    for channel, member in members.items():
        if channel in new.packed:
            batch.set(entry_key(place.thread, member), new.packed[channel])
    record = Record(
        None if new.parent is None else raw(new.parent),
        new.checkpoint,
        new.metadata,
        None if new.run is None else raw(new.run),
        tuple(members.values()),
        tuple(map(raw, new.deferred)),
    )
    before = find_record(state, place)
    batch.set(place.key(), pack(record))
    added = [place.member(), *members.values()]
    if writes:
        _put_fields(state, batch, place, writes)
        added.append(place.member(WRITES))
    if before is not None:
        drop_unnamed(state, batch, place.thread, {place: record}, set(before.values) - set(record.values))
    _enter(state, batch, place.thread, added)
    return []


def _name_values(state: durakv.View, new: NewCheckpoint) -> tuple[dict[str, bytes], list[str]]:
    """The member that names each channel's value, and the channels whose values are wanted first."""
    place = new.place
    parent = None if new.parent is None else find_record(state, place._replace(id=new.parent))
    inherited = {} if parent is None else {channel_of(member): member for member in parent.values}
    members: dict[str, bytes] = {}
    missing: list[str] = []
    for channel, version in new.versions.items():
        version_member = value_member(place.namespace, channel, version)
        if channel in new.packed:
            members[channel] = _own_copy(state, place.thread, version_member, new.packed[channel])
        elif inherited.get(channel, b"").startswith(version_member):
            members[channel] = inherited[channel]
        else:
            missing.append(channel)
    return members, missing


def _own_copy(state: durakv.View, thread: str, version_member: bytes, packed: bytes) -> bytes:
    """The copy of a version that is this value, or the first name that is free."""
    for number in count():
        member = version_member + text(str(number))
        there = state.get(entry_key(thread, member))
        if there is None or there == packed:
            return member
    raise AssertionError("numbers do not end")


def put_writes(state: durakv.View, batch: durakv.Batch, place: Place, writes: Mapping[bytes, Write]) -> None:
    """Store writes that wait for a checkpoint, which need not be there yet."""
    if writes:
        _put_fields(state, batch, place, writes)
        _enter(state, batch, place.thread, [place.member(WRITES)])


def _put_fields(state: durakv.View, batch: durakv.Batch, place: Place, writes: Mapping[bytes, Write]) -> None:
    """A task's ordinary writes stay as they were first stored; its special ones, an error say, are replaced."""
    key = place.key(WRITES)
    fields = {field: pack(write) for field, write in writes.items() if write.index < 0 or not state.hexists(key, field)}
    if fields:
        batch.hset(key, fields)


def _enter(state: durakv.View, batch: durakv.Batch, thread: str, members: Iterable[bytes]) -> None:
    """Put members into the thread's index, and the thread among the threads."""
    index = index_key(thread)
    new = {member: 0.0 for member in members if state.zscore(index, member) is None}
    if state.get(FORMAT) is None:
        batch.set(FORMAT, FORMAT_VERSION)
    if new:
        batch.zadd(index, new)
    if not state.exists(index):
        batch.sadd(THREADS, raw(thread))


def copy_thread(state: durakv.View, batch: durakv.Batch, source: str, target: str) -> None:
    """Copy all that a thread has to one that has nothing."""
    members = state.zrange(index_key(source), 0, -1)
    if not members or source == target:
        return
    if state.exists(index_key(target)):
        raise ValueError(f"thread {target!r} has checkpoints already: delete it first, or copy to a new one")
    for member in members:
        old, new = entry_key(source, member), entry_key(target, member)
        if member[:1] == WRITES:
            batch.hset(new, state.hgetall(old))
            continue
        assert member[:1] in (CHECKPOINT, VALUE), "every member names a checkpoint, a value or writes"
        entry = state.get(old)
        assert entry is not None, "every member has its entry"
        batch.set(new, entry)
    _enter(state, batch, target, members)
