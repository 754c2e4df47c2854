"""Writes RDB files that stock servers load.

    writer = RdbWriter(Target.ANY)
    for piece in (writer.begin(facts), *map(writer.entry, entries), writer.end()): file.write(piece)

``Target.ANY`` is the dialect that every server from Redis 5.0 on loads, Valkey included; the others are for what it
cannot carry.  Nothing is dropped without a word: what a target has no place for is refused, or told to ``on_loss``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from struct import Struct
from typing import cast

from durakv_formats.checksum import crc32c
from durakv_formats.errors import LimitError
from durakv_formats.limits import BULK_BYTES_MAX
from durakv_formats.rdb.blocks import BLOCK_BYTES, BLOCK_KEY, Mark
from durakv_formats.rdb.source import crc64
from durakv_formats.rdb.streams import pack_entries
from durakv_formats.rdb.values import Aux, Entry, Function, Group, Kind, Stream

_INT8, _INT16, _INT32 = Struct("<Bb"), Struct("<Bh"), Struct("<Bi")
_LENGTH32, _LENGTH64 = Struct(">BI"), Struct(">BQ")
_INT64, _UINT64, _DOUBLE = Struct("<q"), Struct("<Q"), Struct("<d")
_ID = Struct(">QQ")
_NUMBER_BYTES_MAX = 11
"""Longer texts are no number of 32 bits."""
_NOT_KNOWN = (1 << 64) - 1

OnLoss = Callable[[bytes, str], None]


class Target(StrEnum):
    """Who is to load the file."""

    ANY = "any"
    """Redis 5.0 and later, every Valkey."""
    REDIS_7_0 = "redis-7.0"
    REDIS_7_2 = "redis-7.2"
    """And Valkey 7.2 to 8.1."""
    REDIS_7_4 = "redis-7.4"
    VALKEY_9 = "valkey-9"


_VERSIONS = {
    Target.ANY: 9,
    Target.REDIS_7_0: 10,
    Target.REDIS_7_2: 11,
    Target.REDIS_7_4: 12,
    Target.VALKEY_9: 80,
}


class CannotCarry(ValueError):
    """The target has no place for something; ``key`` says of which key."""

    def __init__(self, key: bytes, what: str, target: Target) -> None:
        super().__init__(f"{key[:64]!r} has {what}, which a file for {target} cannot carry; choose another --target")
        self.key = key


class RdbWriter:
    """See the module.  Each method returns the bytes that come next."""

    def __init__(self, target: Target = Target.ANY, *, on_loss: OnLoss | None = None) -> None:
        self._target = target
        self._version = _VERSIONS[target]
        self._on_loss = on_loss
        self._crc = 0
        self._database = -1
        self._block_number = 0
        self._block_size = 0
        self._block_crc = 0
        self.keys = 0
        """How many were written."""

    def begin(self, facts: Iterable[Aux] = ()) -> bytes:
        """The header and some facts about the file."""
        magic = b"VALKEY%03d" if self._target is Target.VALKEY_9 else b"REDIS%04d"
        parts = [magic % self._version]
        for fact in facts:
            parts += (b"\xfa", string(fact.key), string(fact.value))
        return self._out(parts)

    def function(self, library: Function) -> bytes:
        """A library of functions; before all keys."""
        if self._version < 10:
            self._lose(b"", "a library of functions")
            return b""
        return self._out([b"\xf5", string(library.source)])

    def entry(self, entry: Entry) -> bytes:
        """A key with its value; keys of one database come one after the other."""
        parts: list[bytes] = []
        if entry.kind is Kind.MODULE:
            self._lose(entry.key, f"a value of the module {cast(bytes, entry.value).decode()}")
            return b""
        if entry.database != self._database:
            self._database = entry.database
            parts += (b"\xfe", length(entry.database))
        if entry.deadline_ms is not None:
            parts += (b"\xfc", _INT64.pack(entry.deadline_ms))
        code, body = self._value(entry)
        parts += (bytes((code,)), string(entry.key), *body)
        self.keys += 1
        data = self._out(parts)
        return data + self._end_block() if self._block_size >= BLOCK_BYTES else data

    def end(self) -> bytes:
        """The end of the last block, the end mark and the checksum over everything."""
        last = self._end_block() + self._out([b"\xff"])
        return last + _UINT64.pack(self._crc)

    def _out(self, parts: Sequence[bytes]) -> bytes:
        data = b"".join(parts)
        self._crc = crc64(data, self._crc)
        self._block_size += len(data)
        self._block_crc = crc32c(data, self._block_crc)
        return data

    def _end_block(self) -> bytes:
        opcode = self._out([b"\xfa"])
        self._block_number += 1
        mark = Mark(self._block_number, max(0, self._database), self._block_size, self._block_crc)
        fact = self._out([string(BLOCK_KEY), string(mark.encode())])
        self._block_size = self._block_crc = 0
        return opcode + fact

    def _lose(self, key: bytes, what: str) -> None:
        if self._on_loss is None:
            raise CannotCarry(key, what, self._target)
        self._on_loss(key, what)

    # --- values -----------------------------------------------------------------------------------------------------

    def _value(self, entry: Entry) -> tuple[int, list[bytes]]:
        value = entry.value
        if isinstance(value, bytes):
            return 0, [string(value)]
        if isinstance(value, Stream):
            return self._stream(entry.key, value)
        if entry.kind is Kind.ZSET:
            pairs = cast(list[tuple[bytes, float]], value)
            return 5, [
                length(len(pairs)),
                *(part for member, score in pairs for part in (string(member), _DOUBLE.pack(score))),
            ]
        if entry.kind is Kind.HASH:
            return self._hash(entry.key, cast(list[tuple[bytes, bytes, int | None]], value))
        elements = cast(list[bytes], value)
        return 1 if entry.kind is Kind.LIST else 2, [length(len(elements)), *map(string, elements)]

    def _hash(self, key: bytes, fields: list[tuple[bytes, bytes, int | None]]) -> tuple[int, list[bytes]]:
        deadlines = [deadline for _, _, deadline in fields if deadline is not None]
        if deadlines and self._target is Target.VALKEY_9:
            return 22, [
                length(len(fields)),
                *(
                    part
                    for field, value, deadline in fields
                    for part in (string(field), string(value), _INT64.pack(-1 if deadline is None else deadline))
                ),
            ]
        if deadlines and self._version >= 12:
            least = min(deadlines)
            return 24, [
                _INT64.pack(least),
                length(len(fields)),
                *(
                    part
                    for field, value, deadline in fields
                    for part in (
                        length(0 if deadline is None else deadline - least + 1),
                        string(field),
                        string(value),
                    )
                ),
            ]
        if deadlines:
            self._lose(key, f"{len(deadlines)} fields with a deadline")
        body = [length(len(fields)), *(part for field, value, _ in fields for part in (string(field), string(value)))]
        return 4, body

    def _stream(self, key: bytes, stream: Stream) -> tuple[int, list[bytes]]:
        generation = 1 if self._version < 10 else 2 if self._version < 11 else 3
        nodes = pack_entries(stream.entries)
        parts = [length(len(nodes))]
        for first, data in nodes:
            parts += (string(_ID.pack(*first)), string(data))
        parts += (length(len(stream.entries)), *map(length, stream.last_id))
        if generation >= 2:
            first_id = stream.entries[0][0] if stream.entries else (0, 0)
            added = stream.entries_added if stream.entries_added is not None else len(stream.entries)
            parts += map(length, (*first_id, *(stream.max_deleted_id or (0, 0)), added))
        elif stream.max_deleted_id not in (None, (0, 0)) or stream.entries_added not in (None, len(stream.entries)):
            self._lose(key, "a count of entries that were added and deleted")
        parts.append(length(len(stream.groups)))
        for group in stream.groups:
            parts += self._group(key, group, generation)
        return {1: 15, 2: 19, 3: 21}[generation], parts

    def _group(self, key: bytes, group: Group, generation: int) -> list[bytes]:
        parts = [string(group.name), *map(length, group.last_id)]
        if generation >= 2:
            parts.append(length(_NOT_KNOWN if group.entries_read is None else group.entries_read))
        elif group.entries_read is not None:
            self._lose(key, f"a group {group.name[:32]!r} that knows how many entries it has read")
        parts.append(length(len(group.pending)))
        for pending in group.pending:
            parts += (_ID.pack(*pending.id), _INT64.pack(pending.delivered_ms), length(pending.deliveries))
        parts.append(length(len(group.consumers)))
        for consumer in group.consumers:
            parts += (string(consumer.name), _INT64.pack(consumer.seen_ms))
            if generation >= 3:
                parts.append(_INT64.pack(consumer.seen_ms if consumer.active_ms is None else consumer.active_ms))
            elif consumer.active_ms not in (None, -1, consumer.seen_ms):
                self._lose(key, f"a consumer {consumer.name[:32]!r} of which is known when it last got something")
            own = [pending for pending in group.pending if pending.consumer == consumer.name]
            parts += (length(len(own)), *(_ID.pack(*pending.id) for pending in own))
        return parts


def length(number: int) -> bytes:
    """A length in its shortest form."""
    if number < 1 << 6:
        return bytes((number,))
    if number < 1 << 14:
        return bytes((0x40 | number >> 8, number & 0xFF))
    return _LENGTH32.pack(0x80, number) if number < 1 << 32 else _LENGTH64.pack(0x81, number)


def string(data: bytes) -> bytes:
    """A string: a number where its text is exactly that of one, else its bytes."""
    size = len(data)
    if size <= _NUMBER_BYTES_MAX and (data.isdigit() or (data[:1] == b"-" and data[1:].isdigit())):
        number = int(data)
        if b"%d" % number == data:
            if -128 <= number < 128:
                return _INT8.pack(0xC0, number)
            if -32768 <= number < 32768:
                return _INT16.pack(0xC1, number)
            if -(1 << 31) <= number < 1 << 31:
                return _INT32.pack(0xC2, number)
    if size > BULK_BYTES_MAX:
        raise LimitError(0, f"a string of {size} bytes; {BULK_BYTES_MAX} are allowed")
    return length(size) + data
