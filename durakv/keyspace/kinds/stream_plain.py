"""The parts of a stream as a base has them: columns, with milliseconds of ids as steps.  See formats/snapshot-v1.md.

    entries   [ ms ] [ seq ] [ fields and values in turn ]
    group     name, last id, entries read, [ consumer ] [ seen ms ] pending
    pending   [ ms ] [ seq ] [ which consumer ] [ delivered ms ] [ count ]

A later piece of a stream goes on where the one before ended, and may name a group and its consumers again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import accumulate, pairwise

from durakv.keyspace.kinds.by_id import ById, Id
from durakv.keyspace.kinds.stream_group import Delivery, Group
from durakv.keyspace.kinds.stream_id import NUMBER_MAX
from durakv.keyspace.values import Plain

_PENDING_BYTES = 24


def plain_size(group: Group) -> int:
    """About how large a group is in a base."""
    return sum(map(len, group.consumers)) + len(group.pending) * _PENDING_BYTES


def plain_entries(entries: Iterable[tuple[Id, tuple[bytes, ...]]]) -> Plain:
    """Some entries in plain form."""
    listed = list(entries)
    return *_plain_ids([id_ for id_, _ in listed]), [fields for _, fields in listed]


def plain_group(name: bytes, group: Group, pending: Iterable[tuple[Id, Delivery]]) -> Plain:
    """A group in plain form, with some of what is pending."""
    place = {consumer: index for index, consumer in enumerate(group.consumers)}
    seen = [consumer.seen_ms for consumer in group.consumers.values()]
    listed = list(pending)
    columns = (
        *_plain_ids([id_ for id_, _ in listed]),
        [place[delivery.consumer] for _, delivery in listed],
        [delivery.time_ms for _, delivery in listed],
        [delivery.count for _, delivery in listed],
    )
    return name, group.last_id, group.entries_read, list(place), seen, columns


def extend_entries(entries: ById[tuple[bytes, ...]], plain: Plain) -> None:
    """Add entries in plain form.  Raises ValueError for nonsense."""
    ms, seqs, contents = plain
    for id_, fields in zip(_ids(ms, seqs, entries.last()), contents, strict=True):
        if not fields or len(fields) % 2:
            raise ValueError("it holds an entry of a stream that has no pairs of field and value")
        entries.put(id_, fields)


def extend_group(groups: dict[bytes, Group], plain: Plain) -> None:
    """Add a group in plain form, or what else is pending in it.  Raises ValueError for nonsense."""
    name, last_id, entries_read, names, seen, (ms, seqs, consumers, times, counts) = plain
    group = groups.setdefault(name, Group(last_id, entries_read))
    for consumer, seen_ms in zip(names, seen, strict=True):
        group.add_consumer(consumer).seen_ms = seen_ms
    ids = _ids(ms, seqs, group.pending.last())
    for id_, index, time_ms, count in zip(ids, consumers, times, counts, strict=True):
        if index >= len(names) or time_ms > group.consumers[names[index]].seen_ms:
            raise ValueError("it holds a pending entry of a consumer that it does not name, or that never got it")
        group.deliver(id_, Delivery(names[index], time_ms, count))


def _plain_ids(ids: list[Id]) -> tuple[list[int], list[int]]:
    steps = [ids[0][0], *(after[0] - before[0] for before, after in pairwise(ids))] if ids else []
    return steps, [seq for _, seq in ids]


def _ids(steps: list[int], seqs: list[int], last: Id | None) -> Iterator[Id]:
    """The ids that columns hold; they must rise, from the last one of the piece before."""
    for id_ in zip(accumulate(steps), seqs, strict=True):
        if id_[0] > NUMBER_MAX or (last is not None and id_ <= last):
            raise ValueError("it holds a stream whose ids do not rise")
        last = id_
        yield id_
