"""The promise: a campaign convicts a program of what is wrong with it, in the life where it is, and never a right one.

Method: small stores with one flaw each, and without any, on the disk in memory; and two programs that save a file, of
which one is right.  Budgets are numbers of states, so that a slow machine sees the same.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from durakv_fuzz.model import Model
from durakv_fuzz.program.campaign import Campaign, CannotRecord, Finding, Limits, Outcome
from durakv_fuzz.program.examine import MODELS, Examination, examine
from durakv_fuzz.program.memory_disk import MemoryDisk
from durakv_fuzz.program.oracle import Verdict
from durakv_fuzz.program.saved_files import SavedFiles
from durakv_fuzz.program.subject import Plan, Promise, Subject
from durakv_fuzz.recorder.recorder import Recorder

from .disks_here import needs_memory
from .stores import FileStore, LogStore

EXAMPLES = Path(__file__).parents[2] / "fuzz" / "example" / "programs"
KILLED, ORDERED, POSIX = (tuple(MODELS[tier]) for tier in ("killed", "ordered", "posix"))
SYNC_SECONDS = 0.002
PREPARED = Plan(count=6, sync_seconds=SYNC_SECONDS)
FRESH = Plan(count=6, sync_seconds=SYNC_SECONDS, prepared=False)


@pytest.fixture(scope="module")
def recorder() -> Iterator[Recorder]:
    needs_memory()
    with Recorder() as shared:
        yield shared


def run(
    subject: Subject,
    recorder: Recorder,
    *,
    states: int = 80,
    models: Sequence[Model] = tuple(Model),
    plan: Plan = PREPARED,
    limits: Limits | None = None,
    seed: int = 1,
) -> Outcome:
    return Campaign(
        subject,
        MemoryDisk(recorder, models),
        [plan],
        limits or Limits(states=states, check_seconds=20.0, later_share=1.0),
        seed=seed,
    ).run()


def seen(outcome: Outcome) -> set[tuple[str, str]]:
    """Tiers and verdicts, of what was not kept."""
    return {(tier, str(verdict)) for tier, verdict in outcome.verdicts if verdict is not Verdict.KEPT}


def lives(findings: Sequence[Finding]) -> set[str]:
    return {finding.life for finding in findings}


def test_a_store_without_a_flaw_keeps_its_promise_in_all_its_lives(recorder: Recorder) -> None:
    for plan in (PREPARED, FRESH):
        outcome = run(LogStore(), recorder, states=100, plan=plan)
        assert outcome.is_clean, outcome.findings[0].judgement
        assert not outcome.losses
        assert min(outcome.lives[life] for life in ("first", "recovery", "second")) > 2
        assert {tier for tier, _ in outcome.verdicts} == {"killed", "ordered", "posix"}


def test_who_acknowledges_before_it_writes_loses_it_by_sigkill_alone(recorder: Recorder) -> None:
    outcome = run(LogStore(flaws=frozenset({"early"})), recorder, models=KILLED, states=60)
    assert seen(outcome) == {("killed", "LOST_ACKED")}
    assert outcome.losses["killed"] == (outcome.violations, 1)


@pytest.mark.parametrize("flaw", ["unsynced", "nameless"])
def test_who_leaves_out_a_sync_is_safe_from_sigkill_and_not_from_a_power_cut(recorder: Recorder, flaw: str) -> None:
    subject = LogStore(flaws=frozenset({flaw}))
    plan = FRESH if flaw == "nameless" else PREPARED
    assert run(subject, recorder, models=KILLED, states=40, plan=plan).is_clean
    assert ("posix", "LOST_ACKED") in seen(run(subject, recorder, models=POSIX, states=60, plan=plan))
    if flaw == "unsynced":
        assert ("ordered", "LOST_ACKED") in seen(run(subject, recorder, models=ORDERED, states=60))
    else:
        # Nothing made the name durable but what was synced later, so a prepared store is not concerned.
        assert run(subject, recorder, models=POSIX, states=60, plan=PREPARED).is_clean


def test_a_recovery_that_does_not_wait_for_the_disk_is_found_when_it_is_crashed_itself(recorder: Recorder) -> None:
    outcome = run(LogStore(flaws=frozenset({"recovers unsynced"})), recorder, models=POSIX, states=110)
    assert seen(outcome) == {("posix", "LOST_ACKED")}
    assert lives(outcome.findings) == {"recovery"}
    finding = outcome.findings[0]
    assert finding.told.owed >= finding.earlier.owed > frozenset(), "what was owed before the first crash is owed still"


def test_a_second_life_that_does_not_wait_for_the_disk_is_found_when_it_is_crashed(recorder: Recorder) -> None:
    outcome = run(LogStore(flaws=frozenset({"goes on unsynced"})), recorder, models=POSIX, states=120)
    assert outcome.findings
    assert lives(outcome.findings) == {"second"}
    assert max(outcome.findings[0].told.acked) > max(outcome.findings[0].earlier.acked, default=-1)


@pytest.mark.parametrize("flaw", ["starts never", "cannot begin"])
def test_who_fails_without_a_crash_is_not_convicted_but_told(recorder: Recorder, flaw: str) -> None:
    words = {"starts never": "it never does", "cannot begin": "no such luck"}[flaw]
    with pytest.raises(CannotRecord, match=f"store failed before any crash: .*{words}"):
        run(LogStore(flaws=frozenset({flaw})), recorder)


def test_who_writes_nothing_has_nothing_to_crash(recorder: Recorder) -> None:
    with pytest.raises(CannotRecord, match="changed nothing"):
        run(SavedFiles(["true", "{dir}"]), recorder)


def test_a_check_that_hangs_is_said_to_hang_after_a_second_try(recorder: Recorder) -> None:
    limits = Limits(states=20, check_seconds=0.3)
    outcome = run(LogStore(flaws=frozenset({"hangs"})), recorder, models=KILLED, limits=limits)
    hanging = [finding for finding in outcome.findings if finding.judgement.verdict is Verdict.HANG]
    assert hanging
    assert hanging[0].judgement.reason == "it gave no answer within 0.9 s"
    assert seen(outcome) == {("killed", "HANG")}, "those whose log is whole do not hang"


def test_a_check_that_is_killed_by_a_signal_did_not_start(recorder: Recorder) -> None:
    outcome = run(LogStore(flaws=frozenset({"dies"})), recorder, models=KILLED, states=40)
    assert seen(outcome) == {("killed", "NO_START")}
    assert "without a word" in outcome.findings[0].judgement.reason


def test_a_window_excuses_what_was_acknowledged_within_it_and_nothing_before(recorder: Recorder) -> None:
    flaws = frozenset({"pauses"})
    plan = Plan(count=12, sync_seconds=SYNC_SECONDS)
    wide = LogStore(flaws=flaws, promise=Promise.WINDOW, window_seconds=60.0)
    outcome = run(wide, recorder, models=ORDERED, plan=plan)
    assert outcome.is_clean
    assert outcome.losses, "acknowledged numbers were gone, which it allows"
    narrow = LogStore(flaws=flaws, promise=Promise.WINDOW, window_seconds=0.001)
    assert ("ordered", "LOST_ACKED") in seen(run(narrow, recorder, models=ORDERED, plan=plan))


def test_a_prefix_may_be_short_and_may_not_have_holes(recorder: Recorder) -> None:
    flaws = frozenset({"pauses"})
    assert run(LogStore(flaws=flaws, promise=Promise.PREFIX), recorder).is_clean
    assert ("ordered", "GAP") in seen(run(FileStore(promise=Promise.PREFIX), recorder, models=ORDERED))


def test_what_a_sync_covered_stays_and_the_rest_may_have_holes(recorder: Recorder) -> None:
    assert run(FileStore(promise=Promise.SYNCED), recorder).is_clean
    untrue = FileStore(promise=Promise.SYNCED, flaws=frozenset({"untrue"}))
    assert ("posix", "LOST_ACKED") in seen(run(untrue, recorder, models=POSIX))


def test_a_number_that_nobody_wrote_is_corrupt(recorder: Recorder) -> None:
    strange = FileStore(promise=Promise.SYNCED, flaws=frozenset({"strange"}))
    assert seen(run(strange, recorder, models=KILLED, states=10)) == {("killed", "CORRUPT")}


def test_what_nothing_was_promised_of_is_seen_and_breaks_nothing(recorder: Recorder) -> None:
    outcome = run(LogStore(flaws=frozenset({"unsynced"}), promise=Promise.NONE), recorder, models=ORDERED, states=60)
    assert outcome.is_clean
    assert outcome.losses["ordered"][0] > 0


def test_limits_hold(recorder: Recorder) -> None:
    assert run(LogStore(), recorder, limits=Limits(states=7)).states == 7
    outcome = run(LogStore(), recorder, limits=Limits(seconds=0.5), plan=Plan(count=40))
    assert 0 < outcome.seconds < 5
    assert outcome.states


def test_no_state_is_tried_twice_and_a_program_of_few_states_is_done_early(recorder: Recorder) -> None:
    outcome = run(LogStore(), recorder, models=KILLED, plan=Plan(count=1), limits=Limits(states=100_000))
    assert outcome.states < 100
    assert outcome.runs >= 2, "it was recorded again, and nothing new was there"


def test_the_same_seed_makes_the_same_choices(recorder: Recorder) -> None:
    """What is recorded differs in its times alone, and nothing here is owed by time."""

    def chosen(seed: int) -> list[object]:
        plan = Plan(count=5)
        campaign = Campaign(
            LogStore(flaws=frozenset({"unsynced"})), MemoryDisk(recorder), [plan], Limits(states=40), seed=seed
        )
        campaign.run()
        outcome = campaign.outcome
        return [
            sorted(outcome.verdicts.items()),
            sorted(outcome.lives.items()),
            [(finding.crash.crash_seq, finding.crash.choices(), finding.life) for finding in outcome.findings],
        ]

    assert chosen(5) == chosen(5)
    assert chosen(5) != chosen(6)


def test_a_program_that_saves_by_rename_alone_is_convicted_on_the_mildest_disk_and_its_fix_is_not(
    recorder: Recorder,
) -> None:
    def saving(name: str) -> SavedFiles:
        return SavedFiles([sys.executable, str(EXAMPLES / f"{name}.py"), "{dir}"])

    careless = saving("save_json")
    words = examine(careless, Examination(limits=Limits(states=80), start=careless.start, fresh=False), careless.plan)
    assert words.is_broken
    assert words.worst("killed") is Verdict.KEPT
    assert {(finding.verdict, finding.tier) for finding in words.findings} == {
        ("CORRUPT", "ordered"),
        ("LOST_ACKED", "ordered"),
    }
    assert all(finding.story for finding in words.findings)

    careful = saving("save_json_fixed")
    words = examine(careful, Examination(limits=Limits(states=80), start=careful.start, fresh=False), careful.plan)
    assert not words.is_broken, words.findings
    assert words.states == 80
