"""The file system's process: ``python -m durakv_fuzz.recorder.server``, started by ``durakv_fuzz.recorder.recorder``.

One loop, which waits for nothing but the next thing to do.  Each load of a tree is a mount of its own on the same
directory: what is left of the life before (programs, mapped pages, requests under way) gets errors from the kernel and
can do nothing to the new tree.
"""

from __future__ import annotations

import select
import time
from collections.abc import Callable
from errno import EIO, ENOSYS, ENOTTY
from pathlib import Path
from typing import Any, cast

from durakv_fuzz.content import Content
from durakv_fuzz.recorder.callers import Callers
from durakv_fuzz.recorder.connection import Connection, Unmounted
from durakv_fuzz.recorder.files import Barriers, Files
from durakv_fuzz.recorder.inodes import Inodes
from durakv_fuzz.recorder.leftovers import remove_private
from durakv_fuzz.recorder.log import Log
from durakv_fuzz.recorder.messages import Counts, Limits, PackedTree, Recorded, contents, pack, unpack
from durakv_fuzz.recorder.naming import Naming
from durakv_fuzz.recorder.process import Adopted, Failure, receive, send
from durakv_fuzz.recorder.settings import Settings
from durakv_fuzz.recorder.wire import UNANSWERED, Handlers, Opcode, ProtocolError
from durakv_fuzz.trace import Kind, Operation
from durakv_fuzz.tree import Tree

_TURN = 64
"""How many requests are served before anything else gets a look."""


class Life:
    """One tree, from its load to the next one's: a mount, what is in it, and its record."""

    def __init__(self, directory: Path, tree: Tree, limits: Limits, log: Log) -> None:
        self.inodes = Inodes(tree)
        self.requests = 0
        self.connection = Connection(directory)
        self.barriers = Barriers(self.inodes, log, self.connection, limits.sync_seconds)
        files = Files(self.inodes, log, limits.capacity_bytes, limits.record_bytes_max)
        self._handlers: Handlers = {
            **Naming(self.inodes, log).handlers(),
            **Settings(self.inodes, log, files).handlers(),
            **files.handlers(),
            **self.barriers.handlers(),
        }

    def serve(self) -> None:
        """Answer what has been asked, up to a bound."""
        for _ in range(_TURN):
            request = self.connection.read()
            if request is None:
                return
            self.requests += 1
            handler = self._handlers.get(request.opcode)
            if handler is None:
                if request.opcode not in UNANSWERED:
                    # Of opens and closes the kernel tells no more after this; the rest it can do by itself.
                    self.connection.fail(request.unique, ENOTTY if request.opcode == Opcode.IOCTL else ENOSYS)
                continue
            try:
                reply = handler(request)
            except OSError as refused:
                self.connection.fail(request.unique, refused.errno or EIO)
            else:
                if reply is not None:
                    self.connection.reply(request.unique, *reply)


class _Server:
    def __init__(self, adopted: Adopted) -> None:
        self._adopted = adopted
        self._directory = Path(adopted.arguments[0])
        self._log = Log(adopted.words)
        self._life: Life | None = None
        self._stopped = False
        self._syncing: Operation | None = None
        self._known: dict[int, bytes | Content] = {}
        self._watched = [adopted.control.fileno(), adopted.words.fileno(), adopted.starter_fd]
        self._commands: dict[str, Callable[..., Any]] = {
            "load": self._load,
            "settle": self._settle,
            "begin_sync": self._begin_sync,
            "end_sync": self._end_sync,
            "recorded": self._recorded,
            "tree": self._tree,
            "counts": self._counts,
            "stop": self._stop,
        }

    def run(self) -> None:
        """Until the starter says stop, hangs up or ends; if it did not say so, its private directory goes too."""
        try:
            while self._turn():
                pass
        finally:
            self._end_life()
        if not self._stopped:
            remove_private(self._directory.parent)

    def _turn(self) -> bool:
        life, watched = self._life, self._watched
        due = None
        if life is not None:
            watched = [*watched, life.connection.fd]
            due = life.barriers.due()
        ready, _, _ = select.select(watched, (), (), None if due is None else max(0.0, due - time.monotonic()))
        if self._adopted.starter_fd in ready:
            return False
        self._log.hear()
        if life is not None:
            try:
                if life.connection.fd in ready:
                    life.serve()
                life.barriers.release()
            except Unmounted:
                self._end_life()
        return self._adopted.control.fileno() not in ready or self._obey()

    def _obey(self) -> bool:
        try:
            name, *arguments = cast(tuple[Any, ...], receive(self._adopted.control))
        except EOFError:
            return False
        try:
            answer = self._commands[name](*arguments)
        except (OSError, ValueError, ProtocolError) as failure:
            answer = Failure(str(failure))
        send(self._adopted.control, answer)
        return not self._stopped

    def _load(self, packed: PackedTree, limits: Limits) -> None:
        tree = unpack(packed, self._known)
        self._known = contents(tree)
        self._end_life()
        self._log.hear()  # words of the life before
        self._syncing = None
        self._log = Log(self._adopted.words, limits.refusals)
        self._life = Life(self._directory, tree, limits, self._log)
        if limits.sites:
            self._log.site = Callers(self._directory).site

    def _settle(self) -> None:
        self._log.hear()
        self._log.settle()

    def _begin_sync(self, thread: int) -> None:
        self._syncing = Operation(Kind.SYNC_ALL)
        self._log.start(self._syncing, thread)

    def _end_sync(self) -> None:
        operation, self._syncing = self._syncing, None
        if operation is None:
            raise ValueError("no sync of everything is under way")
        self._log.end(operation)

    def _recorded(self) -> Recorded:
        self._log.hear()
        return Recorded(self._log.rows(), self._log.notes, self._log.seq)

    def _tree(self) -> PackedTree:
        return pack(self._here().inodes.tree(), self._known)

    def _counts(self) -> Counts:
        life = self._here()
        log = self._log
        return Counts(life.requests, len(log.operations), log.recorded_bytes, life.inodes.stored, log.refusals.unused())

    def _stop(self) -> None:
        self._end_life()
        self._stopped = True

    def _here(self) -> Life:
        if self._life is None:
            raise ValueError(f"{self._directory} was unmounted; load a tree again")
        return self._life

    def _end_life(self) -> None:
        life, self._life = self._life, None
        if life is not None:
            life.connection.close()


if __name__ == "__main__":
    _Server(Adopted()).run()
