"""The promise: for every command of this keyspace, a caller cannot tell it from Redis 7, and a Redis can replay what
it logs as it can replay what a Redis logs.

Method: the same random commands, errors and expiries included, go to a real redis-server and to a keyspace; every
reply and the whole final state are compared.  Then the log of each side is replayed by the other.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import hiredis
import pytest

from durakv.errors import CommandError
from durakv.keyspace.glob import matcher
from durakv.machine import Command
from tests.keyspace.contents import ANY_ORDER, RANDOM, SCANS, amount, contents_of, in_some_order
from tests.keyspace.families import FAMILIES
from tests.keyspace.family_streams import TIMED, timeless, without_times
from tests.keyspace.stock_server import StockServer, stock_server
from tests.keyspace.traffic import PATTERNS, Family, Traffic
from tests.keyspace.world import Dump, World, dump, replayed

COMMANDS = 2000
CLOCK_SLACK_MS = 60_000
"""The keyspace's clock stands still, the server's runs on."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StockServer]:
    with stock_server(tmp_path_factory.mktemp("redis"), "--enable-debug-command", "yes") as running:
        running.run(b"DEBUG", b"SET-ACTIVE-EXPIRE", b"0")
        yield running


def random_commands(seed: int, count: int, family: Family | None = None) -> list[tuple[int, Command]]:
    traffic = Traffic(seed, family)
    return [(traffic.random.choice([0, 0, 0, 1, 15]), tuple(traffic.command())) for _ in range(count)]


def world_of_now() -> World:
    world = World()
    world.now_ms = time.time_ns() // 1_000_000
    return world


def answers(world: World, commands: Iterable[tuple[int, Command]]) -> list[Any]:
    replies: list[Any] = []
    for database, command in commands:
        try:
            replies.append(world.run(*command, database=database))
        except CommandError as error:
            replies.append(error)
    return replies


def with_selects(commands: Iterable[tuple[int, Command]]) -> Iterator[Command]:
    for database, command in commands:
        yield b"SELECT", b"%d" % database
        yield command


def agrees(command: Command, ours: Any, theirs: Any) -> bool:
    if isinstance(theirs, hiredis.ReplyError):
        # The client shows what is no UTF-8 as U+FFFD, we escape it.
        return isinstance(ours, CommandError) and re.sub(r"\\x[0-9a-f]{2}", "\ufffd", str(ours)) == str(theirs)
    if isinstance(ours, CommandError):
        return False
    name = command[0].upper()
    if name in (b"TTL", b"EXPIRETIME") and theirs > 0:
        return bool(abs(ours - theirs) <= CLOCK_SLACK_MS // 1000)
    if name in (b"PTTL", b"PEXPIRETIME") and theirs > 0:
        return bool(abs(ours - theirs) <= CLOCK_SLACK_MS)
    if name in TIMED:
        return bool(timeless(ours) == timeless(theirs))
    if name in ANY_ORDER:
        return bool(in_some_order(name, ours) == in_some_order(name, theirs))
    if name in SCANS:
        return bool(ours[0] == theirs[0] and sorted(ours[1]) == sorted(theirs[1]))
    if name in RANDOM:
        return bool(amount(ours) == amount(theirs))
    return bool(ours == theirs and type(ours) is not bool)


def dump_of(server: StockServer) -> Dump:
    contents: Dump = {}
    for number in range(16):
        server.run(b"SELECT", b"%d" % number)
        keys: list[bytes] = server.run(b"KEYS", b"*")
        values = contents_of(server, keys)
        deadlines = server.run_all([(b"PEXPIRETIME", key) for key in keys])
        if keys:
            contents[number] = {
                key: (value, None if deadline == -1 else deadline)
                for key, value, deadline in zip(keys, values, deadlines, strict=True)
            }
    return contents


def assert_same_state(ours: Dump, theirs: Dump, *, slack_ms: int = 0) -> None:
    assert {number: sorted(keys) for number, keys in ours.items()} == {
        number: sorted(keys) for number, keys in theirs.items()
    }
    for number, keys in ours.items():
        for key, (value, deadline) in keys.items():
            their_value, their_deadline = theirs[number][key]
            if slack_ms:
                value, their_value = without_times(value), without_times(their_value)
            assert value == their_value, (number, key)
            assert (deadline is None) == (their_deadline is None), (number, key)
            assert abs((deadline or 0) - (their_deadline or 0)) <= slack_ms, (number, key)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("family", FAMILIES)
def test_every_reply_and_the_final_state_are_those_of_redis(server: StockServer, seed: int, family: str) -> None:
    server.run(b"FLUSHALL")
    commands = random_commands(seed, COMMANDS, FAMILIES[family])
    world = world_of_now()
    ours = answers(world, commands)
    theirs = server.run_all(with_selects(commands))[1::2]
    for index, ((database, command), our, their) in enumerate(zip(commands, ours, theirs, strict=True)):
        if not agrees(command, our, their):
            history = [earlier for earlier in commands[:index] if set(earlier[1][1:]) & set(command[1:])][-6:]
            pytest.fail(
                f"command {index} in database {database}: {command!r}\n ours: {our!r}\n theirs: {their!r}\n"
                f" before it: {history!r}"
            )
    assert_same_state(dump(world.keyspace), dump_of(server), slack_ms=CLOCK_SLACK_MS)


@pytest.mark.parametrize("family", FAMILIES)
def test_redis_replays_our_effects_to_the_same_state(server: StockServer, family: str) -> None:
    world = world_of_now()
    answers(world, random_commands(100, COMMANDS, FAMILIES[family]))
    server.run(b"FLUSHALL")
    server.run(b"SELECT", b"0")
    for reply in server.run_all(effect for batch in world.log for effect in batch):
        assert not isinstance(reply, hiredis.ReplyError), reply
    assert_same_state(dump(world.keyspace), dump_of(server))


def logged_by_a_server(directory: Path, commands: Sequence[tuple[int, Command]]) -> tuple[list[Command], Dump]:
    """The commands of a server's own log, and the state it came to."""
    settings = (
        "--appendonly",
        "yes",
        "--aof-use-rdb-preamble",
        "no",
        "--appendfsync",
        "no",
        "--enable-debug-command",
        "yes",
    )
    with stock_server(directory, *settings) as server:
        server.run_all(with_selects(commands))
        # What a server does not log, it does not know after a restart: the state to compare with is that one.
        assert server.run(b"DEBUG", b"LOADAOF") == b"OK"
        state = dump_of(server)
    reader: Any = hiredis.Reader()
    [log] = (directory / "appendonlydir").glob("*.incr.aof")
    reader.feed(log.read_bytes())
    logged: list[Command] = []
    while (command := reader.gets()) is not False:
        if command[0] not in (b"MULTI", b"EXEC"):
            logged.append(command)
    return logged, state


@pytest.mark.parametrize("family", FAMILIES)
def test_we_replay_the_log_of_a_redis_to_the_same_state(tmp_path: Path, family: str) -> None:
    commands = random_commands(200, COMMANDS, FAMILIES[family])
    chance = random.Random(200)
    for index in range(0, len(commands), 97):
        commands[index] = (0, (b"SWAPDB", b"%d" % chance.choice([0, 1]), b"%d" % chance.choice([1, 15])))
    logged, state = logged_by_a_server(tmp_path, commands)
    names = {bytes(command[0]).upper() for command in logged}
    assert len(names) > (20 if family == "strings" else 10), "the log is to hold many kinds of commands"
    assert_same_state(dump(replayed(logged)), state)


def test_globs_match_what_redis_matches(server: StockServer) -> None:
    chance = random.Random(7)
    server.run(b"FLUSHALL")
    server.run(b"SELECT", b"0")
    keys = {bytes(chance.choices(b"abc-]^\xff\x80\\*[", k=chance.randrange(7))) for _ in range(200)}
    server.run_all([(b"SET", key, b"") for key in keys])
    patterns = [bytes(chance.choices(b"ab*?[]^\\-\xff\x80c", k=chance.randrange(9))) for _ in range(1500)]
    found = server.run_all([(b"KEYS", pattern) for pattern in patterns + PATTERNS])
    for pattern, theirs in zip(patterns + PATTERNS, found, strict=True):
        matches = matcher(pattern)
        assert {key for key in keys if matches(key)} == set(theirs), pattern


def test_float_sums_have_the_digits_of_redis(server: StockServer) -> None:
    chance = random.Random(11)
    numbers = [
        *(b"%.*f" % (chance.randrange(20), chance.uniform(-1000, 1000)) for _ in range(150)),
        *(b"%de%d" % (chance.randrange(-(10**9), 10**9), chance.randrange(-25, 25)) for _ in range(150)),
        *(b"%.17g" % (chance.random() * 10 ** chance.randrange(-20, 40)) for _ in range(150)),
        *(b"1e4932", b"-1e4932", b"1e4931", b"3.6e-4951", b"1e-4951", b"1e-4950", b"0e99999", b"-0", b"-0.0"),
        *(b"0x1.8p1", b"0x.8", b"0xffffffffffffffffffff", b"infinity", b"1e+5", b"1e00000000000000000005"),
        *(b"18446744073709551615", b"18446744073709551617", b"0.5" + b"0" * 4000, b"1" * 4900, b"1" * 5200),
    ]
    pairs = [(chance.choice(numbers), chance.choice(numbers)) for _ in range(1500)]
    pairs += [(number, b"0") for number in numbers]
    world = World()
    expected = server.run_all(
        command for one, other in pairs for command in ((b"SET", b"f", one), (b"INCRBYFLOAT", b"f", other))
    )[1::2]
    commands: list[tuple[int, Command]] = []
    for one, other in pairs:
        commands += [(0, (b"SET", b"f", one)), (0, (b"INCRBYFLOAT", b"f", other))]
    for (one, other), ours, theirs in zip(pairs, answers(world, commands)[1::2], expected, strict=True):
        assert agrees((b"INCRBYFLOAT",), ours, theirs), f"{one[:60]!r} + {other[:60]!r}: {ours!r}, not {theirs!r}"
