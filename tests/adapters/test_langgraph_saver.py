"""The promise: DurakvSaver is a checkpointer as LangGraph wants one, for any ids, in any thread and any event loop.

Method: LangGraph's own conformance suite, then what it does not ask: ids that no separator survives, versions that
clash, what is left of values, levels, formats, and callers that get it wrong.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import durakv
from tests.hosts import host

host("langgraph.checkpoint.base")
suite = host("langgraph.checkpoint.conformance")

from langgraph.checkpoint.base import Checkpoint, empty_checkpoint  # noqa: E402

from durakv.adapters._langgraph_keys import text, texts  # noqa: E402
from durakv.adapters.langgraph import DurakvSaver, TaskWrites  # noqa: E402
from tests.adapters.crash_langgraph import audit  # noqa: E402

HOSTILE = [
    "",
    "\0",
    "a",
    "a\0",
    "a\0b",
    "a:b",
    ":",
    "a\xff",
    "é",
    "\U0001f600",
    "\ud800",
    " ",
    "langgraph:",
    "a" * 1000,
]


@pytest.fixture
def saver(tmp_path: Path) -> Iterator[DurakvSaver]:
    with DurakvSaver.open(tmp_path / "data", fsync="everysec") as opened:
        yield opened


def config(thread: Any = "t", identifier: str | None = None, namespace: str = "", **more: Any) -> Any:
    return {"configurable": {"thread_id": thread, "checkpoint_ns": namespace, "checkpoint_id": identifier, **more}}


def made(identifier: str, versions: dict[str, Any] | None = None, **values: Any) -> Checkpoint:
    checkpoint = empty_checkpoint()
    checkpoint["id"] = identifier
    checkpoint["channel_values"] = values
    checkpoint["channel_versions"] = dict.fromkeys(values, "1") if versions is None else versions
    return checkpoint


def put(saver: DurakvSaver, identifier: str, parent: str | None = None, thread: Any = "t", **values: Any) -> Any:
    checkpoint = made(identifier, dict.fromkeys(values, identifier), **values)
    return saver.put(config(thread, parent), checkpoint, {"step": 1}, checkpoint["channel_versions"])


def stored_values(saver: DurakvSaver) -> list[bytes]:
    return [key for key in saver.db.scan_iter() if key.startswith(b"langgraph:v:")]


def test_langgraphs_own_suite_passes_whole(tmp_path: Path) -> None:
    places = iter(range(1000))

    @suite.checkpointer_test(name="DurakvSaver")  # type: ignore[untyped-decorator]
    async def checkpointer() -> AsyncGenerator[DurakvSaver]:
        async with DurakvSaver.open(tmp_path / f"{next(places)}", fsync="everysec") as saver:
            yield saver

    report = asyncio.run(suite.validate(checkpointer))
    wanted = {"put", "put_writes", "get_tuple", "list", "delete_thread", "delete_for_runs", "copy_thread", "prune"}
    assert wanted <= report.results.keys()
    for name, result in report.results.items():
        assert result.detected, f"{name} was not asked for"
        assert result.passed is True, f"{name}: {result.failures}"
        assert result.tests_passed > 0
        assert result.tests_failed == 0
    assert sum(result.tests_passed for result in report.results.values()) >= 80


def test_texts_are_told_apart_and_have_the_order_of_strings() -> None:
    for first in HOSTILE:
        for second in HOSTILE:
            assert texts(text(first) + text(second)) == [first, second]
    assert sorted(HOSTILE) == [texts(encoded)[0] for encoded in sorted(map(text, HOSTILE))]
    assert len({text(first) + text(second) for first in HOSTILE for second in HOSTILE}) == len(HOSTILE) ** 2


def test_any_ids_are_kept_apart(saver: DurakvSaver) -> None:
    saver.durability = durakv.Durability.WRITTEN
    names = [name for name in HOSTILE if name and name != "\ud800"]  # an id is in the checkpoint, which is UTF-8
    for thread in HOSTILE:
        for namespace in HOSTILE:
            for name in names[:4]:
                saver.put(
                    config(thread, None, namespace), made(name, v=ascii((thread, namespace, name))), {}, {"v": "1"}
                )
                saver.put_writes(config(thread, name, namespace), [("v", ascii(thread + namespace))], name, namespace)
    for thread in HOSTILE:
        for namespace in HOSTILE:
            listed = [*saver.list(config(thread, None, namespace))]
            assert [found.checkpoint["id"] for found in listed] == sorted(names[:4], reverse=True)
            for found in listed:
                name = found.checkpoint["id"]
                assert found.checkpoint["channel_values"] == {"v": ascii((thread, namespace, name))}
                assert found.pending_writes == [(name, "v", ascii(thread + namespace))]
                assert found.config == config(thread, name, namespace)
    saver.delete_thread("a\0")
    assert saver.get_tuple(config("a\0")) is None
    assert saver.get_tuple(config("a")) is not None
    assert saver.get_tuple(config("a\0b")) is not None
    audit(saver.db)


def test_a_number_names_a_thread_as_its_digits_do(saver: DurakvSaver) -> None:
    assert put(saver, "1", thread=7)["configurable"]["thread_id"] == 7
    found = saver.get_tuple(config("7"))
    assert found is not None
    assert found.checkpoint["id"] == "1"


def test_a_listing_goes_on_over_its_pages_and_over_all_threads(saver: DurakvSaver) -> None:
    for number in range(150):
        put(saver, f"{number:03d}", thread=f"thread {number % 2}")
    ids = [found.checkpoint["id"] for found in saver.list(config("thread 0"))]
    assert ids == [f"{number:03d}" for number in reversed(range(0, 150, 2))]
    everywhere = [found.checkpoint["id"] for found in saver.list(None)]
    assert everywhere == [f"{number:03d}" for number in reversed(range(150))]
    some = saver.list(None, before=config("any", "100"), filter={"step": 1}, limit=3)
    assert [found.checkpoint["id"] for found in some] == ["099", "098", "097"]
    assert next(saver.list(config("thread 0", "004"))).checkpoint["id"] == "004"
    assert not [*saver.list(None, limit=0)]


def test_values_are_stored_once_for_each_version(saver: DurakvSaver) -> None:
    document = "x" * 10_000
    parent: str | None = None
    for number in range(20):
        versions: dict[str, Any] = {"document": "1", "count": str(number)}
        checkpoint = made(f"{number:02d}", versions, document=document, count=number)
        new: dict[str, Any] = versions if parent is None else {"count": str(number)}
        saver.put(config("t", parent), checkpoint, {}, new)
        parent = checkpoint["id"]
    assert len(stored_values(saver)) == 21
    for found in saver.list(config()):
        assert found.checkpoint["channel_values"] == {"document": document, "count": int(found.checkpoint["id"])}


def test_values_that_differ_though_their_version_is_the_same_do_not_overwrite_each_other(saver: DurakvSaver) -> None:
    for name, value in (("1", "first"), ("2", "second"), ("3", "first")):
        saver.put(config(), made(name, {"v": 1}, v=value), {}, {"v": 1})
    saver.put(config("t", "2"), made("4", {"v": 1}, v="second"), {}, {})  # the child of the second inherits its copy
    values = [found.checkpoint["channel_values"]["v"] for found in saver.list(config())]
    assert values == ["second", "first", "second", "first"]
    assert len(stored_values(saver)) == 2
    audit(saver.db)


def test_a_value_that_nobody_called_new_is_stored_all_the_same(saver: DurakvSaver) -> None:
    saver.put(config(), made("1", v=1, w=2), {}, {})
    saver.put(config("t", "of nobody"), made("2", {"v": "1"}, v=3, unversioned=4), {}, {})
    first, second = (saver.get_tuple(config("t", name)) for name in "12")
    assert first is not None
    assert first.checkpoint["channel_values"] == {"v": 1, "w": 2}
    assert second is not None
    assert second.checkpoint["channel_values"] == {"v": 3, "unversioned": 4}
    saver.put(config("t", "1"), made("3", {"v": "9", "w": "1"}, v="nine", w=2), {}, {})  # the parent's v is version 1
    third = saver.get_tuple(config("t", "3"))
    assert third is not None
    assert third.checkpoint["channel_values"] == {"v": "nine", "w": 2}
    audit(saver.db)


def test_a_checkpoint_that_is_put_again_replaces_itself_and_leaves_nothing(saver: DurakvSaver) -> None:
    put(saver, "1", v="old", gone="old")
    child = made("2", {"v": "1"}, v="old")
    saver.put(config("t", "1"), child, {}, {})
    put(saver, "1", v="new")
    found = saver.get_tuple(config("t", "1"))
    assert found is not None
    assert found.checkpoint["channel_values"] == {"v": "new"}
    inherited = saver.get_tuple(config("t", "2"))
    assert inherited is not None
    assert inherited.checkpoint["channel_values"] == {"v": "old"}
    audit(saver.db)


def test_a_checkpoint_and_its_writes_are_one_batch(saver: DurakvSaver) -> None:
    before = saver.db.engine.applied_seq
    tasks = [TaskWrites("one", [("v", 1), ("w", 2)], "b"), TaskWrites("two", [("v", 3)], "a")]
    saver.put_with_writes(config(), made("1", v=0), {}, {"v": "1"}, tasks)
    found = saver.get_tuple(config())
    assert found is not None
    assert found.pending_writes == [("two", "v", 3), ("one", "v", 1), ("one", "w", 2)]
    assert saver.db.engine.applied_seq > before


def test_writes_are_kept_as_they_were_first_stored_and_special_ones_replaced(saver: DurakvSaver) -> None:
    put(saver, "1")
    for value in ("first", "second"):
        saver.put_writes(config("t", "1"), [("v", value)], "task")
        saver.put_writes(config("t", "1"), [("__error__", value)], "task")
    found = saver.get_tuple(config())
    assert found is not None
    assert sorted(found.pending_writes or []) == [("task", "__error__", "second"), ("task", "v", "first")]


def test_pruning_keeps_what_the_newest_needs_and_nothing_else(saver: DurakvSaver) -> None:
    parent: str | None = None
    for number in range(6):
        name = f"{number}"
        values = {"plain": number} | ({"delta": "snapshot"} if number == 2 else {})
        checkpoint = made(name, {"plain": name, "delta": name}, **values)
        counters: Any = {} if number == 2 else {"counters_since_delta_snapshot": {"delta": (number, number)}}
        saver.put(config("t", parent), checkpoint, counters, checkpoint["channel_versions"])
        saver.put_writes(config("t", name), [("delta", f"write {name}")], "task")
        parent = name
    history = saver.get_delta_channel_history(config=config(), channels=["delta"])
    saver.prune(["t", "of nobody"])
    assert [found.checkpoint["id"] for found in saver.list(config())] == ["5", "4", "3", "2"]
    assert saver.get_delta_channel_history(config=config(), channels=["delta"]) == history
    assert history["delta"]["seed"] == "snapshot"
    assert [value for _, _, value in history["delta"]["writes"]] == ["write 2", "write 3", "write 4"]
    audit(saver.db)
    saver.prune(["t"], strategy="delete")
    assert not stored_values(saver)
    audit(saver.db)


def test_deleting_runs_keeps_values_that_others_name(saver: DurakvSaver) -> None:
    shared: dict[str, Any] = {"shared": "1"}
    saver.put(config("t"), made("1", shared, shared="s"), {"run_id": "doomed"}, shared)
    saver.put(config("t", "1"), made("2", shared, shared="s"), {"run_id": "kept"}, {})
    put(saver, "3", thread="whole", v=1)
    saver.put(config("whole2"), made("4", v=1), {"run_id": "doomed"}, {"v": "1"})
    saver.delete_for_runs(["doomed"])
    found = saver.get_tuple(config())
    assert found is not None
    assert found.checkpoint["channel_values"] == {"shared": "s"}
    assert [each.checkpoint["id"] for each in saver.list(None)] == ["3", "2"]
    audit(saver.db)


def test_a_copy_goes_only_where_nothing_is(saver: DurakvSaver) -> None:
    put(saver, "1", v=1)
    saver.copy_thread("t", "u")
    with pytest.raises(ValueError, match="delete it first"):
        saver.copy_thread("t", "u")
    saver.delete_thread("t")
    found = saver.get_tuple(config("u"))
    assert found is not None
    assert found.checkpoint["channel_values"] == {"v": 1}
    audit(saver.db)


@pytest.mark.parametrize("policy", ["always", "everysec", "no"])
def test_a_call_waits_for_the_level_it_names_and_by_default_for_the_disk(tmp_path: Path, policy: str) -> None:
    with DurakvSaver.open(tmp_path, fsync=policy) as saver:
        for level, synced in (("written", False), (durakv.Durability.APPLIED, False), (None, True), ("SYNCED", True)):
            saver.db.sync()
            named: dict[str, Any] = {} if level is None else {"durakv_durability": level}
            identifier = str(level)
            asked: Any = {**config("t", None, **named), "metadata": dict(named)}
            saver.put(asked, made(identifier), {}, {})
            saver.put_writes(config("t", identifier, **named), [("v", 1)], "task")
            assert (saver.db.status().unsynced_commands == 0) is synced or policy == "everysec"
            found = saver.get_tuple(config("t", identifier))
            assert found is not None
            assert found.metadata == {}
        saver.delete_thread("t")
        assert saver.db.status().unsynced_commands == 0


def test_what_callers_get_wrong_is_told(saver: DurakvSaver) -> None:
    with pytest.raises(ValueError, match="'sync', 'async' and 'exit' are LangGraph's own"):
        saver.put(config("t", None, durakv_durability="sync"), made("1"), {}, {})
    with pytest.raises(ValueError, match="names no thread"):
        saver.get_tuple({"configurable": {}})
    with pytest.raises(TypeError, match="thread_id is a str, not bytes"):
        saver.get_tuple(config(b"t"))
    with pytest.raises(TypeError, match="checkpoint_ns is a str, not int"):
        saver.get_tuple({"configurable": {"thread_id": "t", "checkpoint_ns": 1}})
    with pytest.raises(ValueError, match="id that is not empty"):
        put(saver, "")
    with pytest.raises(ValueError, match="names no checkpoint_id"):
        saver.put_writes(config(), [("v", 1)], "task")
    with pytest.raises(ValueError, match="'keep_latest' or 'delete'"):
        saver.prune(["t"], strategy="all")
    with pytest.raises(TypeError, match="a str, int or float, not list"):
        saver.put(config(), made("1", {"v": [1]}, v=1), {}, {"v": "1"})
    with pytest.raises(TypeError, match=r"stands on a durakv\.Database, not on dict"):
        DurakvSaver({})  # type: ignore[arg-type]
    assert saver.db.dbsize() == 0


def test_an_async_database_is_refused_with_what_to_do(tmp_path: Path) -> None:
    async def main() -> None:
        async with durakv.aio.open(tmp_path) as db:
            with pytest.raises(TypeError, match=r"hand over its `\.database`"):
                DurakvSaver(db)  # type: ignore[arg-type]
            await DurakvSaver(db.database).aput(config(), made("1"), {}, {})

    asyncio.run(main())


def test_a_newer_format_is_refused_and_the_database_given_up(tmp_path: Path) -> None:
    with DurakvSaver.open(tmp_path) as saver:
        put(saver, "1")
        saver.db.set(b"langgraph:format", b"2")
    for _ in range(2):
        with pytest.raises(durakv.UnsupportedVersion, match="install the newer one"), DurakvSaver.open(tmp_path):
            pass


def test_keys_that_something_else_has_deleted_are_told(saver: DurakvSaver) -> None:
    put(saver, "1", v=1)
    saver.db.delete(*stored_values(saver))
    with pytest.raises(durakv.DurakvError, match="has lost the value of 'v'"):
        saver.get_tuple(config())


def test_versions_grow_and_never_meet(saver: DurakvSaver) -> None:
    version: str | None = None
    for _ in range(20):
        first, second = (saver.get_next_version(version, None) for _ in range(2))
        assert first != second
        assert version is None or min(first, second) > version
        version = first
    assert saver.get_next_version(7, None).startswith(f"{8:032d}.")  # type: ignore[arg-type]


def test_threads_and_loops_at_once_lose_nothing(saver: DurakvSaver) -> None:
    """Each thread has a thread of its own and one that all share, where prunings disturb the rest."""

    def work(number: int) -> None:
        for step in range(15):
            put(saver, f"{step:03d}", None if not step else f"{step - 1:03d}", f"own {number}", v=step)
            put(saver, f"{step:03d}-{number}", None, "shared", v=[number, step])
            saver.put_writes(config("shared", f"{step:03d}-{number}"), [("v", step)], f"task {number}")
            if step % 5 == 4:
                saver.prune(["shared"])

    async def task(number: int) -> None:
        for step in range(15):
            checkpoint = made(f"{step:03d}", {"v": str(step)}, v=step)
            await saver.aput(config(f"own {number}"), checkpoint, {}, {"v": str(step)})
            await saver.aput_writes(config("shared", f"{step:03d}-0"), [("v", step)], f"task {number}")

    async def tasks(first: int) -> None:
        await asyncio.gather(*(task(number) for number in range(first, first + 4)))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    threads += [threading.Thread(target=lambda first=first: asyncio.run(tasks(first))) for first in (3, 7)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in range(11):
        listed = [*saver.list(config(f"own {number}"))]
        assert [found.checkpoint["channel_values"]["v"] for found in listed] == [*reversed(range(15))]
    # Writes may wait for a checkpoint that was pruned, so only the rest of the audit holds.
    assert saver.get_tuple(config("shared")) is not None
    audit(saver.db)


def test_tasks_of_one_turn_share_syncs(tmp_path: Path) -> None:
    async def main() -> int:
        async with DurakvSaver.open(tmp_path) as saver:
            before = saver.db.status().syncs
            await asyncio.gather(*(saver.aput(config(f"{n}"), made("1", v=n), {}, {"v": "1"}) for n in range(100)))
            assert saver.db.status().unsynced_commands == 0
            return saver.db.status().syncs - before

    assert asyncio.run(main()) <= 4


def test_loops_that_have_ended_are_forgotten(saver: DurakvSaver) -> None:
    for number in range(5):
        asyncio.run(saver.aput(config(), made(str(number)), {}, {}))
    assert len(saver._loops) == 1
    assert [found.checkpoint["id"] for found in saver.list(config())] == ["4", "3", "2", "1", "0"]


def test_an_opening_that_is_cancelled_gives_the_directory_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opening, go_on = threading.Event(), threading.Event()
    really_open = durakv.open

    def slow(*arguments: Any, **settings: Any) -> durakv.Database:
        opening.set()
        assert go_on.wait(10)
        return really_open(*arguments, **settings)

    async def main() -> None:
        async def use() -> None:
            async with DurakvSaver.open(tmp_path / "data"):
                raise AssertionError("it was cancelled")

        using = asyncio.create_task(use())
        await asyncio.to_thread(opening.wait)
        using.cancel()
        with pytest.raises(asyncio.CancelledError):
            await using
        go_on.set()

    for place in ("durakv.open", "durakv.keyspace.database.open"):
        monkeypatch.setattr(place, slow)
    asyncio.run(main())  # and waits for its threads
    monkeypatch.undo()
    with DurakvSaver.open(tmp_path / "data") as saver:
        put(saver, "1", v=1)


def test_one_name_is_no_list_of_names(saver: DurakvSaver) -> None:
    put(saver, "1", thread="t", v=1)
    put(saver, "2", thread="t", v=1)
    calls: list[Callable[[], object]] = [
        lambda: saver.prune("t"),
        lambda: saver.prune("t", strategy="delete"),
        lambda: asyncio.run(saver.aprune("t")),
        lambda: saver.delete_for_runs("t"),
        lambda: saver.delete_for_runs([b"t"]),  # type: ignore[list-item]
    ]
    for call in calls:
        with pytest.raises(TypeError, match=r"list of names|is a str"):
            call()
    assert len([*saver.list(config())]) == 2


def test_pruning_takes_writes_whose_checkpoint_never_came_and_leaves_those_that_may_still_have_one(
    saver: DurakvSaver,
) -> None:
    saver.put_writes(config("t", "1"), [("v", "its checkpoint was lost")], "task")
    put(saver, "2", v=1)
    saver.put_writes(config("t", "2"), [("v", "kept")], "task")
    saver.put_writes(config("t", "3"), [("v", "on its way")], "task")
    saver.put_writes(config("t", "1", "another"), [("v", "on its way")], "task")
    saver.prune(["t"])
    waiting = {key for key in saver.db.scan_iter() if key.startswith(b"langgraph:w:")}
    assert waiting == {b"langgraph:w:t\0\0" + end for end in (b"2\0", b"3\0")} | {b"langgraph:w:t\0another\0" + b"1\0"}
    audit(saver.db)
