"""The promise: a wrong argument is refused before anything is logged.

Method: call with every kind of wrong type, size and word, and compare the numbers given out and the bytes in the
directory before and after.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import durakv
from durakv.options import Options
from durakv_formats.limits import BATCH_COMMANDS_MAX, BULK_BYTES_MAX, COMMAND_ARGUMENTS_MAX
from tests.badinput.places import digest
from tests.support import Journal

NOT_BYTES: tuple[Any, ...] = ("text", 1, 1.5, None, bytearray(b"x"), memoryview(b"x"), [b"x"], object())
NO_LEVEL: tuple[Any, ...] = (0, 1, 2, "SYNCED", "synced", True, 2.0, b"SYNCED", durakv.FsyncPolicy.ALWAYS)


@pytest.fixture
def db(tmp_path: Path) -> Iterator[durakv.Database]:
    with durakv.open(tmp_path, fsync="always", options=Options(segment_bytes=1 << 16)) as opened:
        opened.set(b"number", b"7")
        opened.set(b"text", b"seven")
        yield opened


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[durakv.Engine]:
    with durakv.Engine(tmp_path, Journal(), options=Options(segment_bytes=1 << 16)) as opened:
        yield opened


def refused(owner: Any, tmp_path: Path, kinds: tuple[type[Exception], ...], call: Callable[[], object]) -> Exception:
    engine: durakv.Engine = owner if isinstance(owner, durakv.Engine) else owner.engine
    before, seq = digest(tmp_path), engine.applied_seq
    with pytest.raises(kinds) as caught:
        call()
    assert engine.applied_seq == seq, "something was given a number"
    engine.sync()
    assert digest(tmp_path) == before, "something was logged"
    assert str(caught.value), "the refusal says nothing"
    return caught.value


@pytest.mark.parametrize("wrong", NOT_BYTES, ids=lambda wrong: type(wrong).__name__)
def test_keys_and_values_are_bytes(db: durakv.Database, tmp_path: Path, wrong: Any) -> None:
    calls: list[Callable[[], object]] = [
        lambda: db.set(wrong, b"value"),
        lambda: db.set(b"key", wrong),
        lambda: db.set(b"key", wrong, px=5),
        lambda: db.mset({b"key": b"value", b"other": wrong}),
        lambda: db.append(b"key", wrong),
        lambda: db.setrange(b"key", 0, wrong),
        lambda: db.delete(b"number", wrong),
        lambda: db.rename(b"number", wrong),
        lambda: db.select(3).set(b"key", wrong),
    ]
    for call in calls:
        refused(db, tmp_path, (TypeError,), call)
    with db.batch() as batch:
        with pytest.raises(TypeError):
            batch.set(b"key", wrong)
    assert db.get(b"key") is None


@pytest.mark.parametrize("wrong", NO_LEVEL, ids=repr)
def test_a_durability_that_is_none_is_refused(db: durakv.Database, tmp_path: Path, wrong: Any) -> None:
    """Taken for APPLIED it would acknowledge what a crash takes back."""
    engine = db.engine
    calls: list[Callable[[], object]] = [
        lambda: db.set(b"key", b"value", durability=wrong),
        lambda: db.incr(b"number", durability=wrong),
        lambda: db.execute(b"SET", b"key", b"value", b"NX", durability=wrong),
        lambda: db.get(b"number", durability=wrong),
        lambda: db.wait(1, wrong),
        lambda: engine.submit([[b"SET", b"key", b"value"]], wrong),
        lambda: engine.apply([[b"SET", b"key", b"value"]], wrong),
        lambda: engine.transact(lambda: ([[b"SET", b"key", b"value"]], None), wrong),
        lambda: engine.submit_decided(lambda: ([[b"SET", b"key", b"value"]], None), wrong),
        lambda: engine.read(lambda: None, wrong),
    ]
    for call in calls:
        refused(db, tmp_path, (TypeError,), call)


def test_a_durability_that_is_none_is_refused_by_asyncio(tmp_path: Path) -> None:
    async def main() -> None:
        async with durakv.aio.open(tmp_path) as db:
            engine = db.engine
            calls: list[Callable[[], Any]] = [
                lambda: db.set(b"key", b"value", durability=2),  # type: ignore[call-overload]
                lambda: engine.apply([[b"SET", b"key", b"value"]], "synced"),  # type: ignore[arg-type]
                lambda: engine.wait(0, 2),  # type: ignore[arg-type]
            ]
            for call in calls:
                with pytest.raises(TypeError, match="durability"):
                    await call()
            assert engine.engine.applied_seq == 0

    asyncio.run(main())


@pytest.mark.parametrize(
    "wrong", [b"SET", "SET", [], [[]], [b"SET"], ["SET"], [["SET", "a"]], [[b"SET", b"a", 1]], [[b"a"], []]], ids=repr
)
def test_what_is_no_batch_is_refused(engine: durakv.Engine, tmp_path: Path, wrong: Any) -> None:
    refused(engine, tmp_path, (TypeError,), lambda: engine.submit(wrong))
    refused(engine, tmp_path, (TypeError,), lambda: engine.apply(wrong))


def test_sizes_beyond_the_formats_are_refused(db: durakv.Database, tmp_path: Path) -> None:
    huge = bytes(BULK_BYTES_MAX + 1)
    refused(db, tmp_path, (durakv.Limit,), lambda: db.set(huge, b""))
    refused(db, tmp_path, (durakv.Limit,), lambda: db.set(b"key", huge))
    refused(db, tmp_path, (durakv.Limit,), lambda: db.engine.apply([[b"SET", b"key", huge]]))
    refused(db, tmp_path, (durakv.CommandError,), lambda: db.setrange(b"key", BULK_BYTES_MAX, b"x"))
    wide = [b""] * (COMMAND_ARGUMENTS_MAX + 1)
    refused(db, tmp_path, (durakv.Limit,), lambda: db.engine.apply([wide]))
    many = [(b"DEL", b"key")] * (BATCH_COMMANDS_MAX + 1)
    refused(db, tmp_path, (durakv.Limit,), lambda: db.engine.apply(many))


@pytest.mark.parametrize(
    "command",
    [
        (b"NOSUCH", b"key"),
        (b"SET", b"key"),
        (b"SET", b"key", b"value", b"NX", b"XX"),
        (b"SET", b"key", b"value", b"PX", b"0"),
        (b"SET", b"key", b"value", b"PX", b"soon"),
        (b"INCR", b"text"),
        (b"INCRBY", b"number", b"9223372036854775807"),
        (b"SETRANGE", b"text", b"-1", b"x"),
        (b"RENAME", b"absent", b"other"),
        (b"SELECT", b"3"),
        (),
    ],
    ids=repr,
)
def test_a_command_that_is_refused_logs_nothing(
    db: durakv.Database, tmp_path: Path, command: tuple[bytes, ...]
) -> None:
    refused(db, tmp_path, (durakv.CommandError, TypeError), lambda: db.execute(*command))

    def in_a_batch() -> None:
        with db.batch() as batch:
            batch.set(b"before", b"it")
            batch.execute(*command)

    refused(db, tmp_path, (durakv.CommandError, TypeError), in_a_batch)
    assert db.get(b"before") is None, "a batch is all or nothing"


@pytest.mark.parametrize("wrong", [-1, 16, 1 << 40])
def test_a_database_that_does_not_exist_is_refused(db: durakv.Database, tmp_path: Path, wrong: int) -> None:
    refused(db, tmp_path, (durakv.CommandError,), lambda: db.select(wrong))
    refused(db, tmp_path, (durakv.CommandError,), lambda: db.execute(b"SET", b"a", b"b", database=wrong))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("fsync", "sometimes"),
        ("fsync", 1),
        ("segment_bytes", 0),
        ("segment_bytes", 1 << 40),
        ("segment_bytes", "16MB"),
        ("segment_bytes", 5000.5),
        ("pending_bytes_max", -1),
        ("stall_seconds", 0),
        ("rewrite_percentage", -1),
        ("rewrite_memory_bytes", 1),
    ],
)
def test_options_that_make_no_sense_are_refused_before_anything_is_created(
    tmp_path: Path, name: str, value: Any
) -> None:
    with pytest.raises(durakv.Limit, match=name):
        Options(**{name: value})
    with pytest.raises(durakv.Limit, match="fsync"):
        durakv.open(tmp_path / "data", fsync="sometimes")
    assert not (tmp_path / "data").exists()


def test_a_policy_that_is_none_leaves_the_one_in_force(db: durakv.Database, tmp_path: Path) -> None:
    for wrong in ("sometimes", "", None, 1):
        refused(db, tmp_path, (durakv.Limit,), lambda wrong=wrong: db.engine.set_fsync(wrong))  # type: ignore[misc]
    assert db.engine.fsync is durakv.FsyncPolicy.ALWAYS


@pytest.mark.parametrize("wrong", [None, 1, b"bytes", ["a"]], ids=repr)
def test_a_path_that_is_none_is_refused(wrong: Any) -> None:
    with pytest.raises((TypeError, durakv.DirectoryError)):
        durakv.open(wrong)


def test_a_number_that_was_never_given_out_cannot_be_waited_for(db: durakv.Database) -> None:
    with pytest.raises(ValueError, match="never given out"):
        db.wait(db.engine.applied_seq + 1)
