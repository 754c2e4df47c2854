"""The promise: a peer has the setting it is said to have, and what its acknowledgement is said to survive, it survives;
what is not here is left out with its reason.

Method: each setting is written to in a process of its own.  All of that, servers included, is killed right after the
last acknowledgement, and what was acknowledged is read back by the peer's own means.  Where an acknowledgement is said
to mean *synced*, the system calls in front of it are looked at.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from durakv.bench import peers
from durakv.bench.peers.servers import PROGRAMS, RunningServer
from durakv.bench.results import Promise
from durakv.bench.store import Setting
from durakv.client.redis_client import connected
from tests.bench.peer_writer import BATCHES, KEYS, PUTS, key
from tests.keyspace.stock_server import REQUIRED

SETTINGS = {
    "SQLite": (
        *("WAL, synchronous=FULL", "WAL, synchronous=NORMAL", "WAL, synchronous=OFF"),
        *("DELETE, synchronous=EXTRA", "DELETE, synchronous=FULL"),
    ),
    "LMDB": ("sync=True", "sync=False", "writemap=True, map_async=True"),
    "RocksDB": ("WAL, sync=true", "WAL, sync=false"),
    "LevelDB": ("sync=True", "sync=False"),
    "diskcache": ("default", "sqlite_synchronous=FULL"),
    "redis-server": ("appendfsync always", "appendfsync everysec", "appendfsync no"),
    "Valkey": ("appendfsync always", "appendfsync everysec", "appendfsync no"),
}
CASES = [(name, setting) for name, settings in SETTINGS.items() for setting in settings]
SYNCED = [
    *(("SQLite", "WAL, synchronous=FULL"), ("SQLite", "DELETE, synchronous=EXTRA"), ("LMDB", "sync=True")),
    *(("RocksDB", "WAL, sync=true"), ("LevelDB", "sync=True"), ("diskcache", "sqlite_synchronous=FULL")),
    *(("redis-server", "appendfsync always"), ("Valkey", "appendfsync always")),
]
MEMORY = Path("/dev/shm")
WRITTEN = [case for case in CASES if case not in SYNCED]
ALL = {key(number): key(number) * 2 for number in range(KEYS)}
SYNC = re.compile(r"(?:\b(?:fsync|fdatasync|msync)\(|<\.\.\. (?:fsync|fdatasync|msync) resumed>).*= 0$")
ACKNOWLEDGED = re.compile(r'write\(1, "(\d+) acknowledged')


@pytest.fixture
def scratch() -> Iterator[Path]:
    """A directory.  A kill leaves the page cache alone, so memory will do; a sync is asked for there as well."""
    memory = MEMORY if os.access(MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="durakv-peers-", dir=memory, ignore_cleanup_errors=True) as path:
        yield Path(path)


def of_peer(name: str) -> list[Setting]:
    """The peer's settings; skips the test, visibly, where it is not installed."""
    try:
        return peers.settings_of(name)
    except (ImportError, OSError) as error:
        if name == "redis-server" and os.environ.get(REQUIRED):
            pytest.fail(f"{error}, and {REQUIRED} is set")
        pytest.skip(f"{name} is not tried: {error}")


def setting_of(name: str, chosen: str) -> Setting:
    """One of them."""
    return next(setting for setting in of_peer(name) if setting.setting == chosen)


@contextmanager
def writer(name: str, setting: str, directory: Path, *tracer: str) -> Iterator[subprocess.Popen[bytes]]:
    """The writer, killed with everything that it started when the block ends."""
    directory.mkdir()
    process = subprocess.Popen(
        [*tracer, sys.executable, "-m", "tests.bench.peer_writer", name, setting, os.fspath(directory)],
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def wait_until_acknowledged(process: subprocess.Popen[bytes]) -> None:
    """Wait until every key is."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(b"%d " % KEYS):
            return
    raise AssertionError("the writer ended")


# --- what was acknowledged is there -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "setting"), WRITTEN, ids=lambda text: text)
def test_a_killed_process_takes_nothing_that_was_acknowledged(name: str, setting: str, scratch: Path) -> None:
    assert setting_of(name, setting).promise is Promise.PROCESS
    with writer(name, setting, scratch / "data") as process:
        wait_until_acknowledged(process)
        if setting == "appendfsync everysec":
            wait_until_written(scratch / "data")
    assert READERS[name](scratch / "data") == ALL


def wait_until_written(directory: Path) -> None:
    """A server holds back what it acknowledged while it syncs, which the setting's note says; wait for the file."""
    for _ in range(500):
        if sum(path.read_bytes().count(b"key-") for path in directory.glob("appendonlydir/*.aof")) == 3 * KEYS:
            return
        time.sleep(0.01)
    raise AssertionError("it never wrote what it acknowledged")


@pytest.mark.parametrize(("name", "setting"), SYNCED, ids=lambda text: text)
def test_what_survives_a_power_loss_was_synced_before_it_was_acknowledged(
    name: str, setting: str, scratch: Path
) -> None:
    assert setting_of(name, setting).promise is Promise.POWER
    trace = scratch / "trace"
    strace = ("strace", "-f", "--seccomp-bpf", "-e", "trace=write,fsync,fdatasync,msync", "-o", os.fspath(trace))
    tracer = strace if shutil.which("strace") else ()
    with writer(name, setting, scratch / "data", *tracer) as process:
        wait_until_acknowledged(process)
    assert READERS[name](scratch / "data") == ALL
    if not tracer:
        assert not os.environ.get(REQUIRED), f"no strace on this machine, and {REQUIRED} is set"
        pytest.skip("no strace on this machine: it was killed, but its system calls were not looked at")
    acknowledgements = synced = 0
    is_synced = False
    for line in trace.read_text(errors="replace").splitlines():
        if SYNC.search(line):
            is_synced = True
        elif (told := ACKNOWLEDGED.search(line)) is not None:
            acknowledgements += int(told[1]) > 0
            synced += int(told[1]) > 0 and is_synced
            is_synced = False
    assert acknowledgements == PUTS + BATCHES
    assert synced == acknowledgements, "acknowledged without a sync"


def test_every_setting_that_syncs_is_looked_at() -> None:
    said = {(name, one.setting) for name in peers.NAMES for one in installed(name) if one.promise is Promise.POWER}
    assert said <= set(SYNCED)
    assert {(name, one.setting) for name in peers.NAMES for one in installed(name)} <= set(CASES)


def installed(name: str) -> list[Setting]:
    try:
        return peers.settings_of(name)
    except (ImportError, OSError):
        return []


@pytest.mark.parametrize("name", SETTINGS)
def test_threads_write_at_the_same_time(name: str, scratch: Path) -> None:
    setting = of_peer(name)[1]
    store = setting.open(scratch)
    failures: list[BaseException] = []

    def write(first: int) -> None:
        try:
            session = store.session()
            for number in range(first, first + 20):
                session.put(key(number), key(number) * 2)
            session.close()
        except BaseException as failure:
            failures.append(failure)
            raise

    try:
        threads = [threading.Thread(target=write, args=(first,)) for first in range(0, 80, 20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        store.settle()
        counters = store.counters()
    finally:
        store.close()
    assert not failures
    assert (store.name, store.setting, store.promise) == (setting.name, setting.setting, setting.promise)
    assert counters.rss_bytes is None or counters.rss_bytes > 0
    assert counters.process_write_bytes is None or counters.process_write_bytes >= 0
    assert READERS[name](scratch) == {key(number): key(number) * 2 for number in range(80)}


# --- what is not here -------------------------------------------------------------------------------------------------


def python(program: str, *arguments: str) -> str:
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True)
    return done.stdout


def test_importing_the_peers_imports_none_of_them() -> None:
    names = "'lmdb', 'plyvel', 'rocksdict', 'diskcache', 'hiredis', 'sqlite3'"
    assert python(f"import sys, durakv.bench.peers; print([n for n in ({names}) if n in sys.modules])") == "[]\n"


def test_what_is_not_installed_or_does_not_work_is_missing_with_its_reason(tmp_path: Path) -> None:
    program = (
        "import os, pathlib, sys; sys.modules['plyvel'] = None; os.environ['PATH'] = '';"
        "from durakv.bench import peers; found, missing = peers.settings(pathlib.Path(sys.argv[1]));"
        "print({one.name for one in found}); print(*missing, sep='\\n')"
    )
    found, *missing = python(program, os.fspath(tmp_path)).splitlines()
    assert "SQLite" in found
    assert "LevelDB" not in found
    reasons = {line.split("'")[1]: line for line in missing}
    assert "plyvel" in reasons["LevelDB"]
    assert "no redis-benchmark or valkey-benchmark" in reasons["redis-benchmark"]
    assert not list(tmp_path.iterdir()), "a trial left something behind"


# --- reading back -----------------------------------------------------------------------------------------------------


def sqlite_pairs(directory: Path) -> dict[bytes, bytes]:
    connection = sqlite3.connect(directory / "pairs.sqlite")
    try:
        return dict(connection.execute("SELECT key, value FROM pairs"))
    finally:
        connection.close()


def lmdb_pairs(directory: Path) -> dict[bytes, bytes]:
    import lmdb

    with lmdb.open(os.fspath(directory), map_size=1 << 30) as environment, environment.begin() as transaction:
        return {bytes(key): bytes(value) for key, value in transaction.cursor()}


def rocksdb_pairs(directory: Path) -> dict[bytes, bytes]:
    from rocksdict import Options, Rdict

    db = Rdict(os.fspath(directory), Options(raw_mode=True))
    try:
        pairs: Any = db.items()
        return dict(pairs)
    finally:
        db.close()


def leveldb_pairs(directory: Path) -> dict[bytes, bytes]:
    import plyvel

    db = plyvel.DB(os.fspath(directory))
    try:
        return dict(db.iterator())
    finally:
        db.close()


def diskcache_pairs(directory: Path) -> dict[bytes, bytes]:
    import diskcache

    with diskcache.Cache(os.fspath(directory)) as cache:
        return {key: cache[key] for key in cache}


def server_pairs(name: str, directory: Path) -> dict[bytes, bytes]:
    path = next(program for program in PROGRAMS if program.name == name).find()
    assert path is not None
    server = RunningServer(path, directory, "no")
    try:
        with connected(server.url, 10) as client:
            keys = client.run(b"KEYS", b"*")
            return dict(zip(keys, client.run(b"MGET", *keys), strict=True))
    finally:
        server.close()


READERS: dict[str, Callable[[Path], dict[bytes, bytes]]] = {
    "SQLite": sqlite_pairs,
    "LMDB": lmdb_pairs,
    "RocksDB": rocksdb_pairs,
    "LevelDB": leveldb_pairs,
    "diskcache": diskcache_pairs,
    "redis-server": lambda directory: server_pairs("redis-server", directory),
    "Valkey": lambda directory: server_pairs("Valkey", directory),
}
