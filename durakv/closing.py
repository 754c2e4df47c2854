"""How an engine ends: gracefully or by force, and when the directory is another owner's.

    close     rewrite ended, writers refused, everything synced, log sealed, directory free
    abort     writers and waiters told; when no call into the disk is under way any more, directory free

A call that was begun may write until it returns.  So whatever ends the engine, by force or by a failure or an interrupt
in the midst of a close, the lock is held until the last one has returned (specs/13-operations.md).
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from durakv import journal
from durakv.directory import Directory, drop_files, seal
from durakv.errors import Closed, DiskFull
from durakv.rewrite import Rewrite
from durakv.runner import ABORTED, CLOSED, Runner
from durakv.storage.filesystem import Lock
from durakv.storage.posix import PosixFilesystem
from durakv.watch import Watch
from durakv_formats.manifest import Manifest

if TYPE_CHECKING:
    from durakv.snapshot.lazy import LazyBase

ABORT_SECONDS = 1.0
"""How long a forced close waits for calls that are under way."""


class Closing:
    """The end of one engine, which has only one: whoever comes second finds it begun."""

    def __init__(
        self,
        runner: Runner,
        directory: Directory,
        *,
        rewrite: Rewrite,
        lazy: LazyBase | None,
        watch: Watch,
        lock: Lock,
        own: PosixFilesystem | None,
    ) -> None:
        """``lock`` and ``own``, the filesystem if it was made for this engine, are given back at the end."""
        self.begun = False
        self.aborted = False
        """Whether it was begun by force."""
        self.given_up = threading.Event()
        """Set when the directory is free for the next owner."""
        self._runner = runner
        self._commit = runner.commit
        self._directory = directory
        self._rewrite = rewrite
        self._lazy = lazy
        self._watch = watch
        self._lock = lock
        self._own = own
        self._guard = threading.RLock()  # a callback that close() calls may call close()
        self._held = False
        """Somebody is at it, by force or not, and frees the directory at the end."""

    @property
    def why(self) -> str | None:
        """Why the engine takes nothing any more; None while it does."""
        if not self.begun:
            return None
        return ABORTED if self.aborted else CLOSED

    def close(self) -> None:
        """See ``Engine.close``."""
        with self._guard:
            if self.begun:
                return
            self.begun = self._held = True
            try:
                self._rewrite.close()
                self._runner.stop()
                if self._lazy is not None:
                    self._lazy.close()
                self._runner.flush()
                self._seal()
                self._watch.step()
            except BaseException as failure:
                # Others may be in the middle of a call, which could still write.
                self._held = False
                if isinstance(failure, Closed):
                    self._give_up()
                elif isinstance(failure, Exception):
                    self._give_up(patient=True)
                else:
                    self._give_up()
                    self.given_up.wait(ABORT_SECONDS)
                raise
            try:
                self._commit.segment.file.close()
            finally:
                self._free()

    def abort(self, timeout: float) -> bool:
        """See ``Engine.abort``."""
        if self.given_up.is_set():
            return True
        until = time.monotonic() + timeout
        self._runner.abort(timeout)
        # If the lock is not to be had, a close is under way; it has just been told.
        if self._guard.acquire(blocking=False):
            try:
                begin, self.begun = not self.begun, True
                self.aborted = self.aborted or begin
                self._give_up(until - time.monotonic())
            finally:
                self._guard.release()
            if begin:
                self._tell_abort()
        return self.given_up.wait(max(0.0, until - time.monotonic()))

    def _tell_abort(self) -> None:
        directory, unsynced = self._directory.filesystem.describe(), self._commit.applied_seq - self._commit.synced_seq
        journal.warning(
            "%s: closed by force; %d commands were not synced",
            directory,
            unsynced,
            about="commit",
            event="aborted",
            directory=directory,
            unsynced_commands=unsynced,
        )

    def _give_up(self, timeout: float = 0.0, *, patient: bool = False) -> None:
        """Free the directory as soon as no call is under way, in a thread, or here if ``patient``.

        Where no thread is to be had it is done here, if all calls end within ``timeout``.  Called with ``_guard``.
        """
        if self._held or self.given_up.is_set():
            return
        self._held = True
        try:
            if patient:
                self._runner.abort(threading.TIMEOUT_MAX, CLOSED)
                self._abandon()
                return
            self._runner.abort(0.0)
            try:
                threading.Thread(target=self._abandon, name="durakv-abort", daemon=True).start()
            except RuntimeError:
                # There are too many, or the interpreter is ending and starts none any more.
                if self._runner.rest(max(0.0, timeout)):
                    self._abandon()
                else:
                    self._held = False  # whoever asks again tries again
        except BaseException:
            self._held = False
            raise

    def _abandon(self) -> None:
        try:
            self._runner.abort(threading.TIMEOUT_MAX)  # who held the lock may not have let anybody be told
            self._runner.rest()
        except BaseException:
            self._held = False  # calls may be under way; whoever asks again tries again
            raise
        try:
            self._rewrite.close(forced=True)
            if self._lazy is not None:
                self._lazy.close()
            self._commit.supply.abandon()
        finally:
            self._commit.segment.file.close()
            self._free()

    def _seal(self) -> None:
        commit, directory, segment = self._commit, self._directory, self._commit.segment
        commit.supply.close(directory.filesystem)
        names = {segment.name}

        def change(manifest: Manifest) -> Manifest:
            if segment.is_worthless and len(manifest.files) > 1:
                return drop_files(manifest, names)
            return seal(manifest, segment.name, last=commit.applied_seq, size=segment.offset)

        try:
            manifest = directory.swap(change, synced_seq=commit.synced_seq)
        except DiskFull:
            # The zeros behind the last frame are room enough.  All numbers are on disk now, so the size of the file
            # need not bound them any more.
            segment.file.truncate(segment.offset)
            segment.file.sync()
            manifest = directory.swap(change, synced_seq=commit.synced_seq)
        if any(file.name == segment.name for file in manifest.files):
            segment.file.truncate(segment.offset)
            segment.file.sync()
        else:
            directory.filesystem.remove(segment.name)
            directory.filesystem.sync_directory()

    def _free(self) -> None:
        try:
            give_back(self._lock, self._own)
        finally:
            self.given_up.set()


def give_back(lock: Lock | None, own: PosixFilesystem | None) -> None:
    """Free the directory."""
    if lock is not None:
        lock.release()
    if own is not None:
        own.close()
