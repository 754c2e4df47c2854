"""A redis-server under supervision, spoken to by a raw socket."""

from __future__ import annotations

import shutil
import socket
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from durakv_fuzz.injector import Ended, Run, Watch, start

PROGRAM = shutil.which("redis-server")
_PATIENCE_SECONDS = 15.0


class Gone(ConnectionError):
    """The server does not answer any more."""


@contextmanager
def redis_server(watch: Watch) -> Generator[tuple[Run, socket.socket | None]]:
    """Start it with ``appendfsync always``; no socket if it died before it listened."""
    # A socket's path must be short; and it is no file of the directory.
    with tempfile.TemporaryDirectory(prefix="r") as place:
        path = f"{place}/s"
        settings = {
            "port": "0",
            "unixsocket": path,
            "appendonly": "yes",
            "appendfsync": "always",
            "save": "",
            "dir": ".",
        }
        command = [
            PROGRAM or "redis-server",
            *(word for name, value in settings.items() for word in (f"--{name}", value)),
        ]
        with open(f"{place}/log", "wb") as log:
            with start(command, watch, cwd=watch.directory, stdout=log.fileno(), stderr=log.fileno()) as run:
                connection = _connect(run, path)
                try:
                    yield run, connection
                finally:
                    if connection is not None:
                        connection.close()


def _connect(run: Run, path: str) -> socket.socket | None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(_PATIENCE_SECONDS)
        with suppress(OSError):
            connection.connect(path)
            while ask(connection, "PING") != b"+PONG\r\n":  # it is loading
                time.sleep(0.001)
            return connection
        connection.close()
        with suppress(TimeoutError):
            run.wait(0.002)
            return None
    raise TimeoutError("redis-server does not listen")


def ask(connection: socket.socket, *words: str) -> bytes:
    """Send a command, return the reply's first line and what came with it.  Raises ``Gone``."""
    request = f"*{len(words)}\r\n" + "".join(f"${len(word)}\r\n{word}\r\n" for word in words)
    try:
        connection.sendall(request.encode())
        reply = connection.recv(4096)
    except ConnectionError as failure:
        raise Gone("the server is gone") from failure
    if not reply:
        raise Gone("the server is gone")
    return reply


def set_numbers(run: Run, connection: socket.socket | None, count: int) -> tuple[Ended, frozenset[int]]:
    """SET so many numbers, stop without saving; return those acknowledged."""
    acknowledged: set[int] = set()
    with suppress(Gone):
        if connection is not None:
            for number in range(count):
                if ask(connection, "SET", f"k{number}", f"v{number}") == b"+OK\r\n":
                    acknowledged.add(number)
            ask(connection, "SHUTDOWN", "NOSAVE")
    return run.wait(_PATIENCE_SECONDS), frozenset(acknowledged)


def numbers_in(directory: Path, count: int) -> frozenset[int] | None:
    """Those whose value is right after a new start; None if it does not start."""
    with redis_server(Watch(directory, calls=frozenset({"sync"}))) as (_, connection):
        if connection is None:
            return None
        with suppress(Gone):
            return frozenset(
                number
                for number in range(count)
                if ask(connection, "GET", f"k{number}") == f"${len(f'v{number}')}\r\nv{number}\r\n".encode()
            )
        return None
