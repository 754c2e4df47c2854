"""A directory on a real file system, on a device that records.

with BlockRecorder("ext4") as recorder:
    ...                                # a program works in recorder.directory; recorder.note("acked", 3)
    trace = recorder.stop()

the program -> ext4, XFS or btrfs -> a loop device -> one file served by ``block.server``, which records
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import ExitStack
from types import TracebackType

import msgspec

from durakv_fuzz.block.leftovers import DEVICE, MOUNT, clear, clear_leftovers, private_directory
from durakv_fuzz.block.loop import LoopDevice
from durakv_fuzz.block.mounts import mount, sync_filesystem, unmount
from durakv_fuzz.block.real import made, real
from durakv_fuzz.block.trace import BlockTrace
from durakv_fuzz.recorder.process import WORD_BYTES_MAX, Server

_SERVER = "durakv_fuzz.block.server"
_BUSY_SECONDS = 0.2


class BlockRecorder:
    """Records from ``settle`` on, or from the first mount, until ``stop``; a context manager.

    ``sync_seconds`` is how long each flush of the device takes.  With ``blocks`` the device holds these instead of a
    file system freshly made: a crash's image, so that what a recovery does is recorded in turn.

    Raises ``OSError`` (with ``block.loop.LoopError`` and ``block.mounts.MountError``), ``block.real.MakeError`` and
    ``ServerEnded``; ``missing`` says beforehand what will be wanting.  Afterwards nothing is left behind, also if this
    process is killed.  Programs that are still in the directory lose their disk.
    """

    def __init__(
        self, filesystem: str, *, sync_seconds: float = 0.0, blocks: Mapping[int, bytes] | None = None
    ) -> None:
        if not 0 <= sync_seconds <= 60:
            raise ValueError(f"a flush cannot take {sync_seconds} s; from 0 to 60 are possible")
        kind = real(filesystem)
        clear_leftovers()
        self._private = private_directory()
        self.directory = self._private / MOUNT
        self._stopped = False
        self._stack = ExitStack()
        with ExitStack() as stack:
            stack.callback(clear, self._private)
            self._server = Server(_SERVER, self._private, str(self._private), repr(float(sync_seconds)))
            stack.callback(self._server.close)
            base = made(kind) if blocks is None else dict(blocks)
            self._server.ask("begin", BlockTrace(filesystem, kind.device_bytes, base, kind.atomic))
            fd = os.open(self._private / DEVICE, os.O_RDWR | os.O_CLOEXEC)
            try:
                loop = LoopDevice(fd)
            finally:
                os.close(fd)
            stack.callback(loop.close)
            mount(loop.path, self.directory, kind.name, kind.options)
            stack.callback(unmount, self.directory, patience_seconds=_BUSY_SECONDS)
            self._stack = stack.pop_all()

    def __enter__(self) -> BlockRecorder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.close()

    def note(self, kind: str, payload: int | str) -> None:
        """Remember, at this point of the order, what somebody was told.  From any thread or forked child.

        ``OSError`` if the recording has ended.
        """
        word = msgspec.msgpack.encode((kind, payload))
        if len(word) > WORD_BYTES_MAX:
            raise ValueError(f"a note of {len(word)} bytes; at most {WORD_BYTES_MAX} are possible")
        self._server.words.send(word)

    def settle(self) -> None:
        """Take everything so far for durable."""
        sync_filesystem(self.directory)
        self._server.ask("settle")

    def stop(self) -> BlockTrace:
        """End the recording with what was written so far, and detach the directory; once only.

        What the file system still had in memory was not written, so it is lost in every crash state.
        """
        if self._stopped:
            raise RuntimeError("this recording was stopped already")
        self._stopped = True
        trace = self._server.ask("stop")
        assert isinstance(trace, BlockTrace)
        self._stack.close()
        return trace
