"""The effects on streams.

XADD key id field value ...                                 an entry with this id
XDEL key id ...                                             without entries of these ids
XTRIM key MAXLEN = n                                        without the first entries, until n are left
XSETID key id ENTRIESADDED n MAXDELETEDID id                what the stream knows of its past
XGROUP CREATE key group id MKSTREAM ENTRIESREAD n           a group, and the stream if it is absent
XGROUP SETID key group id ENTRIESREAD n                     how far the group has read
XGROUP DESTROY key group                                    without the group
XGROUP CREATECONSUMER / DELCONSUMER key group consumer
XCLAIM key group consumer 0 id ... TIME ms RETRYCOUNT n FORCE JUSTID LASTID id
                                                            entries that are there become pending with a consumer
XACK key group id ...                                       entries are pending no more
"""

from __future__ import annotations

from durakv.errors import CommandError
from durakv.keyspace.integers import parse_integer
from durakv.keyspace.kinds.by_id import Id
from durakv.keyspace.kinds.effect import Effect, own
from durakv.keyspace.kinds.stream import Stream
from durakv.keyspace.kinds.stream_group import UNKNOWN, Delivery, Group
from durakv.keyspace.kinds.stream_id import ID_MIN, parse_id
from durakv.keyspace.replies import printable
from durakv.keyspace.store import Store
from durakv.machine import Command


def no_group(key: bytes, group: bytes) -> CommandError:
    """A group that is not there, or not even its key."""
    return CommandError(f"NOGROUP No such key '{printable(key)}' or consumer group '{printable(group)}'")


def group_exists() -> CommandError:
    """A name that is taken."""
    return CommandError("BUSYGROUP Consumer Group name already exists")


def id_too_low() -> CommandError:
    """An entry that would not come last."""
    return CommandError("ERR The ID specified in XADD is equal or smaller than the target stream top item")


def _xadd(store: Store, command: Command) -> bool:
    if len(command) < 5 or not len(command) % 2:
        return False
    key, text = command[1], command[2]
    ms, separator, seq = text.partition(b"-")
    if not separator or not ms.isdigit() or not seq.isdigit():
        return False
    id_ = parse_id(text)
    value = own(store, key, Stream)
    if id_ <= (ID_MIN if value is None else value.last_id):
        raise id_too_low()
    if value is None:
        value = Stream()
        store.put(key, value)
    value.add(id_, tuple(command[3:]))
    return True


def _xdel(store: Store, command: Command) -> bool:
    if len(command) < 3:
        return False
    ids = list(map(parse_id, command[2:]))
    value = own(store, command[1], Stream)
    if value is not None:
        for id_ in ids:
            value.delete(id_)
    return True


def _xtrim(store: Store, command: Command) -> bool:
    if len(command) != 5 or command[2] != b"MAXLEN" or command[3] != b"=":
        return False
    length = parse_integer(command[4])
    if length < 0:
        return False
    value = own(store, command[1], Stream)
    if value is not None:
        value.entries.remove_first(max(0, len(value.entries) - length))
    return True


def _xsetid(store: Store, command: Command) -> bool:
    if len(command) != 7 or command[3] != b"ENTRIESADDED" or command[5] != b"MAXDELETEDID":
        return False
    last_id, added, max_deleted_id = parse_id(command[2]), parse_integer(command[4]), parse_id(command[6])
    value = own(store, command[1], Stream)
    if value is None:
        raise CommandError("ERR no such key")
    check_setid(value, last_id, added, max_deleted_id)
    value.last_id, value.entries_added = last_id, added
    if max_deleted_id != ID_MIN:
        value.max_deleted_id = max_deleted_id
    return True


def check_setid(value: Stream, last_id: Id, entries_added: int | None, max_deleted_id: Id) -> None:
    """Refuse what contradicts the stream, or itself; None: as many entries as ever."""
    if entries_added is not None and entries_added < 0:
        raise CommandError("ERR entries_added must be positive")
    if last_id < max_deleted_id:
        raise CommandError("ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id")
    top = value.entries.last()
    if top is not None and last_id < top:
        raise CommandError("ERR The ID specified in XSETID is smaller than the target stream top item")
    if entries_added is not None and entries_added < len(value.entries):
        raise CommandError("ERR The entries_added specified in XSETID is smaller than the target stream length")
    if last_id < value.max_deleted_id:
        raise CommandError("ERR The ID specified in XSETID is smaller than current max_deleted_entry_id")


# --- groups -----------------------------------------------------------------------------------------------------------


def _own_group(store: Store, key: bytes, name: bytes) -> Group:
    value = own(store, key, Stream)
    group = None if value is None else value.groups.get(name)
    if group is None:
        raise no_group(key, name)
    return group


def _entries_read(text: bytes) -> int:
    number = parse_integer(text)
    if number < UNKNOWN:
        raise CommandError("ERR value for ENTRIESREAD must be positive or -1")
    return number


def _xgroup_create(store: Store, command: Command) -> bool:
    if len(command) != 8 or command[5] != b"MKSTREAM" or command[6] != b"ENTRIESREAD" or command[4] == b"$":
        return False
    key, name = command[2], command[3]
    group = Group(parse_id(command[4]), _entries_read(command[7]))
    value = own(store, key, Stream)
    if value is None:
        value = Stream()
        store.put(key, value)
    elif name in value.groups:
        raise group_exists()
    value.groups[name] = group
    return True


def _xgroup_setid(store: Store, command: Command) -> bool:
    if len(command) != 7 or command[5] != b"ENTRIESREAD" or command[4] in (b"$", b"-", b"+"):
        return False
    last_id, read = parse_id(command[4]), _entries_read(command[6])
    group = _own_group(store, command[2], command[3])
    group.last_id, group.entries_read = last_id, read
    return True


def _xgroup_destroy(store: Store, command: Command) -> bool:
    if len(command) != 4:
        return False
    value = own(store, command[2], Stream)
    if value is not None:
        value.groups.pop(command[3], None)
    return True


def _xgroup_createconsumer(store: Store, command: Command) -> bool:
    if len(command) != 5:
        return False
    _own_group(store, command[2], command[3]).add_consumer(command[4])
    return True


def _xgroup_delconsumer(store: Store, command: Command) -> bool:
    if len(command) != 5:
        return False
    _own_group(store, command[2], command[3]).remove_consumer(command[4])
    return True


_XGROUP: dict[bytes, Effect] = {
    b"CREATE": _xgroup_create,
    b"SETID": _xgroup_setid,
    b"DESTROY": _xgroup_destroy,
    b"CREATECONSUMER": _xgroup_createconsumer,
    b"DELCONSUMER": _xgroup_delconsumer,
}


def _xgroup(store: Store, command: Command) -> bool:
    effect = _XGROUP.get(command[1]) if len(command) > 1 else None
    return effect is not None and effect(store, command)


_CLAIM_WORDS = [b"TIME", b"RETRYCOUNT", b"FORCE", b"JUSTID", b"LASTID"]


def _xclaim(store: Store, command: Command) -> bool:
    if len(command) < 14 or command[4] != b"0":
        return False
    *texts, time, ms, retrycount, count, force, justid, lastid, last = command[5:]
    if [time, retrycount, force, justid, lastid] != _CLAIM_WORDS:
        return False
    ids, last_id = list(map(parse_id, texts)), parse_id(last)
    delivery = Delivery(command[3], parse_integer(ms), parse_integer(count))
    if delivery.time_ms < 0 or delivery.count < 0:
        return False
    value = own(store, command[1], Stream)
    group = None if value is None else value.groups.get(command[2])
    if value is None or group is None:
        raise no_group(command[1], command[2])
    group.last_id = max(group.last_id, last_id)
    for id_ in ids:
        if id_ in value.entries:
            group.deliver(id_, delivery)
        else:
            group.forget(id_)
    return True


def _xack(store: Store, command: Command) -> bool:
    if len(command) < 4:
        return False
    value = own(store, command[1], Stream)
    group = None if value is None else value.groups.get(command[2])
    if group is not None:
        for id_ in list(map(parse_id, command[3:])):
            group.forget(id_)
    return True


EFFECTS: dict[bytes, Effect] = {
    b"XADD": _xadd,
    b"XDEL": _xdel,
    b"XTRIM": _xtrim,
    b"XSETID": _xsetid,
    b"XGROUP": _xgroup,
    b"XCLAIM": _xclaim,
    b"XACK": _xack,
}
