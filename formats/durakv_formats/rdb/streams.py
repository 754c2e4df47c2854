"""Streams in RDB files: listpacks of entries under the id of the first, and the consumer groups behind them.

The first entries of a listpack name what the others have in common:

    master  := count, deleted, fields, field..., 0
    entry   := flags (1: deleted, 2: the master's fields), id as a difference, [fields, field], value..., entries back
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct

from durakv_formats.errors import FormatError, UnsupportedContentError
from durakv_formats.rdb.packed import decode_listpack, encode_listpack
from durakv_formats.rdb.source import Source
from durakv_formats.rdb.values import Consumer, Group, PendingEntry, Stream

_ID = Struct(">QQ").unpack
_INT64 = Struct("<q").unpack
_DELETED, _SAME_FIELDS = 1, 2
_NOT_KNOWN = (1 << 64) - 1
_NUMBER_MAX = (1 << 64) - 1
_NODE_ENTRIES = 100
"""As stock servers do by default."""

Id = tuple[int, int]
_Entries = list[tuple[Id, tuple[bytes, ...]]]


def read_stream(source: Source, generation: int) -> Stream:
    """A stream as it was written since 5.0 (1), 7.0 (2), 7.2 (3), 8.6 (4) or 8.8 (5)."""
    entries: _Entries = []
    for _ in range(source.length()):
        start = source.offset
        name = source.string()
        if len(name) != 16:
            raise FormatError(start, f"a part of a stream under an id of {len(name)} bytes")
        _add_entries(entries, _ID(name), source.string(), start)
    start = source.offset
    length, last_id = source.length(), _read_id(source)
    if length != len(entries):
        raise FormatError(start, f"a stream that says it has {length} entries, and has {len(entries)}")
    if entries and entries[-1][0] > last_id:
        raise FormatError(start, f"a stream whose last id {last_id} is not the last")
    max_deleted: Id | None = None
    added: int | None = None
    if generation >= 2:
        first_id = _read_id(source)
        if entries and first_id != entries[0][0]:
            raise FormatError(start, f"a stream whose first id {first_id} is not the first")
        max_deleted = _read_id(source)
        added = source.length()
    groups = tuple(_read_group(source, generation) for _ in range(source.length()))
    if len({group.name for group in groups}) != len(groups):
        raise FormatError(start, "a stream with two groups of one name")
    if generation >= 4:
        _pass_producers(source, start)
    return Stream(tuple(entries), last_id, max_deleted, added, groups)


def _add_entries(entries: _Entries, master: Id, data: bytes, offset: int) -> None:
    left = iter(decode_listpack(data, offset))
    take = left.__next__
    try:
        count, deleted, field_count = _number(take(), offset), _number(take(), offset), _number(take(), offset)
        fields = [take() for _ in range(field_count)]
        if take() != b"0":
            raise FormatError(offset, "a part of a stream whose first entry does not end")
        dead = 0
        for _ in range(count + deleted):
            flags = _number(take(), offset)
            ms, seq = _number(take(), offset), _number(take(), offset)
            identity = (master[0] + ms & _NUMBER_MAX, master[1] + seq & _NUMBER_MAX)
            if flags & _SAME_FIELDS:
                values = [part for field in fields for part in (field, take())]
                size = field_count + 3
            else:
                own = _number(take(), offset)
                values = [take() for _ in range(2 * own)]
                size = 2 * own + 4
            if _number(take(), offset) != size:
                raise FormatError(offset, f"the entry {identity} of a stream has another size than it says")
            if flags & _DELETED:
                dead += 1
                continue
            if entries and identity <= entries[-1][0]:
                raise FormatError(offset, f"the entry {identity} of a stream stands behind {entries[-1][0]}")
            entries.append((identity, tuple(values)))
    except StopIteration:
        raise FormatError(offset, "a part of a stream that ends too early") from None
    if dead != deleted or next(left, None) is not None:
        raise FormatError(offset, "a part of a stream that holds other entries than it says")


def pack_entries(entries: Sequence[tuple[Id, tuple[bytes, ...]]]) -> list[tuple[Id, bytes]]:
    """Listpacks of entries, each under the id of its first, whose fields are what they have in common."""
    nodes: list[tuple[Id, bytes]] = []
    for start in range(0, len(entries), _NODE_ENTRIES):
        part = entries[start : start + _NODE_ENTRIES]
        first = part[0][0]
        common = part[0][1][::2]
        words: list[bytes | int] = [len(part), 0, len(common), *common, 0]
        for identity, content in part:
            # Differences are those of unsigned numbers: of a later millisecond the sequence may be smaller.
            differences = _signed(identity[0] - first[0]), _signed(identity[1] - first[1])
            if content[::2] == common:
                words += (_SAME_FIELDS, *differences, *content[1::2], len(common) + 3)
            else:
                words += (0, *differences, len(content) // 2, *content, len(content) + 4)
        nodes.append((first, encode_listpack(words)))
    return nodes


def _signed(number: int) -> int:
    number &= _NUMBER_MAX
    return number - (1 << 64) if number >> 63 else number


def _number(text: bytes, offset: int) -> int:
    try:
        return int(text)
    except ValueError:
        raise FormatError(offset, f"{text[:32]!r} where a part of a stream has a number") from None


def _read_group(source: Source, generation: int) -> Group:
    start = source.offset
    name, last_id = source.string(), _read_id(source)
    read: int | None = None
    if generation >= 2 and (count := source.length()) != _NOT_KNOWN:
        read = count
    pending: dict[Id, tuple[int, int]] = {}
    for _ in range(source.length()):
        identity = _ID(source.exactly(16))
        (delivered,) = _INT64(source.exactly(8))
        pending[identity] = delivered, source.length()
    owners: dict[Id, bytes] = {}
    consumers: list[Consumer] = []
    for _ in range(source.length()):
        consumer = source.string()
        (seen,) = _INT64(source.exactly(8))
        active: int | None = None
        if generation >= 3:
            (active,) = _INT64(source.exactly(8))
        consumers.append(Consumer(consumer, seen, active))
        for _ in range(source.length()):
            identity = _ID(source.exactly(16))
            if identity not in pending:
                raise FormatError(start, f"a consumer that waits for {identity}, of which its group does not know")
            if identity in owners:
                raise FormatError(start, f"two consumers that wait for {identity}")
            owners[identity] = consumer
    if len({consumer.name for consumer in consumers}) != len(consumers):
        raise FormatError(start, "a group with two consumers of one name")
    if generation >= 5 and source.length():
        raise UnsupportedContentError(start, "an entry that its consumer has given back (XNACK)")
    if len(owners) != len(pending):
        raise FormatError(start, "a group with pending entries that no consumer waits for")
    entries = tuple(PendingEntry(key, *pending[key], owners[key]) for key in sorted(pending))
    return Group(name, last_id, read, entries, tuple(consumers))


def _pass_producers(source: Source, start: int) -> None:
    """What a stream keeps for producers that repeat themselves: for how long, of how many, and which ids."""
    source.length()
    source.length()
    if source.length():
        raise UnsupportedContentError(start, "a stream that knows its producers (XADD IDMP)")
    source.length()
    source.length()


def _read_id(source: Source) -> Id:
    return source.length(), source.length()
