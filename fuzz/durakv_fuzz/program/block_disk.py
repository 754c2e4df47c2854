"""Real file systems: a recorded device, and every state that a power cut may leave of it, mounted by the real thing."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from durakv_fuzz.block.crash_mount import CrashMount
from durakv_fuzz.block.enumerate import DeviceState, device_states
from durakv_fuzz.block.recorder import BlockRecorder
from durakv_fuzz.block.states import KEPT, LOST, Device
from durakv_fuzz.block.trace import BlockTrace
from durakv_fuzz.choose import Recorded
from durakv_fuzz.program.disks import Crash
from durakv_fuzz.program.recording import Recording
from durakv_fuzz.trace import Note

_EXPLAINED_MAX = 40


@dataclass(frozen=True, slots=True)
class DeviceCrash:
    """A state of a recorded device."""

    state: DeviceState
    time: float
    tier: str
    """The file system's name."""

    @property
    def crash_seq(self) -> int:
        """See :class:`Crash`."""
        return self.state.crash_seq

    @property
    def stage(self) -> str:
        """See :class:`Crash`."""
        return self.state.stage

    @property
    def key(self) -> str:
        """See :class:`Crash`; no two file systems are made alike."""
        return self.state.key

    def choices(self) -> tuple[str, Sequence[int]]:
        """See :class:`Crash`."""
        return "", self.state.answers


class DeviceRun:
    """A run that was recorded on a real file system; close it, for it keeps a mount point."""

    def __init__(self, trace: BlockTrace) -> None:
        self.trace = trace
        self._stack = ExitStack()
        self._mount: CrashMount | None = None

    @property
    def notes(self) -> Sequence[Note]:
        """See :class:`Run`."""
        return self.trace.notes

    @property
    def is_empty(self) -> bool:
        """See :class:`Run`; of a program whose writes have not reached the device, a power cut takes them all."""
        return False

    def crashes(self, count: int, seed: int) -> Iterator[Crash]:
        """See :class:`Run`."""
        for state in device_states(self.trace, budget=count, seed=seed):
            yield DeviceCrash(state, self.trace.time_at(state.crash_seq), self.trace.filesystem)

    @contextlib.contextmanager
    def serve(self, crash: Crash) -> Generator[Path]:
        """See :class:`Run`."""
        assert isinstance(crash, DeviceCrash)
        with self._mounted().mounted(crash.state) as directory:
            yield directory

    def serve_and_record(self, crash: Crash, work: Callable[[Recording], None]) -> DeviceRun:
        """See :class:`Run`."""
        assert isinstance(crash, DeviceCrash)
        with BlockRecorder(self.trace.filesystem, blocks=self._mounted().blocks(crash.state)) as recorder:
            work(recorder)
            return DeviceRun(recorder.stop())

    def smaller(self, crash: Crash, fails: Callable[[Crash], bool]) -> Crash:
        """See :class:`Run`; writes of a device mean nothing to people, so nothing is made smaller."""
        return crash

    def explain(self, crash: Crash) -> list[str]:
        """See :class:`Run`."""
        assert isinstance(crash, DeviceCrash)
        answers = Recorded(crash.state.answers)
        lines = [f"{self.trace.filesystem}: power cut before event {crash.crash_seq} of its device ({crash.stage})"]

        def choose(count: int, label: str) -> int:
            answer = answers(count, label)
            if label.startswith("#"):
                fate = {LOST: "lost", KEPT: "kept"}.get(answer if count == 3 else answer * KEPT, "torn")
                lines.append(f"{fate}: {label}")
            return answer

        Device(self.trace).image(crash.crash_seq, choose)
        if len(lines) == 1:
            lines.append(
                "everything that was written to the device is there: the file system itself had not written more"
            )
        return lines[:_EXPLAINED_MAX]

    def close(self) -> None:
        """Give up the mount point."""
        self._mount = None
        self._stack.close()

    def _mounted(self) -> CrashMount:
        if self._mount is None:
            self._mount = self._stack.enter_context(CrashMount(self.trace))
        return self._mount


class BlockDisk:
    """A real file system, made anew for each run."""

    def __init__(self, filesystem: str) -> None:
        self.tier = filesystem

    def record(self, work: Callable[[Recording], None], *, sync_seconds: float) -> DeviceRun:
        """See :class:`Disk`."""
        with BlockRecorder(self.tier, sync_seconds=sync_seconds) as recorder:
            work(recorder)
            return DeviceRun(recorder.stop())
