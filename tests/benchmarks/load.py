"""How long it takes to take over a server's data: a mixed RDB file, read, imported and opened, beside redis-server.

    python tests/benchmarks/load.py [--keys 1000000] [--rounds 3] [--directory DIR]

A fifth of the keys each are strings, hashes, lists, sets and sorted sets of some ten elements.  The file is written by
redis-server itself, in its compact encodings, so that server has to be there.  Every contestant is a process of its
own; they take turns, and seconds and megabytes are medians over the rounds.  The time is that of the whole process but
for redis-server, which says itself how long it loaded.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from durakv_formats.rdb import Entry, Kind, RdbWriter, Target

_LOADED = re.compile(r"DB loaded from disk: ([0-9.]+) seconds")
_READ = "import sys; from durakv_formats.rdb import read_rdb; [0 for _ in read_rdb(open(sys.argv[1], 'rb').read)]"
_OPEN = "import sys, durakv; durakv.open(sys.argv[1], create=False).close()"
_REWRITE = "import sys, durakv; db = durakv.open(sys.argv[1]); db.rewrite(); db.close()"


def mixed(keys: int, path: Path) -> None:
    """Write an RDB file with so many keys of five types."""
    writer = RdbWriter(Target.ANY)
    with path.open("wb") as file:
        file.write(writer.begin())
        for number in range(keys):
            file.write(writer.entry(_entry(number)))
        file.write(writer.end())


def _entry(number: int) -> Entry:
    key = b"key:%08d" % number
    kind = (Kind.STRING, Kind.HASH, Kind.LIST, Kind.SET, Kind.ZSET)[number % 5]
    words = [b"element:%d" % (number + index) for index in range(10)]
    if kind is Kind.STRING:
        return Entry(0, key, kind, b"".join(words), None, 0)
    if kind is Kind.HASH:
        fields: list[tuple[bytes, bytes, int | None]] = [
            (b"%d" % index, word, None) for index, word in enumerate(words)
        ]
        return Entry(0, key, kind, fields, None, 0)
    if kind is Kind.ZSET:
        return Entry(0, key, kind, [(word, float(index)) for index, word in enumerate(words)], None, 0)
    return Entry(0, key, kind, words, None, 0)


class Server:
    """redis-server on a folder, for long enough to load or save."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        (folder / "server.log").unlink(missing_ok=True)
        arguments = ("--port", "0", "--unixsocket", "socket", "--save", "", "--logfile", "server.log")
        self._process = subprocess.Popen(["redis-server", *arguments], cwd=folder)

    def loaded_seconds(self) -> float:
        """How long it took, by its own word."""
        while True:
            found = _LOADED.search((self._folder / "server.log").read_text()) if self._is_up() else None
            if found is not None:
                return float(found[1])
            assert self._process.poll() is None, (self._folder / "server.log").read_text()
            time.sleep(0.02)

    def peak_megabytes(self) -> float:
        """The most memory it ever had."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(re.findall(r"VmHWM:\s+([0-9]+)", status)[0]) / 1024

    def save(self) -> None:
        """Have it write its own file."""
        subprocess.run(["redis-cli", "-s", "socket", "SAVE"], cwd=self._folder, check=True, stdout=subprocess.DEVNULL)

    def stop(self) -> None:
        """End it, without saving."""
        self._process.terminate()
        self._process.wait()

    def _is_up(self) -> bool:
        return (self._folder / "server.log").exists()


def timed(*command: object) -> tuple[float, float]:
    """Seconds and peak megabytes of a process."""
    started = time.perf_counter()
    process = subprocess.Popen([*map(str, command)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, code, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(code)
    assert process.returncode == 0, command
    return time.perf_counter() - started, usage.ru_maxrss / 1024


def by_server(folder: Path) -> tuple[float, float]:
    """What redis-server takes to load its own file."""
    server = Server(folder)
    try:
        return server.loaded_seconds(), server.peak_megabytes()
    finally:
        server.stop()


def stock_directory(place: Path, dump: Path) -> None:
    """A server's append-only directory whose base is this file."""
    directory = place / "appendonlydir"
    directory.mkdir(parents=True)
    shutil.copyfile(dump, directory / "appendonly.aof.1.base.rdb")
    (directory / "appendonly.aof.1.incr.aof").touch()
    (directory / "appendonly.aof.manifest").write_text(
        "file appendonly.aof.1.base.rdb seq 1 type b\nfile appendonly.aof.1.incr.aof seq 1 type i\n"
    )


def measure(place: Path, keys: int, rounds: int) -> None:
    """Let the contestants take turns, and print what they took."""
    server, imported, stock = place / "server", place / "imported", place / "stock"
    server.mkdir()
    dump = server / "dump.rdb"
    mixed(keys, dump)
    running = Server(server)
    running.loaded_seconds()
    running.save()
    running.stop()
    stock_directory(stock, dump)
    ours = place / "ours"
    stock_directory(ours, dump)
    timed(sys.executable, "-c", _REWRITE, ours)
    print(f"{keys} keys, {dump.stat().st_size / 1e6:.1f} MB as redis-server writes them")

    def fresh_import() -> tuple[float, float]:
        shutil.rmtree(imported, ignore_errors=True)
        return timed(sys.executable, "-m", "durakv.cli", "import", imported, dump)

    def fresh_open() -> tuple[float, float]:
        shutil.rmtree(stock)
        stock_directory(stock, dump)
        return timed(sys.executable, "-c", _OPEN, stock)

    contestants: dict[str, Callable[[], tuple[float, float]]] = {
        "redis-server loads its dump.rdb": lambda: by_server(server),
        "read_rdb goes through it": lambda: timed(sys.executable, "-c", _READ, dump),
        "durakv.open of a stock directory": fresh_open,
        "durakv.open of a base of ours": lambda: timed(sys.executable, "-c", _OPEN, ours),
        "durakv import into a new directory": fresh_import,
    }
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, run in contestants.items():
            taken[name].append(run())
    first = statistics.median(seconds for seconds, _ in taken["redis-server loads its dump.rdb"])
    print(f"{'contestant':38}{'median s':>10}{'min':>8}{'max':>8}{'/ server':>10}{'peak MB':>10}")
    for name, results in taken.items():
        seconds = [result[0] for result in results]
        median, megabytes = statistics.median(seconds), statistics.median(result[1] for result in results)
        # A server says milliseconds of its load, so of a small one it may say none.
        ratio = f"{median / first:10.2f}" if first else f"{'-':>10}"
        row = f"{median:10.2f}{min(seconds):8.2f}{max(seconds):8.2f}{ratio}{megabytes:10.0f}"
        print(f"{name:38}{row}")


def main() -> None:
    """Print what was asked and what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--directory", help="where to write; by default the folder for temporary files")
    options = parser.parse_args()
    told = subprocess.run(["redis-server", "--version"], check=True, capture_output=True, text=True).stdout
    version = told.split()[2]
    print("command:", " ".join([Path(sys.executable).name, *sys.argv]))
    print(f"redis-server {version}  python {platform.python_version()}  {platform.platform()}")
    with tempfile.TemporaryDirectory(dir=options.directory) as place:
        print(f"disk: {options.directory or tempfile.gettempdir()}")
        measure(Path(place), options.keys, options.rounds)


if __name__ == "__main__":
    main()
