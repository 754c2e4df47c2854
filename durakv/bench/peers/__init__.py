"""What durakv is measured beside: other stores that a Python service would use, each as its users set it.

    sqlite, lmdb, rocksdb, leveldb, diskcache    stores in our own process
    servers, server_store                        redis-server and Valkey, started for the measurement, ended with it
    live                                         a server that runs already, by its address
    redis_benchmark                              the servers' own load generator, where Python would be in the way

Importing this imports none of them.  What is not installed, or does not work where it is measured, is ``Missing``, with
the reason.  What a setting promises stands in its module, in the words of the peer's own documentation.
"""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Iterable
from pathlib import Path

from durakv.bench.peers import redis_benchmark
from durakv.bench.peers.redis_benchmark import External, ExternalSetting
from durakv.bench.peers.servers import PROGRAMS
from durakv.bench.store import Missing, Setting

__all__ = ["NAMES", "External", "ExternalSetting", "against", "external", "settings", "settings_of"]

_EMBEDDED = {
    "SQLite": "sqlite",
    "LMDB": "lmdb",
    "RocksDB": "rocksdb",
    "LevelDB": "leveldb",
    "diskcache": "diskcache",
}
"""Names and modules."""
NAMES = (*_EMBEDDED, *(program.name for program in PROGRAMS))
_VALUE_BYTES = (100,)


def settings(directory: Path) -> tuple[list[Setting], list[Missing]]:
    """Every peer with each of its settings, and those that cannot be measured in this directory.

    One setting of each peer is tried: opened below the directory, written to and closed.
    """
    found: list[Setting] = []
    missing: list[Missing] = []
    for name in NAMES:
        try:
            of_peer = settings_of(name)
            _try(of_peer[0], directory)
        except Exception as error:  # noqa: BLE001 - whatever a peer raises, the others are measured
            missing.append(Missing(name, " ".join(f"{error or type(error).__name__}".split())))
        else:
            found += of_peer
    if redis_benchmark.find() is None:
        missing.append(Missing(redis_benchmark.NAME, f"no {' or '.join(redis_benchmark.PROGRAMS)} on this machine"))
    return found, missing


def external(directory: Path, value_bytes: Iterable[int] = _VALUE_BYTES) -> list[ExternalSetting]:
    """Every server here under the loads of its own load generator; what is missing, ``settings`` has told."""
    tool = redis_benchmark.find()
    if tool is None:
        return []
    sizes = tuple(value_bytes)
    here = ((program, program.find()) for program in PROGRAMS)
    return [
        setting
        for program, path in here
        if path is not None
        for setting in redis_benchmark.settings(tool, program, path, directory, sizes)
    ]


def against(url: str) -> list[Setting]:
    """A server that runs already, with the setting that it has.

    Only keys that begin with ``durakv-bench:`` are written, and all such are removed when its store is closed.  Raises
    BadUrl if this is no address, and ServerError if the server cannot be reached, wants a password that was not given,
    or takes no writes.
    """
    from durakv.bench.peers import live

    return live.against(url)


def settings_of(name: str) -> list[Setting]:
    """One peer with each of its settings.  Raises ImportError or OSError if it is not on this machine."""
    if name in _EMBEDDED:
        of_peer: list[Setting] = importlib.import_module(f"{__name__}.{_EMBEDDED[name]}").settings()
        return of_peer
    from durakv.bench.peers import server_store

    program = next(program for program in PROGRAMS if program.name == name)
    path = program.find()
    if path is None:
        packages = " or ".join(package for package, _ in program.packaged)
        raise FileNotFoundError(f"no {program.command} on this machine, nor in an installed package such as {packages}")
    return server_store.settings(program, path)


def _try(setting: Setting, directory: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="trial-", dir=directory) as place:
        store = setting.open(Path(place))
        try:
            session = store.session()
            session.put(b"key", b"value")
            session.close()
        finally:
            store.close()
