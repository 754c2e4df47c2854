"""The promise: what stock servers log for strings and keys is replayed exactly, and whatever cannot be is refused by
name, so that a directory is either opened whole or not at all.

Method: their vocabulary by example; ``test_against_redis`` replays a real server's log.
"""

from __future__ import annotations

import pytest

from durakv.errors import CommandError
from durakv.keyspace import Keyspace
from durakv.keyspace.stock import Unreplayable
from tests.keyspace.world import dump, replayed


def state(*lines: bytes) -> dict[bytes, tuple[object, int | None]]:
    """Database 0 after these commands."""
    return dump(replayed(line.split() for line in lines)).get(0, {})


def mortal(fields: dict[bytes, tuple[bytes, int | None]]) -> dict[bytes, tuple[object, int | None]]:
    """A database with a hash whose fields have deadlines."""
    return {b"h": (("hash", fields), None)}


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([b"set k v"], {b"k": (b"v", None)}),
        ([b"Set k v pxat 5"], {b"k": (b"v", 5)}),
        ([b"SET k v NX"], {b"k": (b"v", None)}),
        ([b"SET k 1 PXAT 5", b"SET k 2 XX KEEPTTL"], {b"k": (b"2", 5)}),
        ([b"SET k v EXAT 5"], {b"k": (b"v", 5000)}),
        ([b"SETNX k v", b"SETNX k w"], {b"k": (b"v", None)}),
        ([b"GETSET k v"], {b"k": (b"v", None)}),
        ([b"MSET a 1 b 2"], {b"a": (b"1", None), b"b": (b"2", None)}),
        ([b"MSETNX a 1 b 2", b"MSETNX b 3 c 4"], {b"a": (b"1", None), b"b": (b"2", None)}),
        ([b"INCR n", b"INCR n", b"DECR n", b"DECRBY n 5", b"INCRBY n 1"], {b"n": (b"-3", None)}),
        ([b"APPEND k x", b"append k y", b"SETRANGE k 1 zz"], {b"k": (b"xzz", None)}),
        ([b"MSET a 1 b 2 c 3", b"DEL a b nope", b"UNLINK c"], {}),
        ([b"SET k v PXAT 5", b"RENAME k j"], {b"j": (b"v", 5)}),
        ([b"MSET a 1 b 2", b"RENAMENX a b", b"RENAMENX a c"], {b"b": (b"2", None), b"c": (b"1", None)}),
        ([b"SET k v PXAT 5", b"COPY k j", b"COPY k j REPLACE"], {b"k": (b"v", 5), b"j": (b"v", 5)}),
        ([b"SET k v", b"MOVE k 1", b"SELECT 1", b"MOVE k 0"], {b"k": (b"v", None)}),
        ([b"SET k v", b"SWAPDB 0 1", b"SELECT 1", b"SET j w", b"SWAPDB 1 0"], {b"k": (b"v", None), b"j": (b"w", None)}),
        ([b"SET k v", b"PEXPIREAT k 5 NX", b"PEXPIREAT k 9 NX", b"PEXPIREAT k 8 GT"], {b"k": (b"v", 8)}),
        ([b"SET k v", b"EXPIREAT k 5", b"PEXPIREAT k 9 LT"], {b"k": (b"v", 9)}),
        ([b"SET k v PXAT 5", b"persist k"], {b"k": (b"v", None)}),
        ([b"SET k v", b"SELECT 2", b"SET j w", b"FLUSHALL"], {}),
        ([b"SET k v", b"FLUSHDB ASYNC", b"SET j w", b"flushdb"], {}),
        (
            [b"HSETEX h PXAT 5 FIELDS 1 f v", b"HSETEX h KEEPTTL FXX FIELDS 1 f w", b"HPEXPIREAT h 9 LT FIELDS 1 f"],
            {b"h": (("hash", {b"f": (b"w", 5)}), None)},
        ),
        ([b"RPUSH l 3 1 2", b"SORT l STORE l DESC"], {b"l": (("list", [b"3", b"2", b"1"]), None)}),
        ([b"PING", b"ECHO hello", b"REPLCONF GETACK *", b"ping x"], {}),
        ([b"PEXPIREAT absent 5", b"DEL absent", b"PERSIST absent"], {}),
        ([b"SET k v PXAT 1", b"INCRBY n 1"], {b"k": (b"v", 1), b"n": (b"1", None)}),
        ([b"HSETEX h PXAT 5 FIELDS 2 f v g w"], mortal({b"f": (b"v", 5), b"g": (b"w", 5)})),
        ([b"HSETEX h PXAT 5 FIELDS 1 f v", b"hsetex h FXX fields 1 f w"], mortal({b"f": (b"w", None)})),
        (
            [b"HSETEX h PXAT 5 FIELDS 1 f v", b"HSETEX h FNX KEEPTTL FIELDS 2 f x g y"],
            mortal({b"f": (b"x", 5), b"g": (b"y", None)}),
        ),
        ([b"HSET h f v g w", b"HGETDEL h FIELDS 2 f nope"], mortal({b"g": (b"w", None)})),
    ],
)
def test_what_a_server_logs_is_replayed(lines: list[bytes], expected: dict[bytes, tuple[object, int | None]]) -> None:
    assert state(*lines) == expected


def test_the_selected_database_stays_selected_over_what_moves_keys() -> None:
    keyspace = replayed(
        [
            b.split()
            for b in (b"SELECT 2", b"SET k v", b"COPY k k DB 5", b"MOVE k 7", b"MSET a 1 b 2", b"FLUSHALL", b"SET z 1")
        ]
    )
    assert dump(keyspace) == {2: {b"z": (b"1", None)}}


@pytest.mark.parametrize(
    "line",
    [
        *(b"JSON.SET h f v", b"SPOP s", b"RESTORE k 0 payload"),
        *(b"FUNCTION LOAD x", b"GETBIT k 1", b"PFDEBUG x h", b"GET k", b"DBSIZE", b"nonsense", b"EVAL x 0", b"\xff"),
    ],
)
def test_what_cannot_be_replayed_is_refused_by_name(line: bytes) -> None:
    keyspace = Keyspace()
    with pytest.raises(Unreplayable) as refusal:
        keyspace.apply(line.split())
    assert isinstance(refusal.value, (CommandError, ValueError))
    name = line.split()[0].decode("utf-8", "backslashreplace")
    assert str(refusal.value).startswith(name)


GROUPS = {b"g": (b"5-1", 1, [(b"5-1", b"c", 1700000000000, 3)], {b"c": 1})}


def test_what_is_pending_in_a_plain_base_is_replayed() -> None:
    """Servers write it so when they make a base of commands: with the time, and no id of the group's."""
    [(value, _)] = state(
        b"XADD x 5-1 f v",
        b"XGROUP CREATE x g 5-1 ENTRIESREAD 1",
        b"XGROUP CREATECONSUMER x g c",
        b"XCLAIM x g c 0 5-1 TIME 1700000000000 RETRYCOUNT 3 JUSTID FORCE",
    ).values()
    assert value == ("stream", b"5-1", b"0-0", 1, [(b"5-1", (b"f", b"v"))], GROUPS)


@pytest.mark.parametrize("line", [b"XCLAIM x g c 0 5-1", b"XCLAIM x g c 9 5-1 TIME 5", b"XCLAIM x g c 0 5-1 IDLE 5"])
def test_a_claim_that_looks_at_the_clock_is_refused(line: bytes) -> None:
    keyspace = replayed([words.split() for words in (b"XADD x 5-1 f v", b"XGROUP CREATE x g 0")])
    with pytest.raises(CommandError, match="cannot be replayed"):
        keyspace.apply(line.split())


@pytest.mark.parametrize(
    "line",
    [
        *(b"HSETEX h EX 5 FIELDS 1 f v", b"HSETEX h FIELDS 2 f v", b"HSETEX h PXAT 5", b"HSETEX h FIELDS 1 f v g"),
        *(b"HGETDEL h f", b"HGETDEL h FIELDS 2 f"),
    ],
)
def test_fields_that_are_not_said_plainly_are_refused(line: bytes) -> None:
    with pytest.raises(CommandError):
        Keyspace().apply(line.split())


@pytest.mark.parametrize(
    "line",
    [
        b"SETEX k 5 v",
        b"PSETEX k 5 v",
        b"SET k v EX 5",
        b"EXPIRE k 5",
        b"PEXPIRE k 5",
        b"GETEX k PX 5",
        b"HEXPIRE h 5 FIELDS 1 f",
    ],
)
def test_a_deadline_counted_from_now_is_refused_because_nobody_knows_when_now_was(line: bytes) -> None:
    keyspace = replayed([(b"SET", b"k", b"v")])
    with pytest.raises(CommandError, match="cannot be replayed"):
        keyspace.apply(line.split())
    assert dump(keyspace) == {0: {b"k": (b"v", None)}}


@pytest.mark.parametrize(
    "line", [b"RENAME absent k", b"MSET a", b"SWAPDB 0 16", b"SWAPDB 0", b"SET k", b"DEL", b"INCRBY k 1 2", b"COPY a a"]
)
def test_a_command_no_server_would_have_accepted_is_refused(line: bytes) -> None:
    with pytest.raises(CommandError):
        Keyspace().apply(line.split())
