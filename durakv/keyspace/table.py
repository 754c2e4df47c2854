"""The command table, and deciding: a command in, its effects and its reply out.

    decide(databases, 3, [b"SET", b"k", b"v", b"EX", b"10"], now_ms)
        -> [[SELECT 3], [SET k v PXAT 1700000010000], [SELECT 0]], OK

Effects make one self-contained batch: it begins and ends in database 0.  A refused command raises ``CommandError``
and has none.
"""

from __future__ import annotations

from importlib import import_module

from durakv.errors import CommandError
from durakv.keyspace.command import Call, CommandSpec, Stores, in_database
from durakv.keyspace.replies import Reply, arity_error, printable
from durakv.machine import Command

_MODULES = (
    *("strings", "keys", "deadlines", "hashes", "lists", "sets", "zsets", "streams"),
    *("scan", "bits", "hash_deadlines", "zset_operations", "stream_reads", "stream_groups", "stream_pending"),
    *("stream_info", "hyperloglogs", "geo", "bitfields", "sort", "lcs"),
)
"""Where commands are, those first that programs use first."""

_rows: dict[bytes, CommandSpec] = {}
"""Commands of the modules imported so far, by their names in lower and in upper case."""

_QUOTED_BYTES_MAX = 128


def look_up(name: bytes) -> CommandSpec | None:
    """The command's row; None if there is no command of that name.

    Modules are imported until it is found: a program that only ever sets and gets does without most of them.
    """
    found = _rows.get(name) or _rows.get(name := name.lower())
    if found is not None:
        return found
    for module in _MODULES:
        rows: tuple[CommandSpec, ...] = import_module(f"durakv.keyspace.{module}").COMMANDS
        _rows.update((spelled, spec) for spec in rows for spelled in (spec.name, spec.name.upper()))
        if name in _rows:
            break
    return _rows.get(name)


def find_command(command: Command) -> CommandSpec:
    """The command's row; raises CommandError for a name or a number of arguments that does not exist."""
    if not command:
        raise CommandError("ERR a command has at least a name")
    name = command[0]
    spec = _rows.get(name) or look_up(name)
    if spec is None:
        raise CommandError(f"ERR unknown command '{printable(name[:_QUOTED_BYTES_MAX])}', {_quoted(command)}")
    count = len(command)
    if count != spec.arity if spec.arity >= 0 else count < -spec.arity:
        raise arity_error(spec.name)
    return spec


def decide(databases: Stores, database: int, command: Command, now_ms: int) -> tuple[list[Command], Reply]:
    """What one command logs and answers; reads the state, never changes it."""
    spec = find_command(command)
    call = Call(databases, database, now_ms, spec.name, databases.store(database), [])
    reply = spec.decide(call, command)
    return in_database(database, call.effects), reply


def _quoted(command: Command) -> str:
    text = ""
    for argument in command[1:]:
        if len(text) >= _QUOTED_BYTES_MAX:
            break
        text += f"'{printable(argument[: _QUOTED_BYTES_MAX - len(text)])}' "
    return f"with args beginning with: {text}"
