"""A campaign's summary, for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from durakv_fuzz.campaign import Summary, Windows
from durakv_fuzz.mutants import Hunt


def summarise(summary: Summary) -> Iterator[str]:
    """Line by line."""
    rate = len(summary.distinct) / summary.seconds if summary.seconds else 0.0
    yield (
        f"seed {summary.seed}: {summary.runs} runs, {len(summary.distinct)} distinct crash states, "
        f"{summary.checks} judged, in {summary.seconds:.1f} s ({rate:.0f} states/s)"
    )
    for stage, count in sorted(summary.stages.items()):
        yield f"  {count:8}  {stage}"
    yield "what crashes cost: acknowledged batches that were lost, and the age of the oldest"
    yield f"  {'policy':10}{'crash':16}{'crashes':>9}{'lossy':>8}{'lost':>6}{'half':>8}{'99 %':>8}{'most':>8}"
    for (policy, kind), windows in sorted(summary.windows.items()):
        yield f"  {policy:10}{kind:16}{_windows(windows)}"
    verdicts = ", ".join(f"{count} {verdict}" for verdict, count in summary.verdicts.items())
    yield f"violations: {verdicts or 'none'}"


def _windows(windows: Windows) -> str:
    seconds = sorted(windows.seconds)
    ages = "".join(f"{_quantile(seconds, part):7.2f}s" for part in (0.5, 0.99, 1.0))
    return f"{windows.crashes:9}{windows.lossy:8}{windows.lost_max:6}{ages}"


def _quantile(ordered: Sequence[float], part: float) -> float:
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else 0.0


def tabulate(hunts: Iterable[Hunt]) -> Iterator[str]:
    """The table of the mutants, in Markdown, and what about those that were not found."""
    yield "| mutant | what is wrong | stands for | found as | in | states | seconds |"
    yield "|---|---|---|---|---|---|---|"
    questions: list[str] = []
    for hunt in hunts:
        mutant, failure = hunt.mutant, hunt.failure
        found = f"{failure.violation.verdict} | {failure.stage}" if failure else "**not found** | "
        yield f"| {mutant.name} | {mutant.what} | {mutant.stands_for} | {found} | {hunt.states} | {hunt.seconds:.1f} |"
        if failure is None:
            questions.append(f"{mutant.name}: {mutant.not_found_because or 'nobody knows yet why'}")
    if questions:
        yield ""
        yield "open questions:"
        yield from (f"  {question}" for question in questions)
