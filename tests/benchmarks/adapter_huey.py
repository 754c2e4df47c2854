"""What a task costs with durakv and with huey's own storages.

    python tests/benchmarks/adapter_huey.py [--tasks 300] [--rounds 5] [--directory DIR]

    enqueue            huey.enqueue, one task after the other
    by 8 threads       the same by eight threads at once
    whole life         enqueue, dequeue and execute a task that does nothing, one after the other
    due                what the scheduler does: read all tasks that are due, and enqueue each

All by a huey, pickle and all, in one process.  The storages take turns within a round, in rotating order, each in a new
directory; figures are medians over the rounds, ratios those to SqliteHuey as it comes, of the same round.
"""

from __future__ import annotations

import argparse
import datetime
import logging
import platform
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import huey
from huey import FileHuey, MemoryHuey, SqliteHuey

import durakv
from durakv.adapters.huey import DurakvHuey

FIRST = "SqliteHuey"
HUEYS: dict[str, Callable[[Path], Any]] = {
    FIRST: lambda path: SqliteHuey(filename=str(path / "huey.db")),
    "SqliteHuey, fsync=True": lambda path: SqliteHuey(filename=str(path / "huey.db"), fsync=True),
    "SqliteHuey, fsync=False": lambda path: SqliteHuey(filename=str(path / "huey.db"), fsync=False),
    "FileHuey": lambda path: FileHuey(path=str(path / "files")),
    "MemoryHuey": lambda _: MemoryHuey(),
    'DurakvHuey, fsync="everysec"': lambda path: DurakvHuey(path=path / "tasks", fsync="everysec"),
    'DurakvHuey, fsync="always"': lambda path: DurakvHuey(path=path / "tasks", fsync="always"),
}
THREADS = 8
LONG_AGO = datetime.datetime(2020, 1, 1)


def enqueue(subject: Any, task: Any, tasks: int) -> float:
    """Seconds for so many."""
    began = time.perf_counter()
    for number in range(tasks):
        task(number)
    return time.perf_counter() - began


def by_threads(subject: Any, task: Any, tasks: int) -> float:
    """Seconds for so many in all."""
    share = [tasks // THREADS + (index < tasks % THREADS) for index in range(THREADS)]
    threads = [threading.Thread(target=enqueue, args=(subject, task, count)) for count in share]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - began


def whole_life(subject: Any, task: Any, tasks: int) -> float:
    """Seconds for so many."""
    began = time.perf_counter()
    for number in range(tasks):
        task(number)
        subject.execute(subject.dequeue())
    return time.perf_counter() - began


def due(subject: Any, task: Any, tasks: int) -> float:
    """Seconds for so many; to schedule them is not measured."""
    for number in range(tasks):
        subject.add_schedule(task.s(number, eta=LONG_AGO))
    began = time.perf_counter()
    for ready in subject.read_schedule():
        subject.enqueue(ready)
    return time.perf_counter() - began


WORK: dict[str, Callable[[Any, Any, int], float]] = {
    "enqueue": enqueue,
    "by 8 threads": by_threads,
    "whole life": whole_life,
    "due": due,
}


def rate(name: str, work: str, tasks: int, directory: str | None) -> float:
    """Tasks a second."""
    with tempfile.TemporaryDirectory(dir=directory) as place:
        subject = HUEYS[name](Path(place))
        task = subject.task(name="nothing")(lambda number: None)
        seconds = WORK[work](subject, task, tasks)
        subject.storage.close()
    return tasks / seconds


def measure(tasks: int, rounds: int, directory: str | None) -> None:
    """Let them take turns, and print the rates and the ratios."""
    rates: dict[tuple[str, str], list[float]] = {(name, work): [] for name in HUEYS for work in WORK}
    names = list(HUEYS)
    for turn in range(rounds):
        start = turn % len(names)
        for name in names[start:] + names[:start]:
            for work in WORK:
                rates[name, work].append(rate(name, work, tasks, directory))
    print(f"\n{'tasks/s, and / ' + FIRST:30}" + "".join(f"{work:>18}" for work in WORK))
    for name in names:
        row = f"{name:30}"
        for work in WORK:
            ratios = [mine / first for mine, first in zip(rates[name, work], rates[FIRST, work], strict=True)]
            row += f"{statistics.median(rates[name, work]):>11,.0f}{statistics.median(ratios):>7.2f}"
        print(row)


def main() -> None:
    """Print what was asked and what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--directory", help="where to write; by default the folder for temporary files")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    print("command:", " ".join([Path(sys.executable).name, *sys.argv]))
    print(f"durakv {durakv.__version__}  huey {huey.__version__}  python {platform.python_version()}  ", end="")
    print(platform.platform())
    print(f"disk: {options.directory or tempfile.gettempdir()}; {options.tasks} tasks, {options.rounds} rounds")
    measure(options.tasks, options.rounds, options.directory)


if __name__ == "__main__":
    main()
