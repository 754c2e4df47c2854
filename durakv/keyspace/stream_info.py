"""XINFO: what a stream, its groups and their consumers are like."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from durakv.errors import CommandError
from durakv.keyspace.command import Call, CommandSpec
from durakv.keyspace.integers import parse_integer
from durakv.keyspace.kinds.by_id import Id
from durakv.keyspace.kinds.stream import Stream
from durakv.keyspace.kinds.stream_group import UNKNOWN, Delivery, Group
from durakv.keyspace.kinds.stream_id import ID_MAX, ID_MIN, format_id
from durakv.keyspace.replies import Reply
from durakv.keyspace.stream_groups import no_named_group
from durakv.keyspace.stream_trim import APPROXIMATE_ENTRIES
from durakv.keyspace.streams import entries_reply
from durakv.keyspace.subcommands import Subcommands, decide_subcommand, help_reply, subcommand_syntax_error
from durakv.machine import Command

_COUNT_DEFAULT = 10


def xinfo(call: Call, command: Command) -> Reply:
    """XINFO STREAM | GROUPS | CONSUMERS key ..."""
    return decide_subcommand(call, command, _XINFO)


def _must_find(call: Call, key: bytes) -> Stream:
    value = call.find_container(key, Stream)
    if value is None:
        raise CommandError("ERR no such key")
    return value


def _map(pairs: Iterable[tuple[bytes, Reply]]) -> Reply:
    return [part for pair in pairs for part in pair]


def _stream(call: Call, command: Command) -> Reply:
    value = _must_find(call, command[2])
    count = _full_count(command)
    portions = -(-len(value.entries) // APPROXIMATE_ENTRIES)
    pairs: list[tuple[bytes, Reply]] = [
        (b"length", len(value.entries)),
        # There is no such tree here; clients look for the names.
        (b"radix-tree-keys", portions),
        (b"radix-tree-nodes", portions + 1),
        (b"last-generated-id", format_id(value.last_id)),
        (b"max-deleted-entry-id", format_id(value.max_deleted_id)),
        (b"entries-added", value.entries_added),
        (b"recorded-first-entry-id", format_id(value.entries.first() or ID_MIN)),
    ]
    if count is not None:
        return _map(
            [
                *pairs,
                (b"entries", entries_reply(value.entries.items(), count)),
                (b"groups", [_full_group(value, name, group, count) for name, group in sorted(value.groups.items())]),
            ]
        )
    edges = *entries_reply(value.entries.items(), 1), None
    last = *entries_reply(value.entries.items_down(ID_MAX), 1), None
    return _map([*pairs, (b"groups", len(value.groups)), (b"first-entry", edges[0]), (b"last-entry", last[0])])


def _full_count(command: Command) -> int | None:
    """How much of each list FULL shows, 0 for all; None without FULL."""
    options = command[3:]
    if not options:
        return None
    if len(options) not in (1, 3) or options[0].upper() != b"FULL" or (options[1:2] and options[1].upper() != b"COUNT"):
        raise subcommand_syntax_error(command)
    count = parse_integer(options[2]) if len(options) == 3 else _COUNT_DEFAULT
    return count if count >= 0 else _COUNT_DEFAULT


def _progress(value: Stream, group: Group) -> list[tuple[bytes, Reply]]:
    return [
        (b"last-delivered-id", format_id(group.last_id)),
        (b"entries-read", None if group.entries_read == UNKNOWN else group.entries_read),
        (b"lag", _lag(value, group)),
    ]


def _lag(value: Stream, group: Group) -> int | None:
    """How many entries are still to be delivered; None if that cannot be told."""
    if not value.entries_added:
        return 0
    if group.entries_read != UNKNOWN and not value.has_gap_from(group.last_id):
        return value.entries_added - group.entries_read
    read = value.entries_up_to(group.last_id)
    return None if read == UNKNOWN else value.entries_added - read


def _full_group(value: Stream, name: bytes, group: Group, count: int) -> Reply:
    pending: list[Reply] = [
        [format_id(id_), delivery.consumer, delivery.time_ms, delivery.count]
        for id_, delivery in islice(group.pending.items(), count or None)
    ]
    return _map(
        [
            (b"name", name),
            *_progress(value, group),
            (b"pel-count", len(group.pending)),
            (b"pending", pending),
            (b"consumers", [_full_consumer(group, consumer, count) for consumer in sorted(group.consumers)]),
        ]
    )


def _full_consumer(group: Group, name: bytes, count: int) -> Reply:
    found: Iterable[tuple[Id, Delivery]] = islice(group.pending_of(name, ID_MIN), count or None)
    return _map(
        [
            (b"name", name),
            (b"seen-time", group.consumers[name].seen_ms),
            (b"pel-count", group.consumers[name].pending),
            (b"pending", [[format_id(id_), delivery.time_ms, delivery.count] for id_, delivery in found]),
        ]
    )


def _groups(call: Call, command: Command) -> Reply:
    value = _must_find(call, command[2])
    return [
        _map(
            [
                (b"name", name),
                (b"consumers", len(group.consumers)),
                (b"pending", len(group.pending)),
                *_progress(value, group),
            ]
        )
        for name, group in sorted(value.groups.items())
    ]


def _consumers(call: Call, command: Command) -> Reply:
    value = _must_find(call, command[2])
    group = value.groups.get(command[3])
    if group is None:
        raise no_named_group(command[2], command[3])
    return [
        _map(
            [
                (b"name", name),
                (b"pending", group.consumers[name].pending),
                (b"idle", _idle(call, group.consumers[name].seen_ms)),
            ]
        )
        for name in sorted(group.consumers)
    ]


def _idle(call: Call, seen_ms: int) -> int:
    """Since when a consumer got nothing; -1 if it never got anything."""
    return seen_ms if seen_ms < 0 else max(0, call.now_ms - seen_ms)


_HELP = (
    b"CONSUMERS <key> <groupname>",
    b"    Show consumers of <groupname>.",
    b"GROUPS <key>",
    b"    Show the stream consumer groups.",
    b"STREAM <key> [FULL [COUNT <count>]",
    b"    Show information about the stream.",
)
_XINFO: Subcommands = {
    b"stream": (-3, _stream),
    b"groups": (3, _groups),
    b"consumers": (4, _consumers),
    b"help": (2, lambda _call, command: help_reply(command, _HELP)),
}
COMMANDS = (CommandSpec(b"xinfo", -2, xinfo, writes=False, keys=(2, 2, 1)),)
