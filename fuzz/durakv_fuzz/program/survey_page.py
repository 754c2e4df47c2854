"""The survey as a page: what many programs promise, and what was seen after a power cut."""

from __future__ import annotations

from collections.abc import Iterator

from durakv_fuzz.program.oracle import Verdict
from durakv_fuzz.program.report_files import words_of
from durakv_fuzz.program.seen import TIERS, Report, Seen, SeenFinding
from durakv_fuzz.program.subject import Promise

_STORY_LINES_MAX = 12

_HEAD = """\
# What programs keep after a power cut

This page is written by `durakv fuzz survey --write docs/survey.md`: each program did some work on a disk that remembers
everything, and was started again on states that a power cut may have left. A store was asked to keep numbered values;
what it had acknowledged was compared with what it showed.

How to read it:

- **A verdict is about one version with one setting**, both named below, and about small workloads: clean means that
  nothing was found in so many states, not that nothing is there.
- **The kind of disk decides.** `killed` is SIGKILL alone. `ordered` and `posix` are models of a disk ([the fault
  model](../specs/02-fault-model.md)): a journalling file system that keeps changes of names in order, and the worst
  that POSIX allows. What is seen under `posix` only may never happen on the file system that you have. `ext4`, `xfs`
  and `btrfs` are the real ones, on a device that lost sectors which were not flushed.
- **Documented is not broken.** Many settings trade durability for speed and say so; what their documents say is quoted
  beside what was seen. Where nothing is promised, what was seen is told without a judgement.

| verdict | meaning |
|---|---|
| clean | every promise was kept in all states |
| LOST_ACKED | what was acknowledged, and covered by the promise, was gone |
| GAP | a later write was there, and an earlier one not |
| CORRUPT | a value was there that nobody wrote |
| NO_START | it did not start |
| REPAIRABLE | it started after its makers' repair tool was used |
| HANG | it gave no answer in time |
"""


def render_survey(report: Report) -> str:
    """The page in Markdown."""
    return "\n".join(_lines(report)).rstrip() + "\n"


def _lines(report: Report) -> Iterator[str]:
    run = [seen for seen in report.seen if not seen.missing]
    yield _HEAD
    states = sum(seen.states for seen in run)
    seconds = sum(seen.seconds for seen in run)
    yield (
        f"Measured {report.date[:10]} on {report.machine}: {len(run)} programs with a setting, "
        f"{states:,} states in {seconds:,.0f} s."
    )
    yield ""
    yield f"| program | setting | promise | {' | '.join(TIERS)} |"
    yield "|" + "---|" * (3 + len(TIERS))
    for seen in run:
        cells = " | ".join(_cell(seen, tier) for tier in TIERS)
        yield f"| {seen.program} | {seen.setting} | {seen.promise} | {cells} |"
    yield ""
    if absent := [seen for seen in report.seen if seen.missing]:
        yield (
            "Not run on this machine: "
            + "; ".join(f"{seen.program} {seen.setting} ({seen.missing})" for seen in absent)
            + "."
        )
        yield ""
    program = ""
    for seen in run:
        if seen.program != program:
            program = seen.program
            yield f"## {program}"
            yield ""
            yield ", ".join(f"{name} {version}" for name, version in seen.versions.items()) + "."
            yield ""
        yield from _details(seen)


def _cell(seen: Seen, tier: str) -> str:
    words = words_of(seen, tier)
    worst = seen.worst(tier)
    if worst is None:
        return "–"
    if worst is Verdict.KEPT or seen.promise == Promise.NONE:
        return words
    return f"**{words}**"


def _details(seen: Seen) -> Iterator[str]:
    yield f"### {seen.program} {seen.setting}"
    yield ""
    yield f"Promised: `{seen.promise}`. {seen.documented}"
    yield ""
    for reason in sorted(set(seen.skipped.values())):
        tiers = ", ".join(tier for tier, words in seen.skipped.items() if words == reason)
        yield f"Not tried on {tiers}: {reason}."
        yield ""
    told: set[tuple[str, str, bool]] = set()
    for finding in seen.findings:
        kind = (finding.verdict, finding.tier, finding.prepared)
        if kind not in told:
            told.add(kind)
            yield from _finding(finding)


def _finding(finding: SeenFinding) -> Iterator[str]:
    when = "" if finding.prepared else ", while the store was being made"
    life = {"recovery": ", crashed again in its recovery", "second": ", crashed again after going on"}
    yield f"- {finding.verdict} ({finding.tier}{when}{life.get(finding.life, '')}): {finding.reason}"
    if finding.story:
        yield ""
        yield "  ```"
        yield from (f"  {line}" for line in finding.story[:_STORY_LINES_MAX])
        if len(finding.story) > _STORY_LINES_MAX:
            yield "  ..."
        yield "  ```"
    yield ""
