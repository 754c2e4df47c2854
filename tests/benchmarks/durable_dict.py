"""What a durable dict costs beside a dict, shelves and a table of SQLite, and what its codecs cost.

    python tests/benchmarks/durable_dict.py [--rounds 9] [--seconds 0.2] [--directory DIR]

Each round lets every contestant, in rotating order, write to one of a thousand keys after the other, which are all
there before, and then read them.  Printed are medians over the rounds, and medians of the ratios of writes to
``DurableDict always`` in the same round.  Shelves, SQLite and the dicts under their policies pickle their values; the
codecs are compared under ``everysec``.
"""

from __future__ import annotations

import argparse
import pickle
import platform
import shelve
import shutil
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import durakv

KEYS = [f"user:{number}" for number in range(1000)]
VALUE = {"name": "Ada Lovelace", "visits": 42, "tags": ["first", "second"], "score": 0.5, "active": True}
BACKENDS = ("dumb", "gnu", "ndbm", "sqlite3")
MEASURE = "DurableDict always"

Opened = tuple[MutableMapping[str, Any], Callable[[], None], Callable[[], None]]
"""A mapping, what follows each write, and what gives it back."""


def nothing() -> None:
    """After a write that is done when it returns."""


class Table(MutableMapping[str, Any]):
    """A table of SQLite as a dict, with a transaction for each write."""

    def __init__(self, path: Path, synchronous: str) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute(f"PRAGMA synchronous={synchronous}")
        self._connection.execute("CREATE TABLE items (key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID")
        rows = ((key, pickle.dumps(VALUE)) for key in KEYS)
        self._connection.execute("BEGIN")
        self._connection.executemany("INSERT INTO items VALUES (?, ?)", rows)
        self._connection.execute("COMMIT")
        self.close = self._connection.close

    def __setitem__(self, key: str, value: Any) -> None:
        self._connection.execute("REPLACE INTO items VALUES (?, ?)", (key, pickle.dumps(value)))

    def __getitem__(self, key: str) -> Any:
        row = self._connection.execute("SELECT value FROM items WHERE key = ?", (key,)).fetchone()
        if row is None:
            raise KeyError(key)
        return pickle.loads(row[0])

    def __delitem__(self, key: str) -> None:
        self._connection.execute("DELETE FROM items WHERE key = ?", (key,))

    def __iter__(self) -> Iterator[str]:
        return (key for (key,) in self._connection.execute("SELECT key FROM items").fetchall())

    def __len__(self) -> int:
        count: int = self._connection.execute("SELECT count(*) FROM items").fetchone()[0]
        return count


def contestants(directory: Path) -> dict[str, tuple[str, Opened]]:
    """Each with what its documents say of a power cut."""
    found: dict[str, tuple[str, Opened]] = {}
    plain: dict[str, Any] = dict.fromkeys(KEYS, VALUE)
    found["dict"] = "in memory", (plain, nothing, nothing)
    for backend in BACKENDS:
        with suppress(ImportError):  # a Python that was built without it
            for suffix in ("", "+sync"):
                database = import_module(f"dbm.{backend}").open(str(directory / f"{backend}{suffix}"), "n")
                shelf: shelve.Shelf[Any] = shelve.Shelf(database)
                shelf.update(dict.fromkeys(KEYS, VALUE))
                after = shelf.sync if suffix else nothing
                found[f"shelve {backend}{suffix}"] = "not said", (shelf, after, shelf.close)
    for synchronous, promise in (("FULL", "survives"), ("NORMAL", "may roll back")):
        table = Table(directory / synchronous, synchronous)
        found[f"sqlite3 WAL, {synchronous}"] = promise, (table, nothing, table.close)
    for policy, promise in (("always", "survives"), ("everysec", "1 s may be lost")):
        found[f"DurableDict {policy}"] = promise, open_dict(directory / policy, policy, durakv.PickleCodec())
    return found


def codecs(directory: Path) -> dict[str, tuple[str, Opened]]:
    """Durable dicts that differ in the codec alone."""
    chosen: dict[str, durakv.Codec[Any]] = {
        "PickleCodec": durakv.PickleCodec(),
        "JsonCodec": durakv.JsonCodec(),
        "MsgpackCodec": durakv.MsgpackCodec(),
        "MsgpackCodec(dict)": durakv.MsgpackCodec(dict),
    }
    return {
        name: ("1 s may be lost", open_dict(directory / f"codec-{name}", "everysec", codec))
        for name, codec in chosen.items()
    }


def open_dict(path: Path, policy: str, codec: durakv.Codec[Any]) -> Opened:
    """A durable dict with as much as any shelf: it rewrites its log when it pleases."""
    opened = durakv.DurableDict(path, value=codec, fsync=policy)
    opened.update(dict.fromkeys(KEYS, VALUE))
    return opened, nothing, opened.close


def rate(work: Callable[[str], object], seconds: float) -> float:
    """How often a second it can be done, key after key."""
    count = 0
    started = time.perf_counter()
    while True:
        for key in KEYS[count % len(KEYS) :]:
            work(key)
            count += 1
            if (passed := time.perf_counter() - started) >= seconds:
                return count / passed


def measure(opened: Opened, seconds: float) -> tuple[float, float]:
    """Writes and reads a second."""
    mapping, after, _ = opened

    def write(key: str) -> None:
        mapping[key] = VALUE
        after()

    writes = rate(write, seconds)
    return writes, rate(mapping.__getitem__, seconds)


def main() -> None:
    """Run the rounds and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=0.2)
    parser.add_argument("--directory", default=None, help="where the files go; its disk is what is measured")
    options = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="durakv-bench-", dir=options.directory))
    results: dict[str, list[tuple[float, float]]] = {}
    try:
        running = contestants(directory) | codecs(directory)
        names = list(running)
        for number in range(options.rounds):
            for shift in range(len(names)):
                name = names[(number + shift) % len(names)]
                results.setdefault(name, []).append(measure(running[name][1], options.seconds))
        for _, (_, _, close) in running.values():
            close()
    finally:
        shutil.rmtree(directory)
    print("command:", " ".join([Path(sys.executable).name, *sys.argv]))
    place = options.directory or tempfile.gettempdir()
    print(f"disk: {place}  python {platform.python_version()}  sqlite {sqlite3.sqlite_version}  {platform.platform()}")
    print(f"{options.rounds} rounds of {options.seconds} s, {len(KEYS)} keys, {len(pickle.dumps(VALUE))} bytes pickled")
    print(f"{'contestant':26}{'sets/s':>12}{'/ always':>10}{'gets/s':>12}  a power cut")
    for name, (promise, _) in running.items():
        writes, reads = (statistics.median(column) for column in zip(*results[name], strict=True))
        pairs = zip(results[name], results[MEASURE], strict=True)
        ratio = statistics.median(own[0] / measure[0] for own, measure in pairs)
        print(f"{name:26}{writes:12,.0f}{ratio:10.2f}{reads:12,.0f}  {promise}")


if __name__ == "__main__":
    main()
