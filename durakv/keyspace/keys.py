"""The commands on keys whatever they hold, and on whole databases."""

from __future__ import annotations

from durakv.keyspace.command import ALL_KEYS, NO_KEYS, Call, CommandSpec, parse_database
from durakv.keyspace.kinds import kind_of, rebuild
from durakv.keyspace.replies import OK, Reply, Status, no_key_error, same_object_error, syntax_error
from durakv.keyspace.values import DATABASE_COUNT, Value
from durakv.machine import Command


def exists(call: Call, command: Command) -> Reply:
    """EXISTS key ..., TOUCH key ...: how many are there; a key named twice counts twice."""
    return sum(call.find(key) is not None for key in command[1:])


def type_(call: Call, command: Command) -> Reply:
    """TYPE key"""
    value = call.find(command[1])
    return Status(b"none" if value is None else kind_of(value).name)


def delete(call: Call, command: Command) -> Reply:
    """DEL key ..., UNLINK key ...: becomes one DEL a key."""
    count = 0
    for key in dict.fromkeys(command[1:]):
        if call.meet(key) is not None:
            call.log(b"DEL", key)
            count += 1
    return count


# --- from one key to another ------------------------------------------------------------------------------------------


def rename(call: Call, command: Command) -> Reply:
    """RENAME key newkey"""
    _, source, target = command
    value = _source(call, source)
    if source != target:
        _rebuild(call, target, value, call.store.deadline(source))
        call.log(b"DEL", source)
    return OK


def renamenx(call: Call, command: Command) -> Reply:
    """RENAMENX key newkey"""
    _, source, target = command
    _source(call, source)
    if call.find(target) is not None:
        return 0
    rename(call, command)
    return 1


def copy(call: Call, command: Command) -> Reply:
    """COPY source destination [DB number] [REPLACE]"""
    _, source, target = command[:3]
    database, replaces = call.database, False
    rest = iter(command[3:])
    for argument in rest:
        option = argument.upper()
        number = next(rest, None) if option == b"DB" else None
        if number is not None:
            database = parse_database(number)
        elif option == b"REPLACE":
            replaces = True
        else:
            raise syntax_error()
    if database == call.database and source == target:
        raise same_object_error()
    value = call.find(source)
    other = call.elsewhere(database)
    if value is None or (other.find(target) is not None and not replaces):
        return 0
    _rebuild(other, target, value, call.store.deadline(source))
    call.include(other)
    return 1


def move(call: Call, command: Command) -> Reply:
    """MOVE key number"""
    _, key, number = command
    database = parse_database(number)
    if database == call.database:
        raise same_object_error()
    value = call.meet(key)
    other = call.elsewhere(database)
    if value is None or other.find(key) is not None:
        return 0
    _rebuild(other, key, value, call.store.deadline(key))
    call.include(other)
    call.log(b"DEL", key)
    return 1


def _source(call: Call, key: bytes) -> Value:
    value = call.find(key)
    if value is None:
        raise no_key_error()
    return value


def _rebuild(call: Call, key: bytes, value: Value, deadline: int | None) -> None:
    call.effects += rebuild(key, value, deadline)


# --- whole databases --------------------------------------------------------------------------------------------------


def dbsize(call: Call, _command: Command) -> Reply:
    """DBSIZE: keys that have expired but are not deleted yet count."""
    return len(call.store)


def flushdb(call: Call, command: Command) -> Reply:
    """FLUSHDB [ASYNC | SYNC]"""
    _check_flush(command)
    if len(call.store):
        call.log(b"FLUSHDB")
    return OK


def flushall(call: Call, command: Command) -> Reply:
    """FLUSHALL [ASYNC | SYNC]: becomes one FLUSHDB for each database that holds something."""
    _check_flush(command)
    for number in range(DATABASE_COUNT):
        other = call.elsewhere(number)
        if len(other.store):
            other.log(b"FLUSHDB")
            call.include(other)
    return OK


def _check_flush(command: Command) -> None:
    if len(command) > 2 or (len(command) == 2 and command[1].upper() not in (b"ASYNC", b"SYNC")):
        raise syntax_error()


def select(_call: Call, command: Command) -> Reply:
    """SELECT number: checked here; whoever keeps the session remembers the number."""
    parse_database(command[1])
    return OK


COMMANDS = (
    CommandSpec(b"exists", -2, exists, writes=False, keys=ALL_KEYS),
    CommandSpec(b"touch", -2, exists, writes=False, keys=ALL_KEYS),
    CommandSpec(b"type", 2, type_, writes=False),
    CommandSpec(b"del", -2, delete, writes=True, keys=ALL_KEYS),
    CommandSpec(b"unlink", -2, delete, writes=True, keys=ALL_KEYS),
    CommandSpec(b"rename", 3, rename, writes=True, keys=(1, 2, 1)),
    CommandSpec(b"renamenx", 3, renamenx, writes=True, keys=(1, 2, 1)),
    CommandSpec(b"copy", -3, copy, writes=True, keys=(1, 2, 1)),
    CommandSpec(b"move", 3, move, writes=True, reaches_further=True),
    CommandSpec(b"dbsize", 1, dbsize, writes=False, keys=NO_KEYS),
    CommandSpec(b"flushdb", -1, flushdb, writes=True, keys=NO_KEYS),
    CommandSpec(b"flushall", -1, flushall, writes=True, keys=NO_KEYS),
    CommandSpec(b"select", 2, select, writes=False, keys=NO_KEYS),
)
