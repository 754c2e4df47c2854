"""The model is sound against the file systems of this machine, and a model that is not is found out by them.

Method: a few litmus tests on each real file system, cut some dozens of times; skipped where none can be mounted.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from durakv.cli.app import app
from durakv_fuzz.block.real import REAL, missing
from durakv_fuzz.calibration.allowed import allowed
from durakv_fuzz.calibration.calibrate import record, run_calibration
from durakv_fuzz.calibration.comparison import ORDERED_FILESYSTEMS, Calibration, Observation, Row
from durakv_fuzz.calibration.litmus import DONE
from durakv_fuzz.calibration.observed import observe, record_on
from durakv_fuzz.calibration.suite import SUITE
from durakv_fuzz.model import Model
from durakv_fuzz.trace import Kind, Operation, Trace

LITMUSES = [SUITE[name] for name in ("append", "create, fsync, directory synced", "replace by rename, fsync")]


def needs(filesystem: str) -> None:
    reason = missing(filesystem)
    if reason:
        pytest.skip(f"{filesystem} cannot be observed here: {reason}")


def names_are_durable_at_once(trace: Trace) -> Trace:
    """As if each change of a name were followed by a sync of its directory: a model that LazyFS has."""
    changed = Trace(trace.base)
    notes = {note.seq: note for note in trace.notes}
    for seq in range(trace.seq):
        if note := notes.get(seq):
            changed.note(note.kind, note.payload)
        for operation in trace.operations:
            if operation.start == seq:
                changed.start(operation)
                changed.end(operation)
                if operation.kind is Kind.RENAME:
                    sync = Operation(Kind.SYNC_DIRECTORY, file=operation.new_directory)
                    changed.start(sync)
                    changed.end(sync)
    return changed


@pytest.mark.parametrize("filesystem", REAL)
def test_what_a_real_file_system_leaves_is_allowed(filesystem: str) -> None:
    needs(filesystem)
    lines: list[str] = []
    found = run_calibration([filesystem], budget_seconds=15.0, images=40, litmuses=LITMUSES, progress=lines.append)
    assert found.unsound() == []
    if filesystem in ORDERED_FILESYSTEMS:
        assert found.disagreements(Model.ORDERED_ZERO_TAIL) == []
    *_, replaced = found.rows
    assert replaced.outcomes(replaced.observed[filesystem].seen) == ["new", "old"], "cuts before and after the rename"
    assert found.states(filesystem) >= 15
    (ground,) = found.grounds
    assert "rw" in ground.options.split(",")
    assert len(lines) == 1 + len(LITMUSES)


@pytest.mark.parametrize("filesystem", REAL)
def test_a_real_file_system_convicts_a_model_in_which_names_are_durable_at_once(filesystem: str) -> None:
    needs(filesystem)
    litmus = SUITE["replace by rename, fsync"]
    seen = observe(litmus, record_on(filesystem, litmus), images=40, seconds=10.0)
    broken = allowed(litmus, names_are_durable_at_once(record(litmus)))
    convicted = calibration_of(Row(litmus, broken, {filesystem: seen})).unsound()
    assert (DONE, "old") in {(each.step, each.outcome) for each in convicted}


def calibration_of(row: Row) -> Calibration:
    return Calibration([row], [], {}, "", "", 0.0)


def test_when_the_time_is_over_a_litmus_is_cut_short_after_one_look() -> None:
    needs("ext4")
    litmus = SUITE["append"]
    seen: Observation = observe(litmus, record_on("ext4", litmus), images=40, seconds=0.0)
    assert seen.cut_short
    assert seen.states == 1


def test_a_file_system_that_cannot_be_had_is_skipped_with_the_reason() -> None:
    with pytest.raises(ValueError, match="none of the file systems"):
        run_calibration(["fat"], budget_seconds=1.0, images=1)


def test_the_command_writes_the_page(tmp_path: Path) -> None:
    needs("ext4")
    page = tmp_path / "calibration.md"
    arguments = ["fuzz", "calibrate", "ext4", "--seconds", "5", "--images", "20", "--litmus", "append, fsync"]
    done = CliRunner().invoke(app, [*arguments, "--write", str(page)])
    assert done.exit_code == 0, done.output
    assert "0 outcomes beyond posix" in done.output
    assert "| *append, fsync*: Does fsync keep an append? | `new` |" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "told"), [(["fat"], "none of the file systems"), (["--litmus", "acid"], "there is no litmus 'acid'")]
)
def test_what_is_not_there_is_wrong_usage(arguments: list[str], told: str) -> None:
    done = CliRunner().invoke(app, ["fuzz", "calibrate", *arguments])
    assert done.exit_code == 2
    assert told in done.output
