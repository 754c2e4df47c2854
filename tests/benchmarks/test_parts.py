"""The parts of the write path and of recovery, each on its own, for comparing revisions.

    python -m pytest tests/benchmarks --benchmark-only --benchmark-compare

Nothing is asserted about time here; that the parts do what they should is checked by their own tests.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import durakv
from durakv.clock import SystemClock
from durakv.keyspace.machine import Keyspace
from durakv.recovery import recover
from durakv.storage.posix import PosixFilesystem
from durakv_formats.columns import Column, decode_columns, encode_columns
from durakv_formats.frame import FrameDecoder, encode_frame
from durakv_formats.resp import decode_batch, encode_batch

Benchmark: TypeAlias = Callable[..., Any]

COMMAND = [b"SET", b"key:000000000001", b"x" * 100]
FRAMES = 1_000
KEYS = 20_000


def frame(seq: int) -> bytes:
    return encode_frame(encode_batch([COMMAND]), seq=seq, count=1, synced_seq=0, identity=7, segment=1)


def test_encode_a_batch_of_one(benchmark: Benchmark) -> None:
    assert benchmark(encode_batch, [COMMAND]).startswith(b"*3\r\n")


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


def test_write_through_the_operating_system(benchmark: Benchmark, tmp_path: Path) -> None:
    with durakv.open(tmp_path / "data", fsync="no") as db:
        benchmark(lambda: db.set(b"key", b"x" * 100))


def test_write_to_stable_storage(benchmark: Benchmark, tmp_path: Path) -> None:
    with durakv.open(tmp_path / "data", fsync="always") as db:
        benchmark(lambda: db.set(b"key", b"x" * 100))


def test_read(benchmark: Benchmark, tmp_path: Path) -> None:
    with durakv.open(tmp_path / "data", fsync="no") as db:
        db.set(b"key", b"x" * 100)
        assert benchmark(lambda: db.get(b"key")) == b"x" * 100


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
