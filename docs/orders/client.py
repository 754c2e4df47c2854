"""A client of the service: one connection, kept open.  Only the standard library."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
START_SECONDS_MAX = 30.0

LOST = (OSError, http.client.HTTPException)
"""What a call raises when the connection is lost: it is not known whether the service has done it."""


class Client:
    """Calls of one caller, one after the other."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def call(self, method: str, path: str, body: object = None, *, key: str | None = None) -> tuple[int, Any]:
        """The status and what the service says."""
        headers = {"Content-Type": "application/json"}
        if key is not None:
            headers["Idempotency-Key"] = key
        self._connection.request(method, path, None if body is None else json.dumps(body), headers)
        if isinstance(self._connection.sock, socket.socket):
            self._connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        response = self._connection.getresponse()
        return response.status, json.loads(response.read())

    def close(self) -> None:
        """Hang up."""
        self._connection.close()


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def start(directory: str, port: int, *, fsync: str = "always") -> subprocess.Popen[bytes]:
    """Start the service, and return when it answers."""
    command = [sys.executable, str(HERE / "service.py"), directory, "--port", str(port), "--fsync", fsync]
    Path(directory).mkdir(parents=True, exist_ok=True)
    with (Path(directory) / "service.log").open("ab") as log:
        service = subprocess.Popen(command, stdout=log, stderr=log)
    deadline = time.monotonic() + START_SECONDS_MAX
    while service.poll() is None and time.monotonic() < deadline:
        client = Client(port)
        try:
            if client.call("GET", "/health")[0] == 200:
                return service
        except LOST:
            time.sleep(0.01)
        finally:
            client.close()
    service.kill()
    told = (Path(directory) / "service.log").read_text(encoding="utf-8")
    raise RuntimeError(f"the service did not start; it ended with {service.wait()} and said:\n{told}")
