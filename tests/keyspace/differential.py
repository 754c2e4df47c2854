"""The same random commands go to a real server and to a keyspace; every reply and the final state are compared.

As a command, for as many as one has patience for:

    python -m tests.keyspace.differential --commands 100000 [--family zsets] [--binary path/to/redis-server]

With a later server, what is known to differ (``other_servers``) is counted, and only the rest is reported.
"""

from __future__ import annotations

import argparse
import re
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import hiredis

from durakv.errors import CommandError
from durakv.machine import Command
from tests.keyspace.contents import (
    ANY_ORDER,
    FIELD_TIMES,
    RANDOM,
    SCANS,
    SEARCHES,
    SORTS,
    amount,
    contents_of,
    in_some_order,
    same_value,
    search_in_some_order,
    sort_in_some_order,
    with_numbers,
)
from tests.keyspace.families import FAMILIES, NEWER_FAMILIES
from tests.keyspace.family_streams import TIMED, timeless, without_times
from tests.keyspace.other_servers import Server, known, known_of_both, parts_ways, server_of
from tests.keyspace.stock_server import StockServer, stock_server
from tests.keyspace.traffic import Family, Traffic
from tests.keyspace.world import Dump, World, dump

CLOCK_SLACK_MS = 60_000
"""The keyspace's clock stands still, the server's runs on."""
SETTINGS = ("--enable-debug-command", "yes")
PORTION = 2000


def random_commands(seed: int, count: int, family: Family | None = None) -> list[tuple[int, Command]]:
    traffic = Traffic(seed, family)
    return [(traffic.random.choice([0, 0, 0, 1, 15]), tuple(traffic.command())) for _ in range(count)]


def lasting(commands: Iterable[tuple[int, Command]]) -> Iterator[tuple[int, Command]]:
    """The commands without those that would take away what all the others made."""
    return ((database, command) for database, command in commands if not command[0].upper().startswith(b"FLUSH"))


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


def error_agrees(command: Command, ours: Any, theirs: str) -> bool:
    if theirs == "ERR invalid cursor" and not command[1]:
        return True  # servers since 7.2 do not take nothing for 0
    # The client shows what is no UTF-8 as U+FFFD, we escape it.
    text = re.sub(r"\\x[0-9a-f]{2}", "\ufffd", str(ours))
    # Servers since 7.2 quote no arguments where there are none.
    return isinstance(ours, CommandError) and theirs in (text, text.removesuffix(", with args beginning with: "))


def agrees(command: Command, ours: Any, theirs: Any) -> bool:
    if isinstance(theirs, hiredis.ReplyError):
        return error_agrees(command, ours, str(theirs))
    if isinstance(ours, CommandError):
        return False
    name = command[0].upper()
    if name in (b"TTL", b"EXPIRETIME") and theirs > 0:
        return bool(abs(ours - theirs) <= CLOCK_SLACK_MS // 1000)
    if name in (b"PTTL", b"PEXPIRETIME") and theirs > 0:
        return bool(abs(ours - theirs) <= CLOCK_SLACK_MS)
    if name in TIMED:
        return bool(timeless(ours) == timeless(theirs))
    if name in FIELD_TIMES:
        slack = CLOCK_SLACK_MS if name.startswith(b"HP") else CLOCK_SLACK_MS // 1000
        return len(ours) == len(theirs) and all(
            our == their if their < 0 else abs(our - their) <= slack for our, their in zip(ours, theirs, strict=True)
        )
    if name in SEARCHES:
        return bool(search_in_some_order(command, ours) == search_in_some_order(command, theirs))
    if name in SORTS:
        return bool(sort_in_some_order(command, ours) == sort_in_some_order(command, theirs))
    if name in ANY_ORDER:
        return bool(in_some_order(name, ours) == in_some_order(name, theirs))
    if name.startswith(b"Z"):
        ours, theirs = with_numbers(ours), with_numbers(theirs)
    if name in SCANS and name != b"SCAN" and theirs[0] != b"0":
        return all(part in ours[1] for part in theirs[1])  # a server returns larger containers in several steps
    if name in SCANS:
        return bool(ours[0] == theirs[0] and sorted(ours[1], key=repr) == sorted(theirs[1], key=repr))
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
            assert same_value(value, their_value, slack_ms), (number, key)
            assert (deadline is None) == (their_deadline is None), (number, key)
            assert abs((deadline or 0) - (their_deadline or 0)) <= slack_ms, (number, key)


def known_contents(server: Server, contents: Dump) -> Dump:
    """Without what only that server keeps."""
    return {
        number: {key: (known_of_both(server, value), deadline) for key, (value, deadline) in keys.items()}
        for number, keys in contents.items()
    }


def differences(
    server: StockServer, seed: int, count: int, family: Family | None, passed_over: Counter[str] | None = None
) -> Iterator[str]:
    """What differs in the replies to random commands, told with what came before; then in the final state.

    Reasons of known differences are counted in ``passed_over``.
    """
    server.run(b"DEBUG", b"SET-ACTIVE-EXPIRE", b"0")
    server.run(b"FLUSHALL")
    who = server_of(server)
    commands = [sent for sent in random_commands(seed, count, family) if not parts_ways(who, sent[1])]
    world = world_of_now()
    ours = answers(world, commands)
    theirs = server.run_all(with_selects(commands))[1::2]
    for index, ((database, command), our, their) in enumerate(zip(commands, ours, theirs, strict=True)):
        if agrees(command, our, their):
            continue
        explanation = known(who, command, our, their)
        if explanation is not None:
            if passed_over is not None:
                passed_over[explanation.reason] += 1
        else:
            history = [earlier for earlier in commands[:index] if set(earlier[1][1:]) & set(command[1:])][-6:]
            yield (
                f"command {index} in database {database}: {command!r}\n ours: {our!r}\n theirs: {their!r}\n"
                f" before it: {history!r}"
            )
    our_state, their_state = known_contents(who, dump(world.keyspace)), known_contents(who, dump_of(server))
    try:
        assert_same_state(our_state, their_state, slack_ms=CLOCK_SLACK_MS)
    except AssertionError as error:
        yield f"the final state: {error}"


def main() -> None:
    """Compare, tell what differs, and count the commands."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--commands", type=int, default=100_000, help="of each family")
    parser.add_argument("--family", choices=[*FAMILIES, *NEWER_FAMILIES])
    parser.add_argument("--binary", default="redis-server")
    parser.add_argument("--seed", type=int, default=1_000)
    arguments = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as place,
        stock_server(Path(place), *SETTINGS, binary=arguments.binary) as server,
    ):
        for name in [arguments.family] if arguments.family else FAMILIES:
            family = NEWER_FAMILIES.get(name) or FAMILIES[name]
            found = 0
            words: Counter[bytes] = Counter()
            passed_over: Counter[str] = Counter()
            for seed in range(arguments.seed, arguments.seed + arguments.commands // PORTION):
                words.update(command[0].upper() for _, command in random_commands(seed, PORTION, family))
                for difference in differences(server, seed, PORTION, family, passed_over):
                    found += 1
                    if found <= 5:
                        print(f"{name}, seed {seed}, {difference}")
            print(f"{name}: {words.total()} commands of {len(words)} names, {found} differences", flush=True)
            for reason, times in passed_over.most_common():
                print(f"    known, {times} times: {reason}")


if __name__ == "__main__":
    main()
