"""The promise: a batch takes effect whole or not at all, each command sees what the earlier ones did, and deciding it
changes nothing before it is in the log.

Method: random traffic decided as batches and, beside it, one command after the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from durakv.clock import ManualClock
from durakv.durability import Durability
from durakv.errors import CommandError
from durakv.keyspace.answer import Answer
from durakv.keyspace.batch import Batch
from durakv.keyspace.decider import Decider, fewest_selects
from durakv.keyspace.replies import Reply
from durakv.machine import Command
from tests.keyspace.differential import agrees
from tests.keyspace.families import FAMILIES
from tests.keyspace.memory_engine import MemoryEngine
from tests.keyspace.traffic import Traffic
from tests.keyspace.world import NOW_MS, World, dump

UNORDERED = (b"KEYS", b"SCAN", b"RANDOMKEY")


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), family=st.sampled_from([*FAMILIES]), tick=st.integers(0, 200_000_000))
def test_a_batch_is_decided_as_its_commands_would_be_one_by_one(seed: int, family: str, tick: int) -> None:
    traffic = Traffic(seed, FAMILIES[family])
    world = World()
    together = World()
    clock = ManualClock(time_ms=NOW_MS)
    decider = Decider(together.keyspace, clock)
    for _ in range(6):
        commands: list[tuple[int, Command]] = []
        replies: list[Reply] = []
        for _ in range(traffic.random.randrange(25)):
            command: Command = tuple(traffic.command())
            database = traffic.random.choice([0, 0, 1, 3])
            try:
                replies.append(world.run(*command, database=database))
            except CommandError:
                continue
            commands.append((database, command))
        before = dump(together.keyspace)
        effects, answers = decider.batch(commands)()
        assert dump(together.keyspace) == before, "deciding changed the state"
        for effect in effects:
            together.keyspace.apply(effect)
        assert together.keyspace.generation % 2 == 0
        assert dump(together.keyspace) == dump(world.keyspace)
        for (_, command), answer, reply in zip(commands, answers, replies, strict=True):
            assert agrees(command, answer, reply), command
        world.now_ms += tick
        clock.advance(tick / 1000)


def test_databases_are_selected_as_seldom_as_can_be() -> None:
    def lines(*effects: bytes) -> list[bytes]:
        return [b" ".join(effect) for effect in fewest_selects([effect.split() for effect in effects])]

    home, third, fourth = b"SELECT 0", b"SELECT 3", b"SELECT 4"
    assert lines() == []
    assert lines(third, home) == []
    assert lines(third, b"DEL a", home, third, b"DEL b", home) == [third, b"DEL a", b"DEL b", home]
    assert lines(third, fourth, b"DEL a", third, b"DEL b", home) == [fourth, b"DEL a", third, b"DEL b", home]
    assert lines(third, b"DEL a", home, b"DEL b") == [third, b"DEL a", home, b"DEL b"]


# --- the batch as callers see it --------------------------------------------------------------------------------------


class Bench:
    """A batch's surroundings without an engine."""

    def __init__(self) -> None:
        self.world = World()
        self.engine = MemoryEngine(self.world.keyspace)
        self.decider = Decider(self.world.keyspace, ManualClock(time_ms=NOW_MS))

    def batch(self, database: int = 0) -> Batch:
        def commit(commands: Sequence[tuple[int, Command]], _named: Durability) -> list[Reply]:
            return self.engine.transact(self.decider.batch(commands))

        return Batch(self.decider, database, commit)


def test_answers_are_there_after_the_block() -> None:
    bench = Bench()
    with bench.batch() as batch:
        first = batch.set(b"k", b"1")
        second = batch.incr(b"k", 5)
        third = batch.get(b"k")
        with pytest.raises(RuntimeError, match="not committed"):
            _ = second.value
    assert (first.value, second.value, third.value) == (True, 6, b"6")
    assert bench.engine.log == [[(b"SET", b"k", b"1"), (b"INCRBY", b"k", b"5")]]


def test_every_method_of_a_batch_is_one_of_its_commands() -> None:
    bench = Bench()
    with bench.batch(3) as batch:
        batch.mset({b"a": b"1", b"b": b"xyz"})
        answers: list[Answer[Any]] = [
            batch.mget(b"a", b"c"),
            batch.exists(b"a", b"b"),
            batch.decr(b"a"),
            batch.append(b"b", b"!"),
            batch.setrange(b"b", 0, b"X"),
            batch.expire(b"b", 10),
            batch.persist(b"b"),
            batch.pexpireat(b"b", NOW_MS + 5),
            batch.rename(b"b", b"c"),
            batch.delete(b"a", b"nothing"),
            batch.execute(b"PTTL", b"c"),
            batch.execute(b"DBSIZE", database=0),
        ]
    assert [answer.value for answer in answers] == [[b"1", None], 2, 0, 4, 4, True, True, True, None, 1, 5, 0]
    assert dump(bench.world.keyspace) == {3: {b"c": (b"Xyz!", NOW_MS + 5)}}


def test_an_exception_in_the_block_discards_the_batch() -> None:
    bench = Bench()
    answers: list[Answer[bool]] = []

    def fail() -> None:
        with bench.batch() as batch:
            answers.append(batch.set(b"k", b"1"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert bench.engine.log == []
    with pytest.raises(RuntimeError, match="not committed"):
        _ = answers[0].value


def test_a_refused_command_discards_the_whole_batch() -> None:
    bench = Bench()
    batch = bench.batch()
    batch.set(b"k", b"text")
    batch.incr(b"k")
    with pytest.raises(CommandError, match="not an integer"), batch:
        pass
    assert bench.engine.log == []
    assert dump(bench.world.keyspace) == {}


def test_what_can_be_refused_at_once_is() -> None:
    bench = Bench()
    with bench.batch() as batch:
        with pytest.raises(CommandError, match="unknown command"):
            batch.execute(b"NOSUCH")
        with pytest.raises(CommandError, match="wrong number"):
            batch.execute(b"GET")
        with pytest.raises(CommandError, match="SELECT"):
            batch.execute(b"SELECT", 3)
        with pytest.raises(TypeError, match="bytes"):
            batch.set(b"k", "text")  # type: ignore[call-overload]
        batch.set(b"k", b"v")
    assert bench.engine.log == [[(b"SET", b"k", b"v")]]


def test_a_batch_that_has_ended_takes_no_more() -> None:
    bench = Bench()
    with bench.batch() as batch:
        pass
    with pytest.raises(RuntimeError, match="has ended"):
        batch.set(b"k", b"v")
    assert bench.engine.log == []
