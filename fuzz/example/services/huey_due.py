"""Tasks that huey loses between two calls, counted for its own storages and for durakv: ``python huey_due.py``.

    enqueue fails      tasks are due, and the storage cannot take them for a moment (huey issue 915)
    scheduler killed   tasks are due, were read from the schedule, and the process is killed (huey issue 915)
    workers killed     tasks are being executed, and the process is killed (huey issue 253)

The scheduler, the consumer and its threads are huey's.  A task is lost if it was scheduled or enqueued, was not
executed to its end, and is neither scheduled nor enqueued when the process starts again.  The exit status is 1 if
durakv has lost one.
"""

from __future__ import annotations

import argparse
import datetime
import logging
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from huey import FileHuey, SqliteHuey
from huey.consumer import Scheduler

from durakv.adapters.huey import DurakvHuey

TASKS = 503
WORKERS = 4
HUEYS: dict[str, Callable[[Path], Any]] = {
    "SqliteHuey": lambda path: SqliteHuey(filename=str(path / "huey.db")),
    "SqliteHuey, fsync=True": lambda path: SqliteHuey(filename=str(path / "huey.db"), fsync=True),
    "FileHuey": lambda path: FileHuey(path=str(path / "files")),
    "DurakvHuey": lambda path: DurakvHuey(path=path / "tasks"),
    'DurakvHuey, fsync="always"': lambda path: DurakvHuey(path=path / "tasks", fsync="always"),
}
FAULTS = ("enqueue fails", "scheduler killed", "workers killed")
LONG_AGO = datetime.datetime(2020, 1, 1)
LONG_SECONDS = 600
PATIENCE_SECONDS = 60


class Subject:
    """One huey, with a task that takes for ever."""

    def __init__(self, name: str, path: Path) -> None:
        self.huey = HUEYS[name](path)
        self.started: list[int] = []
        self.task = self.huey.task(name="wait")(self.wait)

    def wait(self, number: int) -> None:
        """The task."""
        self.started.append(number)
        time.sleep(LONG_SECONDS)

    def schedule(self, tasks: int) -> Scheduler:
        """Have so many tasks due; return huey's scheduler."""
        for number in range(tasks):
            self.huey.add_schedule(self.task.s(number, eta=LONG_AGO))
        stop = threading.Event()
        stop.set()  # so that it does not sleep between two looks
        return Scheduler(self.huey, stop, 1, periodic=False)

    def left(self) -> int:
        """How many tasks there are."""
        return int(self.huey.pending_count() + self.huey.scheduled_count())


def enqueue_fails(subject: Subject, tasks: int) -> None:
    """A scheduler that looks twice; the first time the storage takes nothing."""
    scheduler = subject.schedule(tasks)
    storage, enqueue = subject.huey.storage, subject.huey.storage.enqueue

    def fail(*_: object) -> None:
        raise OSError("no space left on device")

    storage.enqueue = fail
    scheduler.loop()
    storage.enqueue = enqueue
    scheduler._next_loop += 60
    scheduler.loop()


def kill_scheduler(subject: Subject, tasks: int) -> None:
    """A scheduler that is killed with the tasks that are due in its hands."""
    scheduler = subject.schedule(tasks)
    subject.huey.enqueue = lambda _: os.kill(os.getpid(), signal.SIGKILL)
    scheduler.loop()


def kill_workers(subject: Subject, tasks: int) -> None:
    """A consumer that is killed while each of its threads executes a task."""
    for number in range(tasks):
        subject.task(number)
    subject.huey.create_consumer(workers=min(WORKERS, tasks), periodic=False).start()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len(subject.started) < min(WORKERS, tasks) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGKILL)


WORK: dict[str, Callable[[Subject, int], None]] = dict(
    zip(FAULTS, (enqueue_fails, kill_scheduler, kill_workers), strict=True)
)


def lost(name: str, fault: str, tasks: int) -> int:
    """How many of so many tasks a huey loses."""
    with tempfile.TemporaryDirectory() as directory:
        command = [sys.executable, __file__, "--child", name, fault, directory, "--tasks", str(tasks)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != (0 if fault == "enqueue fails" else -signal.SIGKILL):
            raise RuntimeError(f"{name}, {fault}: ended with {done.returncode}: {done.stderr[-2000:]}")
        subject = Subject(name, Path(directory))
        left = subject.left()
        subject.huey.storage.close()
        return tasks - left


def main() -> None:
    """Do it to all of them, and print one table."""
    parser = argparse.ArgumentParser(description="Count the tasks that huey loses between two calls.")
    parser.add_argument("--tasks", type=int, default=TASKS, help=f"how many, by default {TASKS}")
    parser.add_argument("--child", nargs=3, metavar=("HUEY", "FAULT", "DIRECTORY"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    logging.disable()  # that enqueueing fails, and that a directory was not closed
    if chosen.child:
        name, fault, directory = chosen.child
        WORK[fault](Subject(name, Path(directory)), chosen.tasks)
        return
    sys.stdout.write(f"tasks lost of {chosen.tasks}\n\n{'':28}" + "".join(f"{fault:>18}" for fault in FAULTS) + "\n")
    failed = False
    for name in HUEYS:
        counts = [lost(name, fault, chosen.tasks) for fault in FAULTS]
        failed |= name.startswith("DurakvHuey") and any(counts)
        sys.stdout.write(f"{name:28}" + "".join(f"{count:>18}" for count in counts) + "\n")
        sys.stdout.flush()
    sys.exit(failed)


if __name__ == "__main__":
    main()
