"""The promise: for every command of this keyspace, a caller cannot tell it from Redis 7, and a Redis can replay what
it logs as it can replay what a Redis logs.

Method: the same random commands, errors and expiries included, go to a real redis-server and to a keyspace; every
reply and the whole final state are compared.  Then the log of each side is replayed by the other.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import hiredis
import pytest

from durakv.keyspace.glob import matcher
from durakv.machine import Command
from tests.keyspace.differential import (
    SETTINGS,
    agrees,
    answers,
    assert_same_state,
    differences,
    dump_of,
    random_commands,
    with_selects,
    world_of_now,
)
from tests.keyspace.families import FAMILIES, NEWER_FAMILIES
from tests.keyspace.stock_server import StockServer, newer_server, stock_server
from tests.keyspace.traffic import PATTERNS
from tests.keyspace.world import Dump, World, dump, replayed

COMMANDS = 2000
Server = AbstractContextManager[StockServer]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StockServer]:
    with stock_server(tmp_path_factory.mktemp("redis"), *SETTINGS) as running:
        yield running


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("family", FAMILIES)
def test_every_reply_and_the_final_state_are_those_of_redis(server: StockServer, seed: int, family: str) -> None:
    assert next(differences(server, seed, COMMANDS, FAMILIES[family]), None) is None


@pytest.mark.parametrize("family", FAMILIES)
def test_redis_replays_our_effects_to_the_same_state(server: StockServer, family: str) -> None:
    check_our_effects(server, random_commands(100, COMMANDS, FAMILIES[family]))


def check_our_effects(server: StockServer, commands: Sequence[tuple[int, Command]]) -> None:
    world = world_of_now()
    answers(world, commands)
    server.run(b"FLUSHALL")
    server.run(b"SELECT", b"0")
    for reply in server.run_all(effect for batch in world.log for effect in batch):
        assert not isinstance(reply, hiredis.ReplyError), reply
    assert_same_state(dump(world.keyspace), dump_of(server))


def logged_by_a_server(
    directory: Path, commands: Sequence[tuple[int, Command]], running: Callable[..., Server] = stock_server
) -> tuple[list[Command], Dump]:
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
    with running(directory, *settings) as server:
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


@pytest.mark.parametrize("family", NEWER_FAMILIES)
def test_newer_commands_are_those_of_a_newer_redis(tmp_path: Path, family: str) -> None:
    with newer_server(tmp_path, *SETTINGS) as server:
        for seed in range(3):
            assert next(differences(server, seed, COMMANDS, NEWER_FAMILIES[family]), None) is None
        check_our_effects(server, random_commands(100, COMMANDS, NEWER_FAMILIES[family]))


@pytest.mark.parametrize("family", NEWER_FAMILIES)
def test_we_replay_the_log_of_a_newer_redis_to_the_same_state(tmp_path: Path, family: str) -> None:
    logged, state = logged_by_a_server(tmp_path, random_commands(200, COMMANDS, NEWER_FAMILIES[family]), newer_server)
    assert len({bytes(command[0]).upper() for command in logged}) > 10
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
