"""The promise: an expired key is never seen, its deletion is logged before anything depends on it, and active expiry
finds every expired key in slices of bounded work.

Method: a clock moved by hand.
"""

from __future__ import annotations

from durakv.clock import ManualClock
from durakv.keyspace import Keyspace
from durakv.keyspace.decider import EXPIRED_MAX, Decider
from durakv.keyspace.expiry import INTERVAL_MS, Expiry
from durakv.keyspace.store import SlotStore
from tests.keyspace.memory_engine import MemoryEngine
from tests.keyspace.world import NOW_MS, World, dump


def expired_world() -> World:
    """Key ``k`` holds 5 and expired a moment ago; nothing has noticed yet."""
    world = World()
    world.run(b"SET", b"k", b"5", b"PX", 100)
    world.now_ms += 101
    return world


def test_a_key_lives_through_the_millisecond_of_its_deadline() -> None:
    world = World()
    world.run(b"SET", b"k", b"v", b"PX", 100)
    world.now_ms += 100
    assert (world.run(b"GET", b"k"), world.run(b"PTTL", b"k")) == (b"v", 0)
    world.now_ms += 1
    assert (world.run(b"GET", b"k"), world.run(b"PTTL", b"k")) == (None, -2)


def test_no_read_sees_an_expired_key_and_none_logs_anything() -> None:
    world = expired_world()
    logged = len(world.log)
    for command, answer in [
        ((b"GET", b"k"), None),
        ((b"MGET", b"k"), [None]),
        ((b"EXISTS", b"k"), 0),
        ((b"TYPE", b"k"), b"none"),
        ((b"STRLEN", b"k"), 0),
        ((b"GETRANGE", b"k", b"0", b"-1"), b""),
        ((b"TTL", b"k"), -2),
        ((b"KEYS", b"*"), []),
        ((b"SCAN", b"0", b"COUNT", b"10"), [b"0", []]),
        ((b"RANDOMKEY",), None),
    ]:
        assert world.run(*command) == answer
    assert len(world.log) == logged


def test_a_change_in_place_deletes_the_expired_key_first() -> None:
    assert expired_world().effects(b"INCR", b"k") == [b"DEL k", b"INCRBY k 1"]
    assert expired_world().effects(b"APPEND", b"k", b"x") == [b"DEL k", b"APPEND k x"]
    assert expired_world().effects(b"SETRANGE", b"k", 1, b"x") == [b"DEL k", b"SETRANGE k 1 x"]
    for nothing_else in (
        (b"EXPIRE", b"k", b"9"),
        (b"PERSIST", b"k"),
        (b"DEL", b"k"),
        (b"GETDEL", b"k"),
        (b"GETEX", b"k"),
    ):
        assert expired_world().effects(*nothing_else) == [b"DEL k"]


def test_a_key_that_is_replaced_needs_no_deletion_first() -> None:
    assert expired_world().effects(b"SET", b"k", b"x", b"KEEPTTL") == [b"SET k x"]
    assert expired_world().effects(b"SET", b"k", b"x", b"NX") == [b"SET k x"]
    assert expired_world().effects(b"INCRBYFLOAT", b"k", b"1") == [b"SET k 1"]
    assert expired_world().effects(b"MSETNX", b"k", b"x") == [b"SET k x"]
    world = expired_world()
    world.run(b"SET", b"other", b"x")
    assert world.effects(b"RENAMENX", b"other", b"k") == [b"SET k x", b"DEL other"]


def test_an_expired_key_is_neither_renamed_nor_copied_nor_moved() -> None:
    assert expired_world().refusal(b"RENAME", b"k", b"x") == "ERR no such key"
    world = expired_world()
    assert (world.run(b"COPY", b"k", b"x"), world.run(b"MOVE", b"k", 1)) == (0, 0)


def test_a_deadline_in_the_past_deletes_at_once() -> None:
    for command in ((b"EXPIRE", b"k", b"-1"), (b"PEXPIREAT", b"k", b"%d" % NOW_MS), (b"GETEX", b"k", b"EXAT", b"1")):
        world = World()
        world.run(b"SET", b"k", b"v")
        assert world.effects(*command) == [b"DEL k"]
    world = World()
    assert world.effects(b"SET", b"k", b"v", b"PXAT", 1) == [b"SET k v PXAT 1"]
    assert world.run(b"GET", b"k") is None


def filled(count: int) -> Keyspace:
    """``count`` keys that expire at 1, as many that never do, and a few in two other databases."""
    keyspace = Keyspace()
    for index in range(count):
        keyspace.apply((b"SET", b"mortal:%d" % index, b"", b"PXAT", b"1"))
        keyspace.apply((b"SET", b"immortal:%d" % index, b""))
    for number in (3, 15):
        keyspace.apply((b"SELECT", b"%d" % number))
        keyspace.apply((b"SET", b"mortal", b"", b"PXAT", b"1"))
        keyspace.apply((b"SET", b"later", b"", b"PXAT", b"1000"))
    keyspace.apply((b"SELECT", b"0"))
    return keyspace


def test_active_expiry_finds_every_expired_key_and_no_other() -> None:
    keyspace = filled(500)
    slices = 0
    for _ in range(200):
        effects = keyspace.expired_effects(2, 10)
        assert sum(effect[0] == b"DEL" for effect in effects) <= 10
        for effect in effects:
            keyspace.apply(effect)
        slices += bool(effects)
    assert slices >= 50
    left = dump(keyspace)
    assert (len(left[0]), set(left[3]), set(left[15])) == (500, {b"later"}, {b"later"})
    assert all(key.startswith(b"immortal:") for key in left[0])


def test_a_slice_selects_the_database_it_deletes_in_and_goes_back() -> None:
    keyspace = filled(0)
    effects = [effect for _ in range(50) for effect in keyspace.expired_effects(2, 10)]
    assert effects[:3] == [(b"SELECT", b"3"), (b"DEL", b"mortal"), (b"SELECT", b"0")]


def test_what_was_found_but_not_deleted_is_found_again() -> None:
    keyspace = filled(1)
    first = [effect for _ in range(20) for effect in keyspace.expired_effects(2, 10)]
    again = [effect for _ in range(20) for effect in keyspace.expired_effects(2, 10)]
    assert (b"DEL", b"mortal:0") in first
    assert (b"DEL", b"mortal:0") in again


def test_a_slot_with_nothing_due_is_not_looked_through_again() -> None:
    store = SlotStore(1)
    for index in range(100):
        store.replace(b"%d" % index, b"", 1000 + index)
    assert store.due(0, 500, 10) == []
    store.drop_deadline(b"0")
    assert store.due(0, 1001, 10) == []
    assert store.soonest[0] == 1001, "the bound rose to the earliest deadline left"
    assert store.due(0, 1002, 10) == [b"1"]


def test_the_background_task_deletes_in_slices_and_rests_when_there_is_nothing() -> None:
    clock = ManualClock()
    keyspace = Keyspace()
    engine = MemoryEngine(keyspace)
    decider = Decider(keyspace, clock)
    expiry = Expiry(engine, decider)
    for index in range(3 * EXPIRED_MAX):
        engine.apply([(b"SET", b"%d" % index, b"", b"PXAT", b"%d" % clock.time_ms())])
    assert not expiry.step(), "nothing has expired yet"
    clock.advance(0.001)
    assert not expiry.step(), "it rests"
    clock.advance(INTERVAL_MS / 1000)
    steps = 0
    for _ in range(100):
        steps += expiry.step()
        clock.advance(INTERVAL_MS / 1000)
    assert len(keyspace.store(0)) == 0
    assert steps >= 3
    assert all(len(batch) <= EXPIRED_MAX + 2 for batch in engine.log)


def test_the_background_task_does_not_stop_when_the_clock_is_set_back() -> None:
    clock = ManualClock()
    engine = MemoryEngine(Keyspace())
    expiry = Expiry(engine, Decider(engine.machine, clock))
    expiry.step()
    clock.advance(-3600)
    engine.apply([(b"SET", b"k", b"", b"PXAT", b"1")])
    found = False
    for _ in range(10):
        found = found or expiry.step()
        clock.advance(INTERVAL_MS / 1000)
    assert found
