"""The promise: every call of the engine through the door to the disk has been a crash point before, inside and after.

Method: find the calls in the source, run a short campaign and the directed lives, and compare.  What is excused is
listed with its reason, and an excuse that is not needed any more fails as well.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from durakv_fuzz.call_sites import EXCUSES, call_sites
from durakv_fuzz.campaign import Summary, run
from durakv_fuzz.choose import harshest
from durakv_fuzz.coverage import Coverage, Phase
from durakv_fuzz.directed import run_directed
from durakv_fuzz.disk import SimulatedDisk
from durakv_fuzz.image import Image
from durakv_fuzz.lives import Crash
from durakv_fuzz.model import Model
from durakv_fuzz.sites import split_site
from durakv_fuzz.timeline import Timeline
from durakv_fuzz.workers import Campaign

RUNS = 25


@pytest.fixture(scope="module")
def explored() -> Summary:
    summary = run(1, runs=RUNS)
    summary.merge(run_directed())
    assert not summary.failures, "\n\n".join(str(failure) for failure in summary.failures)
    return summary


def test_every_call_site_is_a_crash_point_before_inside_and_after(explored: Summary) -> None:
    missing = explored.coverage.missing()
    lacking = {key: str(lack) for key, lack in missing.items() if not call_sites().excuse(key)}
    assert not lacking


def test_every_excuse_is_needed(explored: Summary) -> None:
    assert {key.split()[0] for key in explored.coverage.missing()} == EXCUSES.keys()


def test_the_source_has_no_call_that_was_reached_but_not_found_in_it(explored: Summary) -> None:
    assert explored.coverage.unlisted() == set()


def test_no_call_in_the_source_is_of_a_doubtful_kind() -> None:
    assert call_sites().doubtful == ()
    keys = [site.key for site in call_sites().sites]
    assert len(keys) == len(set(keys)) > 50


def test_a_call_on_a_receiver_of_an_unknown_name_is_told(tmp_path: Path) -> None:
    (tmp_path / "embedder.py").write_text(
        "class Store:\n    def save(self, file, surprise):\n"
        "        file.sync()\n        surprise.sync()\n        file.sync()\n"
    )
    found = call_sites(tmp_path)
    assert [site.key for site in found.sites] == ["embedder.py Store.save sync", "embedder.py Store.save sync 2"]
    assert found.doubtful == ("embedder.py:4 surprise.sync",)


def test_pairs_are_tried_of_which_the_first_is_lost_and_the_second_kept(explored: Summary) -> None:
    coverage = explored.coverage
    assert coverage.tried <= coverage.possible
    assert ("write_at segment", "write_at segment") in coverage.tried
    assert ("rename manifest", "remove segment") not in coverage.possible, "the directory is synced in between"


def disk_of_two_calls() -> SimulatedDisk:
    disk = SimulatedDisk(Image({"a": b"", "b": b""}), sites=True)
    disk.open("a", writable=True).write_at(b"first", 0)
    disk.open("b", writable=True).truncate(6)
    return disk


def test_a_crash_counts_for_the_points_it_cannot_be_told_from_and_no_others() -> None:
    timeline = Timeline(disk_of_two_calls().trace)
    first, second = timeline.trace.operations
    coverage = Coverage()
    coverage.saw(timeline, [Crash(first.start, Model.POWER_LOSS, ())])
    assert sorted(coverage.phases.values()) == [Phase.NONE, Phase.BEFORE]
    coverage.saw(timeline, [Crash(second.start, Model.POWER_LOSS, ()), Crash(timeline.trace.seq, Model.POWER_LOSS, ())])
    assert set(coverage.phases.values()) == {Phase.ALL}


@pytest.mark.parametrize(("answers", "tried"), [((0, 0, 1), True), ((1, 0), False), ((1, 1), False), ((), False)])
def test_a_pair_is_tried_only_by_a_crash_that_loses_the_first_alone(answers: tuple[int, ...], tried: bool) -> None:
    # Of a write that was lost, its size may survive: that is the question between the two.
    timeline = Timeline(disk_of_two_calls().trace)
    coverage = Coverage()
    coverage.saw(timeline, [Crash(timeline.trace.seq, Model.POWER_LOSS, answers)])
    assert len(coverage.possible) == 1
    assert coverage.tried == (coverage.possible if tried else set())


def test_two_writes_with_a_barrier_between_are_no_pair() -> None:
    disk = SimulatedDisk(Image({"a": b"", "b": b""}), sites=True)
    first = disk.open("a", writable=True)
    first.write_at(b"first", 0)
    first.sync()
    disk.open("b", writable=True).write_at(b"second", 0)
    coverage = Coverage()
    coverage.saw(Timeline(disk.trace), [])
    assert not coverage.possible


def test_coverage_goes_through_json_and_adds_up(explored: Summary) -> None:
    words = json.loads(json.dumps(explored.coverage.dump()))
    again = Coverage.load(words)
    assert again == explored.coverage
    again.merge(explored.coverage)
    assert again.phases == explored.coverage.phases
    assert all(again.calls[key] == 2 * count for key, count in explored.coverage.calls.items())


def test_a_campaign_that_goes_on_later_keeps_its_coverage(tmp_path: Path) -> None:
    campaign = Campaign.begin(3, 1)
    campaign.total.merge(run(3, runs=1))
    campaign.save(tmp_path)
    assert Campaign.load(tmp_path).total.coverage == campaign.total.coverage


def test_a_site_is_the_caller_outside_of_the_laboratory() -> None:
    (operation, _) = disk_of_two_calls().trace.operations
    path, line, function = split_site(operation.site)
    assert (path, function) == ("test_coverage.py", "disk_of_two_calls")
    assert "first" in Path(__file__).read_text("utf-8").splitlines()[line - 1]
    assert operation.task == "MainThread"


def test_a_disk_that_is_not_asked_records_no_sites() -> None:
    disk = SimulatedDisk(Image({"a": b""}))
    disk.open("a", writable=True).write_at(b"x", 0)
    assert [(call.site, call.task) for call in disk.trace.operations] == [("", "")]


def test_a_machine_that_is_resumed_goes_on_recording_sites() -> None:
    disk = disk_of_two_calls()
    resumed = SimulatedDisk.resume(disk.trace, disk.trace.seq, harshest)
    resumed.create("c")
    assert all(call.site for call in resumed.trace.operations)
