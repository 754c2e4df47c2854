"""The promise: the enumeration finds the crash states that matter, each once, the same ones each time, and fast.

Method: enumerate runs whose every outcome is known by other means; plant mistakes and see how soon they are met.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import islice

import pytest

from durakv.storage.preallocate import create_zeroed
from durakv.storage.replace import atomic_replace
from durakv_fuzz.choose import Recorded
from durakv_fuzz.disk import SimulatedDisk
from durakv_fuzz.enumerate import crash_states, explain
from durakv_fuzz.image import Image
from durakv_fuzz.model import Model, crash_image
from durakv_fuzz.timeline import Timeline

from .litmus import outcome, outcomes


def log_run(*, operations: int = 200, sync_every: int = 8) -> SimulatedDisk:
    """What an engine does: zeroed segments, a manifest replaced at each rotation, appends, now and then a sync."""
    disk = SimulatedDisk()
    disk.make_root()
    segment, number, offset = None, 0, 4096
    appended = 0
    while len(disk.trace.operations) < operations:
        record = b"%06d." % appended * 17
        if segment is None or offset + len(record) > 4096:
            if segment is not None:
                segment.sync()
            number += 1
            segment, offset = create_zeroed(disk, f"segment.{number}", 4096), 0
            atomic_replace(disk, "manifest", "temp", b"segment.%d\n" % number * number)
        segment.write_at(record, offset)
        disk.note("appended", appended)
        offset += len(record)
        appended += 1
        if appended % sync_every == 0:
            segment.sync()
            disk.note("synced", appended)
    return disk


def test_of_a_small_run_every_outcome_is_found() -> None:
    disk = SimulatedDisk(Image({"name": b"old"}))
    atomic_replace(disk, "name", "temp", b"n" * 700)
    everything = {
        outcome_
        for crash_seq in range(disk.trace.seq + 1)
        for outcome_ in outcomes(disk, crash_seq=crash_seq, model=Model.POWER_LOSS)
    }
    found = {outcome(state.image) for state in crash_states(disk.trace, models=[Model.POWER_LOSS])}
    assert found == everything


def test_a_state_can_be_made_again_from_its_answers() -> None:
    disk = log_run(operations=60)
    stages: set[str] = set()
    models: set[Model] = set()
    for state in crash_states(disk.trace):
        again = crash_image(disk.trace, state.crash_seq, Recorded(state.answers), model=state.model)
        assert again == state.image
        stages.add(state.stage)
        models.add(state.model)
    assert {"all lost", "all kept", "killed", "every combination", "ordered", "sample"} <= stages
    assert models == set(Model)


def test_no_state_comes_twice_unless_more_was_promised() -> None:
    timeline = Timeline(log_run(operations=100).trace)
    keys = [
        (state.image.digest(), timeline.notes_before(state.crash_seq), state.time)
        for state in crash_states(timeline, budget=2000)
    ]
    assert len(set(keys)) == len(keys)


def test_the_same_arguments_give_the_same_states() -> None:
    trace = log_run(operations=80).trace

    def run(seed: int) -> list[tuple[int, Model, tuple[int, ...]]]:
        return [(state.crash_seq, state.model, state.answers) for state in crash_states(trace, seed=seed)]

    assert run(1) == run(1)
    assert run(1) != run(2)


def test_the_budget_is_kept_and_without_one_it_ends() -> None:
    trace = log_run(operations=80).trace
    assert len(list(crash_states(trace, budget=50))) == 50
    assert len(list(crash_states(trace, budget=0))) == 0
    assert 300 < len(list(crash_states(trace))) < 100_000


def test_only_the_models_asked_for_are_used() -> None:
    trace = log_run(operations=80).trace
    for model in Model:
        states = list(crash_states(trace, models=[model]))
        assert states
        assert {state.model for state in states} == {model}


def test_an_empty_run_has_one_state() -> None:
    assert [state.image.exists for state in crash_states(SimulatedDisk().trace)] == [False]


def test_a_state_is_explained_in_words() -> None:
    disk = SimulatedDisk(Image({"f": b"old"}))
    disk.open("f", writable=True).write_at(b"new", 0)
    disk.rename("f", "g")
    texts = {"\n".join(explain(disk.trace, state)) for state in crash_states(disk.trace, models=[Model.POWER_LOSS])}
    assert "power loss before event 4\nkept: entry #2 rename f -> g\nlost: data #0 write_at f [0, 3)" in texts


def forget_data_sync(disk: SimulatedDisk) -> None:
    file = disk.create("temp")
    file.write_at(b"new", 0)
    disk.rename("temp", "name")
    disk.sync_directory()


def forget_directory_sync(disk: SimulatedDisk) -> None:
    file = disk.create("temp")
    file.write_at(b"new", 0)
    file.sync()
    disk.rename("temp", "name")


def overwrite_in_place(disk: SimulatedDisk) -> None:
    file = disk.open("name", writable=True)
    file.write_at(b"new", 0)
    file.truncate(3)
    file.sync()


@pytest.mark.parametrize("mistake", [forget_data_sync, forget_directory_sync, overwrite_in_place])
def test_a_planted_mistake_is_met_among_the_first_states(mistake: Callable[[SimulatedDisk], None]) -> None:
    disk = SimulatedDisk(Image({"name": b"old content"}))
    for step in range(20):
        atomic_replace(disk, "other", "temp", b"%d" % step)
    mistake(disk)
    disk.note("replaced")

    def wrong(image: Image, *, promised: bool) -> bool:
        return image.files.get("name") not in ((b"new",) if promised else (b"old content", b"new"))

    timeline = Timeline(disk.trace)
    for position, state in enumerate(crash_states(timeline)):
        if wrong(state.image, promised=timeline.notes_before(state.crash_seq) == 1):
            assert position < 400
            return
    pytest.fail("the mistake was never met")


def test_thousands_of_states_are_made_in_a_second() -> None:
    timeline = Timeline(log_run(sync_every=8).trace)
    started = time.perf_counter()
    count = sum(1 for _ in islice(crash_states(timeline), 3000))
    rate = count / (time.perf_counter() - started)
    assert rate > 500, f"{rate:.0f} states/s: a quiet machine makes several thousand"
