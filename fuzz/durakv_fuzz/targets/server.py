"""A server of Redis's kind, started to be crashed: on a socket that nobody else finds; its client never retries.

The socket is in a directory of its own, for the server's may be a recorded disk and its path may be too long; both are
removed as soon as the one connection is made.  A directory whose maker was killed before that is removed by the next.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from durakv_formats.resp import encode_command
from durakv_fuzz.program.child import Tail, kill, spawn

START_SECONDS_MAX = 30.0
"""After so long a server that neither serves nor ends is given up; whoever cannot wait so long kills this process."""
REPLY_SECONDS_MAX = 30.0

_PLACE = "durakv-socket-"
_BULK_BYTES_MAX = 1 << 20
_POLL_SECONDS = 0.002
_HEAD = re.compile(r"^\d+:[A-Z] .{11,24} [-.*#] ")
"""Process and time before a line of its log: two refusals of the same kind are to read alike."""


class ServerFailed(Exception):
    """The server did not start, or did not do what it was asked to; the message is in its own words."""


class Server:
    """A server that serves; leaving the context kills it, as a power cut would."""

    def __init__(self, program: str, directory: Path, options: Sequence[str]) -> None:
        """Start it and wait until all is loaded; raises ``ServerFailed`` with its last words if it ends first."""
        place = _make_place()
        try:
            self._process = spawn(
                [*_arguments(program, place / "s", directory), *options],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
            assert self._process.stdout is not None, "asked for"
            self._told = Tail(self._process.stdout)
            try:
                self._socket = self._connect(place / "s")
            except BaseException:
                kill(self._process)
                raise
        except OSError as error:
            raise ServerFailed(f"{program}: {error}") from error
        finally:
            shutil.rmtree(place, ignore_errors=True)
        self._replies = self._socket.makefile("rb")
        try:
            self._wait_until_loaded()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """SIGKILL, and hang up."""
        kill(self._process)
        self._replies.close()
        self._socket.close()

    def ask(self, *command: bytes) -> bytes | None:
        """Send a command and wait for a reply that is one string or number; ``ServerFailed`` if it is an error."""
        try:
            self._socket.sendall(encode_command(command))
            return self._reply()
        except OSError as error:
            raise ServerFailed(self._why(f"the connection broke: {error.strerror or error}")) from error

    def ask_many(self, commands: Sequence[Sequence[bytes]]) -> list[bytes | None]:
        """Send commands at once, few enough for the buffers of a socket, and wait for all replies."""
        try:
            self._socket.sendall(b"".join(encode_command(command) for command in commands))
            return [self._reply() for _ in commands]
        except OSError as error:
            raise ServerFailed(self._why(f"the connection broke: {error.strerror or error}")) from error

    def keys(self) -> list[bytes]:
        """All keys."""
        self._socket.sendall(encode_command([b"KEYS", b"*"]))
        head = self._line()
        if not head.startswith(b"*"):
            raise ServerFailed(head.decode(errors="backslashreplace"))
        return [self._reply() or b"" for _ in range(int(head[1:]))]

    def _reply(self) -> bytes | None:
        head = self._line()
        if head.startswith((b"+", b":")):
            return head[1:]
        if not head.startswith(b"$"):
            raise ServerFailed(head.removeprefix(b"-").decode(errors="backslashreplace"))
        size = int(head[1:])
        if size < 0:
            return None
        if size > _BULK_BYTES_MAX:
            raise ServerFailed(f"a value of {size} bytes, where none is longer than {_BULK_BYTES_MAX}")
        data = self._replies.read(size + 2)
        if len(data) < size + 2:
            raise ServerFailed(self._why("it hung up within a reply"))
        return data[:-2]

    def _line(self) -> bytes:
        line = self._replies.readline(4096)
        if not line.endswith(b"\r\n"):
            raise ServerFailed(self._why("it hung up"))
        return line[:-2]

    def _connect(self, address: Path) -> socket.socket:
        deadline = time.monotonic() + START_SECONDS_MAX
        while self._process.poll() is None:
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                connection.connect(os.fspath(address))
            except OSError as error:
                connection.close()
                if time.monotonic() > deadline:
                    raise ServerFailed(f"after {START_SECONDS_MAX:g} seconds nobody listens: {error}") from error
                time.sleep(_POLL_SECONDS)
            else:
                connection.settimeout(REPLY_SECONDS_MAX)
                return connection
        raise ServerFailed(self._why("it ended"))

    def _wait_until_loaded(self) -> None:
        deadline = time.monotonic() + START_SECONDS_MAX
        while True:
            try:
                self.ask(b"PING")
            except ServerFailed as failure:
                if not str(failure).startswith("LOADING") or time.monotonic() > deadline:
                    raise
                time.sleep(_POLL_SECONDS)
            else:
                return

    def _why(self, otherwise: str) -> str:
        """Its last words if it ended, or is about to."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(1.0)
            return _HEAD.sub("", self._told.last_words()) or f"{otherwise}, with exit status {self._process.returncode}"
        return otherwise


def _arguments(program: str, address: Path, directory: Path) -> list[str]:
    return [
        *(program, "--port", "0", "--unixsocket", os.fspath(address), "--dir", os.fspath(directory)),
        *("--save", "", "--daemonize", "no", "--logfile", "", "--auto-aof-rewrite-percentage", "0"),
    ]


def _make_place() -> Path:
    root = Path(tempfile.gettempdir())
    for stale in root.glob(f"{_PLACE}*"):
        owner = stale.name.removeprefix(_PLACE).partition("-")[0]
        if owner.isdigit() and not Path("/proc", owner).exists():
            shutil.rmtree(stale, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{_PLACE}{os.getpid()}-", dir=root))
