"""The promise: the scheduler does what Scrapy's does, in the same order and with the same counts; and after a kill it
has what was not done, and filters what was seen.

Method: it is driven by hand beside Scrapy's own, with an engine that is told which requests it still has.  A kill is a
copy of the files while the job is open, since everything that was written is in them.
"""

from __future__ import annotations

import logging
import random
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.hosts import host

host("scrapy")

from scrapy import FormRequest, Request, Spider  # noqa: E402
from scrapy.core.scheduler import BaseScheduler, Scheduler  # noqa: E402
from scrapy.dupefilters import BaseDupeFilter, RFPDupeFilter  # noqa: E402
from scrapy.utils.test import get_crawler  # noqa: E402

import durakv  # noqa: E402
from durakv.adapters.scrapy import DurakvDupeFilter, DurakvScheduler  # noqa: E402

OURS = "durakv.adapters.scrapy.DurakvScheduler"
STOCK = "scrapy.core.scheduler.Scheduler"


class Downloader:
    """As much of a downloader as a priority queue asks for."""

    def __init__(self) -> None:
        self.slots: dict[str, Any] = {}

    def get_slot_key(self, request: Request) -> str:
        return str(request.meta.get("download_slot") or request.url.split("/")[2])


class Slot:
    def __init__(self) -> None:
        self.inprogress: set[Request] = set()


class Engine:
    """As much of an engine as a scheduler asks for; ``has`` are the requests that it was given and has not let go."""

    def __init__(self) -> None:
        self.downloader = Downloader()
        self._slot = Slot()

    @property
    def has(self) -> set[Request]:
        return self._slot.inprogress


class Pages(Spider):
    name = "pages"

    def parse(self, response: Any) -> None: ...
    def other(self, response: Any) -> None: ...


def new_crawler(settings: dict[str, Any]) -> Any:
    return get_crawler(Pages, settings)


class Opened:
    """A scheduler that is open, and its engine."""

    def __init__(self, jobdir: Path | None, scheduler: str = OURS, **settings: Any) -> None:
        own = {"JOBDIR": str(jobdir) if jobdir else None, "SCHEDULER": scheduler, **settings}
        self.crawler = new_crawler(own)
        self.crawler.spider = self.crawler._create_spider()
        self.engine = Engine()
        self.crawler.engine = self.engine
        kind: Any = DurakvScheduler if scheduler == OURS else Scheduler
        self.it = kind.from_crawler(self.crawler)
        self.it.open(self.crawler.spider)

    def push(self, url: str, **arguments: Any) -> bool:
        return bool(self.it.enqueue_request(Request(f"http://site/{url}", **arguments)))

    def pop(self) -> Request | None:
        """The next request, which the engine has from now on."""
        request: Request | None = self.it.next_request()
        if request is not None:
            self.engine.has.add(request)
        return request

    def pop_urls(self) -> list[str]:
        urls = []
        while (request := self.pop()) is not None:
            urls.append(request.url.removeprefix("http://site/"))
        return urls

    def let_go(self, request: Request) -> None:
        self.engine.has.discard(request)

    def close(self, reason: str = "shutdown") -> None:
        self.engine.has.clear()  # as the engine does: it waits for all that it has
        self.it.close(reason)

    @property
    def counts(self) -> dict[str, Any]:
        stats = self.crawler.stats.get_stats()
        return {name: stats[name] for name in sorted(stats) if name.startswith(("scheduler/", "dupefilter/"))}


def killed(opened: Opened, jobdir: Path, **settings: Any) -> Opened:
    """What a SIGKILL of now leaves, opened again."""
    copy = jobdir.with_name(f"{jobdir.name}-killed")
    shutil.copytree(jobdir, copy)
    return Opened(copy, **settings)


def start(**arguments: Any) -> dict[str, Any]:
    """The arguments of a request as ``start()`` yields them."""
    return {"dont_filter": True, "meta": {"is_start_request": True}, **arguments}


# --- the same as Scrapy's ---------------------------------------------------------------------------------------------

FIFO = {"SCHEDULER_DISK_QUEUE": "scrapy.squeues.PickleFifoDiskQueue"}
SETTINGS: dict[str, dict[str, Any]] = {
    "default": {},
    "one slot": {"SCHEDULER_PRIORITY_QUEUE": "scrapy.pqueues.ScrapyPriorityQueue"},
    "first in first out": FIFO,
    "stacks for start requests": {"SCHEDULER_START_DISK_QUEUE": "scrapy.squeues.MarshalLifoDiskQueue"},
    "start requests as any": {"SCHEDULER_START_DISK_QUEUE": None},
    "SQLite": {"SCHEDULER_DISK_QUEUE": "scrapy.squeues.PickleLifoSQLiteQueue"},
    "no filter": {"DUPEFILTER_CLASS": "scrapy.dupefilters.BaseDupeFilter"},
}


def script(scheduler: Opened, source: random.Random, steps: int, lambdas: bool) -> list[Any]:
    """Random calls; what they returned."""
    told: list[Any] = []
    for _ in range(steps):
        if source.random() < 0.6:
            number = source.randint(0, 40)
            site = source.choice(("a", "b", "c"))
            arguments: dict[str, Any] = {"priority": source.choice((0, 0, 0, 1, -1, 5))}
            if source.random() < 0.2:
                arguments["meta"] = {"is_start_request": True}
            if source.random() < 0.1:
                arguments["dont_filter"] = True
            request = Request(f"http://{site}/{number}", **arguments)
            if lambdas and source.random() < 0.1:
                request = request.replace(callback=lambda response: None)
            told.append(scheduler.it.enqueue_request(request))
        else:
            popped = scheduler.pop()
            told.append(popped and (popped.url, popped.priority))
        told.append((len(scheduler.it), scheduler.it.has_pending_requests()))
    return told


@pytest.mark.filterwarnings("ignore::scrapy.exceptions.ScrapyDeprecationWarning")
@pytest.mark.parametrize("name", [name for name in SETTINGS if name != "SQLite"])  # which syncs at each of its calls
def test_order_answers_and_counts_are_those_of_scrapys_scheduler(name: str, tmp_path: Path) -> None:
    for seed in range(2):
        told = []
        for scheduler in (OURS, STOCK):
            one = Opened(tmp_path / f"{scheduler}-{seed}", scheduler, **SETTINGS[name])
            # With slots, Scrapy answers None once for each request that could not be stored: its slot has no other.
            answers = script(one, random.Random(f"{seed}"), 120, lambdas=name == "one slot")
            counts = one.counts
            answers.append(one.pop_urls())
            one.close()
            told.append((answers, counts))
        assert told[0] == told[1]


@pytest.mark.parametrize("name", SETTINGS)
def test_after_a_clean_stop_the_order_is_that_of_scrapys_scheduler(name: str, tmp_path: Path) -> None:
    told: list[tuple[str, list[Any]]] = []
    for scheduler in (OURS, STOCK):
        jobdir = tmp_path / scheduler
        for seed in range(3):
            one = Opened(jobdir, scheduler, **SETTINGS[name])
            for number in range(20):
                source = random.Random(f"{seed}/{number}")
                meta = {"is_start_request": True} if source.random() < 0.3 else {}
                one.push(f"{seed}/{number}", priority=source.choice((0, 1)), meta=meta)
            popped = [one.pop() for _ in range(8)]
            told.append((scheduler, [request and request.url for request in popped]))
            one.close()
        last = Opened(jobdir, scheduler, **SETTINGS[name])
        told.append((scheduler, last.pop_urls()))
        last.close()
    half = len(told) // 2
    assert [urls for _, urls in told[:half]] == [urls for _, urls in told[half:]]


def test_it_has_the_interface_of_a_scheduler_and_of_a_filter(tmp_path: Path) -> None:
    assert issubclass(DurakvScheduler, BaseScheduler)
    assert issubclass(DurakvDupeFilter, BaseDupeFilter)
    one = Opened(tmp_path / "job")
    request = Request("http://site/a")
    assert not one.it.df.request_seen(request)
    assert one.it.df.request_seen(request.copy())
    assert not one.it.enqueue_request(request)
    assert not one.it.has_pending_requests()
    assert one.it.next_request() is None
    one.close()
    again = Opened(tmp_path / "job")
    assert again.it.df.request_seen(request)
    again.close()
    with pytest.raises(RuntimeError, match="not open"):
        _ = again.it.store


def test_a_request_comes_back_as_it_was(tmp_path: Path) -> None:
    one = Opened(tmp_path / "job")
    request = FormRequest(
        "http://site/form",
        formdata={"a": "ä"},
        callback=one.crawler.spider.other,
        errback=one.crawler.spider.parse,
        headers={"X": ["1", "2"]},
        cookies=[{"name": "c", "value": "v"}],
        meta={"pair": (1, {2}), "deep": {"list": [1, None, b"x"]}},
        cb_kwargs={"number": 7},
        flags=["f"],
        priority=3,
    )
    assert one.it.enqueue_request(request)
    one.close()
    again = Opened(tmp_path / "job")
    back = again.pop()
    assert back is not None
    assert back.to_dict(spider=again.crawler.spider) == request.to_dict(spider=one.crawler.spider)
    assert type(back) is FormRequest
    again.close()


# --- after a kill -----------------------------------------------------------------------------------------------------


def test_what_was_in_flight_comes_first_and_what_was_done_not_at_all(tmp_path: Path) -> None:
    one = Opened(tmp_path / "job")
    for url in "abcdef":
        one.push(url)
    done, *_ = one.pop(), one.pop(), one.pop()
    assert done is not None
    one.let_go(done)
    one.pop()  # what is done is written with this
    one.push("g")
    after = killed(one, tmp_path / "job")
    urls = after.pop_urls()
    assert sorted(urls[:3]) == ["c", "d", "e"]
    assert urls[3:] == ["g", "b", "a"]
    assert after.counts["scheduler/resumed/in_flight"] == 3
    assert not any(after.push(url) for url in "abcdefg")
    after.close()
    one.close()


def test_what_was_in_flight_comes_first_out_of_a_queue_too(tmp_path: Path) -> None:
    one = Opened(tmp_path / "job", **FIFO)
    for url in "abcd":
        one.push(url)
    one.pop()
    one.pop()
    after = killed(one, tmp_path / "job", **FIFO)
    assert after.pop_urls() == ["a", "b", "c", "d"]
    after.close()
    one.close()


def test_a_request_of_a_later_life_is_told_from_those_of_an_earlier_one(tmp_path: Path) -> None:
    one = Opened(tmp_path / "job")
    one.push("a")
    request = one.pop()
    two = killed(one, tmp_path / "job")
    assert two.pop_urls() == ["a"]
    two.engine.has.clear()
    assert two.pop() is None  # nothing to take, and yet "a" is done now
    two.push("b")
    three = killed(two, tmp_path / "job-killed")
    assert three.pop_urls() == ["b"]
    assert request is not None
    for each in (one, two, three):
        each.close()


def test_a_clean_stop_leaves_nothing_in_flight(tmp_path: Path) -> None:
    one = Opened(tmp_path / "job")
    for url in "ab":
        one.push(url)
    one.pop()
    one.close()
    again = Opened(tmp_path / "job")
    assert "scheduler/resumed/in_flight" not in again.counts
    assert again.pop_urls() == ["a"]
    again.close()


def test_without_an_engine_to_ask_nothing_is_done(tmp_path: Path) -> None:
    one = Opened(tmp_path / "job")
    one.push("a")
    one.it.crawler.engine = None
    one.it.next_request()
    one.it.close("shutdown")
    again = Opened(tmp_path / "job")
    assert again.pop_urls() == ["a"]
    again.close()


# --- start requests ---------------------------------------------------------------------------------------------------


def test_start_requests_of_earlier_runs_are_skipped_each_as_often_as_it_came(tmp_path: Path) -> None:
    one = Opened(tmp_path / "job")
    assert [one.push(url, **start()) for url in ("a", "b", "b")] == [True, True, True]
    one.pop_urls()
    after = killed(one, tmp_path / "job")
    assert [after.push(url, **start()) for url in ("a", "b", "b", "b", "new")] == [False, False, False, True, True]
    assert after.counts["scheduler/resumed/start_skipped"] == 3
    assert sorted(after.pop_urls()) == ["a", "b", "b", "b", "new"]
    after.close()
    one.close()


def retried(scheduler: Opened, times: int) -> None:
    """Pop a request, and put a copy in its place, as the retry middleware does."""
    for _ in range(times):
        request = scheduler.pop()
        assert request is not None
        assert scheduler.it.enqueue_request(request.copy())
        scheduler.let_go(request)


def test_a_retry_of_a_start_request_is_no_start_request(tmp_path: Path) -> None:
    one = Opened(tmp_path / "job")
    one.push("a", **start())
    retried(one, 3)
    after = killed(one, tmp_path / "job")
    assert not after.push("a", **start())
    retried(after, 3)
    assert after.push("a", **start())  # the second that start() yields is new: no retry was counted
    after.close()
    one.close()


def test_a_finished_job_begins_with_its_start_requests_again_and_an_unfinished_one_does_not(tmp_path: Path) -> None:
    for reason, begins in (("shutdown", False), ("finished", True)):
        one = Opened(tmp_path / reason)
        one.push("a", **start())
        one.push("seen")
        one.pop_urls()
        one.close(reason)
        again = Opened(tmp_path / reason)
        assert again.push("a", **start()) is begins
        assert not again.push("seen")
        again.close()


def test_a_job_with_requests_left_is_not_finished_whatever_the_reason_says(tmp_path: Path) -> None:
    one = Opened(tmp_path / "job")
    one.push("a", **start())
    one.close("finished")
    again = Opened(tmp_path / "job")
    assert not again.push("a", **start())
    assert again.pop_urls() == ["a"]
    again.close()


# --- what cannot be stored --------------------------------------------------------------------------------------------


def test_what_cannot_be_stored_waits_in_memory_and_one_is_told(tmp_path: Path, caplog: Any) -> None:
    one = Opened(tmp_path / "job")
    with caplog.at_level(logging.WARNING):
        assert one.push("a", callback=lambda response: None)
        assert one.push("b", callback=lambda response: None)
    assert caplog.text.count("does not survive a stop or a crash") == 1
    assert one.counts["scheduler/unserializable"] == 2
    assert one.counts["scheduler/enqueued/memory"] == 2
    assert not one.push("a")  # a duplicate for this process
    after = killed(one, tmp_path / "job")
    assert after.push("a")  # but not seen, for it was kept nowhere
    after.close()
    with caplog.at_level(logging.WARNING):
        one.close()
    assert "2 requests that could only be kept in memory are lost" in caplog.text


def test_what_waited_in_memory_is_seen_when_it_is_done(tmp_path: Path) -> None:
    one = Opened(tmp_path / "job")
    one.push("a", callback=lambda response: None)
    one.push("b", **start(callback=lambda response: None))
    one.pop_urls()
    one.engine.has.clear()
    one.pop()
    after = killed(one, tmp_path / "job")
    assert not after.push("a")
    assert not after.push("b", **start())
    after.close()
    one.close()


@pytest.mark.parametrize("scheduler", [OURS, STOCK])
def test_a_url_without_a_place_in_the_order_is_refused_and_not_stored(scheduler: str, tmp_path: Path) -> None:
    one = Opened(tmp_path / "job", scheduler)
    with pytest.raises(IndexError):  # the downloader of this file finds no site in it
        one.it.enqueue_request(Request("data:,", dont_filter=True))
    assert len(one.it) == 0
    one.close()
    again = Opened(tmp_path / "job", scheduler)
    assert len(again.it) == 0
    again.close()


# --- what is refused --------------------------------------------------------------------------------------------------


def test_two_crawls_of_one_job_are_refused(tmp_path: Path) -> None:
    one = Opened(tmp_path / "job")
    with pytest.raises(durakv.Locked) as refused:
        Opened(tmp_path / "job")
    assert "belongs to a crawl that is running" in "".join(refused.value.__notes__)
    one.close()
    Opened(tmp_path / "job").close()


def test_a_job_of_scrapys_own_scheduler_is_refused(tmp_path: Path) -> None:
    stock = Opened(tmp_path / "job", STOCK)
    stock.push("a")
    stock.close()
    with pytest.raises(durakv.DirectoryError, match=r"holds a crawl of Scrapy's own scheduler"):
        Opened(tmp_path / "job")
    assert not (tmp_path / "job" / "durakv").exists()


class OwnFilter(RFPDupeFilter):
    pass


class DerivedFilter(DurakvDupeFilter):
    def fingerprint(self, request: Request) -> bytes:
        return request.url.lower().encode()


def test_a_filter_with_a_memory_of_its_own_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="OwnFilter, which keeps what it has seen in a place of its own"):
        Opened(tmp_path / "job", DUPEFILTER_CLASS=OwnFilter)


def test_a_filter_that_is_derived_from_ours_is_used(tmp_path: Path) -> None:
    one = Opened(tmp_path / "job", DUPEFILTER_CLASS=DerivedFilter)
    assert one.push("a")
    assert not one.push("A")
    one.close()


def test_our_filter_alone_is_refused_where_it_would_have_to_keep_something(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="only together are they one job"):
        Opened(tmp_path / "job", STOCK, DUPEFILTER_CLASS=DurakvDupeFilter)
    without = Opened(None, STOCK, DUPEFILTER_CLASS=DurakvDupeFilter)
    assert without.push("a")
    assert not without.push("a")
    without.close()


def test_without_a_jobdir_it_is_scrapys_own_scheduler() -> None:
    one = Opened(None)
    assert type(one.it) is Scheduler
    one.close()


def test_a_policy_that_there_is_not_is_refused(tmp_path: Path) -> None:
    with pytest.raises(durakv.Limit, match="choose 'always', 'everysec' or 'no'"):
        Opened(tmp_path / "job", DURAKV_FSYNC="sometimes")


@pytest.mark.parametrize("policy", [None, "always", "no"])
def test_the_policy_is_that_of_the_settings(policy: str | None, tmp_path: Path) -> None:
    one = Opened(tmp_path / "job", DURAKV_FSYNC=policy)
    assert one.it.store._db.engine.fsync == (policy or "everysec")
    one.close()


def test_an_order_that_cannot_be_told_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"is no queue of scrapy\.squeues"):
        Opened(tmp_path / "job", SCHEDULER_DISK_QUEUE="collections.deque")
    Opened(tmp_path / "job").close()  # and the job was given up


def test_a_request_whose_callback_is_gone_refuses_the_open_and_stays(tmp_path: Path) -> None:
    one = Opened(tmp_path / "job")
    one.push("a", callback=one.crawler.spider.other)
    one.close()
    other = Pages.other
    del Pages.other
    try:
        with pytest.raises(ValueError, match="'other' not found") as refused:
            Opened(tmp_path / "job")
        assert "cannot be made again, and nothing was changed" in "".join(refused.value.__notes__)
    finally:
        Pages.other = other  # type: ignore[method-assign]
    again = Opened(tmp_path / "job")
    assert again.pop_urls() == ["a"]
    again.close()


def test_after_a_failed_write_nothing_more_is_handed_out_or_done(tmp_path: Path, caplog: Any) -> None:
    one = Opened(tmp_path / "job")
    one.push("a")
    one.push("b")
    parent = one.pop()
    assert parent is not None
    one.it.store.close()  # every write fails from now on
    with pytest.raises(durakv.Closed):
        one.push("child")
    assert "start it again with the same JOBDIR" in caplog.text
    one.let_go(parent)
    assert one.it.next_request() is None
    one.close()
    again = Opened(tmp_path / "job")
    assert sorted(again.pop_urls()) == ["a", "b"]
    assert again.push("child")
    again.close()


def test_a_job_that_cannot_be_read_stops_the_crawl_and_loses_nothing(tmp_path: Path, caplog: Any) -> None:
    one = Opened(tmp_path / "job")
    one.push("a")
    one.push("b")

    def unreadable(number: int) -> bytes:
        raise OSError(5, "Input/output error")

    one.it.store.request = unreadable
    assert one.it.next_request() is None
    assert "start it again with the same JOBDIR" in caplog.text
    one.close("finished")
    again = Opened(tmp_path / "job")
    assert sorted(again.pop_urls()) == ["a", "b"]
    again.close()


def test_a_refused_url_is_not_seen_and_a_refused_start_request_not_counted(tmp_path: Path) -> None:
    one = Opened(tmp_path / "job")
    filtered = Request("data:,")
    for refused in (filtered, Request("data:,", dont_filter=True, meta={"is_start_request": True})):
        with pytest.raises(IndexError):  # the downloader of this file finds no site in it
            one.it.enqueue_request(refused)
    fingerprint = one.crawler.request_fingerprinter.fingerprint(filtered)
    assert not one.it.store.seen(fingerprint)
    assert one.it.store.started(fingerprint) == 0
    one.close()


class AsksElsewhere(DurakvDupeFilter):
    def request_seen(self, request: Request) -> bool:
        return False


def test_a_filter_that_answers_by_a_method_that_nobody_asks_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="override `fingerprint`"):
        Opened(tmp_path / "job", DUPEFILTER_CLASS=AsksElsewhere)
