"""A model that allows too little is convicted by one outcome that a disk left; one that allows enough is not.

Method: observations made by hand, held against models that are right and models with a clause broken; and the page.
"""

from __future__ import annotations

from durakv_fuzz.calibration.allowed import allowed
from durakv_fuzz.calibration.comparison import Calibration, Ground, Observation, Row
from durakv_fuzz.calibration.litmus import DONE
from durakv_fuzz.calibration.published import render_markdown, summary
from durakv_fuzz.model import Model
from durakv_fuzz.trace import Kind, Trace

from .hand import NEW_FILE, new_file

SEEN = frozenset({(0, "missing"), (0, "new"), (1, "missing"), (1, "new")})
"""What a disk left of a new file with fsync: after it had returned, the name was missing."""


def calibration(trace: Trace, **observed: frozenset[tuple[int, str]]) -> Calibration:
    observations = {name: Observation(seen, 20, 1.0, False) for name, seen in observed.items()}
    row = Row(NEW_FILE, allowed(NEW_FILE, trace), observations)
    grounds = [Ground(name, "mkfs 1", "mkfs -q", "rw") for name in observed]
    return Calibration([row], grounds, {"zfs": "this kernel has no zfs"}, "6.1", "2026-11-27", 3.0)


def test_what_the_model_allows_convicts_nobody() -> None:
    assert calibration(new_file(Kind.SYNC), btrfs=SEEN).unsound() == []


def test_a_model_in_which_fsync_covers_the_name_is_convicted() -> None:
    broken = new_file(Kind.SYNC, Kind.SYNC_DIRECTORY)
    (found,) = calibration(broken, ext4=SEEN - {(1, "missing")}, btrfs=SEEN).unsound()
    assert (found.filesystem, found.litmus, found.step, found.outcome) == ("btrfs", "new file", DONE, "missing")
    assert "btrfs left 'missing' after 'done'" in str(found)


def test_a_file_system_that_gives_up_convicts_every_model() -> None:
    found = calibration(new_file(Kind.SYNC), xfs=SEEN | {(1, "cannot be mounted (EUCLEAN)")})
    assert [each.outcome for each in found.unsound()] == ["cannot be mounted (EUCLEAN)"]
    assert found.disagreements(Model.ORDERED_ZERO_TAIL)


def test_the_step_belongs_to_the_outcome() -> None:
    early = calibration(new_file(Kind.SYNC), ext4=frozenset({(0, "empty")}))
    late = calibration(new_file(Kind.SYNC), ext4=frozenset({(1, "empty")}))
    assert early.unsound() == []
    assert len(late.unsound()) == 1, "what was synced may not be empty"


def test_the_ordered_model_is_judged_by_file_system() -> None:
    found = calibration(new_file(Kind.SYNC), ext4=SEEN - {(1, "missing")}, btrfs=SEEN)
    assert found.disagreements(Model.ORDERED, ["ext4"]) == []
    assert [each.outcome for each in found.disagreements(Model.ORDERED, ["btrfs"])] == ["missing"]
    assert len(found.disagreements(Model.ORDERED)) == 1


def test_what_is_allowed_and_was_never_seen_is_counted() -> None:
    found = calibration(new_file(Kind.SYNC), ext4=frozenset({(1, "new")}), btrfs=frozenset({(1, "missing")}))
    (row,) = found.rows
    assert ("started", "zeros") in row.never_seen(Model.POWER_LOSS)
    assert (DONE, "new") not in row.never_seen(Model.POWER_LOSS)
    seen, total = found.spread(Model.POWER_LOSS)
    assert (seen, total) == (2, len(row.allowed[Model.POWER_LOSS]))


def test_the_page_has_each_cell_with_what_the_ordered_model_does_not_allow_in_bold() -> None:
    page = render_markdown(calibration(new_file(Kind.SYNC), ext4=SEEN - {(1, "missing")}, btrfs=SEEN))
    assert "| *new file*: Is it kept? | `new` | **`missing`**, `new` | `new` | `missing`, `new` |" in page
    assert "- btrfs, *new file*, after *done*: `missing`" in page
    assert "None of it on ext4 or xfs" in page
    assert "- zfs: not observed: this kernel has no zfs" in page
    assert "| states of the device | 20 | 20 |" in page


def test_the_summary_names_what_convicts() -> None:
    broken = calibration(new_file(Kind.SYNC, Kind.SYNC_DIRECTORY), btrfs=SEEN)
    assert "UNSOUND: new file: btrfs left 'missing' after 'done', which power loss does not allow" in list(
        summary(broken)
    )
    assert not any("UNSOUND" in line for line in summary(calibration(new_file(Kind.SYNC), btrfs=SEEN)))
