"""Crash campaigns of a huey on durakv: ``python -m tests.adapters.crash_huey --kills 200 --cuts 10000``.

A life enqueues and schedules tasks, works them off, retries some, leaves some behind as a dead worker or a dead
scheduler would, stores and takes results, counts, rewrites the log.  Every task is known by a number that is drawn.

    task n     it was enqueued                            later n    it was moved to the schedule
    due n      it was moved from there to the queue       again n    it was queued again, to be retried
    done n     it was executed to its end                 taken n    it was taken away before it was executed
    popped n   its result was taken                       count n    a counter was counted up

Whatever the crash: a task is in one place, once, or at its end, and then its result is there; what was acknowledged is
where it was last told to be.
"""

from __future__ import annotations

import random
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from huey.exceptions import RetryTask

import durakv
from durakv.adapters.huey import DurakvHuey
from durakv_fuzz.service import Environment, Facts, Service, Told, main, say

NOW = datetime(2026, 1, 1)
LATER = NOW + timedelta(seconds=10)
STEPS = (8, 16)
WORKERS = 2
PATIENCE_SECONDS = 5.0
PLAIN, RETRIED, SCHEDULED, ONCE = range(4)
"""What a task is like, by its number modulo 4."""

Make = Callable[..., DurakvHuey]


class Worked:
    """A huey, and what is done with it and told about it."""

    def __init__(self, huey: DurakvHuey, told: Told) -> None:
        self.huey = huey
        self.told = told
        self.level = huey.storage.database.engine.fsync.default_durability
        self.task = huey.task(name="task", context=True)(_execute)
        self.once = huey.task(name="once", context=True, redeliver=False)(_execute)

    def tell(self, word: str, number: int, act: Callable[[], Any]) -> Any:
        """Do it, and tell so before and after."""
        self.told.began((word, number))
        answer = act()
        self.told.acked((word, number), self.level)
        return answer

    def enqueue(self, source: random.Random) -> None:
        """A new task."""
        number = source.getrandbits(48)
        kind = number % 4
        task = (self.once if kind == ONCE else self.task).s(number, 0, eta=LATER if kind == SCHEDULED else None)
        task.id = str(number)  # huey would draw one from the system
        if kind == ONCE:
            self.told.began(("taken", number))
        self.tell("task", number, lambda: self.huey.enqueue(task))

    def work(self, source: random.Random) -> None:
        """What a worker does with the next task; now and then it dies, which is no more than to forget it."""
        task = self.huey.dequeue()
        if task is None:
            return
        number, attempt = task.args
        if number % 4 == ONCE:
            self.told.acked(("taken", number), self.level)
        elif source.random() < 0.1:
            return
        if number % 4 == SCHEDULED and not attempt:
            self.tell("later", number, lambda: self.huey.execute(task, NOW))
        elif number % 4 == RETRIED and not attempt:
            self.tell("again", number, lambda: self.huey.execute(task, LATER))
        else:
            self.tell("done", number, lambda: self.huey.execute(task, LATER))

    def schedule(self, source: random.Random) -> None:
        """What a scheduler does; now and then it dies on the way."""
        for task in self.huey.read_schedule(LATER):
            if source.random() < 0.2:
                return
            number = task.args[0]
            task.args = number, 1
            self.told.began(("due", number))
            self.huey.enqueue(task)
            self.told.acked(("due", number), self.level)

    def pop(self, source: random.Random) -> None:
        """Somebody takes a result."""
        numbers = sorted(key for key in self.huey.all_results() if key.isdecimal())
        if numbers:
            number = source.choice(numbers)
            self.tell("popped", int(number), lambda: self.huey.result(number))

    def count(self, source: random.Random) -> None:
        """A counter is counted up."""
        self.tell("count", source.getrandbits(48), lambda: self.huey.storage.incr("counter"))


def _execute(number: int, attempt: int, task: Any) -> str:
    if number % 4 == RETRIED and not attempt:
        task.args = number, 1
        raise RetryTask
    return f"result {number}"


# --- what must be there -----------------------------------------------------------------------------------------------


def look(huey: DurakvHuey, facts: Facts) -> None:
    """Compare what is there with what was told."""
    Worked(huey, Told(lambda _: None))  # it knows the tasks
    places: dict[int, list[tuple[str, int]]] = defaultdict(list)
    for place, tasks in (("queue", huey.pending()), ("schedule", huey.scheduled())):
        for task in tasks:
            number, attempt = task.args
            places[number].append((place, attempt))
    results = {int(key): huey.serializer.deserialize(value) for key, value in huey.all_results().items()}
    acked, began, times = _sort(facts.acked), _sort(facts.began), Counter(facts.began)
    for number in began["task"] | set(places) | set(results):
        _look_at(number, places[number], results.get(number), acked, began, times)
    count = huey.storage.incr("counter", 0)
    assert len(acked["count"]) <= count <= len(began["count"]), f"the counter says {count}"


def _look_at(
    number: int,
    places: list[tuple[str, int]],
    result: str | None,
    acked: dict[str, set[int]],
    began: dict[str, set[int]],
    times: Counter[object],
) -> None:
    assert number in began["task"], f"{number} was never enqueued, and is in {places}, with the result {result}"
    assert len(places) <= 1, f"{number} is there more than once: {places}"
    assert result in (None, f"result {number}"), f"{number} has the result {result}"
    if number in acked["popped"] and times["done", number] == 1:
        assert result is None, f"the result of {number} was taken, and is there"
    ended = began["taken"] if number % 4 == ONCE else began["done"]
    if not places:
        assert number not in acked["task"] or number in ended, f"{number} is lost"
        if number in acked["task"] and number % 4 != ONCE:
            assert result or number in began["popped"], f"{number} is done, and its result is lost"
        return
    assert number not in acked["done"] | acked["taken"], f"{number} was at its end, and is back in {places}"
    (place,) = places
    if number % 4 == RETRIED:
        expected = {("queue", 0), ("queue", 1)} - ({("queue", 0)} if number in acked["again"] else set())
        expected -= {("queue", 1)} if number not in began["again"] else set()
    elif number % 4 == SCHEDULED:
        expected = {("queue", 0), ("schedule", 0), ("queue", 1)}
        expected -= {("queue", 0)} if number in acked["later"] else set()
        expected -= {("schedule", 0)} if number not in began["later"] or number in acked["due"] else set()
        expected -= {("queue", 1)} if number not in began["due"] else set()
    else:
        expected = {("queue", 0)}
    assert place in expected, f"{number} is in {place}, and should be in {sorted(expected)}"


def _sort(facts: Iterable[Any]) -> dict[str, set[int]]:
    sorts: dict[str, set[int]] = defaultdict(set)
    for word, number in facts:
        sorts[word].add(number)
    return sorts


# --- on the simulated disk --------------------------------------------------------------------------------------------


def service(make: Make = DurakvHuey) -> Service:
    """A service that lives with hueys that ``make`` makes; each life under one of the policies."""

    def drive(env: Environment, told: Told, source: random.Random) -> None:
        with _open(env, source.choice(("always", "everysec", "no"))) as db:
            worked = Worked(make(database=db, utc=False, blocking=False), told)
            acts = (worked.enqueue, worked.work, worked.work, worked.schedule, worked.pop, worked.count)
            for _ in range(source.randint(*STEPS)):
                if source.random() < 0.1:
                    db.rewrite()
                if source.random() < 0.2:
                    env.clock.advance(source.choice((0.1, 1.0, 2.0)))
                    db.engine.step()
                source.choice(acts)(source)

    def check(env: Environment, facts: Facts) -> None:
        with _open(env, "always") as db:
            look(DurakvHuey(database=db, utc=False, blocking=False), facts)

    return Service(drive, check)


def _open(env: Environment, policy: str) -> durakv.Database:
    return durakv.open(
        None,
        filesystem=env.filesystem,
        clock=env.clock,
        background=False,
        fsync=policy,
        options=durakv.Options(segment_bytes=4096),
    )


# --- with real kills --------------------------------------------------------------------------------------------------


class Saying(Told):
    """Tells whoever will kill this process."""

    def __init__(self) -> None:
        super().__init__(lambda _: None)

    def began(self, fact: object) -> None:
        """See Told."""
        say(began=fact)

    def acked(self, fact: object, level: durakv.Durability = durakv.Durability.SYNCED) -> None:
        """See Told."""
        say(acked=fact)


def live_until_killed(directory: Path) -> None:
    """Threads that work, beside one that enqueues, schedules, counts and rewrites."""
    huey = _of_a_dead_owner(directory, read_timeout=0.1, options=durakv.Options(segment_bytes=1 << 16))
    worked = Worked(huey, Saying())
    source = random.Random()

    def work() -> None:
        mine = random.Random()
        while True:
            worked.work(mine)

    for _ in range(WORKERS):
        threading.Thread(target=work, daemon=True).start()
    while True:
        source.choice((worked.enqueue, worked.enqueue, worked.schedule, worked.pop, worked.count))(source)
        if source.random() < 0.02:
            huey.storage.database.rewrite(wait=False)


def check_files(directory: Path, facts: Facts) -> None:
    """Look at what a kill left."""
    with _of_a_dead_owner(directory, blocking=False) as huey:
        look(huey, facts)


def _of_a_dead_owner(directory: Path, **options: Any) -> DurakvHuey:
    # A process that was killed while it started a merge has a child that holds its lock until it is another program.
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return DurakvHuey(path=directory, utc=False, **options)
        except durakv.Locked:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


LIVE = "import sys, pathlib; from tests.adapters.crash_huey import *; live_until_killed(pathlib.Path(sys.argv[1]))"
DRIVER = (sys.executable, "-c", LIVE)

if __name__ == "__main__":
    from tests.adapters import crash_huey  # by its name, which is a part of the names of the tasks

    main(service=crash_huey.service(), argv=DRIVER, check=crash_huey.check_files)
