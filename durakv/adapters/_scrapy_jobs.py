"""The durable state of one crawl, without Scrapy: which requests wait, which are in flight, and what was ever seen.

    database 0   ``format``: the version of this layout
    database 1   number -> the request as bytes; from its enqueueing until it is done
    database 2   number -> nothing; from its pop until it is done: the request is in flight
    database 3   fingerprint -> nothing; what was ever enqueued and is to be filtered: the seen set
    database 4   fingerprint -> how often ``start()`` has brought it; see ``started``

Every method is at most one batch, so after any crash (C1) a request is in the seen set if and only if it waits, is
in flight, or is done; it is never seen and nowhere.  A request in flight is still in database 1: a pop loses nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

import durakv

REQUESTS, FLIGHT, SEEN, STARTED = 1, 2, 3, 4
FORMAT = b"durakv-scrapy-1"


class JobStore:
    """What one crawl must not lose, in an open keyspace that is nobody else's.

    A method that changes something returns when the change has reached the level of the keyspace's policy, except that
    a pop alone only waits until the operating system has it: a power cut that takes it makes the request wait again.
    """

    def __init__(self, db: durakv.Database) -> None:
        """Take over an open keyspace: an empty one, or one of this format.  Raises ``DirectoryError`` for others."""
        self._db = db
        self._requests = db.select(REQUESTS)
        self._seen = db.select(SEEN)
        self._started = db.select(STARTED)
        self._check_format()
        numbers = sorted(int(key) for key in self._requests.scan_iter())
        flight = {int(key) for key in db.select(FLIGHT).scan_iter()}
        self._next = numbers[-1] + 1 if numbers else 1
        self.waiting = [number for number in numbers if number not in flight]
        """The requests that waited when the keyspace was opened, in the order in which they were enqueued."""
        self.in_flight = [number for number in numbers if number in flight]
        """The requests that were popped and not done when it was opened: they are to be crawled again."""

    def _check_format(self) -> None:
        found = self._db.get(b"format")
        if found == FORMAT:
            return
        if found is not None or any(True for _ in self._db.scan_iter()):
            raise durakv.DirectoryError(
                f"this keyspace is no crawl of format {FORMAT.decode()} (it says {found!r}): name another JOBDIR, "
                "or use the version of durakv that wrote it"
            )
        self._db.set(b"format", FORMAT)

    def enqueue(self, request: bytes, *, seen: bytes | None = None, start: bytes | None = None) -> int:
        """Add a request, and its fingerprint to the seen set if it has one to be filtered by, in one batch.

        ``start`` is the fingerprint of a start request that is to be counted.  Returns the request's number.
        """
        number = self._next
        self._next += 1
        with self._db.batch() as batch:
            batch.execute(b"SET", b"%d" % number, request, database=REQUESTS)
            if seen is not None:
                batch.execute(b"SET", seen, b"", database=SEEN)
            if start is not None:
                batch.execute(b"INCR", start, database=STARTED)
        return number

    def withdraw(self, number: int, *, seen: bytes | None = None, start: bytes | None = None) -> None:
        """Take back an ``enqueue`` of this life, and what it was given, in one batch: it never was."""
        with self._db.batch() as batch:
            batch.execute(b"DEL", b"%d" % number, database=REQUESTS)
            if seen is not None:
                batch.execute(b"DEL", seen, database=SEEN)
            if start is not None:
                batch.execute(b"DECR", start, database=STARTED)

    def request(self, number: int) -> bytes:
        """The request of that number, which waits or is in flight."""
        request = self._requests.get(b"%d" % number)
        if request is None:
            raise KeyError(f"request {number} neither waits nor is in flight")
        return request

    def step(
        self,
        *,
        taken: int | None = None,
        done: Iterable[int] = (),
        seen: Iterable[bytes] = (),
        started: Iterable[bytes] = (),
    ) -> None:
        """One step of the crawl in one batch: one request goes in flight, others are done.

        ``seen`` and ``started`` are the fingerprints of requests that were never stored, and are done.
        """
        finished = [b"%d" % number for number in done]
        late_seen, late_started = list(seen), list(started)
        whole = bool(finished or late_seen or late_started)
        if taken is None and not whole:
            return
        with self._db.batch(durability=None if whole else durakv.Durability.WRITTEN) as batch:
            if finished:
                batch.execute(b"DEL", *finished, database=REQUESTS)
                batch.execute(b"DEL", *finished, database=FLIGHT)
            for fingerprint in late_seen:
                batch.execute(b"SET", fingerprint, b"", database=SEEN)
            for fingerprint in late_started:
                batch.execute(b"INCR", fingerprint, database=STARTED)
            if taken is not None:
                batch.execute(b"SET", b"%d" % taken, b"", database=FLIGHT)

    def remember(self, fingerprint: bytes) -> None:
        """Put a fingerprint into the seen set by itself, for callers that want it filtered whatever becomes of it."""
        with self._db.batch() as batch:
            batch.execute(b"SET", fingerprint, b"", database=SEEN)

    def seen(self, fingerprint: bytes) -> bool:
        """Whether the fingerprint is in the seen set."""
        return self._seen.get(fingerprint) is not None

    def started(self, fingerprint: bytes) -> int:
        """How often ``start()`` has brought a request of that fingerprint that is queued, in flight or done."""
        return int(self._started.get(fingerprint) or 0)

    def finish(self) -> None:
        """The crawl has come to its end: the next one begins with its start requests again."""
        with self._db.batch() as batch:
            batch.execute(b"FLUSHDB", database=STARTED)

    @property
    def report(self) -> durakv.RecoveryReport:
        """What the open found and did (C13)."""
        return self._db.report

    def close(self) -> None:
        """Sync everything and give the directory up."""
        self._db.close()
