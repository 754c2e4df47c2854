"""A key-value service in one file: `python kv_service.py DIRECTORY PORT`.

    set KEY VALUE    ok               over TCP, a line for a line; it is in the log, and synced, before the answer
    get KEY          value VALUE      or "none"

With its driver and its check, which are beside it, it is crashed by

    durakv fuzz program --ready ready --driver 'python kv_driver.py {port} {first} {count}' \\
        --check 'python kv_check.py {port}' -- python kv_service.py {dir} {port}
"""

from __future__ import annotations

import os
import socketserver
import sys
from pathlib import Path


class Store:
    """A log of lines ``KEY VALUE``, and what it adds up to."""

    def __init__(self, directory: Path) -> None:
        path = directory / "log"
        content = path.read_bytes() if path.exists() else b""
        whole = content[: content.rfind(b"\n") + 1]  # a line that a crash cut short was never acknowledged
        self.values = dict(line.split(b" ", 1) for line in whole.splitlines())
        self._log = path.open("ab")
        self._log.truncate(len(whole))
        os.fsync(self._log.fileno())
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)  # the log's name
        finally:
            os.close(descriptor)

    def set(self, key: bytes, value: bytes) -> None:
        """Return when it is on the disk."""
        self._log.write(key + b" " + value + b"\n")
        self._log.flush()
        os.fsync(self._log.fileno())
        self.values[key] = value


class Handler(socketserver.StreamRequestHandler):
    """One connection; there is one at a time."""

    def handle(self) -> None:
        """Answer line by line."""
        for line in self.rfile:
            match line.rstrip(b"\n").split(b" ", 2):
                case [b"set", key, value]:
                    STORE.set(key, value)
                    answer = b"ok"
                case [b"get", key]:
                    answer = b"value " + STORE.values[key] if key in STORE.values else b"none"
                case _:
                    answer = b"what?"
            self.wfile.write(answer + b"\n")


if __name__ == "__main__":
    STORE = Store(Path(sys.argv[1]))
    with socketserver.TCPServer(("127.0.0.1", int(sys.argv[2])), Handler) as server:
        print("ready", flush=True)
        server.serve_forever()
