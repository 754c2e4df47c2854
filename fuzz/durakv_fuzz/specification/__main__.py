"""``python -m durakv_fuzz.specification``: all three machines, every mistake, and the engine's own lives.

What cannot be run on this machine is said and left out; with ``DURAKV_REQUIRE_SPECS=1`` it is a failure.  The exit
code is 1 if anything is not as it should be.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator

from durakv_fuzz.specification.bounds import LARGE, MISTAKEN, READABLE, SMALL
from durakv_fuzz.specification.checkers import Checked, missing_spin, missing_tlc, spin, tlc
from durakv_fuzz.specification.explore import explore
from durakv_fuzz.specification.lives import follow_lives
from durakv_fuzz.specification.mistakes import MISTAKES


def main() -> int:
    """See the module."""
    parser = argparse.ArgumentParser(prog="python -m durakv_fuzz.specification", description=__doc__)
    parser.add_argument("--runs", type=int, default=1000, help="how many runs of the engine are followed")
    parser.add_argument("--seed", type=int, default=1, help="which ones")
    arguments = parser.parse_args()
    without = {"spin": missing_spin(), "tlc": missing_tlc()}
    for name, reason in without.items():
        if reason:
            _say(f"{name} is left out: {reason}")
    failures = sum(not good for good in _all(without, arguments.seed, arguments.runs))
    if os.environ.get("DURAKV_REQUIRE_SPECS"):
        failures += sum(map(bool, without.values()))
    _say(f"{failures} failures" if failures else "everything is as it should be")
    return int(failures > 0)


def _all(without: dict[str, str], seed: int, runs: int) -> Iterator[bool]:
    for bounds in (*SMALL, *READABLE, *LARGE):
        counts: set[tuple[int, int]] = set()
        checked: list[Checked] = []
        if bounds in SMALL:
            started = time.monotonic()
            explored = explore(bounds)
            checked.append(Checked(explored.states, explored.transitions, explored.broken, time.monotonic() - started))
        if not without["spin"]:
            checked.append(spin(bounds))
        if not without["tlc"] and bounds not in LARGE:
            checked.append(tlc(bounds))
        counts = {(one.states, one.transitions) for one in checked}
        broken = next((one.broken for one in checked if one.broken), "")
        for states, transitions in counts:
            times = ", ".join(f"{one.seconds:.1f}" for one in checked)
            _say(f"{bounds}: {states} states, {transitions} transitions ({times} s) {broken}")
        yield len(counts) <= 1 and not broken
    for mistake in MISTAKES:
        found = [] if without["spin"] else [spin(MISTAKEN, mistake)]
        found += [] if without["tlc"] else [tlc(MISTAKEN, mistake)]
        clauses = " / ".join(one.broken or "NOT FOUND" for one in found)
        _say(f"{mistake.name}: {clauses} after {' / '.join(str(one.states) for one in found)} states")
        yield all(one.broken for one in found)
    started = time.monotonic()
    followed = follow_lives(seed, runs)
    rate = followed.lives / (time.monotonic() - started)
    _say(f"{followed.lives} lives of the engine, {followed.steps} steps, {rate:.0f} lives a second")
    if followed.deviation is not None:
        _say(f"run {followed.run} of seed {seed} deviates: {followed.deviation}")
    yield followed.deviation is None


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
