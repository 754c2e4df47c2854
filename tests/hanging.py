"""A disk whose calls hang until they are let go, and callers who meet it in threads of their own."""

from __future__ import annotations

import threading
from collections.abc import Callable

from durakv_fuzz.disk import SimulatedDisk
from durakv_fuzz.trace import Kind, Operation

PATIENCE_SECONDS = 20.0
_CALLS = (Kind.SYNC, Kind.WRITE_THROUGH)


class Hanging:
    """A disk whose syncs of the log, and durable writes to it, hang from the moment it is told to."""

    def __init__(self) -> None:
        self.hung = threading.Event()
        """Set when the first of them does."""
        self._hangs = False
        self._go = threading.Event()
        self.disk = SimulatedDisk(during=self._during)

    def hang(self) -> None:
        """Let the next one hang."""
        self._hangs = True

    def let_go(self) -> None:
        """Let all go on, and none hang any more."""
        self._hangs = False
        self._go.set()

    def _during(self, operation: Operation) -> None:
        if self._hangs and operation.kind in _CALLS and operation.name.endswith(".incr.aof"):
            self.hung.set()
            assert self._go.wait(PATIENCE_SECONDS)


class Caller(threading.Thread):
    """A call in a thread of its own, and what it raised."""

    def __init__(self, call: Callable[[], object]) -> None:
        super().__init__(daemon=True)
        self._call = call
        self.raised: BaseException | None = None
        self.start()

    def run(self) -> None:
        """Call it."""
        try:
            self._call()
        except BaseException as failure:  # noqa: BLE001 - the test looks at it
            self.raised = failure

    def outcome(self) -> BaseException | None:
        """What it raised, once it has ended."""
        self.join(PATIENCE_SECONDS)
        assert not self.is_alive(), "it still waits"
        return self.raised
