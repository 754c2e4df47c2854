"""A redis-server, or a Valkey, that is started to be crashed, and the plainest writer for it.

    write n    SET key:n <n, a hundred bytes long>

Writes are made one after the other over a Unix socket, each when the one before is acknowledged.  So what a crash
left is told by the number of keys.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import tempfile
import time
from array import array
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from durakv.bench.loss_recording import VALUE_BYTES
from durakv.bench.loss_servers import Server
from durakv_formats.resp import encode_command

START_SECONDS_MAX = 15.0
AOF_DIRECTORY = "appendonlydir"

_LOG = "server.log"
_OK = b"+OK\r\n"


class ServerError(RuntimeError):
    """The server did not do what it was started for; the message says what it was."""


class RunningServer:
    """A server in a directory of its own; leaving the context kills it."""

    def __init__(self, server: Server, directory: Path, policy: str, *, under: Sequence[str] = ()) -> None:
        """Start it, below another program if one is named, and wait until it serves; ServerError if it does not."""
        self.directory = directory
        self._name = server.name
        # The path of a socket must be short, and that of the directory need not be.
        self._place = tempfile.TemporaryDirectory(prefix="durakv-")
        address = os.path.join(self._place.name, "socket")
        arguments = [
            *(server.program, "--port", "0", "--unixsocket", address, "--dir", os.fspath(directory)),
            *("--save", "", "--appendonly", "yes", "--appendfsync", policy, "--auto-aof-rewrite-percentage", "0"),
            *("--logfile", _LOG),
        ]
        try:
            self._process = subprocess.Popen(
                [*under, *arguments],
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                start_new_session=True,  # so that what it runs under and the server can be killed as one
            )
        except OSError as error:
            self._place.cleanup()
            raise ServerError(f"{self._name} does not start: {error}") from error
        self._hang_up = contextlib.ExitStack()
        try:
            self._socket = self._hang_up.enter_context(self._connect(address))
            self._replies = self._hang_up.enter_context(self._socket.makefile("rb"))
            self._wait_until_loaded()
        except BaseException:
            self.kill()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.kill()

    def kill(self) -> None:
        """SIGKILL, hang up, and wait for its end."""
        self.kill_now()
        self._hang_up.close()
        self._process.communicate()
        self._place.cleanup()

    def kill_now(self) -> None:
        """SIGKILL; the connection is left to be read to its end."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def shut_down(self) -> None:
        """Have it end by itself, with whatever it runs under."""
        self._socket.sendall(encode_command([b"SHUTDOWN", b"NOSAVE"]))
        try:
            self._process.wait(START_SECONDS_MAX)
        except subprocess.TimeoutExpired as error:
            raise ServerError(f"{self._name} did not end when it was asked to: {self._complaint()}") from error

    def write(
        self, acknowledged: array[int], *, now: Callable[[], int], seconds: float, rate: float | None = None
    ) -> None:
        """Write for so long, or until the server dies; note when each write was acknowledged, in the order of them.

        With a ``rate`` a write is due so often in a second, and made at once when it is late.
        """
        send, reply = self._socket.sendall, self._replies.readline
        begin = time.monotonic()
        due, end = begin, begin + seconds
        while due < end and (started := time.monotonic()) < end:
            if rate is not None and started < due:
                time.sleep(due - started)
            number = len(acknowledged) + 1
            try:
                send(encode_command([b"SET", b"key:%d" % number, b"%0*d" % (VALUE_BYTES, number)]))
                answer = reply()
            except OSError:
                return  # it died
            if not answer:
                return
            if answer != _OK:
                raise ServerError(f"{self._name} refused a write: {answer.decode(errors='replace').strip()}")
            acknowledged.append(now())
            due = begin + len(acknowledged) / rate if rate is not None else started

    def survived(self) -> tuple[int, str]:
        """How many writes are there, and what is wrong with them: they must be the first ones, the last whole."""
        size = self._ask(b"DBSIZE")
        if not size.startswith(b":"):
            raise ServerError(f"{self._name} does not say how many keys it has: {size.decode(errors='replace')}")
        count = int(size[1:])
        if count == 0:
            return 0, ""
        self._socket.sendall(encode_command([b"GET", b"key:%d" % count]))
        head = self._replies.readline()
        value = self._replies.read(VALUE_BYTES + 2)[:-2] if head.startswith(b"$1") else head
        whole = value == b"%0*d" % (VALUE_BYTES, count)
        return count, "" if whole else f"there are {count} keys, but the last is not that of write {count}"

    def _ask(self, *command: bytes) -> bytes:
        self._socket.sendall(encode_command(command))
        return self._replies.readline().strip()

    def _connect(self, address: str) -> socket.socket:
        deadline = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < deadline:
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                connection.connect(address)
            except OSError:
                connection.close()
                if self._process.poll() is not None:
                    break
                time.sleep(0.005)
            else:
                connection.settimeout(START_SECONDS_MAX)
                return connection
        raise ServerError(f"{self._name} does not start: {self._complaint()}")

    def _wait_until_loaded(self) -> None:
        deadline = time.monotonic() + START_SECONDS_MAX
        answer = b""
        while time.monotonic() < deadline:
            try:
                answer = self._ask(b"PING")
            except OSError:
                answer = b""
            if answer == b"+PONG":
                return
            if not answer:
                break  # it hung up: it could not load its files
            time.sleep(0.005)
        raise ServerError(f"{self._name} does not serve: {answer.decode(errors='replace') or self._complaint()}")

    def _complaint(self) -> str:
        """The last line of its log, or what it said before it had one."""
        log = self.directory / _LOG
        lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
        if not lines and self._process.poll() is not None and self._process.stderr is not None:
            lines = self._process.stderr.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"
