"""From a finding to its story: a smaller crash that breaks the same promise, and what can be said about it."""

from __future__ import annotations

import time
from dataclasses import replace

from durakv_fuzz.program.campaign import Finding, Start
from durakv_fuzz.program.disks import Crash
from durakv_fuzz.program.oracle import Told, told_before
from durakv_fuzz.program.subject import Subject

_KEPT_LINES_MAX = 6


def smallest(finding: Finding, subject: Subject, start: Start, *, check_seconds: float, seconds: float) -> Finding:
    """The same verdict, from a crash that is easier to understand; the finding itself if there is none.

    Tries until its time is over.  A verdict that depends on the program's own timing may not come again.
    """
    run, deadline = finding.run, time.monotonic() + seconds
    failed: dict[tuple[int, str, tuple[int, ...]], Finding] = {}

    def told_at(crash: Crash) -> Told:
        told = told_before(run.notes, crash.crash_seq, crash.time, subject.promise, subject.window_seconds)
        return told.with_earlier(finding.earlier)

    def fails(crash: Crash) -> bool:
        if time.monotonic() > deadline:
            return False
        told = told_at(crash)
        _, judgement = start(subject, run, crash, told, check_seconds)
        if judgement.verdict is not finding.judgement.verdict:
            return False
        failed[_key(crash)] = Finding(judgement, crash, run, finding.life, finding.plan, told, finding.earlier)
        return True

    crash = run.smaller(finding.crash, fails)
    return replace(failed.get(_key(crash), finding), crash=crash)


def _without_much_that_was_kept(lines: list[str]) -> list[str]:
    kept = [line for line in lines if line.startswith("kept: ")]
    if len(kept) <= _KEPT_LINES_MAX:
        return lines
    return [
        *(line for line in lines if not line.startswith("kept: ")),
        f"and {len(kept)} more that could have been lost were kept, the last of them {kept[-1].removeprefix('kept: ')}",
    ]


def _key(crash: Crash) -> tuple[int, str, tuple[int, ...]]:
    model, answers = crash.choices()
    return crash.crash_seq, model, tuple(answers)


def story(finding: Finding) -> list[str]:
    """What happened, for people: what the crash decided, and what had been said."""
    told = finding.told
    lines = _without_much_that_was_kept(finding.run.explain(finding.crash))
    if told.acked:
        lines.append(
            f"acknowledged by then: {len(told.acked)} numbers, up to {max(told.acked)}; owed: {len(told.owed)}"
        )
    else:
        lines.append("nothing had been acknowledged by then")
    return lines
