"""The promise: a HyperLogLog is, byte by byte, what Redis would have made of the same elements, and counts the same.

Method: both forms of random registers there and back; unions and changes against the plainest code; and values grown
element by element, compared with a real server's all the way from the empty one to the dense one.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from durakv.errors import CommandError, WrongType
from durakv.keyspace.hyperloglog import (
    DENSE_BYTES,
    EMPTY,
    as_dense,
    cardinality_of,
    checked,
    is_dense,
    merged_into,
    outdated,
    registers_of,
    with_cardinality,
    with_elements,
)
from durakv.keyspace.hyperloglog.dense import pack, unpack
from durakv.keyspace.hyperloglog.registers import OVERFLOWN, REGISTER_COUNT, estimate, place, union
from tests.keyspace.stock_server import stock_server
from tests.keyspace.world import World

INDEX = st.integers(0, REGISTER_COUNT - 1) | st.sampled_from([0, 1, 2, 3, 62, 63, 64, 65, REGISTER_COUNT - 1])
PLACES = st.lists(st.tuples(INDEX, st.integers(1, 32)), max_size=60)


def raised(places: list[tuple[int, int]]) -> bytes:
    registers = bytearray(REGISTER_COUNT)
    for index, rank in places:
        registers[index] = max(registers[index], rank)
    return bytes(registers)


@settings(deadline=None)
@given(seed=st.integers(0, 2**32))
def test_dense_registers_are_unpacked_as_they_were_packed(seed: int) -> None:
    registers = bytes(random.Random(seed).choices(range(64), k=REGISTER_COUNT))
    assert unpack(pack(registers)) == registers
    bits = int.from_bytes(pack(registers), "little")
    assert all(bits >> 6 * index & 63 == registers[index] for index in range(0, REGISTER_COUNT, 997))


@settings(deadline=None)
@given(places=PLACES, more=PLACES)
def test_both_forms_hold_the_largest_of_what_was_asked(
    places: list[tuple[int, int]], more: list[tuple[int, int]]
) -> None:
    value = with_elements(EMPTY, places)
    assert not is_dense(value)
    for form in (value, as_dense(value)):
        assert registers_of(form) == raised(places)
        assert registers_of(with_elements(form, more)) == raised(places + more)
        assert with_elements(form, places) is form
    assert union(raised(places), raised(more)) == raised(places + more)
    merged = merged_into(value, raised(places + more), to_dense=False)
    assert registers_of(merged) == raised(places + more)
    assert merged == outdated(with_elements(value, list(enumerate(raised(places + more)))))


def test_a_rank_that_no_run_holds_takes_the_dense_form() -> None:
    value = with_elements(EMPTY, [(5, 3), (7, 33), (9, 1)])
    assert is_dense(value)
    assert len(value) == DENSE_BYTES
    registers = registers_of(value)
    assert (registers[5], registers[7], registers[9], sum(registers)) == (3, 33, 1, 37)


def test_the_cardinality_is_kept_until_it_is_outdated() -> None:
    value = with_cardinality(EMPTY, 1234)
    assert cardinality_of(value) == 1234
    assert cardinality_of(outdated(value)) is None
    assert outdated(outdated(value)) == outdated(value)


@pytest.mark.parametrize(
    "value", [b"", b"HYLL", EMPTY[:15], b"hyll" + EMPTY[4:], b"HYLL\0" + EMPTY[5:], b"HYLL\2" + EMPTY[5:]]
)
def test_what_does_not_look_like_one_is_refused(value: bytes) -> None:
    with pytest.raises(WrongType, match="Key is not a valid HyperLogLog string value"):
        checked(value)


@pytest.mark.parametrize("runs", [b"", b"\x7f\xfe", b"\x7f\xff\x00", b"\x7f\xff\x80", b"\x7f\xff" * 100_000, b"\x7f"])
def test_runs_that_do_not_add_up_are_refused(runs: bytes) -> None:
    value = checked(EMPTY[:16] + runs)
    with pytest.raises(CommandError, match="INVALIDOBJ Corrupted HLL object detected"):
        registers_of(value)
    with pytest.raises(CommandError, match="INVALIDOBJ Corrupted HLL object detected"):
        with_elements(value, [(3, 33)])


def test_the_estimate_is_near() -> None:
    registers = bytes(REGISTER_COUNT)
    assert estimate(registers) == 0
    for count in (1, 10, 1000, 100_000):
        value = with_elements(as_dense(EMPTY), [place(b"%d" % number) for number in range(count)])
        assert abs(estimate(registers_of(value)) - count) <= count * 0.03
    assert estimate(b"\x3f" * REGISTER_COUNT) == OVERFLOWN


def test_a_value_grows_as_in_a_server_byte_by_byte(tmp_path: Path) -> None:
    chance, world = random.Random(3), World()
    with stock_server(tmp_path) as server:
        for _ in range(700):
            elements = [chance.randbytes(chance.randrange(20)) for _ in range(chance.choice([1, 2, 3, 30]))]
            for command in (
                (b"PFADD", b"k", *elements),
                (b"PFMERGE", b"m", b"k"),
                (b"PFCOUNT", chance.choice([b"k", b"m"])),
                (b"GET", b"k"),
                (b"GET", b"m"),
            ):
                assert world.run(*command) == server.run(*command)
        assert is_dense(checked(server.run(b"GET", b"k")))


def test_a_change_of_a_dense_one_logs_what_changed() -> None:
    world = World()
    world.run(b"PFADD", b"k", *(b"%d" % number for number in range(5000)))
    world.run(b"PEXPIREAT", b"k", 2_000_000_000_000)
    world.run(b"PFCOUNT", b"k")
    logged = len(world.log)
    for number in range(5000, 5010):
        world.run(b"PFADD", b"k", b"%d" % number)
    changes = [effect for batch in world.log[logged:] for effect in batch]
    assert {effect[0] for effect in changes} == {b"SETRANGE"}
    assert sum(len(effect[3]) for effect in changes) < 100
    [whole] = world.effects(b"PFADD", b"k", *(b"%d" % number for number in range(5010, 9000)))
    assert whole.startswith(b"SET k HYLL")
    assert whole.endswith(b" KEEPTTL")
    [counted] = world.effects(b"PFCOUNT", b"k")
    assert counted.startswith(b"SETRANGE k 8 ")
    assert world.effects(b"PFCOUNT", b"k") == world.effects(b"PFCOUNT", b"k", b"k") == []
