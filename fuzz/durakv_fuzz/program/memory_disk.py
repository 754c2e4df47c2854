"""The disk in memory: a recorded tree, and every tree that the fault model says may be left of it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from durakv_fuzz.enumerate import TreeState, explain
from durakv_fuzz.model import Model
from durakv_fuzz.program.disks import Crash
from durakv_fuzz.program.recording import Recording
from durakv_fuzz.recorder.recorder import Recorder
from durakv_fuzz.sampled import sampled_states
from durakv_fuzz.smaller_tree import minimal_crash
from durakv_fuzz.timeline import Timeline
from durakv_fuzz.trace import Note, Trace
from durakv_fuzz.tree import EMPTY

TIERS = {
    Model.PROCESS_CRASH: "killed",
    Model.ORDERED: "ordered",
    Model.ORDERED_ZERO_TAIL: "ordered",
    Model.POWER_LOSS: "posix",
}
"""What a model is called in verdicts."""

_ATTEMPTS_MAX = 80
"""How many starts a crash that is to be made smaller is worth."""


@dataclass(frozen=True, slots=True)
class TreeCrash:
    """A state of a recorded tree."""

    state: TreeState
    witness: str = ""
    """What was lost, and what came later and survived; of a crash that was made smaller."""

    @property
    def crash_seq(self) -> int:
        """See :class:`Crash`."""
        return self.state.crash_seq

    @property
    def time(self) -> float:
        """See :class:`Crash`."""
        return self.state.time

    @property
    def tier(self) -> str:
        """See :class:`Crash`."""
        return TIERS[self.state.model]

    @property
    def stage(self) -> str:
        """See :class:`Crash`."""
        return self.state.stage

    @property
    def key(self) -> str:
        """See :class:`Crash`."""
        return self.state.image.digest()

    def choices(self) -> tuple[str, Sequence[int]]:
        """See :class:`Crash`."""
        return str(self.state.model), self.state.answers


class TreeRun:
    """A run that was recorded in memory."""

    def __init__(self, recorder: Recorder, trace: Trace, models: Sequence[Model]) -> None:
        self._recorder = recorder
        self.trace = trace
        self._models = models
        self._timeline: Timeline | None = None

    @property
    def notes(self) -> Sequence[Note]:
        """See :class:`Run`."""
        return self.trace.notes

    @property
    def is_empty(self) -> bool:
        """See :class:`Run`."""
        return not self.trace.operations

    def crashes(self, count: int, seed: int) -> Iterator[Crash]:
        """See :class:`Run`."""
        for state in sampled_states(self.played(), budget=count, seed=seed, models=self._models):
            yield TreeCrash(state)

    @contextmanager
    def serve(self, crash: Crash) -> Generator[Path]:
        """See :class:`Run`."""
        assert isinstance(crash, TreeCrash)
        self._recorder.load(crash.state.image, sync_seconds=0.0)
        yield self._recorder.directory

    def serve_and_record(self, crash: Crash, work: Callable[[Recording], None]) -> TreeRun:
        """See :class:`Run`."""
        assert isinstance(crash, TreeCrash)
        self._recorder.load(crash.state.image, sync_seconds=0.0)
        work(MemoryRecording(self._recorder))
        return TreeRun(self._recorder, self._recorder.trace(), self._models)

    def smaller(self, crash: Crash, fails: Callable[[Crash], bool]) -> Crash:
        """See :class:`Run`."""
        assert isinstance(crash, TreeCrash)
        found = minimal_crash(self.played(), lambda state: fails(TreeCrash(state)), crash.state, attempts=_ATTEMPTS_MAX)
        return TreeCrash(found.state, found.witness)

    def explain(self, crash: Crash) -> list[str]:
        """See :class:`Run`."""
        assert isinstance(crash, TreeCrash)
        timeline = self.played()
        lines = (timeline.placed(line) for line in explain(timeline, crash.state))
        return [*filter(None, [crash.witness]), *lines]

    def close(self) -> None:
        """See :class:`Run`: the trace stays, and is played again if need be."""
        self._timeline = None

    def played(self) -> Timeline:
        """The trace with the state of the disk at every point."""
        if self._timeline is None:
            self._timeline = Timeline(self.trace)
        return self._timeline


class MemoryRecording:
    """A ``Recording`` whose settled state becomes the base of the trace, so that nothing before it is crashed."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self.directory = recorder.directory

    def note(self, kind: str, payload: int | str) -> None:
        """See :class:`Recording`."""
        self._recorder.note(kind, payload)

    def settle(self) -> None:
        """See :class:`Recording`; whoever still works in the directory is cut off."""
        self._recorder.load(self._recorder.tree())

    def sync_all(self, thread: int) -> None:
        """See :class:`ToldOfSyncs`."""
        self._recorder.sync_all(thread)


class MemoryDisk:
    """See the module.  ``models`` are the kinds of crashes that are tried."""

    tier = "memory"

    def __init__(self, recorder: Recorder, models: Sequence[Model] = tuple(Model)) -> None:
        self._recorder = recorder
        self._models = models

    def record(self, work: Callable[[Recording], None], *, sync_seconds: float) -> TreeRun:
        """See :class:`Disk`."""
        self._recorder.load(EMPTY, sync_seconds=sync_seconds)
        work(MemoryRecording(self._recorder))
        return TreeRun(self._recorder, self._recorder.trace(), self._models)
