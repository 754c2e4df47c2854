"""The promise: a byte counts as durable exactly from the end of a sync that began after it was written.

Method: made-up calls, a microsecond each way; and files drawn from them, of which every byte is accounted for.
"""

from __future__ import annotations

import random
from array import array

from durakv.bench.loss_aof import AOF_SUFFIX, PAGE_BYTES, AofHistory, Survivor, Tail, ends_of_writes
from durakv.bench.loss_ledger import POWER_CUT, Ledger, is_broken
from durakv.bench.loss_redis_power import Recorded, draw_cuts
from durakv.bench.strace_log import Call
from durakv_formats.resp import encode_command

OPEN = Call(1, "openat", f'AT_FDCWD, "appendonlydir/a.1{AOF_SUFFIX}, O_WRONLY', 7, 0, 1)


def write(started_us: int, ended_us: int, size: int, descriptor: int = 7) -> Call:
    return Call(1, "write", f'{descriptor}, ""..., {size}', size, started_us, ended_us)


def sync(started_us: int, ended_us: int, *, result: int = 0, descriptor: int = 7) -> Call:
    return Call(2, "fdatasync", str(descriptor), result, started_us, ended_us)


def test_a_sync_covers_what_was_written_before_it_began() -> None:
    history = AofHistory([OPEN, write(10, 12, 100), write(20, 25, 50), sync(24, 40), sync(50, 60)])
    assert [history.durable_at(time) for time in (0, 12, 39, 40, 59, 60, 100)] == [0, 0, 0, 100, 100, 150, 150]
    assert [history.written_at(time) for time in (10, 11, 20, 21, 100)] == [0, 100, 100, 150, 150]
    assert (history.size, history.syncs) == (150, 2)
    assert history.sync_seconds_max == 16e-6


def test_what_has_nothing_to_do_with_the_file_is_passed_over() -> None:
    calls = [
        write(1, 2, 1000),  # to whatever had that number before it was opened
        OPEN,
        write(10, 11, 100),
        write(12, 13, 9, descriptor=8),
        sync(14, 15, descriptor=8),
        sync(16, 17, result=-1),
        Call(1, "close", "7", 0, 20, 21),
        write(30, 31, 500),
        sync(40, 41),
    ]
    history = AofHistory(calls)
    assert (history.size, history.durable_at(1000), history.syncs) == (100, 0, 0)


def test_what_is_drawn_lies_between_what_is_durable_and_what_was_written() -> None:
    generator = random.Random(1)
    size = 10 * PAGE_BYTES
    written = bytes(generator.randrange(1, 256) for _ in range(size))
    history = AofHistory([OPEN, write(10, 11, 5000), sync(12, 13), write(20, 21, size - 5000)])
    seen: set[int] = set()
    holes = 0
    for tail in Tail:
        for _ in range(60):
            survivor = history.survivor(30, tail, generator)
            content = survivor.content(written)
            assert 5000 <= survivor.whole <= size
            assert content[: survivor.whole] == written[: survivor.whole]
            assert all(here in (there, 0) for here, there in zip(content, written, strict=False))
            if survivor.kept:
                holes += 1
                assert content[survivor.whole] == 0
                assert len(content) == survivor.kept[-1][1]
            else:
                assert len(content) == survivor.whole
            if tail is Tail.GONE:
                assert survivor == Survivor(tail, 5000, ())
            seen.add(survivor.whole)
    assert holes > 20
    assert size in seen or max(seen) > size - PAGE_BYTES
    assert history.survivor(15, Tail.PAGES, generator).content(written) == written[:5000]


def test_writes_end_where_they_end() -> None:
    select = encode_command([b"SELECT", b"0"])
    one, two = encode_command([b"SET", b"a", b"1"]), encode_command([b"SET", b"bb", b"2"])
    assert ends_of_writes(select + one + two) == [len(select + one), len(select + one + two)]
    assert ends_of_writes(select + one + two[:-1]) == [len(select + one)]
    assert ends_of_writes(b"") == []


def recorded(*, synced: bool) -> Recorded:
    """A hundred writes, a millisecond apart, acknowledged ten microseconds after each is written, or synced."""
    one = encode_command([b"SET", b"k", b"v"])
    calls = [OPEN]
    for index in range(100):
        start = 1000 * (index + 1)
        calls.append(write(start, start + 10, len(one)))
        if synced:
            calls.append(sync(start + 20, start + 500))
    acknowledged = array("q", [1000 * (index + 1) + (510 if synced else 20) for index in range(100)])
    return Recorded(acknowledged, AofHistory(calls), one * 100, ends_of_writes(one * 100))


def test_a_server_that_syncs_before_it_answers_loses_nothing() -> None:
    ledger = Ledger(store="s", setting="always", crash=POWER_CUT, lost_max=0, age_max_seconds=0.0)
    drawn = draw_cuts(recorded(synced=True), 500, random.Random(1), ledger)
    assert {survivor.tail for survivor in drawn} == set(Tail)
    assert ledger.lost == [0] * 500
    assert not is_broken(ledger.loss(method="", writes_per_second=None, notes=[]))


def test_a_server_that_answers_before_it_syncs_is_found() -> None:
    ledger = Ledger(store="s", setting="always", crash=POWER_CUT, lost_max=0, age_max_seconds=0.0)
    draw_cuts(recorded(synced=False), 500, random.Random(1), ledger)
    assert is_broken(ledger.loss(method="", writes_per_second=None, notes=[]))
    harshest = [lost == acknowledged for lost, acknowledged in zip(ledger.lost, ledger.acknowledged, strict=True)]
    assert harshest[::2] == [True] * 250
    assert 0.09 < max(ledger.oldest_seconds) < 0.1
