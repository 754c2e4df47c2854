"""Run a campaign: ``python -m durakv_fuzz --seconds 60 --seed 1``.

    --mutants            hunt every mutant instead, and print the table of specs/09-crash-tests.md
    --replay FILE        repeat a failure that an earlier campaign wrote down, and tell its story

The exit code is 0 when every promise was kept (and every mutant found), else 1.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from durakv_fuzz.campaign import Failure, Summary, quiet, run
from durakv_fuzz.lives import Case, replay
from durakv_fuzz.mutants import MUTANTS, Hunt, hunt
from durakv_fuzz.report import summarise, tabulate
from durakv_fuzz.shrink import shrink
from durakv_fuzz.story import tell

RUNS_APART = 1_000_000
"""Every process of a campaign begins with another run, so that together they do what one would do in the long run."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(
        prog="python -m durakv_fuzz", description="Crash the engine and judge what is left."
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, help="stop after so long; 60 if nothing else is said")
    parser.add_argument("--states", type=int, help="stop after so many distinct crash states, in each process")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--failures", type=Path, default=Path("."), help="where failures are written down")
    parser.add_argument("--mutants", action="store_true", help="hunt the mutants")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="repeat a failure")
    chosen = parser.parse_args(arguments)
    if chosen.replay is not None:
        return _replay(chosen.replay)
    if chosen.mutants:
        return _hunt(chosen.seed, chosen.states if chosen.states is not None else 40_000)
    seconds = chosen.seconds if chosen.seconds is not None or chosen.states is not None else 60.0
    return _campaign(chosen.seed, chosen.states, seconds, chosen.jobs, chosen.failures)


def _campaign(seed: int, states: int | None, seconds: float | None, jobs: int, directory: Path) -> int:
    total = Summary(seed)
    if jobs == 1:
        total.merge(run(seed, states=states, seconds=seconds))
    else:
        with ProcessPoolExecutor(jobs) as pool:
            parts = [
                pool.submit(run, seed, states=states, seconds=seconds, first_run=job * RUNS_APART)
                for job in range(jobs)
            ]
            for part in parts:
                total.merge(part.result())
        total.seconds /= jobs
    _say(summarise(total))
    for failure in total.failures:
        _write_down(failure, directory / f"failure-{seed}-{failure.run}.json")
    return 1 if total.failures else 0


def _write_down(failure: Failure, path: Path) -> None:
    case = shrink(failure)
    path.write_text(case.dump())
    with quiet():
        _say(["", f"run {failure.run}, {failure.stage}; again with --replay {path}", *tell(case)])


def _hunt(seed: int, states: int) -> int:
    hunts: list[Hunt] = []

    def one_by_one() -> Iterator[Hunt]:
        for mutant in MUTANTS.values():
            hunts.append(hunt(mutant, seed=seed, states=states))
            yield hunts[-1]

    _say(tabulate(one_by_one()))
    return 0 if all(found.failure is not None for found in hunts) else 1


def _replay(path: Path) -> int:
    case = Case.load(path.read_text())
    with quiet():
        _say(tell(case))
        return 0 if replay(case).violation is None else 1


def _say(lines: Iterable[str]) -> None:
    for line in lines:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
