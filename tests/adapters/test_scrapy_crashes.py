"""The promise: whatever a crash takes, a crawl's store is in a state that the crawl has been in: a request is seen if
and only if it waits, is in flight or is done, and no parent is done before its children are kept.

Method: the subject of ``crash_scrapy``, with a bounded budget; and stores that are each wrong in one way that an
implementation could be, which must all be found.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

import durakv
from durakv.adapters._scrapy_jobs import FLIGHT, REQUESTS, SEEN, STARTED, JobStore
from durakv_fuzz.service import Service, Violation, explore, kill
from tests.adapters.crash_scrapy import ARGV, SERVICE, check, check_files, drives


def test_no_power_cut_and_no_kill_takes_a_request() -> None:
    assert explore(SERVICE, states=400).states >= 400


def test_sigkill_takes_no_request(tmp_path: Path) -> None:
    outcome = kill(ARGV, check_files, points=8, directory=tmp_path)
    assert outcome.kills >= 4
    assert outcome.facts > 0


class Wrong(JobStore):
    """With the keyspace at hand."""

    def put(self, database: int, key: bytes, value: bytes = b"") -> None:
        with self._db.batch() as batch:
            batch.execute(b"SET", key, value, database=database)


class SeenFirst(Wrong):
    """The seen set and the queue in two batches, as with two files."""

    def enqueue(self, request: bytes, *, seen: bytes | None = None, start: bytes | None = None) -> int:
        if seen is not None:
            self.put(SEEN, seen)
        return super().enqueue(request, start=start)


class StoredFirst(Wrong):
    def enqueue(self, request: bytes, *, seen: bytes | None = None, start: bytes | None = None) -> int:
        number = super().enqueue(request, start=start)
        if seen is not None:
            self.put(SEEN, seen)
        return number


class CountedFirst(Wrong):
    def enqueue(self, request: bytes, *, seen: bytes | None = None, start: bytes | None = None) -> int:
        if start is not None:
            with self._db.batch() as batch:
                batch.execute(b"INCR", start, database=STARTED)
        return super().enqueue(request, seen=seen)


class AcknowledgesEarly(Wrong):
    """Under any policy an enqueue returns when it is applied."""

    def enqueue(self, request: bytes, *, seen: bytes | None = None, start: bytes | None = None) -> int:
        number = self._next
        self._next += 1
        with self._db.batch(durability=durakv.Durability.APPLIED) as batch:
            batch.execute(b"SET", b"%d" % number, request, database=REQUESTS)
            if seen is not None:
                batch.execute(b"SET", seen, b"", database=SEEN)
            if start is not None:
                batch.execute(b"INCR", start, database=STARTED)
        return number


class ForgetsAtThePop(Wrong):
    """What is popped is no longer kept, as in Scrapy's queues: only this process still has it."""

    def __init__(self, db: durakv.Database) -> None:
        super().__init__(db)
        self._popped: dict[int, bytes] = {}

    def step(
        self,
        *,
        taken: int | None = None,
        done: Iterable[int] = (),
        seen: Iterable[bytes] = (),
        started: Iterable[bytes] = (),
    ) -> None:
        popped = [] if taken is None else [taken]
        self._popped.update((number, self.request(number)) for number in popped)
        super().step(done=[*done, *popped], seen=seen, started=started)

    def request(self, number: int) -> bytes:
        return self._popped[number] if number in self._popped else super().request(number)


class LeavesTheMark(Wrong):
    """What is done leaves the queue and the in-flight set in two batches."""

    def step(
        self,
        *,
        taken: int | None = None,
        done: Iterable[int] = (),
        seen: Iterable[bytes] = (),
        started: Iterable[bytes] = (),
    ) -> None:
        numbers = [b"%d" % number for number in done]
        for database in (REQUESTS, FLIGHT):
            with self._db.batch() as batch:
                if numbers:
                    batch.execute(b"DEL", *numbers, database=database)
        super().step(taken=taken, seen=seen, started=started)


@pytest.mark.parametrize(
    ("wrong", "story"),
    [
        (SeenFirst, "seen and nowhere"),
        (StoredFirst, "stored and not seen"),
        (CountedFirst, "is counted wrongly"),
        (ForgetsAtThePop, "seen and nowhere"),
        (AcknowledgesEarly, "was kept and is lost"),
        (LeavesTheMark, "in flight and not stored"),
    ],
)
def test_a_store_that_is_wrong_is_found(wrong: type[JobStore], story: str) -> None:
    with pytest.raises(Violation, match=story):
        explore(Service(drives(wrong), check), states=600)
