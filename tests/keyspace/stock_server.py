"""A real redis-server in a scratch directory, and the plainest client for it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hiredis
import pytest

from durakv.machine import Command
from durakv_formats.resp import encode_command
from tests.newer_servers import REDIS_8

REQUIRED = "DURAKV_REQUIRE_REDIS"
NEWER_REDIS = "DURAKV_NEWER_REDIS"
"""Names another Redis 8 than that of the extra."""


class StockServer:
    """One connection to a running server."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.connect(os.fspath(directory / "socket"))
        except OSError:
            self._socket.close()
            raise
        self._reader: Any = hiredis.Reader()

    def run_all(self, commands: Iterable[Command]) -> list[Any]:
        """The replies to a pipeline of commands; an error is a ``hiredis.ReplyError`` among them."""
        replies: list[Any] = []
        for portion in _portions(commands, 200):
            self._socket.sendall(b"".join(map(encode_command, portion)))
            for _ in portion:
                replies.append(self._reply())
        return replies

    def run(self, *command: bytes) -> Any:
        """The reply to one command."""
        return self.run_all([command])[0]

    def _reply(self) -> Any:
        while True:
            reply = self._reader.gets()
            if reply is not False:
                return reply
            data = self._socket.recv(1 << 16)
            assert data, "the server closed the connection"
            self._reader.feed(data)

    def close(self) -> None:
        """Hang up."""
        self._socket.close()


def find_program(name: str) -> str | None:
    """A program of this machine.  Packages may have put a later server of the same name beside this Python."""
    own = os.path.join(sys.prefix, "bin")
    return shutil.which(name, path=os.pathsep.join(one for one in os.get_exec_path() if os.path.normpath(one) != own))


@contextmanager
def newer_server(directory: Path, *settings: str) -> Iterator[StockServer]:
    """A Redis that knows deadlines of fields: the one that is named, or that of the extra ``redis8``.

    Skips the test, visibly, where there is none, or fails it if there must be one.
    """
    binary = os.environ.get(NEWER_REDIS) or REDIS_8.binary()
    with stock_server(directory, *settings, binary=binary) as server:
        assert None not in server.run(b"COMMAND", b"INFO", b"HPEXPIRE", b"HSETEX"), f"{binary} is older than Redis 8"
        yield server


@contextmanager
def stock_server(directory: Path, *settings: str, binary: str = "redis-server") -> Iterator[StockServer]:
    """A server for the length of a test; skips it, visibly, where there is none."""
    found = find_program(binary)
    if found is None:
        if os.environ.get(REQUIRED):
            pytest.fail(f"no {binary} on this machine, and {REQUIRED} is set")
        pytest.skip(f"no {binary} on this machine: nothing is compared with it")
    process = subprocess.Popen(
        [
            *(found, "--port", "0", "--unixsocket", "socket", "--dir", os.fspath(directory)),
            *("--save", "", "--logfile", "server.log", *settings),
        ],
        cwd=directory,
    )
    try:
        server = _connect(directory, process)
        try:
            yield server
        finally:
            server.close()
    finally:
        process.terminate()
        process.wait()


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait up to five seconds for something to become true."""
    for _ in range(500):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it never came true")


def _connect(directory: Path, process: subprocess.Popen[bytes]) -> StockServer:
    server: StockServer | None = None
    for _ in range(500):
        try:
            server = server or StockServer(directory)
            if not str(server.run(b"PING")).startswith("LOADING"):
                return server
        except OSError:
            assert process.poll() is None, (directory / "server.log").read_text()
        time.sleep(0.01)
    raise AssertionError("the server does not answer: " + (directory / "server.log").read_text())


def _portions(commands: Iterable[Command], size: int) -> Iterator[list[Command]]:
    portion: list[Command] = []
    for command in commands:
        portion.append(command)
        if len(portion) == size:
            yield portion
            portion = []
    if portion:
        yield portion
