"""Replaying what a stock server logs, beyond our own effects.

A server's log holds commands that it accepted, with absolute deadlines.  Most can be decided again without a clock:
with nothing ever expired, they come to the effects they had.  What cannot be repeated is refused by name, never
skipped: commands of modules, payloads of DUMP, and deadlines counted from now, which a server translates before it
logs them.
"""

from __future__ import annotations

from collections.abc import Callable

from durakv.errors import CommandError
from durakv.keyspace.command import NO_CLOCK, Stores, in_database
from durakv.keyspace.kinds.hash import Hash
from durakv.keyspace.replies import printable
from durakv.keyspace.store import Store
from durakv.keyspace.table import TABLE, decide
from durakv.machine import Command

IGNORED = frozenset({b"PING", b"ECHO", b"REPLCONF"})
"""What servers put into a log that changes nothing."""


class Unreplayable(CommandError, ValueError):
    """A log holds a command that this version cannot replay; nothing was applied of it."""


def replay_effects(databases: Stores, selected: int, command: Command) -> list[Command]:
    """The effects of a stock server's command; they begin and end in database 0."""
    name = command[0]
    if name.upper() in IGNORED:
        return []
    translate = _TRANSLATED.get(name.upper())
    if translate is not None:
        return in_database(selected, translate(databases.store(selected), command))
    spec = TABLE.get(name.lower())
    if spec is None or not spec.writes or spec.is_random:
        raise Unreplayable(_refusal(name))
    effects, _ = decide(databases, selected, command, NO_CLOCK)
    return effects


# --- what only later servers log --------------------------------------------------------------------------------------


def _hsetex(store: Store, command: Command) -> list[Command]:
    """HSETEX key [FNX | FXX] [PXAT ms | KEEPTTL] FIELDS count field value ...

    It was logged because its condition held, so that is not looked at.
    """
    _, key, *words = command
    names = [word.upper() for word in words]
    at = names.index(b"FIELDS") if b"FIELDS" in names else len(words)
    options, pairs = names[:at], words[at + 2 :]
    if not pairs or words[at + 1] != b"%d" % (len(pairs) // 2) or len(pairs) % 2:
        raise Unreplayable(f"HSETEX of {printable(key[:64])} names no fields, or not as many as it says")
    fields = pairs[::2]
    effects: list[Command] = [(b"HSET", key, *pairs)]
    options = [option for option in options if option not in (b"FNX", b"FXX")]
    if len(options) == 2 and options[0] == b"PXAT":
        effects.append((b"HPEXPIREAT", key, options[1], b"FIELDS", b"%d" % len(fields), *fields))
    elif options == [b"KEEPTTL"]:
        held = store.value(key)
        deadlines = (held.deadlines if isinstance(held, Hash) else None) or {}
        effects += (
            (b"HPEXPIREAT", key, b"%d" % deadlines[field], b"FIELDS", b"1", field)
            for field in dict.fromkeys(fields)
            if field in deadlines
        )
    elif options:
        raise Unreplayable(f"HSETEX with {printable(b' '.join(options)[:64])} counts from a time that nobody knows")
    return effects


def _hgetdel(store: Store, command: Command) -> list[Command]:
    """HGETDEL key FIELDS count field ..., which Valkey logs as it came."""
    if len(command) < 5 or command[2].upper() != b"FIELDS" or command[3] != b"%d" % (len(command) - 4):
        raise Unreplayable("HGETDEL names no fields, or not as many as it says")
    return [(b"HDEL", command[1], *command[4:])]


_TRANSLATED: dict[bytes, Callable[[Store, Command], list[Command]]] = {b"HSETEX": _hsetex, b"HGETDEL": _hgetdel}


def _refusal(name: bytes) -> str:
    told = printable(name[:64])
    if name.upper() == b"RESTORE":
        return f"{told} carries a value in RDB form, which this version does not read"
    return f"{told} is no command that this version can replay"
