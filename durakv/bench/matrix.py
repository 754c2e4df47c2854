"""Which cases a run has: how many rounds of what length, and which loads each store gets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from durakv.bench.durakv_store import NAME
from durakv.bench.results import Case, Promise, Shape
from durakv.bench.store import Setting
from durakv.bench.workload import KEY_SPACE, VALUE_BYTES
from durakv.durability import FsyncPolicy

WRITERS = 64
"""How many writers beside each other are compared with one."""

BATCH = 1000
WINDOW = 1024

_TURN_SECONDS_MIN = 0.1
_CRASH_SECONDS_MIN = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What was asked for, and how much time there is for it."""

    quick: bool = False
    rounds: int = 5
    seconds: float | None = None
    """Of one turn; None fits the turns into ``budget_seconds``."""
    budget_seconds: float = 300.0
    """For all rounds together."""
    turn_seconds_max: float = 1.0
    policies: tuple[FsyncPolicy, ...] = tuple(FsyncPolicy)
    shapes: tuple[Shape, ...] = tuple(Shape)
    writers: tuple[int, ...] = (1, WRITERS)
    """Threads and tasks."""
    value_bytes: tuple[int, ...] = (VALUE_BYTES,)
    key_space: int = KEY_SPACE
    rate: float | None = None
    """Of the open loops, in writes a second; None chooses one that the disk can bear."""
    stores: tuple[str, ...] = ()
    """Names of peers to measure, and ``durakv``; none are all."""
    paced_rounds: int = 1
    paced_seconds: float = 6.0
    sweep_rounds: int = 3
    loss_seconds: float = 120.0
    """For all crashes together; 0 leaves them out, as do no keys the next two."""
    total_seconds: float | None = None
    """Crashes come last, and get less if they would make the run longer than this; see ``crash_seconds``."""
    rewrite_keys: int = 1_000_000
    rewrite_rounds: int = 3
    recovery_keys: tuple[int, ...] = (100_000, 250_000, 500_000, 1_000_000)
    recovery_opens: int = 3
    """Of each directory; the median counts."""
    patience_seconds: float = 60.0
    """For other programs to end, in all."""
    seed: int = 1

    def has(self, store: str) -> bool:
        """Whether a store was asked for, by any part of its name."""
        return not self.stores or any(wanted.lower() in store.lower() for wanted in self.stores)

    @property
    def is_alone(self) -> bool:
        """Whether durakv is to be measured without peers."""
        return bool(self.stores) and all(wanted.lower() in NAME for wanted in self.stores)

    def wants(self, case: Case) -> bool:
        """Whether a case is of a shape that was asked for."""
        return case.shape in self.shapes

    def turn_seconds(self, contestants: int) -> float:
        """How long a turn may last."""
        if self.seconds is not None:
            return self.seconds
        fair = self.budget_seconds / max(1, self.rounds * contestants)
        return min(self.turn_seconds_max, max(_TURN_SECONDS_MIN, fair))

    def crash_seconds(self, elapsed_seconds: float) -> float:
        """How long to crash in a run that has lasted so long already; never so short that it says nothing."""
        if self.total_seconds is None:
            return self.loss_seconds
        left = max(_CRASH_SECONDS_MIN, self.total_seconds - elapsed_seconds)
        return min(self.loss_seconds, left)

    def paced_rate(self, raw_rate: float) -> float:
        """Writes a second of an open loop with one writer: half of what the disk can do, and not above 1000."""
        return self.rate if self.rate is not None else float(max(1, min(1000, int(raw_rate / 2))))


QUICK = Plan(
    quick=True,
    rounds=3,
    budget_seconds=24.0,
    turn_seconds_max=0.5,
    paced_rounds=1,
    paced_seconds=3.0,
    sweep_rounds=1,
    loss_seconds=25.0,
    total_seconds=110.0,
    rewrite_keys=100_000,
    rewrite_rounds=2,
    recovery_keys=(20_000, 50_000, 100_000),
    recovery_opens=1,
    patience_seconds=3.0,
)
"""Under two minutes in all."""

FULL = Plan()
"""A quarter of an hour."""


def loads(plan: Plan, setting: Setting, many: Shape) -> Iterator[Case]:
    """The closed loops of a store that threads call; ``many`` is what its ``put_many`` is.

    In a quick run, stores that do not sync before they acknowledge get no crowd of threads: there is no sync to share;
    and those that promise nothing are left for the full one.
    """
    if plan.quick and setting.promise is Promise.NOTHING:
        return
    for value_bytes in plan.value_bytes:
        for width in plan.writers:
            if not (plan.quick and width > 1 and setting.promise is not Promise.POWER):
                yield case_of(setting, Shape.THREADS, width, value_bytes)
        yield case_of(setting, many, BATCH, value_bytes)


def durakv_loads(plan: Plan, setting: Setting) -> Iterator[Case]:
    """The closed loops of durakv called by threads: those of any store, and the window of separate writes."""
    yield from loads(plan, setting, Shape.BATCH)
    for value_bytes in plan.value_bytes:
        yield case_of(setting, Shape.WINDOW, WINDOW, value_bytes)


def task_loads(plan: Plan, setting: Setting) -> Iterator[Case]:
    """The closed loops of durakv in an event loop."""
    for value_bytes in plan.value_bytes:
        for width in plan.writers:
            yield case_of(setting, Shape.TASKS, width, value_bytes)


def is_external_wanted(plan: Plan, case: Case) -> bool:
    """Whether the load of an external generator belongs into the run.

    A quick run has those that the targets are compared with: single commands before a sync, long pipelines without.
    """
    if not plan.quick:
        return True
    if case.promise is Promise.POWER:
        return case.shape is Shape.CLIENTS
    return case.shape is Shape.PIPELINE and case.width >= WRITERS and "everysec" in case.setting


def case_of(setting: Setting, shape: Shape, width: int, value_bytes: int) -> Case:
    """A closed loop on a store."""
    return Case(
        store=setting.name,
        setting=setting.setting,
        promise=setting.promise,
        shape=shape,
        width=width,
        value_bytes=value_bytes,
        note=setting.note,
    )
