"""The promise: a forked copy of what is open reads nothing, writes nothing, and says so; and nothing of what is open
can be copied or pickled into another process (C10).

Method: fork for real with everything open, call everything in the child, and look at what it says and at what the
parent has; hand things to processes of every kind that there is.
"""

from __future__ import annotations

import asyncio
import copy
import json
import multiprocessing
import os
import pickle
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import durakv
import durakv.aio
from durakv.errors import UnsupportedVersion

PATIENCE_SECONDS = 60.0


def in_a_child(call: Callable[[], object]) -> Any:
    """What a forked child returns, or the name of what it raised."""
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # forking with threads is what is tested
        child = os.fork()
    if child == 0:
        said: object = "nothing"
        try:
            said = call()
        except BaseException as failure:  # noqa: BLE001 - the parent is told
            said = type(failure).__name__ + ": " + "".join(traceback.format_exception_only(failure)).strip()
        finally:
            os.write(writer, json.dumps(said).encode())
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        said = json.load(pipe)
    os.waitpid(child, 0)
    return said


def test_a_forked_copy_refuses_and_the_parent_goes_on(tmp_path: Path) -> None:
    with durakv.open(tmp_path / "data", fsync="always") as db:
        db.set(b"before", b"1")
        engine = db.engine
        receipt = engine.submit([[b"SET", b"receipt", b"1"]])
        receipt.result()
        batch = db.batch()

        def run_batch() -> None:
            with db.batch() as inner:
                inner.set(b"child", b"1")

        doors: dict[str, Callable[[], object]] = {
            "set": lambda: db.set(b"child", b"1"),
            "set, plain": lambda: db.select(1).set(b"child", b"1"),
            "get": lambda: db.get(b"before"),
            "get, waiting": lambda: db.get(b"before", durability=durakv.Durability.WRITTEN),
            "keys": db.keys,
            "scan": lambda: list(db.scan_iter()),
            "mapping": lambda: db.mapping()[b"before"],
            "execute": lambda: db.execute(b"INCR", b"child"),
            "batch": run_batch,
            "batch of before": lambda: batch.set(b"child", b"1"),
            "sync": db.sync,
            "wait": lambda: db.wait(1),
            "rewrite": db.rewrite,
            "submit": lambda: engine.submit([[b"SET", b"child", b"1"]]),
            "apply": lambda: engine.apply([[b"SET", b"child", b"1"]]),
            "transact": lambda: engine.transact(lambda: ([], None)),
            "submit_decided": lambda: engine.submit_decided(lambda: ([], None)),
            "read": lambda: engine.read(lambda: None),
            "set_fsync": lambda: engine.set_fsync("no"),
            "add_task": lambda: engine.add_task(None),  # type: ignore[arg-type]
            "step": engine.step,
        }
        for name, door in doors.items():
            said = in_a_child(door)
            assert str(said).startswith("Closed"), f"{name}: {said}"
            assert "parent" in said, f"{name} does not say why: {said}"
        assert in_a_child(lambda: db.status().health) == "dead"

        def close() -> None:
            db.close()
            engine.close()

        assert in_a_child(close) is None
        assert in_a_child(db.abort) is True
        assert in_a_child(lambda: durakv.open(tmp_path / "data")).startswith("Locked")
        db.set(b"after", b"1")
        assert db.status().health is durakv.Health.OK
        with pytest.raises(durakv.Locked):
            durakv.open(tmp_path / "data")
    with durakv.open(tmp_path / "data") as again:
        assert sorted(again.keys()) == [b"after", b"before", b"receipt"]
        assert again.report.clean


def test_a_forked_copy_leaves_the_rewrite_of_its_parent_alone(tmp_path: Path) -> None:
    with durakv.open(tmp_path / "data", fsync="no") as db:
        for number in range(3000):
            db.set(b"key:%d" % number, b"v" * 500)
        db.rewrite(wait=False)
        while not db.status().rewriting:
            pass
        assert in_a_child(db.close) is None
        while db.status().rewriting:
            pass
        assert (db.status().rewrites, db.status().rewrite_error) == (1, None)


def test_a_forked_copy_is_refused_under_asyncio_too(tmp_path: Path) -> None:
    async def main() -> None:
        async with durakv.aio.open(tmp_path / "data") as db:
            await db.set(b"before", b"1")

            def first_step(work: Any) -> Any:
                return work.send(None)

            for name, call in {
                "get": lambda: first_step(db.get(b"before")),
                "set": lambda: first_step(db.set(b"child", b"1")),
                "set in a new loop": lambda: asyncio.Runner().run(db.set(b"child", b"1")),
                "close in a new loop": lambda: asyncio.Runner().run(db.close()),
            }.items():
                said = str(in_a_child(call))
                assert said.startswith(("Closed", "RuntimeError")), f"{name}: {said}"
            await db.set(b"after", b"1")

    asyncio.run(main())
    with durakv.open(tmp_path / "data") as again:
        assert sorted(again.keys()) == [b"after", b"before"]


def _write_in_a_copy(db: durakv.Database, answers: Any) -> None:
    try:
        db.set(b"child", b"1")
        answers.put("written")
    except durakv.DurakvError as failure:
        answers.put(type(failure).__name__)


def _open_and_write(path: str, answers: Any) -> None:
    try:
        with durakv.open(path) as db:
            db.set(b"child", b"1")
        answers.put("written")
    except durakv.DurakvError as failure:
        answers.put(type(failure).__name__)


def _said(method: str, target: Callable[..., None], subject: object) -> str:
    context: Any = multiprocessing.get_context(method)
    answers = context.SimpleQueue()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        process = context.Process(target=target, args=(subject, answers))
        process.start()
    process.join(PATIENCE_SECONDS)
    assert process.exitcode == 0
    said: str = answers.get()
    return said


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_processes_of_every_kind_respect_the_owner(tmp_path: Path, method: str) -> None:
    path = str(tmp_path / "data")
    db = durakv.open(path)
    if method == "fork":
        assert _said(method, _write_in_a_copy, db) == "Closed"
    else:
        with pytest.raises(TypeError, match=r"Database cannot be copied or pickled.*pass its path"):
            _said(method, _write_in_a_copy, db)
    assert _said(method, _open_and_write, path) == "Locked"
    db.close()
    assert _said(method, _open_and_write, path) == "written"
    with durakv.open(path) as again:
        assert again.keys() == [b"child"]


@pytest.mark.parametrize("way", [pickle.dumps, copy.copy, copy.deepcopy], ids=["pickle", "copy", "deepcopy"])
def test_nothing_that_is_open_is_copied(tmp_path: Path, way: Callable[[object], object]) -> None:
    async def main() -> None:
        async with durakv.aio.open(tmp_path / "data") as db:
            things = [
                db,
                db.engine,
                db.batch(),
                db.database,
                db.database.batch(),
                db.database.engine,
                db.database.engine.submit([[b"SET", b"key", b"value"]]),
            ]
            for thing in things:
                with pytest.raises(TypeError, match=rf"{type(thing).__name__} cannot be copied or pickled.*; "):
                    way(thing)

    asyncio.run(main())


def test_what_is_told_can_be_handed_on(tmp_path: Path) -> None:
    with durakv.open(tmp_path / "data") as db:
        for told in (db.report, db.status()):
            assert pickle.loads(pickle.dumps(told)) == told
    for error in (
        durakv.Corruption("name", 7, "a reason", "A remedy"),
        UnsupportedVersion("name", "9", "A remedy"),
        durakv.Poisoned("a message", cause=OSError(5, "a disk")),
        durakv.Closed("a message"),
    ):
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), str(again)) == (type(error), str(error))
        assert set(vars(again)) == set(vars(error))
