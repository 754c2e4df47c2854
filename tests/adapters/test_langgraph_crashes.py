"""The promise: no crash takes what DurakvSaver acknowledged, or leaves a half of anything.

Method: the subject of ``crash_langgraph`` with a bounded budget, and savers that are each wrong in one way, which must
all be found.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

import durakv
from tests.hosts import host

host("langgraph.checkpoint.base")

from durakv.adapters.langgraph import DurakvSaver  # noqa: E402
from durakv_fuzz.service import Violation, explore, kill  # noqa: E402
from tests.adapters.crash_langgraph import check_files, driver, service  # noqa: E402


def test_no_power_cut_and_no_kill_takes_a_checkpoint_or_a_write() -> None:
    assert explore(service(), states=400).states >= 400


@pytest.mark.slow
def test_sigkill_takes_no_checkpoint_and_no_write(tmp_path: Path) -> None:
    outcome = kill(driver(), check_files, points=6, directory=tmp_path)
    assert outcome.kills >= 3
    assert outcome.facts > 0


class InTwoBatches(DurakvSaver):
    """The checkpoint first, then the writes that belong to it."""

    def put_with_writes(
        self, config: Any, checkpoint: Any, metadata: Any, new_versions: Any, tasks: Sequence[Any]
    ) -> Any:
        stored = super().put_with_writes(config, checkpoint, metadata, new_versions, ())
        level = {key: value for key, value in config["configurable"].items() if key == "durakv_durability"}
        for task_id, writes, path in tasks:
            self.put_writes({"configurable": {**stored["configurable"], **level}}, writes, task_id, path)
        return stored


class Unsynced(DurakvSaver):
    """Everything is acknowledged before its sync."""

    def __init__(self, db: durakv.Database) -> None:
        class Hasty:
            def __getattr__(self, name: str) -> Any:
                return getattr(db, name)

            def transact(self, decide: Callable[..., Any], *, durability: durakv.Durability) -> Any:
                return db.transact(decide, durability=durakv.Durability.APPLIED)

        super().__init__(db)
        self.db = Hasty()  # type: ignore[assignment]


class ValuesInABatchOfTheirOwn(DurakvSaver):
    """What a checkpoint's index names comes later."""

    def __init__(self, db: durakv.Database) -> None:
        class Torn:
            def __getattr__(self, name: str) -> Any:
                return getattr(db, name)

            def transact(self, decide: Callable[..., Any], *, durability: durakv.Durability) -> Any:
                collected: list[tuple[str, tuple[Any, ...]]] = []

                class Collector:
                    def __getattr__(self, name: str) -> Any:
                        return lambda *arguments: collected.append((name, arguments))

                answer = db.read(lambda state: decide(state, Collector()))
                for name, arguments in collected:
                    getattr(db, name)(*arguments, durability=durability)
                return answer

        super().__init__(db)
        self.db = Torn()  # type: ignore[assignment]


@pytest.mark.parametrize("broken", [InTwoBatches, Unsynced, ValuesInABatchOfTheirOwn])
def test_a_saver_that_breaks_a_promise_is_found(broken: type[DurakvSaver]) -> None:
    with pytest.raises(Violation):
        explore(service(broken), states=3000)
