"""The promise (C12): a golden file never changes, and goes on to mean what it meant: a directory of the keyspace opens
with every key in it, and a recorded run is the same run.

Method: the digests of all golden files stand here; who changes one has to change them too, and should rather make the
next version.  Then the files are read through the doors that everybody uses, on a copy in memory.
"""

from __future__ import annotations

import hashlib
import zlib
from pathlib import Path

import pytest

import durakv
from durakv.clock import ManualClock
from durakv.keyspace import Reply
from durakv.options import Load, Options
from durakv.verify import verify
from durakv_fuzz.disk import SimulatedDisk
from durakv_fuzz.image import Image
from durakv_fuzz.trace_file import dump_trace, load_trace
from durakv_fuzz.tree import Tree

GOLDEN = Path(__file__).parents[2] / "formats" / "golden"
NOW_MS = 1_700_000_000_000

SHA256 = {
    "trace-v1/small.trace": "d762ce43e6543a04d4b19afccd467f0bc62d449607231153010e8ad497988d42",
    "trace-v2/small.trace": "441b1ce79797fe3bb6a10e23a975296e755050ac8c084e3806a348e5f4ae0f21",
    "v1-keyspace/appendonly.aof.1.base.dkv": "c1c7a7e74154a6bb73f2064ed860cc202f7c4ed1721c0ee49b9cd842c82155a8",
    "v1-keyspace/appendonly.aof.2.incr.aof": "fff800b6f0ba5a02236d2d05a76bf4f2f1abea8f7a72c889ef9c9ce65a529116",
    "v1-keyspace/appendonly.aof.3.incr.aof": "c6f1994c9dc15f16c95ad5ace06df7791be0970d4fae60d9af1e8e63043f1153",
    "v1-keyspace/appendonly.aof.manifest": "62d0f79d3b3ba2ed57bab8029d8ef5dc3e703ad77b2b1957be3ba84232decedf",
    "v1/appendonly.aof.1.base.dkv": "59a4961680b9fee2fb0a68b89fc6cec0c04ccec314571095575948ca11827f60",
    "v1/appendonly.aof.2.incr.aof": "80c9b65c207f6e67ed2eba25df996bfdfbe105904205739f89a53a79f3227756",
    "v1/appendonly.aof.3.incr.aof": "a2ad9dcbd10b6c423e8e6d840cee1a522c943a97279822f91bbe8eb5eed83f59",
    "v1/appendonly.aof.manifest": "e83a660b163ea04307750f6477edaa5fd49f53d9b1033c3d7dc7d444dc4e5f51",
}

HELD: list[tuple[str, object]] = [
    ("DBSIZE", 14),
    ("GET string", b"a value and more"),
    ("GET long", b"na" * 300),
    ("GET mortal", b"until 2096"),
    ("PEXPIRETIME mortal", 4_000_000_000_000),
    ("HGETALL hash", [b"f", b"1", b"g", b"3"]),
    ("HPEXPIRETIME hash FIELDS 2 f g", [4_000_000_000_000, -1]),
    ("LRANGE list 0 -1", [b"b", b"c"]),
    ("SMEMBERS set", [b"x"]),
    ("ZRANGE zset 0 -1 WITHSCORES", [b"b", b"-1", b"a", b"1.5"]),
    ("XRANGE stream - +", [[b"1700000000000-1", [b"f", b"v"]]]),
    ("XPENDING stream group", [1, b"1700000000000-1", b"1700000000000-1", [[b"consumer", b"1"]]]),
    ("GET replaced", b"new"),
    ("EXISTS deleted", 0),
    ("GET counter", b"42"),
    ("MGET one two", [b"1", b"2"]),
    ("GET binary", bytes(range(256))),
    ("HGETALL absent", []),
]


def keyspace_directory() -> SimulatedDisk:
    return SimulatedDisk(Image.load(GOLDEN / "v1-keyspace"))


def records(trace: bytes) -> list[bytes]:
    """The records of a written trace; another zlib may pack them into other bytes."""
    return zlib.decompress(trace.partition(b"\n")[2]).splitlines()


def test_no_golden_file_has_changed() -> None:
    found = {
        path.relative_to(GOLDEN).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in GOLDEN.glob("*/*")
    }
    changed = sorted(name for name, digest in SHA256.items() if found.get(name) != digest)
    assert not changed, "golden files are frozen: what must change becomes the next version, with files of its own"
    assert sorted(found.keys() - SHA256.keys()) == [], "a new golden file: add its digest"


@pytest.mark.parametrize("load", Load)
def test_a_directory_of_the_keyspace_of_version_1_holds_what_it_held(load: Load) -> None:
    options = Options(segment_bytes=4096, rewrite_percentage=0, active_expiry=False, load=load)
    disk = keyspace_directory()
    clock = ManualClock(time_ms=NOW_MS)
    with durakv.open(None, options=options, filesystem=disk, clock=clock, background=False) as db:
        assert db.report.clean
        assert db.report.lazy == (load is Load.LAZY)
        told: list[tuple[str, Reply]] = [(words, db.execute(*words.encode().split())) for words, _ in HELD]
        assert told == HELD
        assert db.select(3).get(b"elsewhere") == b"3"
        assert db.get(b"second life") == b"here"


def test_a_directory_of_version_1_is_whole() -> None:
    result = verify(keyspace_directory())
    assert result.ok
    assert result.findings == []


OPERATIONS_1 = "create write_at truncate sync rename remove sync_directory"
OPERATIONS_2 = (
    "create write_at sync make_directory symlink link exchange rename set_node remove truncate sync_directory sync_all"
)


@pytest.mark.parametrize(("version", "operations", "told"), [(1, OPERATIONS_1, 8), (2, OPERATIONS_2, 6)])
def test_a_recorded_run_of_any_version_is_the_same_run(version: int, operations: str, told: int) -> None:
    data = (GOLDEN / f"trace-v{version}" / "small.trace").read_bytes()
    trace = load_trace(data)
    assert [operation.kind.value for operation in trace.operations] == operations.split()
    assert [(note.seq, note.kind) for note in trace.notes] == [(told, "told")]
    assert isinstance(trace.base, Tree) == (version == 2)
    assert records(dump_trace(trace)) == records(data), "it is written as it was read"
