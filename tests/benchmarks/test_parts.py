"""The parts of the write path and of recovery, each on its own, for comparing revisions.

    python -m pytest tests/benchmarks --benchmark-only --benchmark-save NAME        at one revision
    python -m pytest tests/benchmarks --benchmark-only --benchmark-compare          at another

A test's name stands for what it measures and stays, or revisions cannot be compared.  Nothing is asserted about time
here; that the parts do what they should is checked by their own tests.  Beside others (``pytest -n``) each part runs
once, unmeasured.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, TypeAlias

import pytest

import durakv
from durakv.clock import SystemClock
from durakv.directory import base_name, base_temporary
from durakv.engine import Engine
from durakv.image import ImageWriter, freeze
from durakv.keyspace.machine import Keyspace
from durakv.options import Options
from durakv.recovery import recover
from durakv.snapshot.reader import read_base
from durakv.storage.posix import PosixFilesystem
from durakv_formats.columns import Column, decode_columns, encode_columns
from durakv_formats.frame import FrameDecoder, encode_frame
from durakv_formats.resp import decode_batch, encode_batch
from durakv_formats.snapshot import SnapshotHeader

Benchmark: TypeAlias = Any
"""The fixture of pytest-benchmark, which has no types."""

pytestmark = pytest.mark.benchmark(max_time=0.5, min_rounds=5)

COMMAND = [b"SET", b"key:000000000001", b"x" * 100]
BATCH = [[b"SET", b"key:%012d" % number, b"x" * 100] for number in range(1_000)]
FRAMES = 1_000
KEYS = 20_000
TOUCHED = KEYS // 100
ROUNDS = 7
"""Of the parts that change files and so cannot be called again and again."""

QUIET = Options(fsync=durakv.FsyncPolicy.NO, rewrite_percentage=0, rewrite_segments_max=0)
"""Rewrites by themselves would be measured with whatever they fall into."""


def frame(seq: int) -> bytes:
    return encode_frame(encode_batch([COMMAND]), seq=seq, count=1, synced_seq=0, identity=7, segment=1)


def test_encode_a_batch_of_one(benchmark: Benchmark) -> None:
    assert benchmark(encode_batch, [COMMAND]).startswith(b"*3\r\n")


def test_encode_a_batch_of_a_thousand(benchmark: Benchmark) -> None:
    assert benchmark(encode_batch, BATCH).count(b"SET") == len(BATCH)


def test_encode_a_frame(benchmark: Benchmark) -> None:
    payload = encode_batch([COMMAND])
    assert benchmark(lambda: encode_frame(payload, seq=1, count=1, synced_seq=0, identity=7, segment=1)).endswith(
        payload
    )


def test_decode_a_thousand_frames(benchmark: Benchmark) -> None:
    data = b"".join(map(frame, range(1, FRAMES + 1)))

    def decode() -> int:
        decoder = FrameDecoder(7, 1)
        decoder.feed(data)
        count = 0
        while (found := decoder.next_frame()) is not None:
            count += len(decode_batch(found.payload, found.count))
        return count

    assert benchmark(decode) == FRAMES


def test_columns_of_a_slot(benchmark: Benchmark) -> None:
    keys = [b"key:%012d" % number for number in range(1_000)]
    columns = [Column(0, 0, keys, [b"x" * 100] * len(keys))]
    assert len(benchmark(lambda: decode_columns(encode_columns(columns)))) == 1


def test_append_and_apply(benchmark: Benchmark, tmp_path: Path) -> None:
    with durakv.open(tmp_path / "data", fsync="no") as db:
        benchmark(lambda: db.set(b"key", b"x" * 100, durability=durakv.Durability.APPLIED))
        assert db.get(b"key") == b"x" * 100


def test_append_without_a_facade(benchmark: Benchmark, tmp_path: Path) -> None:
    with Engine(tmp_path / "data", Keyspace(), fsync="no") as engine:
        receipt = benchmark(lambda: engine.submit([COMMAND], durakv.Durability.APPLIED))
        assert engine.status().applied_seq >= receipt.seq > 0


def test_write_through_the_operating_system(benchmark: Benchmark, tmp_path: Path) -> None:
    with durakv.open(tmp_path / "data", fsync="no") as db:
        benchmark(lambda: db.set(b"key", b"x" * 100))


def test_write_to_stable_storage(benchmark: Benchmark, tmp_path: Path) -> None:
    with durakv.open(tmp_path / "data", fsync="always") as db:
        benchmark(lambda: db.set(b"key", b"x" * 100))


def test_write_a_batch_of_a_thousand_to_stable_storage(benchmark: Benchmark, tmp_path: Path) -> None:
    with Engine(tmp_path / "data", Keyspace(), fsync="always", options=QUIET) as engine:
        benchmark(lambda: engine.apply(BATCH))
        status = engine.status()
        assert status.synced_seq == status.applied_seq >= len(BATCH)


def test_read(benchmark: Benchmark, tmp_path: Path) -> None:
    with durakv.open(tmp_path / "data", fsync="no") as db:
        db.set(b"key", b"x" * 100)
        assert benchmark(lambda: db.get(b"key")) == b"x" * 100


def _keyspace() -> Keyspace:
    keyspace = Keyspace()
    for number in range(KEYS):
        keyspace.apply([b"SET", b"key:%012d" % number, b"x" * 100])
    return keyspace


def _save(filesystem: PosixFilesystem, keyspace: Keyspace) -> int:
    """Write the state out as a base; return its size."""
    image = freeze(keyspace)
    header = SnapshotHeader(bytes(16), 1, 1, image.slot_count, image.content, 0)
    writer = ImageWriter(filesystem, base_temporary(1), header, image, busy=lambda: False)
    lock = threading.Lock()
    while (size := writer.step(lock)) is None:
        pass
    return size


def test_save_a_snapshot(benchmark: Benchmark, tmp_path: Path) -> None:
    filesystem, keyspace = PosixFilesystem(tmp_path), _keyspace()

    def emptied() -> None:
        (tmp_path / base_temporary(1)).unlink(missing_ok=True)

    size = benchmark.pedantic(_save, (filesystem, keyspace), setup=emptied, rounds=ROUNDS, warmup_rounds=1)
    assert size == (tmp_path / base_temporary(1)).stat().st_size > KEYS * 16


def test_load_a_snapshot(benchmark: Benchmark, tmp_path: Path) -> None:
    filesystem = PosixFilesystem(tmp_path)
    _save(filesystem, _keyspace())
    filesystem.rename(base_temporary(1), base_name(1))

    def load() -> int:
        keyspace = Keyspace()
        with read_base(filesystem, base_name(1)) as reader:
            return sum(keyspace.restore_slot(block.slot, block.payload()) for block in reader)

    assert benchmark(load) == KEYS


def test_merge_a_base_with_a_log(benchmark: Benchmark, tmp_path: Path) -> None:
    # An engine that was given a file system merges in its own process.
    with Engine(None, Keyspace(), filesystem=PosixFilesystem(tmp_path), options=QUIET) as engine:
        engine.apply([[b"SET", b"key:%012d" % number, b"x" * 100] for number in range(KEYS)])
        engine.rewrite()

        def touched() -> None:
            for number in range(0, KEYS, KEYS // TOUCHED):
                engine.apply([[b"SET", b"key:%012d" % number, b"y" * 100]])

        benchmark.pedantic(engine.rewrite, setup=touched, rounds=ROUNDS)
        status = engine.status()
        assert status.rewrites >= 2
        assert status.base_bytes > KEYS * 16


def _filled(directory: Path) -> PosixFilesystem:
    with durakv.open(directory, fsync="no") as db:
        for number in range(KEYS):
            db.set(b"key:%012d" % number, b"x" * 100, durability=durakv.Durability.APPLIED)
    return PosixFilesystem(directory / "appendonlydir")


def _recovered(filesystem: PosixFilesystem) -> int:
    return recover(filesystem, Keyspace(), clock=SystemClock(), entropy=bytes).seq


def test_recover_a_log(benchmark: Benchmark, tmp_path: Path) -> None:
    filesystem = _filled(tmp_path / "data")
    assert benchmark(lambda: _recovered(filesystem)) == KEYS


def test_recover_a_base(benchmark: Benchmark, tmp_path: Path) -> None:
    filesystem = _filled(tmp_path / "data")
    with durakv.open(tmp_path / "data") as db:
        db.rewrite()
    assert benchmark(lambda: _recovered(filesystem)) == KEYS


def test_replay_a_log_of_batches(benchmark: Benchmark, tmp_path: Path) -> None:
    with Engine(tmp_path / "data", Keyspace(), options=QUIET) as engine:
        for _ in range(KEYS // len(BATCH)):
            engine.apply(BATCH)
    filesystem = PosixFilesystem(tmp_path / "data" / "appendonlydir")
    assert benchmark(lambda: _recovered(filesystem)) == KEYS


def test_recover_a_base_and_a_log(benchmark: Benchmark, tmp_path: Path) -> None:
    filesystem = _filled(tmp_path / "data")
    with durakv.open(tmp_path / "data", fsync="no") as db:
        db.rewrite()
        for number in range(TOUCHED):
            db.set(b"key:%012d" % number, b"y" * 100, durability=durakv.Durability.APPLIED)
    assert benchmark(lambda: _recovered(filesystem)) == KEYS + TOUCHED
