"""What an RDB file holds, one record after the other.  Numbers inside values are text, as commands see them."""

from __future__ import annotations

from enum import StrEnum
from typing import TypeAlias

import msgspec


class Kind(StrEnum):
    """The types of values, by the names that ``TYPE`` has for them."""

    STRING = "string"
    LIST = "list"
    SET = "set"
    ZSET = "zset"
    HASH = "hash"
    STREAM = "stream"
    MODULE = "module"
    """Of a loaded module; what it holds was passed over."""


class PendingEntry(msgspec.Struct, frozen=True):
    """One entry of a stream that a consumer was given and has not acknowledged."""

    id: tuple[int, int]
    delivered_ms: int
    deliveries: int
    consumer: bytes


class Consumer(msgspec.Struct, frozen=True):
    """One consumer of a group."""

    name: bytes
    seen_ms: int
    active_ms: int | None
    """When it last got something; None in files older than version 11, -1 for never."""


class Group(msgspec.Struct, frozen=True):
    """A consumer group of a stream."""

    name: bytes
    last_id: tuple[int, int]
    entries_read: int | None
    """None: not known, as in files older than version 10."""
    pending: tuple[PendingEntry, ...]
    """By id."""
    consumers: tuple[Consumer, ...]


class Stream(msgspec.Struct, frozen=True):
    """A stream with its groups."""

    entries: tuple[tuple[tuple[int, int], tuple[bytes, ...]], ...]
    """Id, then fields and values in turn; rising."""
    last_id: tuple[int, int]
    max_deleted_id: tuple[int, int] | None
    entries_added: int | None
    """None in files older than version 10."""
    groups: tuple[Group, ...]


Value: TypeAlias = bytes | list[bytes] | list[tuple[bytes, float]] | list[tuple[bytes, bytes, int | None]] | Stream
"""A string; the elements of a list, the members of a set; members and scores; fields, values and deadlines (ms); or a
stream.  Of a module's value it is the module's name."""


class Header(msgspec.Struct, frozen=True):
    """The first bytes."""

    version: int
    is_valkey: bool


class Aux(msgspec.Struct, frozen=True):
    """A fact about the file; unknown ones may be passed over."""

    key: bytes
    value: bytes


class Block(msgspec.Struct, frozen=True):
    """The end of a block in a file of ours; everything since the one before it was verified."""

    number: int
    database: int
    """The one that is selected there."""
    end: int
    """Where the next one begins."""


class Function(msgspec.Struct, frozen=True):
    """The source of a library of functions."""

    source: bytes


class ModuleData(msgspec.Struct, frozen=True):
    """Data of a module that belongs to no key; what it holds was passed over."""

    module: str


class Entry(msgspec.Struct, frozen=True):
    """A key with its value."""

    database: int
    key: bytes
    kind: Kind
    value: Value
    deadline_ms: int | None
    offset: int
    """Where the key's record begins in the file."""


class End(msgspec.Struct, frozen=True):
    """Everything was read, and the checksum was right.  Before this nothing vouches for what was read."""

    keys: int
    is_checked: bool
    """Whether there was a checksum."""


Record: TypeAlias = Header | Aux | Block | Function | ModuleData | Entry | End
