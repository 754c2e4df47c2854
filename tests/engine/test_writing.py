"""The promise: a batch takes effect whole or not at all (C1), what is refused is refused before anything is logged, and
a number names one write for ever.

Method: a journal as the state machine, so that everything that was ever applied shows, and crashes at every event of
the simulated disk where atomicity is at stake.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from durakv.clock import ManualClock
from durakv.durability import Durability, FsyncPolicy
from durakv.engine import Engine
from durakv.errors import Closed, Limit, Poisoned
from durakv.machine import Batch, Command
from durakv.recovery import recover
from durakv_formats.manifest import decode_manifest
from durakv_fuzz.choose import Seeded, harshest, kindest
from durakv_fuzz.disk import SimulatedDisk
from durakv_fuzz.faults import Fault
from durakv_fuzz.model import Model, crash_image
from durakv_fuzz.timeline import Timeline
from durakv_fuzz.trace import Kind, Operation
from tests.support import Journal, numbers, open_engine, put

APPLIED, WRITTEN, SYNCED = Durability.APPLIED, Durability.WRITTEN, Durability.SYNCED


def test_a_batch_answers_for_each_command_and_its_number_is_that_of_the_last() -> None:
    engine, _, _ = open_engine(SimulatedDisk())
    assert engine.apply([[b"a"]]) == [1]
    receipt = engine.submit([[b"b"], [b"c"], [b"d"]])
    assert receipt.seq == 4
    assert receipt.results == [2, 3, 4]
    assert engine.applied_seq == 4
    engine.close()


@pytest.mark.parametrize("policy", list(FsyncPolicy))
def test_no_crash_leaves_a_part_of_a_batch(policy: FsyncPolicy) -> None:
    disk = SimulatedDisk()
    engine, _, _ = open_engine(disk, fsync=policy, segment_bytes=1 << 14)
    begin = disk.trace.seq
    batches = [
        [[b"%d" % batch, b"%d" % index, b"x" * 400] for index in range(size)] for batch, size in enumerate((3, 8, 1, 5))
    ]
    whole = [[command for batch in batches[:count] for command in batch] for count in range(len(batches) + 1)]
    for batch in batches:
        engine.apply(batch)
    engine.sync()
    timeline = Timeline(disk.trace)
    seen: set[int] = set()
    for crash_seq in range(begin, disk.trace.seq + 1):
        for choose in (harshest, kindest, Seeded(crash_seq), Seeded(-crash_seq)):
            for model in (Model.POWER_LOSS, Model.PROCESS_CRASH):
                image = crash_image(timeline, crash_seq, choose, model=model)
                recovered = [list(command) for command in open_engine(SimulatedDisk(image)).journal.commands]
                assert recovered in whole
                seen.add(whole.index(recovered))
    assert len(seen) >= 3, "the crashes must come between the batches, too"


def refusals() -> list[tuple[object, type[Exception]]]:
    return [
        ([], TypeError),
        (b"SET", TypeError),
        ("SET", TypeError),
        ([b"SET"], TypeError),
        (["SET"], TypeError),
        ([[]], TypeError),
        ([[b"a"], []], TypeError),
        ([["a"]], TypeError),
        ([[b"a", 1]], TypeError),
        ([[b"a", None]], TypeError),
        ([[b"a", bytearray(b"b")]], TypeError),
        (([b"a"] for _ in range(2)), TypeError),
        (None, TypeError),
        (7, TypeError),
        ([[b"a"] * ((1 << 20) + 1)], Limit),
    ]


BYTEARRAY = 10


@pytest.mark.parametrize("index", range(len(refusals())))
def test_what_is_no_batch_is_refused_before_anything_is_logged(index: int) -> None:
    wrong: Any
    disk = SimulatedDisk()
    engine, journal, _ = open_engine(disk)
    engine.apply(put(1))
    before = disk.image()
    calls: list[Callable[[Any], object]] = [
        engine.submit,
        engine.apply,
        lambda batch: engine.transact(lambda: (batch, None)),
        lambda batch: engine.submit_decided(lambda: (batch, None)),
    ]
    for call in calls:
        wrong, error = refusals()[index]
        decided = call not in calls[:2]
        if decided and (not wrong or index == BYTEARRAY):
            continue  # a decision may well be to log nothing; its byte strings are believed
        with pytest.raises((error, Limit) if decided else error):
            call(wrong)
        assert engine.applied_seq == 1
        assert numbers(journal) == [1]
        assert disk.image() == before
    assert engine.apply(put(2)) == [2], "and it goes on"
    engine.close()
    assert numbers(open_engine(disk).journal) == [1, 2]


def test_a_transaction_reads_decides_and_logs_with_nothing_in_between() -> None:
    engine, journal, _ = open_engine(SimulatedDisk())

    def increment() -> tuple[Batch, int]:
        return put(len(journal.commands)), len(journal.commands)

    assert [engine.transact(increment) for _ in range(5)] == [0, 1, 2, 3, 4]
    assert engine.synced_seq == 5
    receipt = engine.submit_decided(increment, WRITTEN)
    assert (receipt.seq, receipt.results) == (6, [5])
    assert receipt.result() == [5]
    assert engine.transact(lambda: ([], "nothing")) == "nothing"
    assert engine.applied_seq == 6
    engine.close()


def test_a_decision_that_raises_logs_nothing() -> None:
    engine, journal, _ = open_engine(SimulatedDisk())

    def refuse() -> tuple[Batch, None]:
        raise KeyError("not here")

    with pytest.raises(KeyError):
        engine.transact(refuse)
    assert engine.applied_seq == 0
    assert engine.apply(put(1)) == [1]
    assert numbers(journal) == [1]
    engine.close()


def test_a_decision_that_has_to_wait_for_room_is_made_again_on_the_new_state() -> None:
    disk = SimulatedDisk()
    engine, journal, _ = open_engine(disk)
    engine.apply(put(0, 3500))
    decided: list[int] = []

    def decide() -> tuple[Batch, int]:
        decided.append(len(journal.commands))
        return put(len(journal.commands), 3500), len(journal.commands)

    assert engine.transact(decide) == 1
    assert decided == [1, 1], "once before the rotation and once behind it"
    assert numbers(journal) == [0, 1]
    engine.close()
    assert numbers(open_engine(disk).journal) == [0, 1]


def test_a_number_that_was_never_given_out_cannot_be_waited_for() -> None:
    engine, _, _ = open_engine(SimulatedDisk())
    engine.apply(put(1))
    with pytest.raises(ValueError, match=r"number 2 was never given out; the last one is 1"):
        engine.wait(2)
    engine.wait(1)
    engine.wait(0)
    engine.close()


def test_what_poisons_is_told_by_every_call_and_reads_go_on() -> None:
    disk = SimulatedDisk()
    engine, journal, _ = open_engine(disk)
    engine.apply(put(1))
    pending = engine.submit(put(2))

    def plan(operation: Operation) -> Fault | None:
        return Fault() if operation.kind is Kind.WRITE_THROUGH else None

    disk.faults = plan
    with pytest.raises(Poisoned, match=r"simulated disk.*Input/output error.*reopen the directory") as caught:
        engine.apply(put(3))
    assert isinstance(caught.value.cause, OSError)
    disk.faults = None
    status = engine.status()
    assert status.poisoned is not None
    assert not status.healthy
    for refused in (
        pending.result,
        lambda: engine.apply(put(4)),
        lambda: engine.transact(lambda: (put(4), None)),
        engine.sync,
        lambda: engine.wait(2, WRITTEN),
        lambda: engine.read(lambda: None, SYNCED),
        lambda: engine.rewrite(),
        lambda: engine.set_fsync("always"),
    ):
        with pytest.raises(Poisoned):
            refused()
    engine.wait(1, SYNCED)
    assert engine.read(lambda: numbers(journal)) == [1, 2, 3], "applied, and told so; a crash will take it back"
    assert not pending.done()
    with pytest.raises(Poisoned):
        engine.close()
    engine.close()
    again = open_engine(disk)
    assert numbers(again.journal)[0] == 1
    assert again.engine.apply(put(5))
    again.engine.close()


# --- numbers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", [APPLIED, WRITTEN])
@pytest.mark.parametrize("batch", [1, 3, 250])
def test_a_number_is_never_given_out_twice_whatever_a_crash_takes(level: Durability, batch: int) -> None:
    given: set[int] = set()
    disk = SimulatedDisk()
    for life in range(6):
        engine, _, _ = open_engine(disk, fsync=FsyncPolicy.NO)
        first = engine.applied_seq + 1
        for _ in range(4):
            receipt = engine.submit([[b"%d" % life]] * batch, level)
            if level is WRITTEN:
                receipt.result()
            told = set(range(receipt.seq - batch + 1, receipt.seq + 1))
            assert not told & given
            assert min(told) == first, "and numbering is contiguous"
            first = max(told) + 1
            given |= told
        disk = SimulatedDisk(crash_image(disk.trace, disk.trace.seq, harshest))
    if batch < 100:
        assert open_engine(disk).journal.commands == [], "the power loss took them all"


def test_retired_numbers_are_stated_in_the_log_and_belong_to_no_command() -> None:
    disk = SimulatedDisk()
    engine, _, _ = open_engine(disk)
    engine.apply(put(1))
    disk = SimulatedDisk(disk.image())  # it died
    engine, journal, _ = open_engine(disk)
    report = engine.report
    assert not report.clean
    assert report.last_seq == 1
    assert report.retired == 4096 // 10, "as many as its segment could have given out"
    first = engine.applied_seq + 1
    assert first == 1 + report.retired + 1
    assert engine.submit(put(2)).seq == first
    engine.close()
    segments = decode_manifest(disk.image().files["appendonly.aof.manifest"]).segments
    assert [(segment.first, segment.last) for segment in segments] == [(1, 1), (first, first)]
    again = open_engine(disk)
    assert numbers(again.journal) == numbers(journal) == [1, 2]
    assert again.engine.report.retired == 0
    assert again.engine.submit(put(3)).seq == first + 1
    again.engine.close()


def test_who_asks_for_a_number_that_a_crash_took_is_not_told_that_it_is_safe() -> None:
    disk = SimulatedDisk()
    engine, _, _ = open_engine(disk, fsync=FsyncPolicy.NO)
    kept = engine.submit(put(1), SYNCED)
    kept.result()
    lost = engine.submit(put(2), APPLIED)
    disk = SimulatedDisk(disk.image())  # it died
    for _ in range(3):
        engine, journal, _ = open_engine(disk)
        assert numbers(journal)[0] == 1
        engine.wait(kept.seq)
        with pytest.raises(ValueError, match=r"number 2 is retired: if it was ever given out, a crash took"):
            engine.wait(lost.seq)
        later = engine.submit(put(3))
        engine.wait(later.seq)
        disk = SimulatedDisk(disk.image())  # and again


def test_a_clean_close_retires_nothing() -> None:
    disk = SimulatedDisk()
    for life in range(1, 6):
        engine, _, _ = open_engine(disk)
        assert engine.submit(put(life)).seq == life
        engine.close()


# --- machines of one's own --------------------------------------------------------------------------------------------


class Ledger:
    """Accounts; an ordinary state machine of an embedder's, without slots or a merger."""

    def __init__(self) -> None:
        self.accounts: dict[bytes, int] = {}

    def apply(self, command: Command) -> int:
        name, *arguments = command
        if name == b"open":
            self.accounts[arguments[0]] = int(arguments[1])
            return self.accounts[arguments[0]]
        giver, taker, amount = arguments[0], arguments[1], int(arguments[2])
        self.accounts[giver] -= amount
        self.accounts[taker] += amount
        return self.accounts[giver]

    def freeze(self) -> Iterator[bytes]:
        frozen = sorted(self.accounts.items())
        return (b"%b=%d" % account for account in frozen)

    def restore(self, chunks: Iterable[bytes]) -> None:
        self.accounts = {}
        for chunk in chunks:
            name, _, amount = chunk.partition(b"=")
            self.accounts[name] = int(amount)


def open_ledger(disk: SimulatedDisk) -> tuple[Engine, Ledger]:
    ledger = Ledger()
    return Engine(None, ledger, filesystem=disk, background=False, fsync="always"), ledger


def test_a_machine_of_ones_own_is_recovered_from_its_image_and_the_log_behind_it() -> None:
    disk = SimulatedDisk()
    engine, ledger = open_ledger(disk)
    for name in range(20):
        engine.apply([[b"open", b"%d" % name, b"100"]])
    assert engine.apply([[b"pay", b"1", b"2", b"30"], [b"pay", b"2", b"3", b"130"]]) == [70, 0]
    engine.rewrite()
    assert engine.status().rewrites == 1
    engine.apply([[b"pay", b"5", b"6", b"7"]])
    accounts = dict(ledger.accounts)
    image = disk.image()  # it died
    assert any(name.endswith(".base.dkv") for name in image.files)
    for source in (SimulatedDisk(image), disk):
        if source is disk:
            engine.close()
        again, recovered = open_ledger(source)
        assert recovered.accounts == accounts
        assert again.report.commands == 1, "the rest is in the base"
        again.rewrite()
        again.close()
        final, recovered = open_ledger(source)
        assert recovered.accounts == accounts
        assert final.report.commands == 0
        final.close()


def test_results_of_a_machine_reach_the_caller_as_they_are() -> None:
    class Machine(Ledger):
        def apply(self, command: Command) -> Any:
            return {"command": tuple(command)}

    engine = Engine(None, Machine(), filesystem=SimulatedDisk(), background=False)
    assert engine.apply([[b"a", b"b"]]) == [{"command": (b"a", b"b")}]
    engine.close()
    with pytest.raises(Closed):
        engine.apply([[b"a"]])


def test_a_command_may_hold_any_bytes() -> None:
    disk = SimulatedDisk()
    engine, journal, _ = open_engine(disk, segment_bytes=1 << 16)
    nasty = [b"", b"\0" * 300, b"\r\n", b"*1\r\n$4\r\nEXEC\r\n", bytes(range(256)), b"#TS:1\r\n", b"$-1\r\n"]
    nasty.append(b"#DKV1 " + b"0" * 86 + b"\r\n")
    engine.apply([nasty])
    engine.apply([[b"MULTI"]])
    engine.apply([[b"EXEC"], [b"MULTI"], [b"DISCARD"], [b""]])
    engine.apply([[part] for part in nasty])
    engine.apply([[b"SELECT", b"7"]])
    image = disk.image()
    engine.close()
    for source in (SimulatedDisk(image), disk):
        assert open_engine(source).journal.commands == journal.commands


def test_reading_a_directory_changes_nothing() -> None:
    """C9: inspection is recovery without the rest."""
    disk = SimulatedDisk()
    engine, journal, _ = open_engine(disk)
    for number in range(8):
        engine.apply(put(number, 1200))
    image = disk.image()  # it died
    reading = SimulatedDisk(image)
    for _ in range(2):
        seen = Journal()
        found = recover(reading, seen, clock=ManualClock(), entropy=bytes)
        assert seen.commands == journal.commands
        assert not found.report.clean
    assert reading.trace.operations == [], "not one call that changes anything"
    assert reading.image() == image
