"""Crash tests of the store of Scrapy jobs: power cuts on the simulated disk, and SIGKILL on real files.

    python -m tests.adapters.crash_scrapy --kills 200 --cuts 10000

The subject is a crawl without Scrapy: the pages are numbers, and each has a few links that are known beforehand, so
that after a crash it can be told what must be where.  The facts are ``kept`` (an enqueue returned), ``taken`` and
``done``.  What is checked after each crash, under every policy, however far back it took the log:

- a page that was acknowledged as kept is seen, and waits, is in flight, or somebody had begun to call it done;
- no page is seen and nowhere: one that is seen and not stored was begun to be called done;
- no page is stored twice, or without being seen;
- the links of each page that is done are seen: a parent is never done before its children are kept;
- a start page is counted exactly once.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import durakv
from durakv.adapters._scrapy_jobs import FLIGHT, JobStore
from durakv_fuzz.service import Environment, Facts, Service, Told, main, say

PAGES = 2000
"""More than a driver comes to before it is killed."""
STARTS = (0, 1)
HAND = 3
"""How many requests are in flight at once."""

Say = Callable[[str, tuple[str, int]], None]
"""How a driver says a fact: ``began`` or ``acked``, and what."""


def links(page: int) -> list[int]:
    """Where a page leads: from the two starts every page is reached, some in several ways."""
    return [link for link in (2 * page + 2, 2 * page + 3, page + 5) if link < PAGES]


def fingerprint(page: int) -> bytes:
    return b"fingerprint of %d" % page


def enqueue(store: JobStore, page: int, tell: Say, *, start: bool = False) -> int | None:
    """Enqueue the page unless it was seen; return its number in the store."""
    if store.seen(fingerprint(page)) or (start and store.started(fingerprint(page))):
        return None
    tell("began", ("kept", page))
    number = store.enqueue(
        b"%d" % page,
        seen=fingerprint(page),
        start=fingerprint(page) if start else None,
    )
    tell("acked", ("kept", page))
    return number


def crawl(store: JobStore, tell: Say, source: random.Random, steps: int, pause: Callable[[], None]) -> None:
    """Crawl as the scheduler does: some requests in flight, done in any order, marked done with the next pop."""
    waiting = [*store.in_flight[::-1], *store.waiting]
    waiting += [number for page in STARTS if (number := enqueue(store, page, tell, start=True)) is not None]
    hand: list[int] = []
    done: list[int] = []
    for _ in range(steps):
        taken = waiting.pop() if waiting and len(hand) < HAND else None
        pages = [int(store.request(number)) for number in done]
        for page in pages:
            tell("began", ("done", page))
        if taken is not None:
            tell("began", ("taken", int(store.request(taken))))
            hand.append(taken)
        store.step(taken=taken, done=done)
        for page in pages:
            tell("acked", ("done", page))
        done = []
        if hand and source.random() < 0.7:
            number = hand.pop(source.randrange(len(hand)))
            children = (enqueue(store, link, tell) for link in links(int(store.request(number))))
            waiting += [child for child in children if child is not None]
            done = [number]
        pause()


def judge(db: durakv.Database, facts: Facts) -> None:
    """What must be true after a crash; see the head of this file."""
    flight = {int(key) for key in db.select(FLIGHT).scan_iter()}
    store = JobStore(db)
    stored = [int(store.request(number)) for number in (*store.waiting, *store.in_flight)]
    seen = {page for page in range(PAGES) if store.seen(fingerprint(page))}
    began = set(facts.began)
    maybe_done = {page for page in range(PAGES) if ("done", page) in began}
    assert len(set(stored)) == len(stored), f"stored twice: {stored}"
    assert set(stored) <= seen, f"stored and not seen: {set(stored) - seen}"
    assert flight == set(store.in_flight), f"in flight and not stored: {flight}, {store.in_flight}"
    nowhere = seen - set(stored)
    assert nowhere <= maybe_done, f"seen and nowhere: {nowhere - maybe_done}"
    acked: Any = facts.acked  # pairs, as this file says them
    for kind, page in acked:
        if kind == "kept":
            assert page in seen, f"{page} was kept and is lost"
        else:
            assert page not in stored, f"{page} was done and is there again"
    for page in seen:
        assert ("kept", page) in began, f"{page} was never enqueued"
    for page in nowhere:
        assert set(links(page)) <= seen, f"{page} is done, and its links {set(links(page)) - seen} are not kept"
    for number in store.in_flight:
        assert ("taken", int(store.request(number))) in began, f"{number} is in flight and was not taken"
    for page in STARTS:
        assert store.started(fingerprint(page)) == (page in seen), f"start page {page} is counted wrongly"


# --- on the simulated disk --------------------------------------------------------------------------------------------


def open_database(env: Environment, fsync: str = "always") -> durakv.Database:
    options = durakv.Options(segment_bytes=4096)
    return durakv.open(None, filesystem=env.filesystem, clock=env.clock, background=False, fsync=fsync, options=options)


def drives(make: Callable[[durakv.Database], JobStore]) -> Callable[[Environment, Told, random.Random], None]:
    """A life of a crawl on this kind of store."""

    def drive(env: Environment, told: Told, source: random.Random) -> None:
        policy = source.choice(("always", "everysec", "no"))
        db = open_database(env, policy)
        store = make(db)
        level = durakv.Durability.SYNCED if policy == "always" else durakv.Durability.WRITTEN

        def tell(word: str, fact: tuple[str, int]) -> None:
            told.began(fact) if word == "began" else told.acked(fact, level)

        def pause() -> None:
            env.clock.advance(source.choice((0.0, 0.3, 2.0)))
            db.engine.step()
            if source.random() < 0.03:
                db.rewrite()

        crawl(store, tell, source, source.randint(2, 14), pause)
        if source.random() < 0.3:
            store.close()

    return drive


def check(env: Environment, facts: Facts) -> None:
    with open_database(env) as db:
        judge(db, facts)


SERVICE = Service(drives(JobStore), check)


# --- on real files ----------------------------------------------------------------------------------------------------


def live(directory: str) -> None:
    """Crawl in this process, saying each fact; at its end the job is finished and the pages are crawled no more."""
    store = JobStore(durakv.open(directory, fsync="everysec"))

    def tell(word: str, fact: tuple[str, int]) -> None:
        say(began=fact) if word == "began" else say(acked=fact)

    crawl(store, tell, random.Random(), 10 * PAGES, lambda: None)
    store.close()


def check_files(directory: Path, facts: Facts) -> None:
    with durakv.open(directory) as db:
        judge(db, facts)


ARGV = [sys.executable, "-m", "tests.adapters.crash_scrapy", "--live"]


if __name__ == "__main__":
    if sys.argv[1:2] == ["--live"]:
        live(sys.argv[2])
    else:
        main(service=SERVICE, argv=ARGV, check=check_files)
