"""The commands on groups of consumers.

Time and chance are settled here: what is logged says when an entry was delivered and how often.  Redis logs only a
part of what a delivery changes and forgets the rest over a restart; here everything that a reply tells is logged.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from durakv.errors import CommandError
from durakv.keyspace.command import NO_KEYS, Call, CommandSpec
from durakv.keyspace.integers import INTEGER_MAX, parse_integer
from durakv.keyspace.kinds.by_id import Id
from durakv.keyspace.kinds.stream import Stream, claims
from durakv.keyspace.kinds.stream_effects import EFFECTS, group_exists
from durakv.keyspace.kinds.stream_group import UNKNOWN, Delivery, Group
from durakv.keyspace.kinds.stream_id import ID_MAX, ID_MIN, format_id, next_id, parse_bound, parse_id
from durakv.keyspace.overlay import OverlayStore
from durakv.keyspace.replies import OK, Reply, printable
from durakv.keyspace.streams import ReadOptions, entries_reply, entry_reply, now
from durakv.keyspace.subcommands import Subcommands, decide_subcommand, help_reply, subcommand_syntax_error
from durakv.machine import Command


def find_group(call: Call, key: bytes, name: bytes) -> tuple[Stream, Group] | None:
    """A stream and one of its groups; None if either is absent."""
    value = call.find_container(key, Stream)
    group = None if value is None else value.groups.get(name)
    return None if value is None or group is None else (value, group)


def log_read(call: Call, key: bytes, name: bytes, last_id: Id, entries_read: int) -> None:
    """How far a group has read."""
    call.log(b"XGROUP", b"SETID", key, name, format_id(last_id), b"ENTRIESREAD", b"%d" % entries_read)


def log_consumer(call: Call, key: bytes, name: bytes, consumer: bytes) -> None:
    """A new consumer."""
    call.log(b"XGROUP", b"CREATECONSUMER", key, name, consumer)


def log_deliveries(call: Call, key: bytes, name: bytes, last_id: Id, made: Iterable[tuple[Id, Delivery]]) -> None:
    """Entries that were delivered."""
    alike: dict[Delivery, list[Id]] = {}
    for id_, delivery in made:
        alike.setdefault(delivery, []).append(id_)
    for delivery, ids in alike.items():
        call.effects += claims(key, name, last_id, delivery, ids)


# --- XGROUP -----------------------------------------------------------------------------------------------------------


def xgroup(call: Call, command: Command) -> Reply:
    """XGROUP CREATE | SETID | DESTROY | CREATECONSUMER | DELCONSUMER key group ..."""
    return decide_subcommand(call, command, _XGROUP)


def _create(call: Call, command: Command) -> Reply:
    key, name, text = command[2:5]
    entries_read, makes_stream = _group_options(command, creates=True)
    value = call.meet_container(key, Stream)
    if value is None and not makes_stream:
        raise _no_stream()
    if len(command) > 8:
        raise subcommand_syntax_error(command)
    last_id = (ID_MIN if value is None else value.last_id) if text == b"$" else parse_id(text)
    if value is not None and name in value.groups:
        raise group_exists()
    read = b"%d" % entries_read
    call.log(b"XGROUP", b"CREATE", key, name, format_id(last_id), b"MKSTREAM", b"ENTRIESREAD", read)
    return OK


def _setid(call: Call, command: Command) -> Reply:
    key, name, text = command[2:5]
    entries_read, _ = _group_options(command, creates=False)
    value, _ = _group_of(call, command)
    if len(command) not in (5, 7):
        raise subcommand_syntax_error(command)
    log_read(call, key, name, value.last_id if text == b"$" else parse_bound(text, 0), entries_read)
    return OK


def _group_options(command: Command, *, creates: bool) -> tuple[int, bool]:
    entries_read, makes_stream = UNKNOWN, False
    rest = iter(command[5:])
    for argument in rest:
        option = argument.upper()
        if creates and option == b"MKSTREAM":
            makes_stream = True
            continue
        number = next(rest, None)
        if option != b"ENTRIESREAD" or number is None:
            raise subcommand_syntax_error(command)
        entries_read = parse_integer(number)
        if entries_read < UNKNOWN:
            raise CommandError("ERR value for ENTRIESREAD must be positive or -1")
    return entries_read, makes_stream


def _no_stream() -> CommandError:
    return CommandError(
        "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM "
        "option to create an empty stream automatically."
    )


def _group_of(call: Call, command: Command) -> tuple[Stream, Group]:
    """The group that XGROUP names, which must be there."""
    value = call.find_container(command[2], Stream)
    if value is None:
        raise _no_stream()
    group = value.groups.get(command[3])
    if group is None:
        raise no_named_group(command[2], command[3])
    return value, group


def no_named_group(key: bytes, group: bytes) -> CommandError:
    """A group that is not there, though its stream is."""
    return CommandError(f"NOGROUP No such consumer group '{printable(group)}' for key name '{printable(key)}'")


def _destroy(call: Call, command: Command) -> Reply:
    value = call.find_container(command[2], Stream)
    if value is None:
        raise _no_stream()
    if command[3] not in value.groups:
        return 0
    call.log(b"XGROUP", b"DESTROY", *command[2:])
    return 1


def _createconsumer(call: Call, command: Command) -> Reply:
    _, group = _group_of(call, command)
    if command[4] in group.consumers:
        return 0
    log_consumer(call, *command[2:])
    return 1


def _delconsumer(call: Call, command: Command) -> Reply:
    _, group = _group_of(call, command)
    consumer = group.consumers.get(command[4])
    if consumer is None:
        return 0
    call.log(b"XGROUP", b"DELCONSUMER", *command[2:])
    return consumer.pending


_HELP = (
    b"CREATE <key> <groupname> <id|$> [option]",
    b"    Create a new consumer group. Options are:",
    b"    * MKSTREAM",
    b"      Create the empty stream if it does not exist.",
    b"    * ENTRIESREAD entries_read",
    b"      Set the group's entries_read counter (internal use).",
    b"CREATECONSUMER <key> <groupname> <consumer>",
    b"    Create a new consumer in the specified group.",
    b"DELCONSUMER <key> <groupname> <consumer>",
    b"    Remove the specified consumer.",
    b"DESTROY <key> <groupname>",
    b"    Remove the specified group.",
    b"SETID <key> <groupname> <id|$> [ENTRIESREAD entries_read]",
    b"    Set the current group ID and entries_read counter.",
)
_XGROUP: Subcommands = {
    b"create": (-5, _create),
    b"setid": (-5, _setid),
    b"destroy": (4, _destroy),
    b"createconsumer": (5, _createconsumer),
    b"delconsumer": (5, _delconsumer),
    b"help": (2, lambda _call, command: help_reply(command, _HELP)),
}


# --- reading as a consumer --------------------------------------------------------------------------------------------


def xreadgroup(call: Call, command: Command) -> Reply:
    """XREADGROUP GROUP group consumer [COUNT n] [BLOCK ms] [NOACK] STREAMS key ... id ...; BLOCK ends at once."""
    options = ReadOptions.parse(command, reads_group=True)
    if options.group is None:
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
    assert name is not None, "checked by the caller"
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
    name = options.group or b""
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
        call.effects += claims(key, name, last_id, delivery, [id_ for id_, _ in given])
    log_read(call, key, name, last_id, entries_read)
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
    log_deliveries(call, key, options.group or b"", group.last_id, made)
    return replies


def once_more(count: int) -> int:
    """The number of deliveries after one more."""
    return min(count + 1, INTEGER_MAX)


COMMANDS = (
    CommandSpec(b"xgroup", -2, xgroup, writes=True, keys=(2, 2, 1)),
    CommandSpec(b"xreadgroup", -7, xreadgroup, writes=True, keys=NO_KEYS),
)
