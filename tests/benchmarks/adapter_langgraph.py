"""What checkpoints cost: puts and get_tuples a second of LangGraph's savers and of durakv's.

    python tests/benchmarks/adapter_langgraph.py [--rounds 7] [--seconds 0.5] [--directory DIR]

Each round lets every contestant, in rotating order, store checkpoints for that long, each a child of the one before,
with a document of 10 kB that is new in every tenth and a message that is new in each; then read the newest.  First in
one thread, then in 32 tasks of an event loop with a thread of the conversation each.  Printed are medians over the
rounds, and medians of the ratios of puts to SqliteSaver's in the same round.
"""

from __future__ import annotations

import argparse
import asyncio
import platform
import shutil
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from langgraph.checkpoint.base import Checkpoint, empty_checkpoint
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

import durakv
from durakv.adapters.langgraph import DurakvSaver

TASKS = 32
DOCUMENT = "word " * 2000
READS = 200


@contextmanager
def in_memory(_path: Path) -> Iterator[Any]:
    """The saver for tests."""
    yield InMemorySaver()


@contextmanager
def sqlite(path: Path) -> Iterator[Any]:
    """As its documents open it."""
    with SqliteSaver.from_conn_string(str(path)) as saver:
        yield saver


@asynccontextmanager
async def aio_in_memory(_path: Path) -> AsyncIterator[Any]:
    """The same one."""
    yield InMemorySaver()


@asynccontextmanager
async def aio_sqlite(path: Path) -> AsyncIterator[Any]:
    """As its documents open it."""
    async with AsyncSqliteSaver.from_conn_string(str(path)) as saver:
        yield saver


def synced(path: Path) -> Any:
    """The default."""
    return DurakvSaver.open(path)


def written(path: Path) -> Any:
    """A loss of power may take the last second."""
    return DurakvSaver.open(path, fsync="everysec", durability=durakv.Durability.WRITTEN)


SURVIVES = {
    "InMemorySaver": "nothing",
    "SqliteSaver": "a power cut",
    "DurakvSaver": "a power cut",
    "DurakvSaver written": "a kill",
}
SYNC: dict[str, Callable[[Path], Any]] = {
    "InMemorySaver": in_memory,
    "SqliteSaver": sqlite,
    "DurakvSaver": synced,
    "DurakvSaver written": written,
}
ASYNC: dict[str, Callable[[Path], Any]] = {**SYNC, "InMemorySaver": aio_in_memory, "SqliteSaver": aio_sqlite}


def step(number: int, thread: str, parent: str | None) -> tuple[Any, Checkpoint, Any, dict[str, Any]]:
    """The arguments of a put."""
    checkpoint = empty_checkpoint()
    checkpoint["channel_values"] = {"document": DOCUMENT, "message": f"message {number}"}
    versions: dict[str, Any] = {"document": f"{number // 10:032d}.0", "message": f"{number:032d}.0"}
    checkpoint["channel_versions"] = versions
    new = {channel: versions[channel] for channel in versions if channel == "message" or number % 10 == 0}
    config = {"configurable": {"thread_id": thread, "checkpoint_ns": "", "checkpoint_id": parent}}
    return config, checkpoint, {"source": "loop", "step": number}, new


def measure(make: Callable[[Path], Any], path: Path, seconds: float) -> tuple[float, float]:
    """Puts and reads a second, in one thread."""
    with make(path) as saver:
        count, parent = 0, None
        started = time.perf_counter()
        while (passed := time.perf_counter() - started) < seconds:
            saved = saver.put(*step(count, "t", parent))
            parent = saved["configurable"]["checkpoint_id"]
            count += 1
        puts = count / passed
        started = time.perf_counter()
        for _ in range(READS):
            saver.get_tuple({"configurable": {"thread_id": "t", "checkpoint_ns": ""}})
        return puts, READS / (time.perf_counter() - started)


async def measure_tasks(make: Callable[[Path], Any], path: Path, seconds: float) -> tuple[float, float]:
    """Puts and reads a second, of all tasks together."""

    async def work(saver: Any, thread: str, until: float) -> int:
        count, parent = 0, None
        while time.perf_counter() < until:
            saved = await saver.aput(*step(count, thread, parent))
            parent = saved["configurable"]["checkpoint_id"]
            count += 1
            await asyncio.sleep(0)
        return count

    async def read(saver: Any, thread: str) -> None:
        for _ in range(READS // TASKS):
            await saver.aget_tuple({"configurable": {"thread_id": thread, "checkpoint_ns": ""}})

    async with make(path) as saver:
        started = time.perf_counter()
        counts = await asyncio.gather(*(work(saver, f"{n}", started + seconds) for n in range(TASKS)))
        puts = sum(counts) / (time.perf_counter() - started)
        started = time.perf_counter()
        await asyncio.gather(*(read(saver, f"{n}") for n in range(TASKS)))
        return puts, READS // TASKS * TASKS / (time.perf_counter() - started)


def main() -> None:
    """Run the rounds and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.5)
    parser.add_argument("--directory", default=None, help="where the files go; its disk is what is measured")
    options = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="durakv-bench-", dir=options.directory))
    results: dict[tuple[str, str], list[tuple[float, float]]] = {}
    names = list(SYNC)
    try:
        for number in range(options.rounds):
            for shift in range(len(names)):
                name = names[(number + shift) % len(names)]
                place = directory / f"{number}-{shift}"
                place.mkdir()
                found = measure(SYNC[name], place / "sync", options.seconds)
                results.setdefault(("one thread", name), []).append(found)
                found = asyncio.run(measure_tasks(ASYNC[name], place / "async", options.seconds))
                results.setdefault((f"{TASKS} tasks", name), []).append(found)
                shutil.rmtree(place)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    print("command:", " ".join([Path(sys.executable).name, *sys.argv]))
    packages = ("langgraph-checkpoint", "langgraph-checkpoint-sqlite")
    print(
        f"disk: {options.directory or tempfile.gettempdir()}  python {platform.python_version()}  {platform.platform()}"
    )
    print(" ".join(f"{name} {version(name)}" for name in packages), f"sqlite {sqlite3.sqlite_version}")
    print(f"{options.rounds} rounds of {options.seconds} s, checkpoints of {len(DOCUMENT):,} bytes")
    print(f"{'':14}{'saver':22}{'puts/s':>10}{'/ SqliteSaver':>15}{'get_tuples/s':>14}  survives")
    for (how, name), measured in results.items():
        puts, reads = (statistics.median(column) for column in zip(*measured, strict=True))
        pairs = zip(measured, results[how, "SqliteSaver"], strict=True)
        ratio = statistics.median(own[0] / other[0] for own, other in pairs)
        print(f"{how:14}{name:22}{puts:10,.0f}{ratio:15.2f}{reads:14,.0f}  {SURVIVES[name]}")


if __name__ == "__main__":
    main()
