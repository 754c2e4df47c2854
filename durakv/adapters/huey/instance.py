"""``DurakvHuey``: a huey whose tasks are never between two places.

    huey = DurakvHuey("my-app", path="tasks", fsync="always")

    @huey.task()
    def send(address): ...

    with huey.consuming(workers=4):             # threads of this process, beside whatever it is for
        serve()

In huey a task that is due is taken from the schedule and then enqueued, and one that is executed is taken from the
queue and then executed: whoever dies in between has lost it.  Here a task stays on disk where it was until one batch
moves it on: from the schedule to the queue when it is enqueued, from the queue to nowhere when it was executed, or to
the schedule or the queue again when it is to be retried.
"""

# huey carries no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false, reportUnknownLambdaType=false, reportIncompatibleMethodOverride=false

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any, Self

from huey.api import Huey, Task
from huey.constants import WORKER_THREAD
from huey.consumer import Consumer, ConsumerStopped
from huey.exceptions import ConfigurationError
from huey.signals import SIGNAL_INTERRUPTED

import durakv
from durakv.adapters.huey.places import Held, HeldBytes, held_bytes
from durakv.adapters.huey.storage import DurakvStorage
from durakv.adapters.huey.store import ONE_PROCESS

logger = logging.getLogger("huey")


class DurakvHuey(Huey):  # type: ignore[misc]
    """A huey with a ``DurakvStorage``, whose arguments it takes beside those of ``Huey``.

    Promised, for whatever crash ``fsync=`` covers: a task that was enqueued or scheduled is executed, is dropped by
    huey because it was revoked or has expired, or is still there.  With ``redeliver``, the default, a task whose
    execution was cut short by the death of the process is executed again after the next open: *at least once*.  Without
    it the task is taken away before it is executed, as in huey: *at most once*.  A task can choose for itself:
    ``@huey.task(redeliver=False)``.

    Not promised: that a task is executed once only; that its effects elsewhere and its end are one step.
    """

    storage_class = DurakvStorage

    def __init__(self, name: str = "huey", *arguments: Any, redeliver: bool = True, **options: Any) -> None:
        self.redeliver = redeliver
        self._durable: DurakvStorage | None = None
        self._counting = threading.RLock()
        super().__init__(name, *arguments, **options)

    def get_storage(self, **options: Any) -> DurakvStorage:
        """The storage; the one there was, when huey comes back from its immediate mode."""
        if self._durable is None or not self._durable.store.is_open:
            self._durable = self.storage_class(self.name, **options)
        return self._durable

    def create_consumer(self, **options: Any) -> Any:
        """A consumer whose workers are threads; ConfigurationError for any other kind."""
        return super().create_consumer(**_threads(options))

    @contextmanager
    def consuming(self, **options: Any) -> Generator[Consumer, None, None]:
        """Have a consumer beside whatever the block does; behind it, wait for the tasks that are being executed.

        ``options`` are those of huey's consumer.  Any thread may do it, and signals are left alone, which
        ``create_consumer().run()`` takes over.
        """
        consumer = _Beside(self, **_threads(options))
        watching = threading.Thread(target=consumer.watch, name="huey-consumer", daemon=True)
        try:
            consumer.start()
            watching.start()
        except BaseException:
            consumer.stop()  # some of its threads may run
            raise
        try:
            yield consumer
        finally:
            consumer.stop(graceful=True)
            watching.join()

    def close(self) -> None:
        """Write, sync and give up the directory; stop the consumer first."""
        if self._durable is not None:
            self._durable.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    # --- what is held travels with the task -----------------------------------------------------------------------

    def serialize_task(self, task: Task) -> bytes:
        """The bytes of a task, which remember where it is held, if it is."""
        data: bytes = super().serialize_task(task)
        held = _held(task)
        return data if held is None or held.spent else held_bytes(data, held)

    def deserialize_task(self, data: bytes) -> Task:
        """The task, which remembers where it is held, if it is."""
        task = super().deserialize_task(data)
        if isinstance(data, HeldBytes):
            data.held.task_id = task.id
            task.durakv_held = data.held
        return task

    # --- from one place to the next -------------------------------------------------------------------------------

    def dequeue(self) -> Task | None:
        """The next task.  Unless it is not to be redelivered, it stays on disk until it was executed.

        A task that cannot be read, because its function is not registered, raises huey's error and stays on disk too;
        it is tried again after the next open.
        """
        storage = self.storage
        if not isinstance(storage, DurakvStorage):
            return super().dequeue()
        data = storage.hold_next()
        if data is None:
            return None
        task = self.deserialize_task(data)
        if not getattr(task, "redeliver", self.redeliver):
            try:
                data.held.place.settle(data.held)
            except durakv.DurakvError:
                data.held.place.release(data.held)
                raise
        return task

    def read_schedule(self, timestamp: datetime | None = None) -> list[Task]:
        """The tasks that are due.  Each stays on disk until it is enqueued, and is read again if it was not.

        One that cannot be read is logged, stays on disk, and is tried again after the next open.
        """
        storage = self.storage
        if not isinstance(storage, DurakvStorage):
            due: list[Task] = super().read_schedule(timestamp)
            return due
        tasks: list[Task] = []
        for data in storage.hold_due(self._get_timestamp() if timestamp is None else timestamp):
            try:
                tasks.append(self.deserialize_task(data))
            except Exception:
                logger.exception("Unable to deserialize a task that is due; it is kept until the next open.")
                data.held.place.set_aside(data.held)
        return tasks

    def execute(self, task: Task, timestamp: datetime | None = None) -> Any:
        """Execute a task, as huey does; then it is done, unless it was moved to be retried or run later.

        It is not done, and comes back after the next open, if it was interrupted, the storage failed, or huey failed
        before it began.
        """
        held = _held(task)
        if held is None:
            return super().execute(task, timestamp)
        held.thread = threading.get_ident()
        try:
            value = super().execute(task, timestamp)
        except durakv.DurakvError:
            raise
        except Exception:
            if held.begun:
                held.place.settle(held)
            raise
        if not held.interrupted:
            held.place.settle(held)
        return value

    def _execute(self, task: Task, timestamp: datetime) -> Any:
        held = _held(task)
        if held is not None:
            held.begun = True
        return super()._execute(task, timestamp)

    def _emit(self, signal: str, task: Task, *arguments: Any, **options: Any) -> None:
        held = _held(task)
        # A consumer that stops says this too, in its own thread, of tasks that may still come to their end.
        if signal == SIGNAL_INTERRUPTED and held is not None and held.thread == threading.get_ident():
            held.interrupted = True
        super()._emit(signal, task, *arguments, **options)

    def _check_chord(self, config: Any, value: Any) -> None:
        """Count a member of a chord, once only, and enqueue the callback after the last one.

        Huey would count a member that is executed again twice, and call back before the others have ended.
        """
        storage = self.storage
        if not isinstance(storage, DurakvStorage):
            super()._check_chord(config, value)
            return
        counter = f"chord:{config.cid}"
        keys = [f"{counter}:{index}" for index in range(config.size)]
        with self._counting:
            if storage.put_once(keys[config.idx], self.serializer.serialize(value), counter) != config.size:
                return
            callback = config.callback
            callback.extend_data(([self.get(key, peek=True) for key in keys],))
            self.enqueue(callback)
            # Only now: whoever dies before this calls back twice, and not never.
            storage.forget(keys, counter)


class _Beside(Consumer):  # type: ignore[misc]
    """A consumer in a process that has other things to do."""

    def _set_signal_handlers(self) -> None:
        """They are somebody else's."""

    def watch(self) -> None:
        """Replace threads that died, until it is stopped."""
        checked = time.monotonic()
        with suppress(ConsumerStopped):
            while True:
                checked = self.loop(checked)


def _threads(options: dict[str, Any]) -> dict[str, Any]:
    kind = options.get("worker_type", WORKER_THREAD)
    if kind != WORKER_THREAD:
        raise ConfigurationError(f"worker_type={kind!r}: {ONE_PROCESS}")
    return options


def _held(task: Any) -> Held | None:
    """What is held of the task; nothing of a copy that was made another task."""
    held: Held | None = getattr(task, "durakv_held", None)
    return held if held is not None and held.task_id == task.id else None
