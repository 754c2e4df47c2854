"""Crash tests of ``DurableDict``, and of the queue and the counters that the documentation builds on it.

    python -m tests.adapters.crash_dict --kills 200 --cuts 10000

All three are in one database, and one caller writes to them in turn; see ``expected`` for what may be left.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from pathlib import Path

import durakv
from durakv_fuzz.service import Environment, Facts, Service, Told, main, say
from tests.adapters.expected import Held, assert_expected
from tests.adapters.patterns import DurableCounters, DurableQueue

KEYS = "abcdef"
NAMES = ("hits", "misses")
SEGMENT_BYTES = 4096
WRITES = 12
OF_DICT = ("set", "weak", "default", "update", "batch", "delete", "pop", "popitem", "clear")
WRITES_OF_A_PROCESS = 100_000

Began = Callable[[object], None]
Acked = Callable[[object, durakv.Durability], None]


class Parts:
    """The three over one database."""

    def __init__(self, database: durakv.Database) -> None:
        self.database = database
        self.settings = durakv.DurableDict.over(database, prefix=b"settings:", value=durakv.TextCodec())
        self.items = durakv.DurableDict.over(
            database, prefix=b"jobs:", key=durakv.MsgpackCodec(int), value=durakv.TextCodec()
        )
        self.sums = durakv.DurableDict.over(database, prefix=b"sums:", value=durakv.MsgpackCodec(int))
        self.jobs = DurableQueue(self.items)
        self.counters = DurableCounters(self.sums)

    def held(self) -> Held:
        """All of it, read as its users read it."""
        sums = {name: self.counters.value(name) for name in NAMES if name in self.sums}
        jobs = DurableQueue(self.items)
        return Held(dict(self.settings), [jobs.take(timeout=1)[1] for _ in range(len(jobs))], sums)


class Caller:
    """One life: writes one after the other, and tells before and after each."""

    def __init__(self, database: durakv.Database, began: Began, acked: Acked, source: random.Random) -> None:
        self.parts = Parts(database)
        self._began = began
        self._acked = acked
        self._source = source
        self._life = source.getrandbits(40)
        self._writes = 0
        self._taken: list[tuple[int, str]] = []
        self._began((f"life {self._life}", *self.parts.held().found()))

    def write(self) -> None:
        """One write, drawn from those that are possible now."""
        kinds = ["set", "set", "weak", "default", "update", "put", "put", "add", "add"]
        kinds += ["delete", "pop", "popitem", "batch", "batch", "clear"] if self.parts.settings else []
        kinds += ["acknowledge"] * 3 if len(self.parts.jobs) else []
        self._writes += 1
        kind = self._source.choice(kinds)
        (self._of_dict if kind in OF_DICT else self._of_jobs_and_sums)(kind)

    def _of_dict(self, kind: str) -> None:
        settings, source = self.parts.settings, self._source
        key, value = source.choice(KEYS), "x" * source.randrange(200)
        there = list(settings)
        match kind:
            case "set":
                self._do(lambda: settings.put(key, value), "set", key, value)
            case "weak":
                level = source.choice([durakv.Durability.WRITTEN, durakv.Durability.APPLIED])
                self._do(lambda: settings.put(key, value, durability=level), "set", key, value, level=level)
            case "default":
                self._do(lambda: settings.setdefault(key, value), "default", key, value)
            case "update":
                pairs = dict.fromkeys(source.sample(KEYS, 3), value)
                self._do(lambda: self.update(pairs), "update", tuple(pairs.items()))
            case "batch":
                deleted = source.sample(there, min(2, len(there)))
                pairs = {key: value, "z": ""}
                self._do(lambda: self.batch(deleted, pairs), "batch", tuple(deleted), tuple(pairs.items()))
            case "delete":
                last = source.choice(there)
                self._do(lambda: settings.__delitem__(last), "delete", last)
            case "pop":
                last = source.choice(there)
                self._do(lambda: settings.pop(last), "pop", last)
            case "popitem":
                self._do(settings.popitem, "popitem")
            case _:
                self._do(settings.clear, "clear")

    def _of_jobs_and_sums(self, kind: str) -> None:
        match kind:
            case "put":
                item = f"{self._life}.{self._writes}"
                self._do(lambda: self.parts.jobs.put(item), "put", item)
            case "acknowledge":
                if len(self._taken) < len(self.parts.jobs) and self._source.random() < 0.6:
                    self._taken.append(self.take())
                if self._taken:
                    number, item = self._taken.pop(self._source.randrange(len(self._taken)))
                    self._do(lambda: self.parts.jobs.acknowledge(number), "acknowledge", item)
            case _:
                name, amount = self._source.choice(NAMES), self._source.randrange(1, 5)
                self._do(lambda: self.add(name, amount), "add", name, amount)

    def update(self, pairs: dict[str, str]) -> None:
        """All of it or nothing."""
        self.parts.settings.update(pairs)

    def add(self, name: str, amount: int) -> None:
        """On disk when it returns."""
        self.parts.counters.add(name, amount)

    def take(self) -> tuple[int, str]:
        """Nothing is stored by it."""
        return self.parts.jobs.take(timeout=1)

    def batch(self, deleted: list[str], pairs: dict[str, str]) -> None:
        """All of it or nothing."""
        with self.parts.settings.batch() as batch:
            for key in deleted:
                del batch[key]
            for key, value in pairs.items():
                batch[key] = value

    def _do(
        self, call: Callable[[], object], *fact: object, level: durakv.Durability = durakv.Durability.SYNCED
    ) -> None:
        tagged = (f"life {self._life} write {self._writes}", *fact)
        self._began(tagged)
        call()
        if level is not durakv.Durability.APPLIED:
            self._acked(tagged, level)


def open_simulated(environment: Environment) -> durakv.Database:
    """A database on the disk that is given, with small segments."""
    return durakv.open(
        None,
        filesystem=environment.filesystem,
        clock=environment.clock,
        background=False,
        fsync="always",
        options=durakv.Options(segment_bytes=SEGMENT_BYTES),
    )


def service(caller_class: type[Caller]) -> Service:
    """Lives of such a caller; ``Caller`` is the one that keeps its promises."""

    def drive(environment: Environment, told: Told, source: random.Random) -> None:
        database = open_simulated(environment)
        caller = caller_class(database, told.began, told.acked, source)
        for _ in range(WRITES):
            caller.write()
            environment.clock.advance(source.choice([0.0, 0.01, 1.0]))
            database.engine.step()
            if source.random() < 0.05:
                database.rewrite()
        if source.random() < 0.5:
            database.close()

    return Service(drive, check)


def check(environment: Environment, facts: Facts) -> None:
    """What is there is what may be there."""
    with open_simulated(environment) as database:
        assert_expected(Parts(database).held(), facts)


SERVICE = service(Caller)
ARGV = [sys.executable, "-m", "tests.adapters.crash_dict", "--drive"]


def open_real(directory: Path) -> durakv.Database:
    """A database on real files."""
    return durakv.open(directory, fsync="always", options=durakv.Options(segment_bytes=SEGMENT_BYTES))


def drive_real(directory: Path) -> None:
    """A life that goes on until it is killed."""
    with open_real(directory) as database:
        caller = Caller(database, lambda fact: say(began=fact), lambda fact, level: say(acked=fact), random.Random())
        for number in range(WRITES_OF_A_PROCESS):
            caller.write()
            if number % 200 == 50:
                database.rewrite(wait=False)


def check_real(directory: Path, facts: Facts) -> None:
    """What is there is what may be there."""
    with open_real(directory) as database:
        assert_expected(Parts(database).held(), facts)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--drive"]:
        drive_real(Path(sys.argv[2]))
    else:
        main(service=SERVICE, argv=ARGV, check=check_real)
