"""The stores of a run, opened once for all rounds, each in a directory of its own."""

from __future__ import annotations

import contextlib
import itertools
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from msgspec.structs import replace

from durakv.bench.contestants import Contestant, ExternalLoad, RawLoad, StoreLoad
from durakv.bench.durakv_store import settings, task_settings
from durakv.bench.matrix import Plan, durakv_loads, is_external_wanted, loads, task_loads
from durakv.bench.mounts import mount_of
from durakv.bench.progress import room
from durakv.bench.results import Case, Mode, Shape
from durakv.bench.store import Setting, Store
from durakv.bench.workload import Pairs


class Field:
    """What was opened; closed when its ``with`` block ends."""

    def __init__(self, directory: Path, plan: Plan) -> None:
        self.raw = [RawLoad(directory, size) for size in plan.value_bytes]
        self.contestants: list[Contestant] = []
        """The closed loops of everybody."""
        self.left_out: list[str] = []
        """What could not be opened, each with the reason."""
        self.versions: dict[str, str] = {}
        self._directory = directory
        self._plan = plan
        self._device = mount_of(directory).device
        self._pairs = {size: Pairs(size, plan.key_space) for size in plan.value_bytes}
        self._closed: list[tuple[Store, Case]] = []
        self._unpaced: list[Store] = []
        self._numbers = itertools.count()
        self._stack = contextlib.ExitStack()
        for loop in self.raw:
            self._stack.callback(loop.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.close()

    # --- who takes part -------------------------------------------------------------------------------------------

    def add_durakv(self) -> None:
        """durakv under every policy that was asked for, from threads and from tasks."""
        for setting in settings(self._plan.policies):
            self._add(setting, self._durakv_loads)
        for setting in task_settings(self._plan.policies):
            self._add(setting, self._task_loads)

    def add_peers(self) -> None:
        """The peers that are installed and were asked for, and the load generators that servers bring along."""
        peers = room("peers")
        there, missing = peers.settings(self._directory)
        self.left_out += [f"{name}: {reason}" for name, reason in missing if self._plan.has(name)]
        for setting in there:
            if self._plan.has(setting.name):
                self._add(setting, self._loads, paced=not self._plan.quick)
        for external in peers.external(self._directory, self._plan.value_bytes):
            case = Case(
                store=external.name,
                setting=external.setting,
                promise=external.promise,
                shape=external.shape,
                width=external.width,
                value_bytes=external.value_bytes,
                client=external.client,
                note=external.note,
            )
            if self._plan.has(external.name) and self._plan.wants(case) and is_external_wanted(self._plan, case):
                self.contestants.append(ExternalLoad(case, external.measure))

    def add(self, setting: Setting) -> None:
        """A store that was asked for by itself: a server that runs already."""
        self._add(setting, self._loads)

    # --- the same stores under other loads ------------------------------------------------------------------------

    def paced(self, rate: float) -> list[StoreLoad]:
        """The open loop of one thread on each store; a quick run has none of installed peers."""
        return [
            self._load(store, replace(case, mode=Mode.OPEN, offered_rate=rate))
            for store, case in self._closed
            if case.shape is Shape.THREADS and case.width == 1 and store not in self._unpaced
        ]

    def widened(self, case: Case, width: int) -> StoreLoad:
        """The store of a closed loop that takes part, with more or fewer writers."""
        store = next(store for store, of in self._closed if of.name == case.name)
        return self._load(store, replace(case, width=width))

    # --- opening --------------------------------------------------------------------------------------------------

    def _add(
        self, setting: Setting, loads_of: Callable[[Setting, Shape], Iterator[Case]], *, paced: bool = True
    ) -> None:
        place = self._directory / f"store-{next(self._numbers)}"
        place.mkdir()
        self._stack.callback(shutil.rmtree, place, ignore_errors=True)
        try:
            store = setting.open(place)
        except Exception as failure:  # noqa: BLE001  whatever a peer raises, the others are measured
            self.left_out.append(f"{setting.name}, {setting.setting}: {failure or type(failure).__name__}")
            return
        self._stack.callback(store.close)
        self.versions[setting.name] = setting.version
        if not paced:
            self._unpaced.append(store)
        for case in loads_of(setting, Shape(store.many)):
            if self._plan.wants(case):
                self._closed.append((store, case))
                self.contestants.append(self._load(store, case))

    def _loads(self, setting: Setting, many: Shape) -> Iterator[Case]:
        return loads(self._plan, setting, many)

    def _durakv_loads(self, setting: Setting, _many: Shape) -> Iterator[Case]:
        return durakv_loads(self._plan, setting)

    def _task_loads(self, setting: Setting, _many: Shape) -> Iterator[Case]:
        return task_loads(self._plan, setting)

    def _load(self, store: Store, case: Case) -> StoreLoad:
        return StoreLoad(store, case, self._pairs[case.value_bytes], self._device)
