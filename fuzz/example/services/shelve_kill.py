"""A shelf and a durable dict under the same writes, killed with SIGKILL, and after power cuts.

    python fuzz/example/services/shelve_kill.py [--kills 20] [--cuts 300] [--seed 1] [--only shelve]

Each store holds twenty settings that are written over and over, with values of changing length; a write is acknowledged
when the assignment, and with ``+sync`` the ``sync()`` after it, has returned.

    SIGKILL     a real process on real files, killed after some of its writes; a new directory each time
    power cut   the writes are recorded on a disk in memory, and states that a cut may leave are made of them: on a
                journalling file system, and the worst that POSIX allows; eighty writes in far less than a second

An acknowledged write has survived if its setting has that value or a later one.  Of a store that does not open, nothing
has.  A wrong value is one that nobody wrote, or an error on reading it.
"""

from __future__ import annotations

import argparse
import os
import random
import shelve
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import durakv
from durakv_fuzz.model import Model
from durakv_fuzz.program import child
from durakv_fuzz.program.campaign import Campaign, Limits, start_and_judge
from durakv_fuzz.program.disks import Crash, Run
from durakv_fuzz.program.memory_disk import MemoryDisk
from durakv_fuzz.program.oracle import Judgement, Told
from durakv_fuzz.program.subject import Found, Plan, Promise, Subject, value_of
from durakv_fuzz.quiet import quiet
from durakv_fuzz.recorder.recorder import Recorder, missing
from durakv_fuzz.targets.target import Embedded, key_of, missing_module

SETTINGS = 20
WRITES_OF_A_LIFE = 100_000_000
KILLED_AFTER = (10, 400)
RECORDED_WRITES = 80
BACKENDS = ("dumb", "gnu", "ndbm", "sqlite3")
POLICIES = ("always", "everysec")
POWER_CUTS = (Model.ORDERED, Model.ORDERED_ZERO_TAIL, Model.POWER_LOSS)


class Settings:
    """A mapping from text to bytes as a store of numbers: each is written to one of the settings."""

    def __init__(self, mapping: Any, sync: Callable[[], None] | None = None) -> None:
        self._mapping = mapping
        self._sync = sync

    def put(self, number: int, value: bytes, /) -> bool:
        """See :class:`durakv_fuzz.targets.target.Store`."""
        self._mapping[f"setting {number % SETTINGS}"] = grown(number, value)
        if self._sync is not None:
            self._sync()
        return False

    def pairs(self) -> Iterator[tuple[bytes, bytes]]:
        """Every number whose setting has its value or a later one; and what is wrong, as it is."""
        for setting in range(SETTINGS):
            name = f"setting {setting}"
            if name not in self._mapping:
                continue
            try:
                held = self._mapping[name]
            except Exception as error:  # noqa: BLE001 - whatever a store raises, the value cannot be read
                held = repr(error).encode()
            last = number_of(held) if isinstance(held, bytes) else -1
            if last < 0 or last % SETTINGS != setting:
                yield name.encode(), b"wrong"
                continue
            for number in range(setting, last + 1, SETTINGS):
                yield key_of(number), value_of(number)

    def close(self) -> None:
        """See :class:`durakv_fuzz.targets.target.Store`."""
        self._mapping.close()


def grown(number: int, value: bytes) -> bytes:
    """The value several times over: settings grow and shrink."""
    return value * (1 + number % 7)


def number_of(held: bytes) -> int:
    """The number whose value this is; -1 if nobody wrote it."""
    digits = held[:10]
    number = int(digits) if digits.isdigit() else -1
    return number if number >= 0 and held == grown(number, value_of(number)) else -1


def open_shelf(backend: str, is_synced: bool, directory: Path) -> Settings:
    """A shelf on one of Python's databases."""
    database: Any = import_module(f"dbm.{backend}").open(str(directory / "settings"), "c")
    shelf: shelve.Shelf[Any] = shelve.Shelf(database)
    return Settings(shelf, shelf.sync if is_synced else None)


def open_dict(policy: str, directory: Path) -> Settings:
    """A durable dict."""
    return Settings(durakv.DurableDict(directory / "settings", value=durakv.BytesCodec(), fsync=policy))


def subject(name: str, setting: str, promise: Promise, make: Callable[[Path], Settings], module: str) -> Embedded:
    """One of the stores; the promise is for ``durakv_fuzz`` and does not matter to what is counted here."""
    return Embedded(
        name=name,
        setting=setting,
        promise=promise,
        documented="",
        open=make,
        release=dict,
        module=module,
        plan=Plan(count=RECORDED_WRITES, sync_seconds=0.002),
    )


def subjects() -> list[Embedded]:
    """Shelves on each database that this Python has, and durable dicts."""
    shelves = [
        subject("shelve", backend + suffix, Promise.NONE, partial(open_shelf, backend, bool(suffix)), f"dbm.{backend}")
        for backend in BACKENDS
        for suffix in ("", "+sync")
    ]
    dicts = [subject("DurableDict", policy, Promise.NONE, partial(open_dict, policy), "durakv") for policy in POLICIES]
    return [*filter(has_backend, shelves), *dicts]


def has_backend(shelf: Embedded) -> bool:
    """Whether this Python can import it: modules of the library are there without what they are made of."""
    try:
        import_module(shelf.module)
    except ImportError:
        return False
    return not missing_module(shelf.module, "")


@dataclass
class Count:
    """What was seen of one store under one kind of crash."""

    store: str
    crash: str
    crashes: int = 0
    acked: int = 0
    survived: int = 0
    wrong: int = 0
    refused: int = 0

    def add(self, acked: frozenset[int], found: Found) -> None:
        """One crash more."""
        self.crashes += 1
        self.acked += len(acked)
        self.survived += len(acked & found.numbers)
        self.wrong += len(found.wrong)
        self.refused += bool(found.refusal)

    def line(self) -> str:
        """A row of the table."""
        lost = self.acked - self.survived
        return (
            f"{self.store:<21} {self.crash:<9} {self.crashes:>7,} {self.acked:>13,} {self.survived:>9,} {lost:>7,} "
            f"{self.wrong:>12,} {self.refused:>14,}"
        )


HEAD = (
    f"{'store':<21} {'crash':<9} {'crashes':>7} {'acknowledged':>13} {'survived':>9} {'lost':>7} {'wrong values':>12} "
    f"{'does not open':>14}"
)


# --- SIGKILL ----------------------------------------------------------------------------------------------------------


class Printing:
    """Tells of acknowledgements on standard output, by a system call for each."""

    def issued(self, number: int) -> None:
        """Nobody asks."""

    def acked(self, number: int) -> None:
        """One line."""
        os.write(1, b"%d\n" % number)

    def synced(self, number: int) -> None:
        """Nobody asks."""


def kill(store: Embedded, kills: int, source: random.Random) -> Count:
    """Kill so many processes after a number of their writes, and look at what each has left."""
    count = Count(f"{store.name} {store.setting}", "SIGKILL")
    for _ in range(kills):
        with tempfile.TemporaryDirectory(prefix="durakv-shelve-") as name:
            directory = Path(name)
            acked = driven_and_killed(store, directory, source.randint(*KILLED_AFTER))
            count.add(acked, store.check(directory))
    return count


def driven_and_killed(store: Embedded, directory: Path, writes: int) -> frozenset[int]:
    """What a process acknowledged until it was killed."""
    argv = [sys.executable, __file__, "--drive", store.name, store.setting, str(directory)]
    process = child.spawn(argv, stdout=-1)
    assert process.stdout is not None, "asked for"
    try:
        heard = [process.stdout.readline() for _ in range(writes)]
        process.kill()
        heard += process.stdout.readlines()
    finally:
        child.kill(process)
    assert process.returncode == -signal.SIGKILL, "it ended by itself"
    return frozenset(int(line) for line in heard if line.endswith(b"\n"))


def drive(name: str, setting: str, directory: Path) -> None:
    """Be the process that is killed."""
    (store,) = (one for one in subjects() if (one.name, one.setting) == (name, setting))
    store.drive(directory, range(WRITES_OF_A_LIFE), Printing())


# --- power cuts -------------------------------------------------------------------------------------------------------


def cut(store: Embedded, cuts: int, seed: int) -> Count:
    """So many distinct states that a power cut may have left, and what each store shows on them."""
    count = Count(f"{store.name} {store.setting}", "power cut")

    seen: set[tuple[str, Told]] = set()

    def start(subject: Subject, run: Run, crash: Crash, told: Told, seconds: float) -> tuple[Found | None, Judgement]:
        found, judgement = start_and_judge(subject, run, crash, told, seconds)
        if (crash.key, told) not in seen:  # some are started once more, to go on from there
            seen.add((crash.key, told))
            count.add(told.acked, found if found is not None else Found(refusal="it hangs"))
        return found, judgement

    with Recorder() as recorder:
        campaign = Campaign(
            store, MemoryDisk(recorder, POWER_CUTS), [store.plan], Limits(states=cuts), seed=seed, start=start
        )
        campaign.run()
    return count


def main(arguments: Sequence[str]) -> None:
    """Print the table, row by row."""
    if arguments[:1] == ["--drive"]:
        drive(arguments[1], arguments[2], Path(arguments[3]))
        return
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kills", type=int, default=20, help="processes to kill, for each store (20)")
    parser.add_argument("--cuts", type=int, default=300, help="states after a power cut, for each store (300)")
    parser.add_argument("--seed", type=int, default=1, help="another seed, other crashes")
    parser.add_argument("--only", default="", metavar="TEXT", help="only stores with this in their name")
    chosen = parser.parse_args(arguments)
    print(f"Python {sys.version.split()[0]}, durakv {durakv.__version__}")
    print(HEAD)
    for store in [one for one in subjects() if chosen.only in f"{one.name} {one.setting}"]:
        with quiet():  # recoveries say what they cut, which is what is counted here
            print(kill(store, chosen.kills, random.Random(chosen.seed)).line(), flush=True)
            if not missing():
                print(cut(store, chosen.cuts, chosen.seed).line(), flush=True)
    if reason := missing():
        print(f"power cuts: skipped, {reason}")


if __name__ == "__main__":
    main(sys.argv[1:])
