"""Decides at each stopped call, in a thread of its own: count it, tell of it, let it happen or not.

A call that waits (``Slow``) is answered later, in its turn; the others go on meanwhile.  After a kill nothing is
answered any more, so no process of the program, in whatever group, makes a further counted call.
"""

from __future__ import annotations

import errno
import heapq
import os
import select
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from durakv_fuzz.injector.call_stack import call_stack
from durakv_fuzz.injector.calls import Call, Scope
from durakv_fuzz.injector.faults import Fail, Fault, Kill, Plan, Short
from durakv_fuzz.injector.numbers import CHANGES, numbers_of
from durakv_fuzz.injector.processes import state_of, status_of
from durakv_fuzz.injector.seccomp import CannotInject, Listener, Notification
from durakv_fuzz.injector.short_write import write_short

_NOBODY = 0.2
"""How often it is looked whether the end was asked for, seconds."""

_STOP_SECONDS_MAX = 30.0
"""How long a call may take after which its process is to be killed."""

Deed = Kill | Fail | Short | None


@dataclass(frozen=True, slots=True)
class Watch:
    """What is counted, and what is done to it."""

    directory: Path
    """Only calls about what is in here count, and ``sync``, which is about everything."""

    faults: tuple[Fault, ...] = ()

    calls: frozenset[str] = CHANGES
    """Which calls are stopped; those that a fault names are added."""

    stack_depth: int = 0
    """How many frames ``Call.stack`` has."""

    on_call: Callable[[Call], None] | None = None
    """Told of each counted call, in the supervisor's thread, before anything is done to it."""

    on_sync: Callable[[Call], bool | None] | None = None
    """Told of each ``sync`` and ``syncfs`` before it begins; it begins when this returns.

    So whoever records the same disk may note there that everything so far is about to be durable.  If it has made it so
    itself it returns True: then the call is answered with success, and no fault comes at it.
    """

    def __post_init__(self) -> None:
        numbers_of(self.stopped)  # names that are known nowhere
        if not self.stopped:
            raise ValueError("there is no call to stop: leave `calls` as it is, or name some")

    @property
    def stopped(self) -> frozenset[str]:
        """All calls that are stopped."""
        return self.calls.union(*(fault.calls for fault in self.faults))


@dataclass(order=True, slots=True)
class _Waiting:
    due: float
    index: int
    call: Call = field(compare=False)
    notification: Notification = field(compare=False)
    deed: Deed = field(compare=False)


class Supervisor:
    """The thread.  What it saw may be read at any time; ``failure`` is why it gave up, if it did."""

    def __init__(self, descriptor: int, scope: Scope, watch: Watch, kill: Callable[[], None]) -> None:
        """Take the listener's descriptor over; ``kill`` sends SIGKILL to the whole program."""
        self.calls: list[Call] = []
        self.stopped = 0
        """How many calls came by, those that do not count with them."""
        self.killed = False
        self.failure: BaseException | None = None
        self.plan = Plan(watch.faults)
        self._listener = Listener(descriptor)
        self._scope = scope
        self._watch = watch
        self._kill = kill
        self._names = {number: name for name, number in numbers_of(watch.stopped).items()}
        self._waiting: list[_Waiting] = []
        self._ending = False
        self._thread = threading.Thread(target=self._run, name="durakv injector", daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def end(self) -> None:
        """Answer nothing more.  The program has to be dead, or will find ``ENOSYS``."""
        self._ending = True
        self._thread.join()
        self._listener.close()

    def _run(self) -> None:
        try:
            self._serve()
        except BaseException as failure:  # noqa: BLE001  told by whoever waits for the run
            self.failure = failure
            self._kill()

    def _serve(self) -> None:
        poll = select.poll()
        poll.register(self._listener.descriptor, select.POLLIN)
        while not self._ending and not self.killed:
            seconds = min(_NOBODY, max(0.0, self._waiting[0].due - time.monotonic())) if self._waiting else _NOBODY
            events = poll.poll(seconds * 1000)
            while self._waiting and self._waiting[0].due <= time.monotonic() and not self.killed:
                waiting = heapq.heappop(self._waiting)
                self._do(waiting.deed, waiting.call, waiting.notification)
            if not events or self.killed:
                continue
            if not events[0][1] & select.POLLIN:
                return  # the last process that could call is gone
            notification = self._listener.receive()
            if notification is not None:
                self._decide(notification)

    def _decide(self, notification: Notification) -> None:
        self.stopped += 1
        name = self._names[notification.number]
        call = self._scope.call(name, notification, len(self.calls) + 1)
        if call is None:
            self._listener.proceed(notification.key)
            return
        if not self._listener.waits(notification.key):
            return  # it died; what was read may be another's
        if self._watch.stack_depth:
            call = self._with_stack(call)
        self.calls.append(call)
        if self._watch.on_call is not None:
            self._watch.on_call(call)
        if self._watch.on_sync is not None and name in ("sync", "syncfs") and self._watch.on_sync(call):
            self._listener.answer(notification.key, 0)
            return
        seconds, deed = self.plan.decide(call)
        if seconds:
            due = time.monotonic() + seconds
            heapq.heappush(self._waiting, _Waiting(due, call.index, call, notification, deed))
        else:
            self._do(deed, call, notification)

    def _with_stack(self, call: Call) -> Call:
        stack = call_stack(call.thread, self._watch.stack_depth)
        return Call(call.index, call.name, call.path, call.to, call.size, call.thread, stack)

    def _do(self, deed: Deed, call: Call, notification: Notification) -> None:
        match deed:
            case None:
                self._listener.proceed(notification.key)
            case Fail():
                self._listener.answer(notification.key, 0, deed.error)
            case Short():
                self._cut(deed, call, notification)
            case Kill():
                if deed.after:
                    self._let_happen(call, notification)
                self.killed = True
                self._kill()

    def _cut(self, short: Short, call: Call, notification: Notification) -> None:
        try:
            written = write_short(call.name, notification, short.size)
        except ProcessLookupError:
            return
        except OSError as failure:
            self._listener.answer(notification.key, 0, failure.errno or errno.EIO)
        else:
            self._listener.answer(notification.key, written)

    def _let_happen(self, call: Call, notification: Notification) -> None:
        process = status_of(call.thread, "Tgid")
        if not process:
            return
        with suppress(ProcessLookupError):
            os.kill(int(process), signal.SIGSTOP)
        # Asleep until it is answered, or killed: the signal was seen and did not break the wait off.
        _until(
            lambda: state_of(call.thread) in ("D", "Z", ""), f"{call}: it does not wait unharmed by signals; Linux 5.19"
        )
        self._listener.proceed(notification.key)
        _until(lambda: state_of(call.thread) in ("T", "Z", ""), f"{call}: it did not end in {_STOP_SECONDS_MAX} s")


def _until(reached: Callable[[], bool], otherwise: str) -> None:
    deadline = time.monotonic() + _STOP_SECONDS_MAX
    while not reached():
        if time.monotonic() > deadline:
            raise CannotInject(otherwise)
        time.sleep(0.0001)
