"""A directory in which any program may work while everything it does to the disk is remembered.

    with Recorder(sync_seconds=0.001) as recorder:
        run(program, recorder.directory)
        recorder.trace()

The directory is a file system in memory, served by a process of its own.  ``load`` puts another tree into it.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import sys
import threading
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from durakv_fuzz.content import Content
from durakv_fuzz.recorder import leftovers, namespace
from durakv_fuzz.recorder.connection import Connection, unusable
from durakv_fuzz.recorder.messages import Counts, Limits, PackedTree, Recorded, contents, pack, unpack
from durakv_fuzz.recorder.process import WORD_BYTES_MAX, Server, ServerEnded
from durakv_fuzz.recorder.refusals import Refusal
from durakv_fuzz.trace import Operation, Trace
from durakv_fuzz.tree import EMPTY, Tree

CAPACITY_BYTES = 1 << 30
RECORD_BYTES_MAX = 1 << 30

_T = TypeVar("_T")

_libc = ctypes.CDLL(None, use_errno=True)


class Recorder:
    """A mounted directory and its record; close it, or use it in ``with``.

    ``sync_seconds``: how long each fsync takes, while others are served.  Files have no more than ``capacity_bytes``
    together and the record no more than ``record_bytes_max``; beyond that, programs get ENOSPC.  ``within`` is where
    the private directory is made.  Where this user is not root, this process enters a user namespace of its own.

    With ``sites``, syncs, writes and calls that change names or sizes have the place in the program that made them, as
    far as it can be told (``callers``).  That takes some 0.1 ms for each; and a program that maps memory while its
    other threads read mapped pages of this same directory may hold it up for ever.

    A mapped page counts as written when the kernel writes it back: at msync, at close, or when the trace is asked for.
    ``sync(2)`` and ``syncfs(2)`` are not seen, for the kernel does not tell; who sees them calls ``sync_all``.  While
    a file is synced, the kernel lets nobody else write to that same file.  Raises ``OSError`` or ``ServerEnded``.
    """

    def __init__(
        self,
        *,
        sync_seconds: float = 0.0,
        sites: bool = False,
        capacity_bytes: int = CAPACITY_BYTES,
        record_bytes_max: int = RECORD_BYTES_MAX,
        within: Path | None = None,
    ) -> None:
        if os.geteuid() != 0:
            namespace.enter()
        leftovers.clean(within)
        self._sync_seconds = sync_seconds
        self._limits = Limits(sync_seconds, capacity_bytes, record_bytes_max, sites=sites)
        self._lock = threading.Lock()
        self._base = EMPTY
        self._known: dict[int, bytes | Content] = {}
        self._private = leftovers.make_private(within)
        self.directory = self._private / leftovers.TREE
        """The served tree's root."""
        try:
            self._server = Server("durakv_fuzz.recorder.server", self._private, str(self.directory))
        except OSError:
            leftovers.remove_private(self._private)
            raise
        try:
            self.load(EMPTY)
        except BaseException:
            self.close()
            raise

    @property
    def server_pid(self) -> int:
        """The number of the process that serves."""
        return self._server.pid

    def load(self, tree: Tree, *, sync_seconds: float | None = None, refusals: Iterable[Refusal] = ()) -> None:
        """Forget everything, serve this tree and record anew; programs that still run in the old one get errors.

        ``sync_seconds`` as of the recorder itself if it is not given.  ``refusals`` are calls that are to fail;
        ``counts`` tells which never came.
        """
        limits = replace(self._limits, refusals=tuple(refusals))
        if sync_seconds is not None:
            limits = replace(limits, sync_seconds=sync_seconds)
        self._sync_seconds = limits.sync_seconds
        with self._lock:
            packed = pack(tree, self._known)
            self._base, self._known = tree, contents(tree)
            self._server.ask("load", packed, limits)

    def note(self, kind: str, payload: int | str) -> None:
        """Remember, at this point of the order, what somebody was told.

        From any thread, and from children forked off this process.  What is noted before a call is made comes before
        it; what is noted after an answer came, after it.  Raises ``ValueError`` for more than 64 KiB.
        """
        word = json.dumps([kind, payload]).encode()
        if len(word) > WORD_BYTES_MAX:
            raise ValueError(f"a note of {len(word)} bytes; at most {WORD_BYTES_MAX} are kept")
        try:
            self._server.words.send(word)
        except OSError as failure:
            raise ServerEnded("the file system's process ended") from failure

    def settle(self) -> None:
        """Take everything so far for durable, mapped pages included."""
        self._write_back()
        self._ask(type(None), "settle")

    def sync_all(self, thread: int) -> None:
        """Record a sync of everything by this thread, which waits in it; returns when it is done, as an fsync would.

        One at a time.
        """
        self._write_back()
        self._ask(type(None), "begin_sync", thread)
        time.sleep(self._sync_seconds)
        self._ask(type(None), "end_sync")

    def trace(self) -> Trace:
        """What was recorded since the load; goes on being recorded."""
        self._write_back()
        recorded = self._ask(Recorded, "recorded")
        trace = Trace(self._base, now=time.monotonic, sites=self._limits.sites)
        trace.operations = [Operation(*row) for row in recorded.rows]
        trace.notes, trace.seq = recorded.notes, recorded.seq
        return trace

    def tree(self) -> Tree:
        """What is there now; holes in large files stay holes."""
        self._write_back()
        return unpack(self._ask(PackedTree, "tree"), self._known)

    def counts(self) -> Counts:
        """How much was asked and recorded since the load."""
        return self._ask(Counts, "counts")

    def close(self) -> None:
        """Unmount and forget; a second time it does nothing."""
        with contextlib.suppress(ServerEnded):  # then it is unmounted
            self._ask(type(None), "stop")
        self._server.close()
        leftovers.remove_private(self._private)

    def __enter__(self) -> Recorder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ask(self, kind: type[_T], *message: object) -> _T:
        with self._lock:
            answer = self._server.ask(*message)
        assert isinstance(answer, kind)
        return answer

    def _write_back(self) -> None:
        """Have the kernel hand over mapped pages that programs changed, ended or not."""
        directory = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            if _libc.syncfs(directory) != 0:
                error = ctypes.get_errno()
                raise OSError(error, os.strerror(error), str(self.directory))
        finally:
            os.close(directory)


def missing() -> str:
    """Why no recorder can work here; empty if it can."""
    if not sys.platform.startswith("linux"):
        return "FUSE over /dev/fuse is Linux's"
    reason = unusable()
    if reason:
        return reason
    if os.geteuid() != 0:
        return "" if namespace.may_enter() else "this user is not root and may not enter a user namespace"
    private = leftovers.make_private()
    try:
        Connection(private / leftovers.TREE).close()
    except OSError as failure:
        return str(failure)
    finally:
        leftovers.remove_private(private)
    return ""
