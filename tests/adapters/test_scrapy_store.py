"""The promise: a job's store knows after every open which requests wait, which are in flight and what was seen, and a
stored request comes back as it was.

Method: a store in a directory, opened again after a close and, as a copy of its files, after a crash; and round trips
of generated requests, types included.
"""

from __future__ import annotations

import enum
import pickle
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import durakv
from durakv.adapters._scrapy_jobs import JobStore
from durakv.adapters._scrapy_payload import PICKLED, PLAIN, decode, encode


def opened(path: Path) -> JobStore:
    return JobStore(durakv.open(path))


def crashed(path: Path) -> JobStore:
    """The store as a SIGKILL of now would leave it."""
    copy = path.with_name(f"{path.name}-after")
    shutil.copytree(path, copy)
    return opened(copy)


def test_a_new_store_holds_nothing(tmp_path: Path) -> None:
    store = opened(tmp_path / "job")
    assert (store.waiting, store.in_flight) == ([], [])
    assert not store.seen(b"a")
    store.close()


@pytest.mark.parametrize("reopen", [opened, crashed], ids=["closed", "killed"])
def test_waiting_in_flight_and_done_are_told_apart_afterwards(tmp_path: Path, reopen: Any) -> None:
    store = opened(tmp_path / "job")
    first, second, third = (store.enqueue(name, seen=name) for name in (b"one", b"two", b"three"))
    store.step(taken=first)
    store.step(taken=second, done=[first])
    if reopen is opened:
        store.close()
    again = reopen(tmp_path / "job")
    assert (again.waiting, again.in_flight) == ([third], [second])
    assert again.request(second) == b"two"
    assert all(again.seen(name) for name in (b"one", b"two", b"three"))
    with pytest.raises(KeyError, match=f"{first} neither waits nor is in flight"):
        again.request(first)
    again.close()
    store.close()


def test_numbers_go_on_behind_those_that_are_stored(tmp_path: Path) -> None:
    store = opened(tmp_path / "job")
    numbers = [store.enqueue(b"r") for _ in range(12)]  # beyond nine: they are numbers, not strings
    store.close()
    store = opened(tmp_path / "job")
    assert store.waiting == numbers
    assert store.enqueue(b"r") == numbers[-1] + 1
    store.close()


def test_start_requests_are_counted_until_the_job_is_finished(tmp_path: Path) -> None:
    store = opened(tmp_path / "job")
    store.enqueue(b"r", start=b"s")
    store.enqueue(b"r", start=b"s")
    store.step(started=[b"s"], seen=[b"late"])
    assert store.started(b"s") == 3
    assert store.seen(b"late")
    assert not store.seen(b"s")
    store.finish()
    assert store.started(b"s") == 0
    assert store.seen(b"late")
    store.close()


def test_a_step_is_one_batch_and_an_empty_one_is_none(tmp_path: Path) -> None:
    db = durakv.open(tmp_path / "job")
    store = JobStore(db)
    number = store.enqueue(b"r", seen=b"s", start=b"t")
    before = db.status().applied_seq
    store.step()
    assert db.status().applied_seq == before
    store.step(taken=number, done=[number])
    assert db.status().applied_seq > before
    store.close()


def test_under_always_a_pop_waits_for_no_sync_and_what_is_done_does(tmp_path: Path) -> None:
    db = durakv.open(tmp_path / "job", fsync="always")
    store = JobStore(db)
    number = store.enqueue(b"r")
    syncs = db.status().syncs
    store.step(taken=number)
    assert db.status().syncs == syncs
    assert db.status().pending_bytes == 0  # the operating system has it
    store.step(done=[number])
    assert db.status().syncs > syncs
    assert db.status().unsynced_commands == 0
    store.close()


@pytest.mark.parametrize(("key", "value"), [(b"format", b"durakv-scrapy-9"), (b"page:1", b"<html>")])
def test_a_keyspace_of_another_kind_is_refused_and_left_as_it_is(tmp_path: Path, key: bytes, value: bytes) -> None:
    with durakv.open(tmp_path / "job") as db:
        db.set(key, value)
    with durakv.open(tmp_path / "job") as db:
        with pytest.raises(durakv.DirectoryError, match="name another JOBDIR"):
            JobStore(db)
        assert list(db.scan_iter()) == [key]


# --- requests as bytes ------------------------------------------------------------------------------------------------


class Colour(enum.IntEnum):
    RED = 1


ATOMS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary()
KEYS = st.text() | st.binary() | st.integers()
VALUES = st.recursive(
    ATOMS | st.just(Colour.RED) | st.datetimes(),
    lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner) | st.tuples(inner, inner) | st.frozensets(ATOMS),
    max_leaves=12,
)


def same(one: Any, other: Any) -> bool:
    """Equal with their types, all the way down."""
    if type(one) is not type(other) or one != other:
        return False
    if isinstance(one, dict):
        return all(same(a, b) for a, b in zip(one.items(), other.items(), strict=True))
    if isinstance(one, list | tuple):
        return all(same(a, b) for a, b in zip(one, other, strict=True))
    return True


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.text(), VALUES))
def test_what_is_stored_comes_back_the_same_types_included(request_dict: dict[str, Any]) -> None:
    assert same(decode(encode(request_dict)), request_dict)


def test_plain_requests_are_no_pickle_and_others_are() -> None:
    plain = {"url": "http://a/", "headers": {b"Accept": [b"*/*"]}, "meta": {"depth": 1}, "body": b"", "callback": None}
    assert encode(plain)[:1] == PLAIN
    assert encode({**plain, "meta": {"pair": (1, 2)}})[:1] == PICKLED
    assert encode({**plain, "url": "http://a/\ud800"})[:1] == PICKLED
    assert encode({**plain, "meta": {"big": 1 << 70}})[:1] == PICKLED


def test_what_refers_to_itself_is_stored_too() -> None:
    loop: list[Any] = []
    loop.append(loop)
    stored = decode(encode({"meta": loop}))["meta"]
    assert stored[0] is stored


@pytest.mark.parametrize("value", [lambda: None, iter(lambda: 0, 1)], ids=["lambda", "iterator"])
def test_what_cannot_be_stored_is_a_value_error(value: Any) -> None:
    with pytest.raises(ValueError):
        encode({"meta": value})


def test_bytes_of_another_version_are_refused() -> None:
    with pytest.raises(ValueError, match="another version"):
        decode(b"x" + pickle.dumps({}))
