"""The promise: what campaigns saw is added up, told by its worst, and comes back from a file as it was.

Method: figures by hand; files of other versions, cut and damaged.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from durakv_fuzz.program.oracle import Verdict
from durakv_fuzz.program.seen import BadReport, Report, Seen, SeenFinding

FINDING = SeenFinding("LOST_ACKED", "1 is gone", "posix", "first", True, 12, ["#1 write was lost"], "a.crash.zip")


def a_program(promise: str = "always") -> Seen:
    seen = Seen("store", "sync", promise, "it says so", {"store": "1"})
    seen.add(
        {("killed", Verdict.KEPT): 10, ("posix", Verdict.KEPT): 7, ("posix", Verdict.LOST_ACKED): 2},
        {"posix": (2, 5)},
        {"first": 19},
        "memory",
        1.5,
        [FINDING],
    )
    return seen


def test_what_two_campaigns_saw_is_added() -> None:
    seen = a_program()
    seen.add(
        {("posix", Verdict.LOST_ACKED): 1, ("ext4", Verdict.NO_START): 4},
        {"posix": (1, 3), "ext4": (2, 9)},
        {"first": 3, "second": 2},
        "ext4",
        0.5,
        [],
    )
    assert seen.verdicts == {
        "killed": {"KEPT": 10},
        "posix": {"KEPT": 7, "LOST_ACKED": 3},
        "ext4": {"NO_START": 4},
    }
    assert seen.losses == {"posix": (3, 5), "ext4": (2, 9)}
    assert seen.lives == {"first": 22, "second": 2}
    assert (seen.states, seen.violations, seen.findings) == (24, 7, [FINDING])
    assert seen.seconds == {"memory": 1.5, "ext4": 0.5}
    assert seen.rates["ext4"] == 10.0


def test_the_worst_of_a_disk_is_told_and_nothing_of_one_that_was_not_tried() -> None:
    seen = a_program()
    assert seen.worst("killed") is Verdict.KEPT
    assert seen.worst("posix") is Verdict.LOST_ACKED
    assert seen.worst("xfs") is None
    seen.add({("killed", Verdict.HANG): 1, ("killed", Verdict.GAP): 1}, {}, {}, "memory", 0.0, [])
    assert seen.worst("killed") is Verdict.GAP


def test_a_promise_is_broken_only_where_there_was_one() -> None:
    assert a_program().is_broken
    assert not a_program("none").is_broken
    assert a_program("none").violations == 2


def test_a_report_comes_back_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "programs.json"
    report = Report.of([a_program(), Seen("other", "", "none", "", {}, missing="it is not installed")])
    report.save(path)
    assert Report.load(path) == report
    assert json.loads(path.read_text())["format"] == "durakv-programs"
    Report.of([]).save(path)
    assert not Report.load(path).seen
    assert [file.name for file in tmp_path.iterdir()] == ["programs.json"]


@pytest.mark.parametrize(
    ("others", "says"),
    [
        ({"version": 2}, "'durakv-programs' 2, not 'durakv-programs' 1"),
        ({"version": 2, "more": []}, "'durakv-programs' 2, not 'durakv-programs' 1"),
        ({"format": "junit"}, "'junit' 1"),
        ({"more": []}, "unknown field"),
        ({"seen": [1]}, "seen"),
    ],
)
def test_another_report_is_refused_with_its_path(others: dict[str, object], says: str, tmp_path: Path) -> None:
    path = tmp_path / "programs.json"
    Report.of([a_program()]).save(path)
    path.write_text(json.dumps({**json.loads(path.read_text()), **others}))
    with pytest.raises(BadReport, match=r"programs\.json: ") as refused:
        Report.load(path)
    assert says in str(refused.value)


def test_a_cut_report_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "programs.json"
    Report.of([a_program()]).save(path)
    content = path.read_bytes()
    for length in (0, 1, len(content) // 2, len(content) - 2):
        path.write_bytes(content[:length])
        with pytest.raises(BadReport, match="damaged"):
            Report.load(path)
    path.write_bytes(b"\xff" + content)
    with pytest.raises(BadReport, match="damaged"):
        Report.load(path)
