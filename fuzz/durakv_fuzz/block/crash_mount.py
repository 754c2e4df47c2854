"""Crash states of a device, mounted one after the other by the file system that made them.

Each state is a file in memory with a loop device of its own, so that nothing cached of one state is seen in the next.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType

from durakv_fuzz.block.enumerate import DeviceState
from durakv_fuzz.block.leftovers import MOUNT, clear, clear_leftovers, private_directory
from durakv_fuzz.block.loop import LoopDevice
from durakv_fuzz.block.mounts import mount, unmount
from durakv_fuzz.block.real import real
from durakv_fuzz.block.states import Device
from durakv_fuzz.block.trace import BLOCK_BYTES, BlockTrace
from durakv_fuzz.choose import Recorded
from durakv_fuzz.recorder.process import Server

_KEEPER = "durakv_fuzz.block.keeper"
_BUSY_SECONDS = 0.5


class CrashMount:
    """Mounts states of one trace; a context manager, and not for several threads.

    Raises what ``BlockRecorder`` does; afterwards nothing is left behind, also if this process is killed.
    """

    def __init__(self, trace: BlockTrace) -> None:
        self._trace = trace
        self._kind = real(trace.filesystem)
        self._device = Device(trace)
        self._base = _runs(trace.base)
        clear_leftovers()
        self._private = private_directory()
        self._stack = ExitStack()
        with ExitStack() as stack:
            stack.callback(clear, self._private)
            stack.callback(Server(_KEEPER, self._private, str(self._private)).close)
            self._stack = stack.pop_all()

    def __enter__(self) -> CrashMount:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.close()

    def blocks(self, state: DeviceState) -> dict[int, bytes]:
        """What the device holds in this state; for ``BlockRecorder``."""
        return {**self._trace.base, **self._device.image(state.crash_seq, Recorded(state.answers)).changed}

    @contextmanager
    def mounted(self, state: DeviceState) -> Generator[Path]:
        """The directory that the machine wakes up with; the file system's journal was repeated.

        Raises ``MountError`` if the file system refuses.  Whoever is still in the directory half a second
        after the end stays in a file system that nobody else sees any more.
        """
        directory = self._private / MOUNT
        fd = os.memfd_create("durakv-block-crash", os.MFD_CLOEXEC)
        try:
            os.ftruncate(fd, self._trace.device_bytes)
            changed = self._device.image(state.crash_seq, Recorded(state.answers)).changed
            for offset, data in (*self._base, *_runs(changed)):
                os.pwrite(fd, data, offset)
            loop = LoopDevice(fd)
        finally:
            os.close(fd)
        try:
            mount(loop.path, directory, self._kind.name, self._kind.options)
            try:
                yield directory
            finally:
                unmount(directory, patience_seconds=_BUSY_SECONDS)
        finally:
            loop.close()


def _runs(blocks: Mapping[int, bytes]) -> list[tuple[int, bytes]]:
    """Offsets and bytes, neighbours together."""
    runs: list[tuple[int, list[bytes]]] = []
    following = -1
    for block in sorted(blocks):
        if block != following:
            runs.append((block * BLOCK_BYTES, []))
        runs[-1][1].append(blocks[block])
        following = block + 1
    return [(offset, b"".join(contents)) for offset, contents in runs]
