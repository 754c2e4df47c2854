"""A store that lives in our own process: what such peers have in common, so that each module says what is its own."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from durakv.bench.peers.process import Process
from durakv.bench.results import Counters, Promise
from durakv.bench.store import Session


@dataclass(slots=True)
class EmbeddedStore:
    """An open store, as :class:`durakv.bench.store.Store` wants it."""

    name: str
    setting: str
    promise: Promise
    directory: Path
    new_session: Callable[[], Session]
    end: Callable[[], None]
    """Closes the store."""
    many: str = "batch"
    _process: Process = field(init=False, repr=False, default_factory=lambda: Process(os.getpid()))

    def session(self) -> Session:
        """See :class:`durakv.bench.store.Store`."""
        return self.new_session()

    def settle(self) -> None:
        """See :class:`durakv.bench.store.Store`."""
        sync_files(self.directory)

    def counters(self) -> Counters:
        """See :class:`durakv.bench.store.Store`; of this process, the load generator included."""
        return self._process.counters()

    def close(self) -> None:
        """See :class:`durakv.bench.store.Store`."""
        self.end()


def sync_files(directory: Path) -> None:
    """Sync every file below a directory: what a peer has given to the system and not yet to the disk.

    The kernel syncs a file, not what one descriptor wrote, and pages of a mapping are pages of its file.
    """
    for place, _, names in os.walk(directory):
        for name in names:
            path = os.path.join(place, name)
            try:
                descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
            except OSError:
                continue  # a socket, or a file that the store has removed meanwhile
            try:
                os.fdatasync(descriptor)
            finally:
                os.close(descriptor)
