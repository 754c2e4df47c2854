"""The promise: whatever the crash, every task that was acknowledged is in one place, once, or at its end.

Method: campaigns of power cuts and kills with small budgets (``python -m tests.adapters.crash_huey`` has large ones),
and hueys that are broken on purpose, each of which has to be found.
"""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import durakv
from durakv_fuzz.service import Violation, explore, kill
from tests.hosts import host

host("huey")

from huey.api import Huey  # noqa: E402

from durakv.adapters.huey import DurakvHuey, DurakvStorage  # noqa: E402
from durakv.adapters.huey.places import HeldBytes, Place  # noqa: E402
from tests.adapters import crash_huey  # noqa: E402

STATES = 400
STATES_OF_MUTANTS = 4000
KILLS = 8


def test_no_crash_loses_doubles_or_misplaces_a_task() -> None:
    outcome = explore(crash_huey.service(), states=STATES)
    assert outcome.states == STATES


@pytest.mark.slow
def test_no_kill_loses_doubles_or_misplaces_a_task(tmp_path: Path) -> None:
    outcome = kill(crash_huey.DRIVER, crash_huey.check_files, points=KILLS, directory=tmp_path)
    assert outcome.facts > 0


class Torn(Place):
    """Moves a task in two batches."""

    first = "add"

    def add(self, data: bytes, score: float) -> None:
        if not isinstance(data, HeldBytes) or data.held.spent:
            super().add(data, score)
        elif self.first == "add":
            super().add(bytes(data), score)
            data.held.place.settle(data.held)
        else:
            data.held.place.settle(data.held)
            super().add(bytes(data), score)


class TornTheOtherWay(Torn):
    """Moves a task in two batches, and takes it away first."""

    first = "take"


def broken(place: type[Place]) -> crash_huey.Make:
    def make(**options: Any) -> DurakvHuey:
        huey = DurakvHuey(**options)
        storage = huey.storage
        storage.queue.__class__ = storage.schedule.__class__ = place
        return huey

    return make


class Hasty(DurakvHuey):
    """Says that a task is there before it is on the disk."""

    def get_storage(self, **options: Any) -> DurakvStorage:
        return super().get_storage(durability=durakv.Durability.APPLIED, **options)


class Careless(DurakvHuey):
    """Takes tasks away before they are executed, as huey does."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, redeliver=False, **options)


class Early(DurakvHuey):
    """Says that a task is done, and then stores its result."""

    def put_result(self, key: str, data: Any) -> None:
        for task in self._tasks:
            task.durakv_held.place.settle(task.durakv_held)
        super().put_result(key, data)

    _tasks: tuple[Any, ...] = ()

    def execute(self, task: Any, timestamp: Any = None) -> Any:
        with self._executing(task):
            return super().execute(task, timestamp)

    @contextmanager
    def _executing(self, task: Any) -> Any:
        self._tasks = (task,)
        yield
        self._tasks = ()


class Original(DurakvHuey):
    """Reads the schedule as huey does."""

    read_schedule = Huey.read_schedule


@pytest.mark.parametrize(
    "make",
    [broken(Torn), broken(TornTheOtherWay), Hasty, Careless, Early, Original],
    ids=["adds first", "takes first", "hasty", "careless", "early", "original"],
)
def test_a_huey_that_is_broken_on_purpose_is_found(make: crash_huey.Make) -> None:
    with pytest.raises(Violation):
        explore(crash_huey.service(make), states=STATES_OF_MUTANTS)
