"""Breaks made on purpose, and the hunt for them by the same campaign that watches over the real engine."""

from __future__ import annotations

from dataclasses import dataclass

from durakv_fuzz.campaign import Failure, run
from durakv_fuzz.mutants import of_commit, of_evidence, of_files, of_ownership, of_promises, of_recovery, of_rewrite
from durakv_fuzz.mutants.mutant import Mutant

__all__ = ["MUTANTS", "Hunt", "Mutant", "hunt"]

MUTANTS: dict[str, Mutant] = {
    mutant.name: mutant
    for module in (of_commit, of_promises, of_files, of_rewrite, of_evidence, of_recovery, of_ownership)
    for mutant in module.mutants.all
}
"""Every break, by name."""


@dataclass(frozen=True, slots=True)
class Hunt:
    """How long it took to find one mutant."""

    mutant: Mutant
    failure: Failure | None
    """The first promise it was seen to break; None if it was not found."""
    runs: int
    states: int
    """How many states were judged."""
    seconds: float


def hunt(
    mutant: Mutant, *, seed: int = 1, first_run: int = 0, states: int | None = 20_000, seconds: float | None = None
) -> Hunt:
    """Run the campaign against a broken engine until it is found or the budget is spent."""
    with mutant.applied():
        summary = run(seed, first_run=first_run, states=states, seconds=seconds, failures_max=1)
    failure = summary.failures[0] if summary.failures else None
    return Hunt(mutant, failure, summary.runs, summary.checks, summary.seconds)
