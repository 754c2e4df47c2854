"""The promise: what a base holds is what the keyspace held, and a block that is not ours is refused.

Method: images, blocks of every slot, and blocks that were tampered with; the engine's own kit for state machines.
"""

from __future__ import annotations

import math
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from durakv.conformance import check_state_machine
from durakv.errors import CommandError
from durakv.keyspace import Keyspace
from durakv.keyspace.blocks import BLOCK_BYTES
from durakv.keyspace.store import slot_of
from durakv.machine import SlottedMachine
from durakv_formats.columns import Column, decode_columns, encode_columns
from tests.keyspace.families import FAMILIES
from tests.keyspace.traffic import Traffic
from tests.keyspace.world import World, dump

HOME = slot_of(b"k")


def busy_world(seed: int, count: int = 300, family: str = "strings") -> World:
    world, traffic = World(), Traffic(seed, FAMILIES[family])
    for _ in range(count):
        try:
            world.run(*traffic.command(), database=traffic.random.choice([0, 0, 3, 15]))
        except CommandError:
            continue
    return world


@pytest.mark.parametrize("family", FAMILIES)
def test_the_keyspace_passes_the_kit_for_state_machines(family: str) -> None:
    world = busy_world(1, family=family)
    assert isinstance(world.keyspace, SlottedMachine)
    check_state_machine(Keyspace, world.log[:40], look=dump)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32), family=st.sampled_from([*FAMILIES]))
def test_a_frozen_image_and_the_blocks_of_all_slots_restore_the_state(seed: int, family: str) -> None:
    keyspace = busy_world(seed, family=family).keyspace
    thawed, rebuilt = Keyspace(), Keyspace()
    thawed.apply((b"SET", b"old", b"value"))
    thawed.restore(keyspace.freeze())
    counted = 0
    for slot in range(keyspace.slot_count):
        for payload, count in keyspace.blocks(slot):
            assert rebuilt.restore_slot(slot, payload) == count
            counted += count
    assert dump(thawed) == dump(rebuilt) == dump(keyspace)
    assert counted == sum(map(len, dump(keyspace).values()))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_frozen_image_is_of_the_moment(family: str) -> None:
    world = busy_world(2, family=family)
    keyspace, before = world.keyspace, dump(world.keyspace)
    slots = keyspace.freeze_slots()
    for batch in world.log:  # in other words: changes in place of what is there
        for effect in batch:
            with suppress(CommandError):
                keyspace.apply(effect)
    for number in range(16):
        keyspace.apply((b"SELECT", b"%d" % number))
        keyspace.apply((b"SET", b"a", b"new", b"PXAT", b"5"))
        keyspace.apply((b"FLUSHDB",))
    restored = Keyspace()
    order = []
    for slot, payload, count in slots:
        assert restored.restore_slot(slot, payload) == count
        order.append(slot)
    assert dump(restored) == before
    assert order == sorted(order)


def test_a_large_slot_becomes_several_blocks_that_stand_alone() -> None:
    keyspace = Keyspace(slot_count=1)
    value = b"x" * (BLOCK_BYTES // 4)
    for index in range(10):
        keyspace.apply((b"SET", b"%d" % index, value, b"PXAT", b"%d" % index))
    blocks = list(keyspace.blocks(0))
    assert [count for _, count in blocks] == [4, 4, 2]
    assert all(len(payload) < BLOCK_BYTES * 2 for payload, _ in blocks)
    for payload, count in reversed(blocks):
        alone = Keyspace(slot_count=1)
        assert alone.restore_slot(0, payload) == count
        assert len(dump(alone)[0]) == count
        assert all(deadline is not None for _, deadline in dump(alone)[0].values())


def test_a_container_larger_than_a_block_goes_on_in_the_next_ones() -> None:
    word = b"x" * (BLOCK_BYTES // 4)
    keyspace = Keyspace(slot_count=1)
    keyspace.apply((b"SET", b"string", word))
    for number in range(10):
        text = b"%d" % number
        keyspace.apply((b"HSET", b"hash", word + text, text))
        keyspace.apply((b"HPEXPIREAT", b"hash", text, b"FIELDS", b"1", word + text))
        keyspace.apply((b"RPUSH", b"list", word + text))
        keyspace.apply((b"SADD", b"set", word + text))
        keyspace.apply((b"ZADD", b"zset", text, word + text))
    keyspace.apply((b"PEXPIREAT", b"zset", b"5"))
    blocks = list(keyspace.blocks(0))
    assert sum(count for _, count in blocks) == 5
    assert all(len(payload) < BLOCK_BYTES * 2 for payload, _ in blocks)
    restored = Keyspace(slot_count=1)
    for payload, count in blocks:
        assert restored.restore_slot(0, payload) == count
    assert dump(restored) == dump(keyspace)


def test_many_databases_share_the_blocks_of_a_slot() -> None:
    keyspace = Keyspace()
    for number in range(16):
        keyspace.apply((b"SELECT", b"%d" % number))
        keyspace.apply((b"SET", b"k", b"%d" % number))
    [(payload, count)] = keyspace.blocks(HOME)
    assert count == 16
    assert [column.database for column in decode_columns(payload)] == list(range(16))


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "payload of columns"),
        (b"\x90garbage", "payload of columns"),
        (encode_columns([Column(0, 0, [b"other"], [b"v"])]), "a key of slot"),
        (encode_columns([Column(16, 0, [b"k"], [b"v"])]), "there are 16"),
        (encode_columns([Column(0, 0, [], [])]), "empty column"),
        (encode_columns([Column(0, 255, [b"k"], [5])]), "a deadline of a key that it does not hold"),
        (encode_columns([Column(0, 1, [b"k"], [({}, None)])]), "a hash without fields"),
        (encode_columns([Column(0, 1, [b"k"], [({b"f": b"v"}, {b"g": 5})])]), "a deadline without its field"),
        (encode_columns([Column(0, 2, [b"k"], [[]])]), "a list without elements"),
        (encode_columns([Column(0, 3, [b"k"], [set()])]), "a set without members"),
        (encode_columns([Column(0, 4, [b"k"], [{}])]), "a sorted set without members"),
        (encode_columns([Column(0, 4, [b"k"], [{b"m": math.nan}])]), "a score that is no number"),
        (encode_columns([Column(0, 130, [b"k"], [[b"more"]])]), "no block before it began"),
    ],
)
def test_a_block_that_no_merger_writes_is_refused(payload: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Keyspace().restore_slot(HOME, payload)


def test_a_slot_that_does_not_exist_is_refused() -> None:
    for slot in (-1, 4096):
        with pytest.raises(ValueError, match="there is no slot"):
            Keyspace().restore_slot(slot, encode_columns([]))


def test_a_restored_deadline_is_found_by_active_expiry() -> None:
    keyspace = Keyspace()
    keyspace.restore_slot(HOME, encode_columns([Column(0, 0, [b"k"], [b"v"]), Column(0, 255, [b"k"], [5])]))
    assert (b"DEL", b"k") in [effect for _ in range(5) for effect in keyspace.expired_effects(6, 10)]
