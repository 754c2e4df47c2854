"""The commands on groups of consumers.

Time and chance are settled here: what is logged says when an entry was delivered and how often.  Redis logs only a
part of what a delivery changes and forgets the rest over a restart; here everything that a reply tells is logged.
"""

from __future__ import annotations

from collections.abc import Iterable

from durakv.errors import CommandError
from durakv.keyspace.command import Call, CommandSpec
from durakv.keyspace.integers import INTEGER_MAX, parse_integer
from durakv.keyspace.kinds.by_id import Id
from durakv.keyspace.kinds.stream import Stream, claims
from durakv.keyspace.kinds.stream_effects import group_exists
from durakv.keyspace.kinds.stream_group import UNKNOWN, Delivery, Group
from durakv.keyspace.kinds.stream_id import ID_MIN, format_id, parse_bound, parse_id
from durakv.keyspace.replies import OK, Reply, printable
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


def once_more(count: int) -> int:
    """The number of deliveries after one more."""
    return min(count + 1, INTEGER_MAX)


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


COMMANDS = (CommandSpec(b"xgroup", -2, xgroup, writes=True, keys=(2, 2, 1)),)
