"""What takes checkpoints away, with their writes and the values that nobody names any more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import durakv
from durakv.adapters._langgraph_keys import THREADS, WRITES, Place, channel_of, entry_key, index_key, place_of
from durakv.adapters._langgraph_records import Record, find_record, places, raw, unraw

DELETED_KEYS = 1000
"""How many keys one DEL names."""


def delete_thread(state: durakv.View, batch: durakv.Batch, thread: str) -> None:
    """Delete all that a thread has."""
    index = index_key(thread)
    members = state.zrange(index, 0, -1)
    if members:
        _delete(batch, [*(entry_key(thread, member) for member in members), index])
        batch.srem(THREADS, raw(thread))


def delete_checkpoints(
    state: durakv.View, batch: durakv.Batch, thread: str, gone: Iterable[Place], orphans: Sequence[bytes] = ()
) -> None:
    """Delete checkpoints, their writes, and the values that no other one names; and writes that have no checkpoint."""
    there = {place: record for place in gone if (record := find_record(state, place)) is not None}
    if not there and not orphans:
        return
    index = index_key(thread)
    dropped = [place.member() for place in there]
    dropped += [member for place in there if state.zscore(index, member := place.member(WRITES)) is not None]
    dropped += orphans
    named = {member for record in there.values() for member in record.values}
    dropped += named - _named(state, thread, leaving_out=there)
    if len(dropped) == state.zcard(index):
        delete_thread(state, batch, thread)
        return
    _delete(batch, [entry_key(thread, member) for member in dropped])
    batch.zrem(index, *dropped)


def prune(state: durakv.View, batch: durakv.Batch, thread: str) -> None:
    """Delete all checkpoints but each namespace's newest, and the ancestors that its delta channels are made of.

    Writes whose checkpoint is not there go too if it would be older than the newest: a crash has taken it.
    """
    kept: set[Place] = set()
    everything = places(state, thread, None)
    newest = {place.namespace: place for place in reversed(everything)}
    for latest in newest.values():
        kept.update(_needed(state, latest))
    there = set(everything)
    orphans = [
        member
        for member in state.zrange(index_key(thread), b"[" + WRITES, b"(" + WRITES + b"\xff", by="lex")
        if (awaited := place_of(thread, member)) not in there
        and (youngest := newest.get(awaited.namespace)) is not None
        and awaited.id < youngest.id
    ]
    delete_checkpoints(state, batch, thread, [place for place in everything if place not in kept], orphans)


def _needed(state: durakv.View, latest: Place) -> Iterator[Place]:
    """The checkpoint, and its ancestors up to where each of its delta channels has a value."""
    place, record = latest, find_record(state, latest)
    wanted = set(() if record is None else record.deferred)
    while record is not None:
        yield place
        wanted -= {raw(channel_of(member)) for member in record.values}
        if not wanted or record.parent is None:
            return
        place = place._replace(id=unraw(record.parent))
        record = find_record(state, place)


def delete_runs(state: durakv.View, batch: durakv.Batch, thread: str, runs: frozenset[bytes]) -> None:
    """Delete the checkpoints of runs."""
    delete_checkpoints(state, batch, thread, of_runs(state, thread, runs))


def of_runs(state: durakv.View, thread: str, runs: frozenset[bytes]) -> list[Place]:
    """The checkpoints of a thread that belong to one of the runs."""
    found: list[Place] = []
    for place in places(state, thread, None):
        record = find_record(state, place)
        if record is not None and record.run in runs:
            found.append(place)
    return found


def drop_unnamed(
    state: durakv.View, batch: durakv.Batch, thread: str, changed: Mapping[Place, Record], members: set[bytes]
) -> None:
    """Delete the values among these that nobody names any more."""
    if not members:
        return
    unnamed = members - _named(state, thread, leaving_out=changed)
    if unnamed:
        _delete(batch, [entry_key(thread, member) for member in unnamed])
        batch.zrem(index_key(thread), *unnamed)


def _named(state: durakv.View, thread: str, *, leaving_out: Mapping[Place, Record]) -> set[bytes]:
    """The values that a thread's other checkpoints name."""
    named: set[bytes] = set()
    for place in places(state, thread, None):
        record = None if place in leaving_out else find_record(state, place)
        if record is not None:
            named.update(record.values)
    return named


def _delete(batch: durakv.Batch, keys: Sequence[bytes]) -> None:
    for first in range(0, len(keys), DELETED_KEYS):
        batch.delete(*keys[first : first + DELETED_KEYS])
