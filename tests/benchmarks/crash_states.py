"""How many crash states a second the laboratory judges: plain power cuts, every state recovered by the real engine.

    python tests/benchmarks/crash_states.py [--rounds 5] [--programs 12] [--states 1000] [--drawn]

The programs write single values, wait, sync and rotate on a disk that never fails; there is one policy after the other.
Each is recorded once, and its power losses are enumerated, recovered and judged, on one core.  A *state* is what the
enumerator calls distinct: an image, and what had been promised when the power went.  States with the same image share
one recovery, so images are counted too.  ``--drawn`` takes programs as a campaign draws them instead: batches of many
commands, values of more than a page, a dozen segments.

Rates are medians over the rounds, by the clock on the wall and by the processor time of this process; where other
programs use the machine at the same time only the second says much.
"""

from __future__ import annotations

import argparse
import gc
import os
import platform
import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

from durakv.durability import FsyncPolicy
from durakv_fuzz.choose import Recorded, Seeded
from durakv_fuzz.enumerate import crash_states
from durakv_fuzz.lives import Crash, Recording
from durakv_fuzz.model import Model, crash_image
from durakv_fuzz.oracle import Judgement
from durakv_fuzz.quiet import collected_at_the_end, quiet
from durakv_fuzz.script import KEY_COUNT, Action, Script, Setup, Step
from durakv_fuzz.witness import Witness, witness
from durakv_fuzz.workload import Alphabet, draw_script

T = TypeVar("T")

TARGET = 4_000
"""States a second on one core, of the plain programs."""

SEGMENT_BYTES = 8192
WRITES = 40
SIZES = (10, 80, 80, 300, 600)
DRAWN_STEPS = 30
DRAWN_ACTIONS = (Action.WRITE, Action.WAIT, Action.SYNC, Action.ADVANCE)
MODEL = Model.POWER_LOSS
PARTS = ("recording", "enumerating", "recovering", "judging", "collecting")
"""Together they are the whole work."""

IMAGES = "making images"


@dataclass(slots=True)
class Round:
    """What one pass over all programs did, and how long its parts took."""

    states: int = 0
    images: int = 0
    events: int = 0
    """Of the traces."""
    bytes: int = 0
    """Of all images."""
    violations: list[str] = field(default_factory=list[str])
    wall: dict[str, float] = field(default_factory=dict[str, float])
    processor: dict[str, float] = field(default_factory=dict[str, float])

    def time(self, part: str, work: Callable[[], T]) -> T:
        """Do it, and book the time to that part."""
        wall, processor = time.perf_counter(), time.process_time()
        result = work()
        self.wall[part] = self.wall.get(part, 0.0) + time.perf_counter() - wall
        self.processor[part] = self.processor.get(part, 0.0) + time.process_time() - processor
        return result

    def rates(self, count: int) -> tuple[float, float]:
        """How many of so many a second: by the wall, by the processor."""
        wall, processor = (sum(seconds[part] for part in PARTS) for seconds in (self.wall, self.processor))
        return count / wall, count / processor


def plain_program(number: int) -> Script:
    """Writes of one value each: a third of them waited for later, then and now a sync, or a second that passes."""
    generator = random.Random(number)
    steps: list[Step] = []
    for _ in range(WRITES):
        later = int(generator.random() < 1 / 3)
        steps.append(Step(Action.WRITE, (3, later, 0, generator.randrange(KEY_COUNT), generator.choice(SIZES))))
        if generator.random() < 1 / 4:
            action = generator.choice((Action.WAIT, Action.SYNC, Action.ADVANCE))
            steps.append(Step(action, (1000,) if action is Action.ADVANCE else ()))
    return tuple(steps)


def drawn_program(number: int) -> Script:
    """A program as a campaign would draw it."""
    return draw_script(Seeded(number), Alphabet(DRAWN_ACTIONS, flushes=False), least=DRAWN_STEPS, most=DRAWN_STEPS)


def measure(programs: int, states: int, *, drawn: bool = False) -> Round:
    """Go through the programs once."""
    done = Round()
    for number in range(programs):
        policy = tuple(FsyncPolicy)[number % len(FsyncPolicy)]
        if drawn:
            setup, script = Setup(policy=policy, identity=number), drawn_program(number)
        else:
            setup, script = Setup(policy=policy, segment_bytes=SEGMENT_BYTES, identity=number), plain_program(number)
        with collected_at_the_end():  # as in a campaign
            _measure_one(done, setup, script, states)
            done.time("collecting", partial(gc.collect, 0))
    return done


def _measure_one(done: Round, setup: Setup, script: Script, budget: int) -> None:
    recording = done.time("recording", lambda: Recording.first(setup, script))
    timeline = recording.timeline
    walk = crash_states(timeline, budget=budget, seed=setup.identity, models=(MODEL,))
    states = done.time("enumerating", lambda: [*walk])

    def make_again() -> None:
        # To see which part of the enumeration this is; what it costs besides is choosing, and images known already.
        for state in states:
            crash_image(timeline, state.crash_seq, Recorded(state.answers), model=MODEL)

    done.time(IMAGES, make_again)
    known: dict[int, Witness] = {}

    def recover() -> list[Witness]:
        seen: list[Witness] = []
        for state in states:
            fingerprint = state.image.fingerprint()
            if fingerprint not in known:
                known[fingerprint] = witness(state.image, setup)
            seen.append(known[fingerprint])
        return seen

    witnesses = done.time("recovering", recover)

    def judge() -> list[Judgement]:
        return [seen.judge(recording.expect(Crash.of(state))) for state, seen in zip(states, witnesses, strict=True)]

    judgements = done.time("judging", judge)
    done.states += len(states)
    done.images += len(known)
    done.events += recording.trace.seq
    done.bytes += sum(sum(map(len, state.image.files.values())) for state in states)
    done.violations += [str(judgement.violation) for judgement in judgements if judgement.violation is not None]
    done.violations += [str(violation) for violation in recording.history.violations]


def main() -> int:
    """Run the rounds and print the table; exit with 1 if the target is missed or a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--programs", type=int, default=12)
    parser.add_argument("--states", type=int, default=1000, help="at most so many of each program")
    parser.add_argument("--drawn", action="store_true", help="programs of a campaign; there is no target for them")
    options = parser.parse_args()
    rounds: list[Round] = []
    with quiet():
        measure(1, 50)  # what is imported and compiled at first use
        for _ in range(options.rounds):
            gc.collect()
            rounds.append(measure(options.programs, options.states, drawn=options.drawn))
    print("command:", " ".join([Path(sys.executable).name, *sys.argv]))
    print(f"python {platform.python_version()}  {platform.platform()}  {os.cpu_count()} cores, one of them used")
    first = rounds[0]
    print(
        f"{options.rounds} rounds of {options.programs} programs, {first.events / options.programs:.0f} events each: "
        f"{first.states:,} states, {first.bytes / first.states:,.0f} bytes each, {first.images:,} images"
    )
    print(f"{'a second':24}{'wall':>12}{'processor':>12}")
    measured = _print_rate("distinct states", rounds, [done.states for done in rounds])
    _print_rate("distinct images", rounds, [done.images for done in rounds])
    print(f"{'part':24}{'share':>12}{'us a state':>12}")
    total = sum(sum(map(done.processor.__getitem__, PARTS)) for done in rounds)
    for part in (*PARTS, IMAGES):
        spent = sum(done.processor[part] for done in rounds)
        name = part if part in PARTS else f"  of it, {part}"
        print(f"{name:24}{spent / total:12.1%}{1e6 * spent / sum(done.states for done in rounds):12,.0f}")
    violations = dict.fromkeys(violation for done in rounds for violation in done.violations)
    for violation in violations:
        print("violation:", violation)
    if options.drawn:
        return 1 if violations else 0
    print(f"target: {measured:,.0f} states/s of processor time, wanted {TARGET:,}: {verdict(measured >= TARGET)}")
    return 0 if measured >= TARGET and not violations else 1


def _print_rate(what: str, rounds: Sequence[Round], counts: Sequence[int]) -> float:
    """Print the medians; return the one by processor time."""
    rates = [done.rates(count) for done, count in zip(rounds, counts, strict=True)]
    processor = statistics.median(rate for _, rate in rates)
    print(f"{what:24}{statistics.median(rate for rate, _ in rates):12,.0f}{processor:12,.0f}")
    return processor


def verdict(met: bool) -> str:
    """A word for the table."""
    return "met" if met else "MISSED"


if __name__ == "__main__":
    raise SystemExit(main())
