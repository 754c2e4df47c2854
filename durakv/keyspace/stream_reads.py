"""XREAD and XREADGROUP.

Nobody waits here: BLOCK is accepted and ends at once, as within a transaction.  To wait is a server's business.
"""

from __future__ import annotations

from itertools import islice

import msgspec

from durakv.errors import CommandError
from durakv.keyspace.command import NO_KEYS, Call, CommandSpec
from durakv.keyspace.integers import INTEGER_MAX, parse_integer
from durakv.keyspace.kinds.by_id import Id
from durakv.keyspace.kinds.stream import Stream, claims
from durakv.keyspace.kinds.stream_effects import EFFECTS
from durakv.keyspace.kinds.stream_group import UNKNOWN, Delivery, Group
from durakv.keyspace.kinds.stream_id import ID_MAX, ID_MIN, next_id, parse_id
from durakv.keyspace.overlay import OverlayStore
from durakv.keyspace.replies import Reply, printable, syntax_error
from durakv.keyspace.stream_groups import find_group, log_consumer, log_deliveries, log_read, once_more
from durakv.keyspace.streams import entries_reply, entry_reply, now
from durakv.machine import Command


class ReadOptions(msgspec.Struct):
    """What XREAD and XREADGROUP are told."""

    keys: Command = ()
    ids: Command = ()
    count: int = 0
    group: bytes = b""
    consumer: bytes = b""
    names_group: bool = False
    acknowledges: bool = False

    @classmethod
    def parse(cls, command: Command, *, reads_group: bool) -> ReadOptions:
        """The options; raises CommandError for one that is unknown, or lacks what belongs to it."""
        options = cls()
        rest = iter(range(1, len(command)))
        for index in rest:
            left = len(command) - index - 1
            option = command[index].upper()
            if option == b"STREAMS" and left:
                if left % 2:
                    raise CommandError(
                        "ERR Unbalanced XREAD list of streams: for each stream key an ID or '$' must be specified."
                    )
                streams = command[index + 1 :]
                options.keys, options.ids = streams[: left // 2], streams[left // 2 :]
                break
            if option == b"COUNT" and left:
                options.count = max(0, parse_integer(command[next(rest)]))
            elif option == b"BLOCK" and left:
                _check_timeout(command[next(rest)])
            elif option == b"GROUP" and left >= 2:
                _check_group_option(option, reads_group)
                options.group, options.consumer = command[next(rest)], command[next(rest)]
                options.names_group = True
            elif option == b"NOACK":
                _check_group_option(option, reads_group)
                options.acknowledges = True
            else:
                raise syntax_error()
        if not options.keys:
            raise syntax_error()
        return options


def _check_group_option(option: bytes, reads_group: bool) -> None:
    if not reads_group:
        name = option.decode()
        raise CommandError(f"ERR The {name} option is only supported by XREADGROUP. You called XREAD instead.")


def _check_timeout(text: bytes) -> None:
    try:
        timeout = parse_integer(text)
    except CommandError as error:
        raise CommandError("ERR timeout is not an integer or out of range") from error
    if timeout < 0:
        raise CommandError("ERR timeout is negative")


def xread(call: Call, command: Command) -> Reply:
    """XREAD [COUNT n] [BLOCK ms] STREAMS key ... id ...."""
    options = ReadOptions.parse(command, reads_group=False)
    found: list[tuple[bytes, Stream | None, Id]] = []
    for key, text in zip(options.keys, options.ids, strict=True):
        value = call.find_container(key, Stream)
        if text == b">":
            raise CommandError(
                "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option."
            )
        last = ID_MIN if value is None else value.last_id
        found.append((key, value, last if text == b"$" else parse_id(text)))
    replies: list[Reply] = []
    for key, value, after in found:
        top = None if value is None else value.entries.last()
        if value is not None and top is not None and top > after:
            replies.append([key, entries_reply(value.entries.items(next_id(after)), options.count)])
    return replies or None


# --- as a consumer of a group -----------------------------------------------------------------------------------------


def xreadgroup(call: Call, command: Command) -> Reply:
    """XREADGROUP GROUP group consumer [COUNT n] [BLOCK ms] [NOACK] STREAMS key ... id ...."""
    options = ReadOptions.parse(command, reads_group=True)
    if not options.names_group:
        raise CommandError("ERR Missing GROUP option for XREADGROUP")
    starts = [_start(call, options.group, key, text) for key, text in zip(options.keys, options.ids, strict=True)]
    if len(set(options.keys)) < len(options.keys):
        # A key that is read twice is to be seen as the first time left it.
        call.store = OverlayStore(call.store)
    replies: list[Reply] = []
    for key, after in zip(options.keys, starts, strict=True):
        logged = len(call.effects)
        entries = _read(call, key, options, after)
        if entries is not None:
            replies.append([key, entries])
        if isinstance(call.store, OverlayStore):
            for effect in call.effects[logged:]:
                EFFECTS[effect[0]](call.store, effect)
    return replies or None


def _start(call: Call, name: bytes, key: bytes, text: bytes) -> Id:
    """After which id to read; the highest one for what no consumer of the group has seen."""
    if find_group(call, key, name) is None:
        raise CommandError(
            f"NOGROUP No such key '{printable(key)}' or consumer group '{printable(name)}' in XREADGROUP with GROUP "
            "option"
        )
    if text == b"$":
        raise CommandError(
            "ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer "
            "by specifying a proper ID, or use the > ID to get new messages. The $ ID would just return an empty "
            "result set."
        )
    return ID_MAX if text == b">" else parse_id(text)


def _read(call: Call, key: bytes, options: ReadOptions, after: Id) -> list[Reply] | None:
    """What a consumer gets of one stream; None: there is nothing new."""
    name, consumer = options.group, options.consumer
    found = find_group(call, key, name)
    assert found is not None, "it was there a moment ago"
    value, group = found
    top = value.entries.last()
    if after == ID_MAX and (top is None or top <= group.last_id):
        return None
    if consumer not in group.consumers:
        log_consumer(call, key, name, consumer)
    if after == ID_MAX:
        return _read_new(call, key, options, value, group)
    return _read_again(call, key, options, value, group, next_id(after))


def _read_new(call: Call, key: bytes, options: ReadOptions, value: Stream, group: Group) -> list[Reply]:
    """Entries beyond what the group was given; there are some."""
    time_ms = now(call)
    given = list(islice(value.entries.items(next_id(group.last_id)), options.count or None))
    last_id, entries_read = given[-1][0], group.entries_read
    for id_, _ in given:
        if entries_read != UNKNOWN and not value.has_gap_from(id_):
            entries_read = min(entries_read + 1, INTEGER_MAX)
        elif value.entries_added:
            entries_read = value.entries_up_to(id_)
    if not options.acknowledges:
        delivery = Delivery(options.consumer, time_ms, 1)
        call.effects += claims(key, options.group, last_id, delivery, [id_ for id_, _ in given])
    log_read(call, key, options.group, last_id, entries_read)
    return entries_reply(iter(given), 0)


def _read_again(call: Call, key: bytes, options: ReadOptions, value: Stream, group: Group, start: Id) -> list[Reply]:
    """What is pending with the consumer: an entry that is still there counts as delivered once more."""
    if options.consumer not in group.consumers:
        return []
    replies: list[Reply] = []
    made: list[tuple[Id, Delivery]] = []
    for id_, delivery in islice(group.pending_of(options.consumer, start), options.count or None):
        fields = value.entries.get(id_)
        replies.append(entry_reply(id_, fields))
        if fields is not None:
            made.append((id_, Delivery(options.consumer, now(call), once_more(delivery.count))))
    log_deliveries(call, key, options.group, group.last_id, made)
    return replies


COMMANDS = (
    CommandSpec(b"xread", -4, xread, writes=False, keys=NO_KEYS),
    CommandSpec(b"xreadgroup", -7, xreadgroup, writes=True, keys=NO_KEYS),
)
