"""Effects: what is logged, and the only way a store changes.

    SET key value                    the value, and no deadline
    SET key value KEEPTTL            the value; the deadline, if there is one, stays
    SET key value PXAT ms            the value and the deadline
    DEL key                          nothing is left of the key
    INCRBY key n, APPEND key bytes, SETRANGE key offset bytes        in place; an absent key counts as 0 or empty
    PEXPIREAT key ms, PERSIST key    the deadline of a key that is there
    FLUSHDB                          nothing is left of the database

and those of containers, which stand with the values they change: ``kinds``.

Each names exactly one key or, FLUSHDB, its whole database, and depends on nothing else: no clock, no other key.  So
the log can be cut by key.  They are a subset of Redis's own commands: a stock server replays them to the same state.

The functions return False when the arguments have another form than above; it is then a stock server's command
(``stock.py``).  They raise ``CommandError`` when the effect does not fit the value it meets: this log was not written
against this state.
"""

from __future__ import annotations

from durakv.errors import CommandError
from durakv.keyspace.integers import add_integers, parse_integer
from durakv.keyspace.kinds import hash, list, set, stream_effects, zset
from durakv.keyspace.kinds.effect import Effect
from durakv.keyspace.replies import too_long_error, wrong_type
from durakv.keyspace.store import Store
from durakv.machine import Command
from durakv_formats.limits import BULK_BYTES_MAX


def _set(store: Store, command: Command) -> bool:
    size = len(command)
    if size == 3:
        _, key, value = command
        store.replace(key, value)
    elif size == 5 and command[3] == b"PXAT":
        _, key, value, _, deadline = command
        store.replace(key, value, parse_integer(deadline))
    elif size == 4 and command[3] == b"KEEPTTL":
        _, key, value, _ = command
        store.put(key, value)
    else:
        return False
    return True


def _del(store: Store, command: Command) -> bool:
    if len(command) != 2:
        return False
    store.remove(command[1])
    return True


def _incrby(store: Store, command: Command) -> bool:
    if len(command) != 3:
        return False
    _, key, increment = command
    store.put(key, add_integers(_string(store, key, b"0"), parse_integer(increment)))
    return True


def _append(store: Store, command: Command) -> bool:
    if len(command) != 3:
        return False
    _, key, tail = command
    value = _string(store, key, b"")
    check_length(len(value) + len(tail))
    store.put(key, value + tail)
    return True


def _setrange(store: Store, command: Command) -> bool:
    if len(command) != 4:
        return False
    _, key, offset, part = command
    value = _string(store, key, b"")
    start = parse_integer(offset)
    if start < 0:
        raise CommandError("ERR offset is out of range")
    if part:
        check_length(start + len(part))
        store.put(key, overwrite(value, start, part))
    return True


def _pexpireat(store: Store, command: Command) -> bool:
    if len(command) != 3:
        return False
    _, key, deadline = command
    if store.value(key) is not None:
        store.put_deadline(key, parse_integer(deadline))
    return True


def _persist(store: Store, command: Command) -> bool:
    if len(command) != 2:
        return False
    store.drop_deadline(command[1])
    return True


def _flushdb(store: Store, command: Command) -> bool:
    if len(command) != 1:
        return False
    store.clear()
    return True


EFFECTS: dict[bytes, Effect] = {
    b"SET": _set,
    b"DEL": _del,
    b"INCRBY": _incrby,
    b"APPEND": _append,
    b"SETRANGE": _setrange,
    b"PEXPIREAT": _pexpireat,
    b"PERSIST": _persist,
    b"FLUSHDB": _flushdb,
    **hash.EFFECTS,
    **list.EFFECTS,
    **set.EFFECTS,
    **zset.EFFECTS,
    **stream_effects.EFFECTS,
}


def _string(store: Store, key: bytes, absent: bytes) -> bytes:
    value = store.value(key)
    if value is None:
        return absent
    if type(value) is not bytes:
        raise wrong_type()
    return value


# --- the arithmetic that effects and the commands deciding them share -------------------------------------------------


def overwrite(value: bytes, start: int, part: bytes) -> bytes:
    """The value with a part of it replaced, padded with zeros up to where the part begins."""
    if start > len(value):
        value = value.ljust(start, b"\0")
    return b"".join((value[:start], part, value[start + len(part) :]))


def check_length(size: int) -> None:
    """Refuse a string that would be too long to be written or read again."""
    if size > BULK_BYTES_MAX:
        raise too_long_error()
