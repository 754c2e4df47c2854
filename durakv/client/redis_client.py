"""The plainest client of a running server: commands out, replies in, and nothing waits for ever.

Every failure is a ``ServerError`` that names the server and what to do, and never a password, not even if a server
or proxy repeats it in an error.
"""

from __future__ import annotations

import socket
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import Any, TypeAlias

from durakv.client.errors import ServerError
from durakv.client.redis_url import ServerUrl
from durakv.machine import Command
from durakv_formats.resp import encode_command

TIMEOUT_SECONDS = 60.0
_READ_BYTES = 256 << 10
_LINE_BYTES_MAX = 64 << 10
_BULK_BYTES_MAX = 4 << 30
_DEPTH_MAX = 8

Reply: TypeAlias = Any
"""``bytes``, ``int``, ``None``, a list of these, or a ``Refusal``."""


class Refusal:
    """A server's word that it did not run a command."""

    __slots__ = ("message",)

    def __init__(self, message: str) -> None:
        self.message = message

    def __repr__(self) -> str:
        return f"Refusal({self.message!r})"


class RedisClient:
    """One connection."""

    def __init__(self, url: ServerUrl, connection: socket.socket) -> None:
        self._url = url
        self._socket = connection
        self._buffer = bytearray()

    # --- commands and replies -------------------------------------------------------------------------------------

    def run(self, *command: bytes) -> Reply:
        """The reply to one command."""
        return self.run_all([command])[0]

    def run_all(self, commands: Iterable[Command]) -> list[Reply]:
        """The replies to commands that are sent together; how many bytes they are is the caller's care."""
        return [self._reply() for _ in range(self.send(*commands))]

    def send(self, *commands: Command) -> int:
        """Send commands whose replies are read otherwise, or later; how many there are."""
        self._send(b"".join(map(encode_command, commands)))
        return len(commands)

    def failure(self, what: str) -> ServerError:
        """What ends the work with this server."""
        return ServerError(f"{self._url.name}: {self._hidden(what)}")

    def _reply(self, depth: int = 0) -> Reply:
        line = self.line()
        kind, rest = line[:1], line[1:]
        if kind == b"+":
            return rest
        if kind == b"-":
            return Refusal(self._hidden(rest.decode(errors="backslashreplace")))
        if kind not in (b":", b"$", b"*") or not rest.removeprefix(b"-").isdigit():
            raise self.failure(f"it does not speak the protocol of Redis: a reply begins with {line[:16]!r}")
        number = int(rest)
        if kind == b":":
            return number
        if number < 0:
            return None
        if kind == b"*" and depth < _DEPTH_MAX:
            return [self._reply(depth + 1) for _ in range(number)]
        if kind == b"*" or number > _BULK_BYTES_MAX:
            raise self.failure("a reply is larger or deeper than any that was asked for")
        return self._exactly(number + 2)[:-2]

    # --- bytes ----------------------------------------------------------------------------------------------------

    def line(self) -> bytes:
        """The next line, without its end."""
        searched = 0
        while (end := self._buffer.find(b"\n", searched)) < 0:
            searched = len(self._buffer)
            if searched > _LINE_BYTES_MAX:
                raise self.failure("it does not speak the protocol of Redis: a line has no end")
            self._buffer += self._receive()
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line.removesuffix(b"\r")

    def some(self) -> bytes:
        """The next bytes, as many as there are at once."""
        if self._buffer:
            data = bytes(self._buffer)
            self._buffer.clear()
            return data
        return self._receive()

    def _exactly(self, size: int) -> bytes:
        while len(self._buffer) < size:
            self._buffer += self._receive()
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data

    def _receive(self) -> bytes:
        try:
            data = self._socket.recv(_READ_BYTES)
        except OSError as error:
            raise self._broken(error) from error
        if not data:
            raise self.failure("it closed the connection in the middle; its log says why")
        return data

    def _send(self, data: bytes) -> None:
        left = memoryview(data)
        try:
            while left:
                left = left[self._socket.send(left) :]  # each piece has its own time, however many there are
        except OSError as error:
            raise self._broken(error) from error

    def _broken(self, error: OSError) -> ServerError:
        if isinstance(error, TimeoutError):
            return self.failure(
                f"it said nothing for {self._socket.gettimeout():g} seconds; is it busy? a longer timeout waits for it"
            )
        if isinstance(error, ConnectionResetError | BrokenPipeError):
            return self.failure("it closed the connection")  # with something of ours unread
        return self.failure(f"the connection broke: {error.strerror or error}")

    def _hidden(self, text: str) -> str:
        password = self._url.password
        return text.replace(password, "(password)") if password else text


@contextmanager
def connected(url: ServerUrl, timeout: float) -> Generator[RedisClient]:
    """A connection to a server that is ready and knows who we are, for the length of the block."""
    with connect(url, timeout) as connection:
        yield RedisClient(url, connection)


def connect(url: ServerUrl, timeout: float) -> socket.socket:
    """A connection to a server that is ready and knows who we are; every reply so far was read."""
    connection = _connect(url, timeout)
    try:
        _greet(RedisClient(url, connection), url)
    except BaseException:
        connection.close()
        raise
    return connection


def _connect(url: ServerUrl, timeout: float) -> socket.socket:
    try:
        if url.path:
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            connection.settimeout(timeout)
            try:
                connection.connect(url.path)
            except BaseException:
                connection.close()
                raise
            return connection
        return socket.create_connection((url.host, url.port), timeout)
    except OSError as error:
        why = f"no answer for {timeout:g} seconds" if isinstance(error, TimeoutError) else error.strerror or str(error)
        raise ServerError(f"{url.name}: cannot connect: {why}; is a server there, and can it be reached?") from error


def _greet(client: RedisClient, url: ServerUrl) -> None:
    if url.password:
        who = [url.user.encode()] if url.user else []
        answer = client.run(b"AUTH", *who, url.password.encode())
        if isinstance(answer, Refusal):
            raise client.failure(f"it refused user and password: {answer.message}")
    answer = client.run(b"PING")
    if isinstance(answer, Refusal):
        if answer.message.startswith("NOAUTH"):
            raise client.failure("it wants a password: redis://:password@host, or REDISCLI_AUTH in the environment")
        if not answer.message.startswith("NOPERM"):  # who may not even ping may do what is wanted
            raise client.failure(f"it is not ready: {answer.message}")
