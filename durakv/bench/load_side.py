"""Reading a data set back, and writing it out whole, beside redis-server on the same data.

    log replay      a log of one SET a frame, and one of batches, against a server's append-only file of the same SETs
    base load       a base of ours, against a server's RDB file
    save            the live state written out as a durable base, against SAVE with and without compression

Every contestant is a fresh process whose files are in the page cache.  What counts is the time that each says it took,
without its start: ``RecoveryReport.seconds`` here, the line of its log there.  They take turns, the order turns too,
and a ratio is the median of the ratios of the rounds.
"""

from __future__ import annotations

import random
import shutil
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path

import msgspec

from durakv.bench.results import Verdict
from durakv.bench.stock_loader import StockLoader
from durakv.clock import SystemClock
from durakv.directory import MANIFEST_NAME, base_name, base_temporary, empty_manifest, replace_base
from durakv.durability import Durability, FsyncPolicy
from durakv.engine import Engine
from durakv.image import ImageWriter, freeze
from durakv.keyspace import Keyspace
from durakv.options import Options
from durakv.recovery import Recovered, recover
from durakv.storage.posix import PosixFilesystem
from durakv_formats.manifest import encode_manifest
from durakv_formats.resp import encode_command
from durakv_formats.snapshot import SnapshotHeader

Command = tuple[bytes, bytes, bytes]

BATCH_COMMANDS = 64
"""How many commands a batch of the second log holds."""

LOG, BATCHES, BASE, SAVE = "replay, a SET a frame", f"replay, {BATCH_COMMANDS} SETs a frame", "base load", "save"
SERVER_LOG, SERVER_BASE = "server: AOF load", "server: RDB load"
SERVER_SAVE, SERVER_SAVE_PLAIN = "server: SAVE", "server: SAVE, uncompressed"

TARGETS = (
    ("log replay / AOF load", LOG, SERVER_LOG, 1.5),
    ("log replay of batches / AOF load", BATCHES, SERVER_LOG, 1.5),
    ("base load / RDB load", BASE, SERVER_BASE, 2.5),
    ("save / SAVE with compression", SAVE, SERVER_SAVE, 4.0),
    ("save / SAVE without compression", SAVE, SERVER_SAVE_PLAIN, 2.0),
)
"""Each with the contestant that is ours, the one it is compared with, and how many times as fast it has to be."""

_APPENDONLYDIR = "appendonlydir"
_IDENTITY = bytes(range(16))
_WRITE_COMMANDS = 10_000


class Sample(msgspec.Struct, frozen=True):
    """One contestant in one round."""

    seconds: float
    keys: int
    file_bytes: int


def data_set(keys: int) -> Iterator[Command]:
    """SETs of so many keys of 16 bytes, with records of 100 bytes of which half says nothing."""
    draw = random.Random(7)
    for number in range(keys):
        token = draw.randbytes(25).hex().encode()
        yield b"SET", b"key:%012d" % number, b'{"user":%013d,"state":"active","token":"%b"}' % (number, token)


class LoadSide:
    """The data set in every form, made once in a folder, and the contestants on it."""

    def __init__(self, folder: Path, keys: int, *, server: str | None = "redis-server") -> None:
        self._folder = folder
        self.keys = keys
        self._server = server
        folder.mkdir(parents=True, exist_ok=True)

    def contestants(self, *, log: bool = True, base: bool = True) -> dict[str, Callable[[], Sample]]:
        """What can be measured, by name; making its files is part of this call."""
        runs: dict[str, Callable[[], Sample]] = {}
        if log:
            _write_log(self._folder / "log", self.keys, 1)
            _write_log(self._folder / "batches", self.keys, BATCH_COMMANDS)
            runs[LOG] = partial(_in_child, "load", self._folder / "log")
            runs[BATCHES] = partial(_in_child, "load", self._folder / "batches")
        if base:
            write_base(self._folder / "base", _filled(self.keys))
            runs[BASE] = partial(_in_child, "load", self._folder / "base")
            runs[SAVE] = partial(_in_child, "save", self._folder / "base")
        if self._server is None:
            return runs
        aof, rdb = self._folder / "server-aof", self._folder / "server-rdb"
        _write_server_log(aof, self.keys)
        if log:
            runs[SERVER_LOG] = partial(self._server_load, aof, appendonly=True)
        if base:
            rdb.mkdir()
            with StockLoader(self._server, aof, appendonly=True) as server:
                server.loaded_seconds()
                server.save_seconds(compressed=True)
            shutil.move(aof / "dump.rdb", rdb / "dump.rdb")
            runs[SERVER_BASE] = partial(self._server_load, rdb, appendonly=False)
            runs[SERVER_SAVE] = partial(self._server_save, rdb, compressed=True)
            runs[SERVER_SAVE_PLAIN] = partial(self._server_save, rdb, compressed=False)
        return runs

    def _server_load(self, folder: Path, *, appendonly: bool) -> Sample:
        assert self._server is not None
        with StockLoader(self._server, folder, appendonly=appendonly) as server:
            return Sample(server.loaded_seconds(), self.keys, _size_bytes(folder))

    def _server_save(self, folder: Path, *, compressed: bool) -> Sample:
        assert self._server is not None
        scratch = folder.with_name("server-save")
        scratch.mkdir()
        (scratch / "dump.rdb").hardlink_to(folder / "dump.rdb")  # SAVE replaces the name and leaves the file
        try:
            with StockLoader(self._server, scratch, appendonly=False) as server:
                server.loaded_seconds()
                return Sample(server.save_seconds(compressed=compressed), self.keys, _size_bytes(scratch))
        finally:
            shutil.rmtree(scratch)


def take_turns(runs: dict[str, Callable[[], Sample]], rounds: int) -> dict[str, list[Sample]]:
    """Every contestant once a round; each round begins with another one."""
    taken: dict[str, list[Sample]] = {name: [] for name in runs}
    names = [*runs]
    for number in range(rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            taken[name].append(runs[name]())
    return taken


def verdicts(taken: dict[str, list[Sample]], *, keys: int) -> list[Verdict]:
    """The targets whose contestants were both measured."""
    found: list[Verdict] = []
    for name, ours, other, wanted in TARGETS:
        if ours in taken and other in taken:
            ratios = [theirs.seconds / mine.seconds for mine, theirs in zip(taken[ours], taken[other], strict=True)]
            measured = statistics.median(ratios)
            found.append(Verdict(f"{name}, {keys:,} keys", measured, wanted, at_least=True, against="redis-server"))
    return found


# --- making the files -------------------------------------------------------------------------------------------------


def _write_log(directory: Path, keys: int, batch: int) -> None:
    options = Options(fsync=FsyncPolicy.NO, rewrite_percentage=0, rewrite_segments_max=0)
    commands = data_set(keys)
    with Engine(directory, Keyspace(), options=options) as engine:
        while some := [*islice(commands, batch)]:
            engine.apply(some, Durability.APPLIED)


def _write_server_log(folder: Path, keys: int) -> None:
    directory = folder / _APPENDONLYDIR
    directory.mkdir(parents=True)
    (directory / MANIFEST_NAME).write_text("file appendonly.aof.1.incr.aof seq 1 type i\n")
    commands = map(encode_command, data_set(keys))
    with (directory / "appendonly.aof.1.incr.aof").open("wb") as file:
        while some := b"".join(islice(commands, _WRITE_COMMANDS)):
            file.write(some)


def write_base(directory: Path, keyspace: Keyspace) -> float:
    """Write the state out as a base that is durable, as a rewrite from the live state does; the seconds it took.

    Nobody writes meanwhile, as nobody can while a server does its SAVE.
    """
    (directory / _APPENDONLYDIR).mkdir(parents=True, exist_ok=True)
    filesystem = PosixFilesystem(directory / _APPENDONLYDIR)
    started = time.perf_counter()
    image = freeze(keyspace)
    header = SnapshotHeader(_IDENTITY, 1, 1, image.slot_count, image.content, 0)
    writer = ImageWriter(filesystem, base_temporary(1), header, image, busy=lambda: False)
    lock = threading.Lock()
    while writer.step(lock) is None:
        pass
    filesystem.rename(base_temporary(1), base_name(1))
    filesystem.sync_directory()
    seconds = time.perf_counter() - started
    manifest = replace_base(empty_manifest(_IDENTITY), 1, last=1, replaced=set())
    (directory / _APPENDONLYDIR / MANIFEST_NAME).write_bytes(encode_manifest(manifest))
    return seconds


def _filled(keys: int) -> Keyspace:
    keyspace = Keyspace()
    _apply_all(keyspace, data_set(keys))
    return keyspace


def _apply_all(keyspace: Keyspace, commands: Iterable[Command]) -> None:
    for command in commands:
        keyspace.apply(command)


def _size_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and path.suffix != ".log")


# --- in a process of its own ------------------------------------------------------------------------------------------


def _in_child(what: str, directory: Path) -> Sample:
    command = [sys.executable, "-m", "durakv.bench.load_side", what, str(directory)]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    return msgspec.json.decode(output, type=Sample)


def _recovered(directory: Path) -> tuple[Keyspace, Recovered]:
    keyspace = Keyspace()
    filesystem = PosixFilesystem(directory / _APPENDONLYDIR)
    return keyspace, recover(filesystem, keyspace, clock=SystemClock(), entropy=bytes)


def main(arguments: list[str]) -> None:
    """Load, or save what was loaded, and tell how long that took."""
    what, directory = arguments
    keyspace, found = _recovered(Path(directory))
    keys = len(keyspace.store(0))
    seconds = found.report.seconds
    if what == "save":
        scratch = Path(directory).with_name("saved")
        try:
            seconds = write_base(scratch, keyspace)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    sample = Sample(seconds, keys, found.report.bytes)
    sys.stdout.buffer.write(msgspec.json.encode(sample))


if __name__ == "__main__":
    main(sys.argv[1:])
