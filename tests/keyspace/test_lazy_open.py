"""The promise: a lazy open finds what an eager one finds, slot by slot; what is damaged is never read as data, whenever
it is met; from then on nothing is written, what was acknowledged stays, and the directory opens again once mended.

Method: directories with a base of every type and a log behind it are opened both ways and compared, by single touches
in random order, by whole-database commands, beside a thread that loads, and across rewrites.  Then bytes of the base
are changed, and every key is asked for.
"""

from __future__ import annotations

import asyncio
import logging
import random
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from msgspec.structs import replace

import durakv
from durakv.clock import ManualClock
from durakv.errors import Closed, CommandError, Corruption, Limit, Poisoned
from durakv.keyspace.database import Database
from durakv.options import Load, Options
from durakv_fuzz.disk import SimulatedDisk
from durakv_fuzz.image import Image
from tests.keyspace.family_streams import streams
from tests.keyspace.traffic import Traffic
from tests.keyspace.world import Dump, dump
from tests.support import Journal, open_engine

EAGER = Options(segment_bytes=1 << 16, rewrite_percentage=0, active_expiry=False)
LAZY = replace(EAGER, load=Load.LAZY)
NOW_MS = 1_700_000_000_000
KEYS = [b"key:%d" % number for number in range(300)]
WORKERS = 4
VICTIM = KEYS[250]
"""No other key begins like it."""


def open_on(disk: SimulatedDisk, options: Options = LAZY) -> Database:
    return durakv.open(None, options=options, filesystem=disk, clock=ManualClock(time_ms=NOW_MS), background=False)


def directory() -> Image:
    """A base with every type, deadlines and three databases, and a log that goes on from it; closed."""
    disk = SimulatedDisk()
    draw = random.Random(1)
    with open_on(disk, EAGER) as db:
        for key in KEYS:
            db.set(key, b"value of " + key, px=10_000_000 if draw.random() < 0.2 else None)
        db.hset(b"hash", {b"f": b"1", b"g": b"2"})
        db.execute(b"HPEXPIREAT", b"hash", b"4000000000000", b"FIELDS", b"1", b"f")
        db.rpush(b"list", b"a", b"b")
        db.sadd(b"set", b"a")
        db.zadd(b"zset", {b"a": 1.5})
        db.xadd(b"stream", {b"f": b"v"})
        for number in (1, 3):
            for key in KEYS[:40]:
                db.select(number).set(key, b"%d" % number)
        db.rewrite()
        db.set(KEYS[0], b"later")
        db.delete(KEYS[1])
        db.append(KEYS[2], b"!")
        db.hset(b"hash", {b"g": b"3"})
        db.select(3).delete(KEYS[3])
        db.select(5).set(b"new", b"5")
        db.pexpireat(KEYS[4], 4_000_000_000_000)
    return disk.image()


IMAGE = directory()
BASE = next(name for name in IMAGE.files if ".base." in name)


def everything(image: Image, options: Options) -> Dump:
    with open_on(SimulatedDisk(image), options) as db:
        return dump(db.decider.keyspace)


EXPECTED = everything(IMAGE, EAGER)


def damaged(offset: int, mask: int = 0xFF) -> Image:
    data = bytearray(IMAGE.files[BASE])
    data[offset] ^= mask
    return Image({**IMAGE.files, BASE: bytes(data)})


# --- the same as an eager open ----------------------------------------------------------------------------------------


def test_it_finds_what_an_eager_open_finds() -> None:
    with open_on(SimulatedDisk(IMAGE)) as db:
        assert db.report.lazy
        assert db.report.base_keys == len(KEYS) + 5 + 80
        assert db.status().slots_to_load == db.decider.keyspace.slot_count, "not even the log loaded a slot"
        assert dump(db.decider.keyspace) == EXPECTED


@pytest.mark.parametrize("seed", range(4))
def test_single_touches_in_any_order_find_it_too(seed: int) -> None:
    draw = random.Random(seed)
    touches = [(number, key) for number in (0, 1, 3, 5) for key in (*KEYS, b"new", b"absent")]
    draw.shuffle(touches)
    with open_on(SimulatedDisk(IMAGE)) as db:
        for number, key in touches:
            value, deadline = EXPECTED.get(number, {}).get(key, (None, None))
            there = db.select(number)
            way = draw.randrange(3)
            if way == 0:
                assert there.get(key) == value, (number, key)
            elif way == 1:
                assert there.exists(key) == (value is not None), (number, key)
            else:
                time = -2 if value is None else deadline or -1
                assert there.execute(b"PEXPIRETIME", key) == time, (number, key)
        assert 0 < db.status().slots_to_load < db.decider.keyspace.slot_count
        assert dump(db.decider.keyspace) == EXPECTED


@pytest.mark.parametrize("seed", range(6))
def test_any_traffic_meets_the_same_state_both_ways(seed: int) -> None:
    disks = [SimulatedDisk(IMAGE), SimulatedDisk(IMAGE)]
    eager, lazy = open_on(disks[0], EAGER), open_on(disks[1], LAZY)
    traffics = [Traffic(seed), Traffic(seed, streams)]
    draw = random.Random(seed)
    for _ in range(400):
        command = draw.choice(traffics).command()
        if command[0].upper() in (b"RANDOMKEY", b"SCAN", b"KEYS"):
            continue
        replies: list[object] = []
        for db in (eager, lazy):
            try:
                replies.append(db.execute(*command))
            except CommandError as error:
                replies.append(str(error))
        assert replies[0] == replies[1], command
        if draw.random() < 0.05:
            lazy.engine.step()
    assert dump(eager.decider.keyspace) == dump(lazy.decider.keyspace)
    eager.close()
    lazy.close()
    assert everything(disks[1].image(), LAZY) == everything(disks[0].image(), EAGER)


@pytest.mark.parametrize(
    "commands",
    [
        [[b"FLUSHDB"], [b"SET", KEYS[7], b"after"]],
        [[b"SET", KEYS[7], b"before"], [b"FLUSHALL"]],
        [
            [b"SET", KEYS[7], b"before"],
            [b"SWAPDB", b"0", b"3"],
            [b"DEL", *KEYS[5:9]],
            [b"MSET", b"a", b"1", b"b", b"2"],
        ],
        [[b"RENAME", KEYS[5], b"elsewhere"], [b"UNLINK", b"elsewhere", KEYS[6]], [b"set", KEYS[9], b"x", b"KEEPTTL"]],
    ],
    ids=lambda commands: commands[0][0].decode(),
)
def test_a_log_with_what_reaches_beyond_a_slot_is_replayed_in_order(commands: list[list[bytes]]) -> None:
    disk = SimulatedDisk(IMAGE)
    with open_on(disk, EAGER) as db:
        for command in commands:
            db.engine.apply([command])  # as a stock server logs it
        expected = dump(db.decider.keyspace)
    assert everything(disk.image(), EAGER) == expected
    assert everything(disk.image(), LAZY) == expected
    with open_on(SimulatedDisk(IMAGE), LAZY) as db:
        for command in commands:
            db.engine.apply([command])
        assert dump(db.decider.keyspace) == expected


def test_the_background_loads_the_rest_and_then_nothing_reminds_of_it() -> None:
    with open_on(SimulatedDisk(IMAGE)) as db:
        assert db.get(KEYS[9]) is not None
        steps = 0
        while db.engine.step():
            steps += 1
        assert db.status().slots_to_load == 0
        assert steps > 20, "in many small steps"
        stores = [db.decider.keyspace.store(number) for number in range(16)]
        assert all(store.deferred is None for store in stores)
        assert all(type(slot) is dict for store in stores for slot in (*(store.slots or ()), *(store.deadlines or ())))
        assert stores[2].slots is None
        assert stores[1].deadlines is None, "as if there had never been any"
        db.set(KEYS[9], b"more")
        assert dump(db.decider.keyspace) == {**EXPECTED, 0: {**EXPECTED[0], KEYS[9]: (b"more", None)}}


def test_a_rewrite_takes_the_base_away_beneath_slots_that_are_still_in_it() -> None:
    disk = SimulatedDisk(IMAGE)
    with open_on(disk) as db:
        db.set(KEYS[11], b"written")
        assert db.status().slots_to_load
        db.rewrite()
        assert BASE not in disk.image().files
        assert dump(db.decider.keyspace) == {**EXPECTED, 0: {**EXPECTED[0], KEYS[11]: (b"written", None)}}
    assert everything(disk.image(), EAGER)[0][KEYS[11]] == (b"written", None)


def test_expired_keys_are_deleted_once_their_slots_have_come() -> None:
    options = Options(load=Load.LAZY, segment_bytes=1 << 16, rewrite_percentage=0)
    clock = ManualClock(time_ms=NOW_MS + 20_000_000)
    with durakv.open(None, options=options, filesystem=SimulatedDisk(IMAGE), clock=clock, background=False) as db:
        for _ in range(3_000):
            db.engine.step()
            clock.advance(0.05)
        mortal = [key for key, (_value, deadline) in EXPECTED[0].items() if deadline and deadline < NOW_MS + 20_000_000]
        assert len(mortal) > 20
        assert db.dbsize() == len(EXPECTED[0]) - len(mortal)


def test_a_base_that_cannot_wait_is_read_eagerly_and_the_report_says_so() -> None:
    disk = SimulatedDisk()
    opened = open_engine(disk)
    opened.engine.apply([[b"put", b"1", b"x"]])
    opened.engine.rewrite()
    opened.engine.close()
    opened = open_engine(disk, load="lazy")
    assert not opened.engine.report.lazy
    assert opened.engine.status().slots_to_load == 0
    assert isinstance(opened.engine.machine, Journal)
    assert opened.journal.commands == [(b"put", b"1", b"x")]
    opened.engine.close()


def test_an_unknown_word_is_refused() -> None:
    with pytest.raises(Limit, match="'eager' or 'lazy'"):
        Options(load="sometimes")  # type: ignore[arg-type]


# --- threads ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def on_disk(tmp_path: Path) -> Path:
    with durakv.open(tmp_path, options=EAGER) as db:
        for key in KEYS:
            db.set(key, b"value of " + key)
        db.rewrite()
    return tmp_path


def test_readers_and_writers_go_on_while_a_thread_loads(on_disk: Path) -> None:
    def work(part: int) -> int:
        mine = KEYS[part::WORKERS]
        for key in random.Random(part).sample(mine, len(mine)):
            assert db.get(key) == b"value of " + key
            db.append(key, b"!")
        return sum(db.get(key) is not None for key in KEYS)

    for _ in range(5):
        directory = on_disk.with_name("copy")
        shutil.copytree(on_disk, directory)
        with durakv.open(directory, options=LAZY) as db, ThreadPoolExecutor(WORKERS) as pool:
            assert list(pool.map(work, range(WORKERS))) == [len(KEYS)] * WORKERS
            assert db.dbsize() == len(KEYS)
        with durakv.open(directory, options=EAGER) as db:
            assert all(db.get(key) == b"value of %b!" % key for key in KEYS)
        shutil.rmtree(directory)


def test_asyncio_opens_lazily_too(on_disk: Path) -> None:
    async def look() -> list[bytes | None]:
        async with durakv.aio.open(on_disk, options=LAZY) as db:
            assert db.report.lazy
            return list(await asyncio.gather(*(db.get(key) for key in KEYS)))

    assert asyncio.run(look()) == [b"value of " + key for key in KEYS]


def test_a_slot_that_is_asked_for_after_the_close_says_that_it_is_closed() -> None:
    db = open_on(SimulatedDisk(IMAGE))
    db.close()
    with pytest.raises(Closed):
        db.get(KEYS[0])
    with pytest.raises(Closed):
        db.set(KEYS[0], b"x")
    with pytest.raises(Closed):
        len(db.decider.keyspace.store(0))


# --- damage -----------------------------------------------------------------------------------------------------------


def offset_of(key: bytes) -> int:
    """Where in the base the value of a key stands."""
    return IMAGE.files[BASE].index(b"value of %b" % key)


def test_damage_is_met_by_whoever_needs_the_slot_and_ends_all_writing(caplog: pytest.LogCaptureFixture) -> None:
    victim, other = VICTIM, KEYS[21]
    disk = SimulatedDisk(damaged(offset_of(victim)))
    db = open_on(disk)
    db.set(other, b"before")
    assert db.status().healthy
    with caplog.at_level(logging.ERROR, logger="durakv"):
        for _ in range(2):
            with pytest.raises(Corruption, match="checksum") as met:
                db.get(victim)
    assert met.value.name == BASE
    assert "Restore the file from a copy" in met.value.remedy
    assert abs(met.value.offset - offset_of(victim)) < 200
    assert [BASE in record.message for record in caplog.records] == [True], "once"
    assert db.get(other) == b"before"
    assert db.get(KEYS[22]) == EXPECTED[0][KEYS[22]][0], "other slots still come"
    for write in (lambda: db.set(other, b"x"), lambda: db.incr(b"n"), lambda: db.delete(other), db.flushdb):
        seq = db.engine.applied_seq
        with pytest.raises((Poisoned, Corruption)) as refused:
            write()
        if isinstance(refused.value, Poisoned):
            assert isinstance(refused.value.cause, Corruption)
        assert db.engine.applied_seq == seq
    with pytest.raises(Corruption):
        db.dbsize()
    status = db.status()
    assert not status.healthy
    assert status.poisoned is not None
    assert BASE in status.poisoned
    db.sync()
    db.close()
    after = disk.image()
    assert after.files[BASE] == damaged(offset_of(victim)).files[BASE], "not touched"
    with pytest.raises(Corruption):
        open_on(SimulatedDisk(after), EAGER)
    mended = Image({**after.files, BASE: IMAGE.files[BASE]})
    assert everything(mended, EAGER) == {**EXPECTED, 0: {**EXPECTED[0], other: (b"before", None)}}


@pytest.mark.parametrize("how", ["apply", "submit", "transact", "batch"])
def test_a_write_that_meets_damage_leaves_nothing_in_the_log_or_in_memory(how: str) -> None:
    victim = VICTIM
    disk = SimulatedDisk(damaged(offset_of(victim)))
    with open_on(disk) as db:
        engine, seq = db.engine, db.engine.applied_seq
        commands = [[b"SET", KEYS[0], b"half"], [b"SET", victim, b"x"]]
        with pytest.raises(Corruption):
            if how == "batch":
                with db.batch() as batch:
                    batch.set(KEYS[0], b"half")
                    batch.set(victim, b"x")
            elif how == "transact":
                engine.transact(lambda: (commands, None))
            elif how == "submit":
                engine.submit(commands)
            else:
                engine.apply(commands)
        assert engine.applied_seq == seq
        assert db.get(KEYS[0]) == b"later"
    mended = Image({**disk.image().files, BASE: IMAGE.files[BASE]})
    assert everything(mended, EAGER) == EXPECTED


def test_the_background_meets_damage_and_tells_it() -> None:
    with open_on(SimulatedDisk(damaged(offset_of(VICTIM)))) as db:
        with pytest.raises(Corruption):
            while db.engine.step():
                pass
        assert not db.status().healthy
        assert not db.engine.step(), "and does not try for ever"
        with pytest.raises(Poisoned):
            db.set(KEYS[0], b"x")
        with pytest.raises(Corruption):
            db.rewrite()
        assert db.get(KEYS[0]) == b"later"


def look_at_every_key(image: Image) -> str:
    """Ask for every key and for absent ones, by way of single slots; what was answered has to be true."""
    try:
        db = open_on(SimulatedDisk(image))
    except (Corruption, durakv.UnsupportedVersion):
        return "refused"
    met = False
    for number in (0, 1, 3):
        there, expected = db.select(number), EXPECTED[number]
        for key in (*KEYS, b"absent"):
            try:
                assert there.get(key) == expected.get(key, (None, None))[0], key
            except Corruption:
                met = True
    db.close()
    return "met late" if met else "not needed"


def test_no_changed_byte_is_ever_read_as_data() -> None:
    draw = random.Random(5)
    size = len(IMAGE.files[BASE])
    heads = [offset for offset in range(size) if IMAGE.files[BASE][offset : offset + 2] in (b"B\0", b"B\1")]
    offsets = {*range(84), *range(size - 44, size), *draw.sample(range(size), 200)}
    offsets |= {head + at for head in draw.sample(heads, 4) for at in range(20)}
    outcomes = [look_at_every_key(damaged(offset, 1 << draw.randrange(8))) for offset in sorted(offsets)]
    assert outcomes[:84] == ["refused"] * 84, "the header"
    assert outcomes[-44:] == ["refused"] * 44, "the footer"
    assert outcomes.count("met late") > 60
