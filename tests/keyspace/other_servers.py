"""In which replies servers later than Redis 7.0 differ from it, and so from this keyspace, and why.

A difference that is in this table is passed over when the same commands go to such a server; any other is reported.
Commands that leave the two with different contents cannot be passed over and are not sent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import hiredis

from durakv.errors import CommandError
from durakv.machine import Command
from tests.keyspace.stock_server import StockServer


@dataclass(frozen=True, slots=True)
class Server:
    """Which server it is: ``redis`` or ``valkey``, and its version."""

    name: str
    version: tuple[int, int]

    @property
    def is_later(self) -> bool:
        """Whether it is later than the one that the keyspace follows."""
        return self != Server("redis", (7, 0))


def server_of(connection: StockServer) -> Server:
    """Which one answers."""
    told = connection.run(b"INFO", b"server").decode()
    facts = dict(line.partition(":")[::2] for line in told.split("\r\n"))
    name = facts.get("server_name", "redis")
    major, minor = facts[f"{name}_version"].split(".")[:2]
    return Server(name, (int(major), int(minor)))


@dataclass(frozen=True, slots=True)
class Difference:
    """Replies that differ, in which servers (from which version on), and why they do."""

    reason: str
    since: dict[str, tuple[int, int]]
    is_it: Callable[[Command, Any, Any], bool]

    def is_of(self, server: Server) -> bool:
        """Whether that server has it."""
        return server.name in self.since and server.version >= self.since[server.name]


def known(server: Server, command: Command, ours: Any, theirs: Any) -> Difference | None:
    """The difference that explains these replies."""
    if not server.is_later:
        return None
    found = (one for one in DIFFERENCES if one.is_of(server) and one.is_it(command, ours, theirs))
    return next(found, None)


def parts_ways(server: Server, command: Command) -> bool:
    """Whether a command leaves that server with something else than a Redis 7.0."""
    name = command[0].upper()
    if name == b"LREM" and _LEAST in command[2:3]:
        return server.is_later  # 7.0 negates the count, which has no opposite; later ones refuse it
    if name == b"SORT" and server.version >= (8, 0) and (server.name, server.version[0]) != ("valkey", 8):
        return b"STORE" in map(bytes.upper, command)  # what is refused stores nothing
    if server.name != "valkey":
        return False
    if name == b"LSET":
        # It takes the lower 32 bits of an index, so an element may be found where there is none.
        return len(command) > 2 and len(command[2]) >= len(b"4294967296")
    # Valkey 9 refuses hexadecimal scores and weights.
    return server.version >= (9, 0) and name.startswith(b"Z") and any(word.startswith(b"0x") for word in command)


def known_of_both(server: Server, value: Any) -> Any:
    """A value in comparable form, without what that server keeps of a stream's groups and 7.0 does not.

    Later servers have a consumer from its first XREADGROUP on, though it was given nothing; and those
    since Redis 8 and Valkey 8 count what a group has read in another way.
    """
    if not isinstance(value, tuple) or value[0] != "stream" or not server.is_later:
        return value
    groups = {
        name: (
            last,
            None if GROUPS_COUNT_OTHERWISE.is_of(server) else read,
            pending,
            {consumer: count for consumer, count in consumers.items() if count},
        )
        for name, (last, read, pending, consumers) in value[5].items()
    }
    return *value[:5], groups


# --- the table --------------------------------------------------------------------------------------------------------

ALL = {"redis": (7, 2), "valkey": (7, 2)}
REDIS_8 = {"redis": (8, 0)}
VALKEY_8 = {"valkey": (8, 0)}
VALKEY_9 = {"valkey": (9, 0)}

_INTEGER = "ERR value is not an integer or out of range"
_SYNTAX = "ERR syntax error"
_LEAST = b"-9223372036854775808"


def _is(reply: Any, *beginnings: str) -> bool:
    return isinstance(reply, hiredis.ReplyError | CommandError) and str(reply).startswith(beginnings)


def _empty_cursor(command: Command, ours: Any, theirs: Any) -> bool:
    return command[0].upper() in (b"SCAN", b"SSCAN") and b"" in command[1:3] and _is(theirs, "ERR invalid cursor")


def _no_such_type(command: Command, ours: Any, theirs: Any) -> bool:
    return command[0].upper() == b"SCAN" and _is(theirs, "ERR unknown type name")


def _unbalanced(command: Command, ours: Any, theirs: Any) -> bool:
    return _is(ours, "ERR Unbalanced XREAD list") and _is(theirs, "ERR Unbalanced 'xread")


def _last_entry(command: Command, ours: Any, theirs: Any) -> bool:
    if not (b"+" in command and _is(ours, "ERR Invalid stream ID")):
        return False
    name = command[0].upper()
    return name == b"XREAD" or (name == b"XREADGROUP" and _is(theirs, "ERR The + ID is meaningless"))


def _consumer_is_there(command: Command, ours: Any, theirs: Any) -> bool:
    words = [word.upper() for word in command[:2]]
    return words == [b"XGROUP", b"CREATECONSUMER"] and (ours, theirs) == (1, 0)


def _more_facts(command: Command, ours: Any, theirs: Any) -> bool:
    return command[0].upper() == b"XINFO" and isinstance(theirs, list) and _facts(ours) == _facts(theirs)


def _other_counts(command: Command, ours: Any, theirs: Any) -> bool:
    if command[0].upper() != b"XINFO" or not isinstance(theirs, list):
        return False
    return bool(_without_counts(_facts(ours)) == _without_counts(_facts(theirs)))


def _arguments_first(command: Command, ours: Any, theirs: Any) -> bool:
    early = ours in (0, -1) if isinstance(ours, int) else _is(ours, "WRONGTYPE")
    return command[0].upper() in (b"BITCOUNT", b"BITPOS") and early and _is(theirs, _SYNTAX, _INTEGER)


def _no_end(command: Command, ours: Any, theirs: Any) -> bool:
    if command[0].upper() != b"BITCOUNT" or len(command) != 3:
        return False
    return isinstance(theirs, int) or _is(theirs, _INTEGER, "WRONGTYPE")


def _no_arguments(command: Command, ours: Any, theirs: Any) -> bool:
    return len(command) == 1 and _is(ours, "ERR unknown command") and str(ours).startswith(str(theirs))


def _with_score(command: Command, ours: Any, theirs: Any) -> bool:
    return command[0].upper() in (b"ZRANK", b"ZREVRANK") and len(command) == 4 and _is(theirs, _SYNTAX)


def _absent_key(command: Command, ours: Any, theirs: Any) -> bool:
    return command[0].upper() == b"GETEX" and ours is None and _is(theirs, _INTEGER, "ERR invalid expire time")


def _absent_place(command: Command, ours: Any, theirs: Any) -> bool:
    return _is(ours, "ERR could not decode requested zset member") and _is(theirs, "ERR member ")


def _refused_numbers(command: Command, ours: Any, theirs: Any) -> bool:
    return command[0].upper().startswith(b"SORT") and _is(theirs, "ERR One or more scores can't be converted")


def _fewer_digits(command: Command, ours: Any, theirs: Any) -> bool:
    return command[0].upper().startswith(b"GEO") and sorted(_numbers(ours)) == sorted(_numbers(theirs))


def _numbers(reply: Any) -> list[str]:
    """Everything in a reply, numbers in one form."""
    if isinstance(reply, list):
        return [number for part in reply for number in _numbers(part)]
    try:
        return [f"{float(reply):.13g}"]
    except (TypeError, ValueError):
        return [repr(reply)]


GROUPS_COUNT_OTHERWISE = Difference(
    "what a group has read, and its lag, are counted in another way", {**REDIS_8, **VALKEY_8}, _other_counts
)

DIFFERENCES = (
    Difference("an empty cursor is no number, and is refused", ALL, _empty_cursor),
    Difference("SCAN TYPE refuses the name of no type instead of finding nothing", VALKEY_8, _no_such_type),
    Difference("the words for an uneven XREAD name the command", ALL, _unbalanced),
    Difference("XREAD knows the id +, the last entry", {"redis": (7, 4), "valkey": (8, 0)}, _last_entry),
    Difference("a consumer is there once it has asked, though it was given nothing", ALL, _consumer_is_there),
    Difference("XINFO tells more facts, and of consumers that were given nothing", ALL, _more_facts),
    GROUPS_COUNT_OTHERWISE,
    Difference("BITCOUNT and BITPOS look at their arguments before the key", ALL, _arguments_first),
    Difference("BITCOUNT may be given a start without an end", VALKEY_8, _no_end),
    Difference("an unknown command without arguments is not told to have some", REDIS_8, _no_arguments),
    Difference("ZRANK has an option, so a word too many is a wrong one", ALL, _with_score),
    Difference("GETEX looks at the deadline before the key", VALKEY_9, _absent_key),
    Difference("a search for places names the member that is absent", VALKEY_9, _absent_place),
    Difference("SORT refuses numbers that 7.0 reads", {**REDIS_8, **VALKEY_9}, _refused_numbers),
    Difference("places are told with as few digits as mean the same number", REDIS_8, _fewer_digits),
)

_NOT_IN_BOTH = frozenset(
    {
        *(b"radix-tree-keys", b"radix-tree-nodes"),  # depends on how wide a node may be
        *(b"idmp-duration", b"idmp-maxsize", b"pids-tracked", b"iids-tracked", b"iids-added", b"iids-duplicates"),
        *(b"nacked-count", b"seen-time", b"active-time", b"idle", b"inactive"),
    }
)


def _facts(reply: Any) -> Any:
    """What XINFO tells, without what only one of two servers knows."""
    if not isinstance(reply, list):
        return reply
    if reply and reply[0] in (b"length", b"name"):
        facts = dict(zip(reply[::2], map(_facts, reply[1::2]), strict=True))
        consumers = facts.pop(b"consumers", None)
        if isinstance(consumers, list):
            facts[b"consumers"] = [one for one in consumers if one[b"pel-count"]]
        if isinstance(facts.get(b"pending"), list):
            facts[b"pending"] = [[*which, count] for *which, _, count in facts[b"pending"]]
        return {name: fact for name, fact in facts.items() if name not in _NOT_IN_BOTH}
    parts = [*map(_facts, reply)]
    return [part for part in parts if not (isinstance(part, dict) and len(part) == 2 and part.get(b"pending") == 0)]


def _without_counts(facts: Any) -> Any:
    if isinstance(facts, list):
        return [*map(_without_counts, facts)]
    if isinstance(facts, dict):
        return {name: _without_counts(fact) for name, fact in facts.items() if name not in (b"entries-read", b"lag")}
    return facts
