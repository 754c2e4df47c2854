"""A server of Redis's kind as a store: its own process, a connection for each thread.

A put is a SET whose reply is awaited.  Many are a pipeline: sent at once, and then all replies are read.  Nothing of a
client library is measured: commands are encoded as durakv's log has them, replies are read by hiredis.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import hiredis

from durakv.bench.peers.embedded import sync_files
from durakv.bench.peers.process import Process
from durakv.bench.peers.servers import POLICIES, RunningServer, ServerProgram, version_of
from durakv.bench.results import Counters, Promise
from durakv.bench.store import Pair, Session, Setting
from durakv.client.errors import ServerError
from durakv.client.redis_client import TIMEOUT_SECONDS, connect
from durakv.client.redis_url import ServerUrl
from durakv_formats.resp import encode_command

_RECEIVE_BYTES = 64 << 10


def settings(program: ServerProgram, path: str) -> list[Setting]:
    """A server with each policy of syncing."""
    version = version_of(path)
    return [
        Setting(
            program.name,
            f"appendfsync {policy}",
            promise,
            partial(_Store, program.name, path, policy, promise),
            version,
            note,
        )
        for policy, promise, note in POLICIES
    ]


class _Store:
    """A server that was started for this."""

    many = "pipeline"

    def __init__(self, name: str, path: str, policy: str, promise: Promise, directory: Path) -> None:
        self.name = name
        self.setting = f"appendfsync {policy}"
        self.promise = promise
        self._directory = directory
        self._server = RunningServer(path, directory, policy)
        self._process = Process(self._server.pid)

    def session(self) -> Session:
        return SocketSession(self._server.url)

    def settle(self) -> None:
        sync_files(self._directory)

    def counters(self) -> Counters:
        return self._process.counters()

    def close(self) -> None:
        self._server.close()


class SocketSession:
    """One connection that sets keys."""

    def __init__(self, url: ServerUrl, prefix: bytes = b"") -> None:
        self._url = url
        self._prefix = prefix
        self._socket = connect(url, TIMEOUT_SECONDS)
        if not url.path:
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # A timeout of Python's costs a poll with every call; the kernel's own costs nothing.
        self._socket.settimeout(None)
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            self._socket.setsockopt(socket.SOL_SOCKET, option, struct.pack("@ll", int(TIMEOUT_SECONDS), 0))
        self._reader: Any = hiredis.Reader()

    def put(self, key: bytes, value: bytes, /) -> None:
        """Set it, and wait for the reply."""
        self._send(encode_command((b"SET", self._prefix + key, value)), 1)

    def put_many(self, pairs: Sequence[Pair], /) -> None:
        """Set them, and then wait for all replies."""
        prefix = self._prefix
        self._send(b"".join([encode_command((b"SET", prefix + key, value)) for key, value in pairs]), len(pairs))

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def _send(self, data: bytes, replies: int) -> None:
        try:
            self._socket.sendall(data)
            gets: Callable[[], Any] = self._reader.gets
            while replies:
                reply = gets()
                if reply is False:
                    self._receive()
                elif reply == b"OK":
                    replies -= 1
                else:
                    raise ServerError(f"{self._url.name}: it refused a write: {reply}")
        except BlockingIOError as error:
            raise ServerError(f"{self._url.name}: it said nothing for {TIMEOUT_SECONDS:g} seconds") from error
        except OSError as error:
            raise ServerError(f"{self._url.name}: the connection broke: {error.strerror or error}") from error

    def _receive(self) -> None:
        data = self._socket.recv(_RECEIVE_BYTES)
        if not data:
            raise ServerError(f"{self._url.name}: it closed the connection; its log says why")
        self._reader.feed(data)
