"""Replaying what a stock server logs, beyond our own effects.

A server's log holds commands that it accepted, with absolute deadlines.  Most can be decided again without a clock:
with nothing ever expired, they come to the effects they had.  What cannot be repeated is refused by name, never
skipped: commands of modules, payloads of DUMP, and deadlines counted from now, which a server translates before it
logs them.
"""

from __future__ import annotations

from durakv.errors import CommandError
from durakv.keyspace.command import NO_CLOCK, Stores
from durakv.keyspace.replies import printable
from durakv.keyspace.table import decide, look_up
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
    spec = look_up(name)
    if spec is None or not spec.writes or spec.is_random:
        raise Unreplayable(_refusal(name))
    effects, _ = decide(databases, selected, command, NO_CLOCK)
    return effects


def _refusal(name: bytes) -> str:
    told = printable(name[:64])
    if name.upper() == b"RESTORE":
        return f"{told} carries a value in RDB form, which this version does not read"
    return f"{told} is no command that this version can replay"
