"""A lazy open of a large base: how soon the first key is there, and how long the first reads of other slots take.

    build(directory, keys)       a directory with a base of so many keys and a short log, written slot by slot
    measure(directory, keys)     opened lazily in a process of its own, which says how long it took

The keys are ``key:<number>``, as many bytes as redis-benchmark's, the values 100 bytes that do not compress.
"""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import msgspec

from durakv.directory import (
    APPEND_DIRECTORY,
    Directory,
    base_name,
    base_temporary,
    next_base_number,
    read_manifest,
    replace_base,
)
from durakv.errors import DirectoryError, Limit
from durakv.keyspace import database as keyspace
from durakv.keyspace.machine import Keyspace
from durakv.keyspace.store import slot_of
from durakv.keyspace.values import SLOT_COUNT
from durakv.options import Load, Options
from durakv.snapshot.writer import BaseWriter
from durakv.storage.posix import PosixFilesystem
from durakv_formats.column_kinds import KIND_STRING
from durakv_formats.columns import Column, encode_columns
from durakv_formats.snapshot import SnapshotHeader

VALUE_BYTES = 100
LOGGED_KEYS = 100
READS = 200


class LazyOpen(msgspec.Struct, frozen=True):
    """What ``measure`` found, all of it told by the process that opened the directory."""

    first_read_seconds: float
    """From the call of ``open`` to the value of a key; what that needs of the library is imported already."""
    import_seconds: float
    """What importing it takes on top, in the same process."""
    cold_p50_us: float
    cold_p99_us: float
    cold_max_us: float
    """Reads from then on, each of another slot, while the background loads the rest."""
    loaded_seconds: float
    """From the call of ``open`` until every slot was there."""


def key_of(number: int) -> bytes:
    """The key of that number."""
    return b"key:%012d" % number


def build(directory: Path, keys: int) -> int:
    """Make a directory whose base holds so many keys, with a short log behind it; return the size of the base.

    Raises Limit for fewer keys than the log has: they would leave most slots empty.
    """
    if keys < LOGGED_KEYS:
        raise Limit(f"{keys} keys do not make a base worth measuring; give at least {LOGGED_KEYS}")
    keyspace.open(directory).close()
    filesystem = PosixFilesystem(str(directory / APPEND_DIRECTORY))
    try:
        size = _write_base(filesystem, keys)
    finally:
        filesystem.close()
    with keyspace.open(directory, options=Options(load=Load.LAZY, rewrite_percentage=0)) as db:
        for number in range(0, keys, max(1, keys // LOGGED_KEYS)):
            db.set(key_of(number), b"%0*d" % (VALUE_BYTES, number))
    return size


def _write_base(filesystem: PosixFilesystem, keys: int) -> int:
    manifest = read_manifest(filesystem)
    if manifest is None or manifest.identity is None or manifest.base is not None:
        raise DirectoryError(f"{filesystem.describe()} is not a new directory; name another one")
    number = next_base_number(filesystem, manifest)
    slots: list[list[bytes]] = [[] for _ in range(SLOT_COUNT)]
    for key in map(key_of, range(keys)):
        slots[slot_of(key)].append(key)
    draw = random.Random(keys)
    writer = BaseWriter(
        filesystem,
        base_temporary(number),
        SnapshotHeader(manifest.identity, 0, number, SLOT_COUNT, Keyspace.content, 0),
    )
    try:
        for slot, of_slot in enumerate(slots):
            if of_slot:
                values = [draw.randbytes(VALUE_BYTES) for _ in of_slot]
                writer.block(slot, encode_columns([Column(0, KIND_STRING, of_slot, values)]), len(of_slot))
        size = writer.finish()
    except BaseException:
        writer.abort()
        raise
    filesystem.rename(base_temporary(number), base_name(number))
    filesystem.sync_directory()
    Directory(filesystem, manifest).swap(
        lambda before: replace_base(before, number, last=0, replaced=set()), synced_seq=0
    )
    return size


def measure(directory: Path, keys: int) -> LazyOpen:
    """Open what ``build`` made, in a process of its own; nothing in the directory is changed by it."""
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, str(directory), str(keys), str(READS)], check=True, capture_output=True
    )
    return msgspec.json.decode(done.stdout, type=LazyOpen)


_CHILD = """
import random, sys, time
clock = time.perf_counter
began = clock()
import durakv
from durakv.keyspace import database, deferred
from durakv.keyspace.store import slot_of
from durakv.snapshot import lazy, loading
imported = clock()
directory, keys, reads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
options = durakv.Options(load=durakv.Load.LAZY)
started = clock()
db = durakv.open(directory, create=False, options=options)
assert db.get(b"key:%012d" % (keys // 2)) is not None
first = clock()
draw = random.Random(keys)
taken, slots = [], set()
while len(taken) < reads:
    key = b"key:%012d" % draw.randrange(keys)
    slot = slot_of(key)
    if slot in slots:
        continue
    slots.add(slot)
    before = clock()
    value = db.get(key)
    taken.append(clock() - before)
    assert value is not None, key
while db.status().slots_to_load:
    time.sleep(0.001)
loaded = clock()
db.close()
taken.sort()
import msgspec
sys.stdout.buffer.write(msgspec.json.encode({
    "first_read_seconds": first - started,
    "import_seconds": imported - began,
    "cold_p50_us": 1e6 * taken[len(taken) // 2],
    "cold_p99_us": 1e6 * taken[len(taken) * 99 // 100],
    "cold_max_us": 1e6 * taken[-1],
    "loaded_seconds": loaded - started,
}))
"""
