"""A stock server for as long as it takes to load or to save one data set; it says itself how long loading took."""

from __future__ import annotations

import re
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from durakv_formats.resp import encode_command

_LOADED = re.compile(r"DB loaded from (?:append only file|disk): ([0-9.]+) seconds")
_POLL_SECONDS = 0.02
_RESOLUTION_SECONDS = 0.001
"""Of what the server says."""
_AOF = ("--appendonly", "yes", "--aof-use-rdb-preamble", "no", "--auto-aof-rewrite-percentage", "0")


class StockLoader:
    """One server on a folder with a ``dump.rdb`` or an ``appendonlydir``; a context manager that ends it unsaved."""

    def __init__(self, binary: str, folder: Path, *, appendonly: bool) -> None:
        self._folder = folder
        self._log = folder / "server.log"
        self._log.unlink(missing_ok=True)
        # The path of a socket must be short, and that of the folder need not be.
        self._place = tempfile.TemporaryDirectory(prefix="durakv-")
        self._socket = f"{self._place.name}/socket"
        arguments = (
            "--port",
            "0",
            "--unixsocket",
            self._socket,
            "--save",
            "",
            "--logfile",
            "server.log",
            "--daemonize",
            "no",
        )
        try:
            self._process = subprocess.Popen([binary, *arguments, *(_AOF if appendonly else ())], cwd=folder)
        except OSError:
            self._place.cleanup()
            raise

    def loaded_seconds(self) -> float:
        """How long it loaded, by its own word; waits for that.  Raises ``OSError`` if it ends before."""
        while True:
            text = self._log.read_text() if self._log.exists() else ""
            found = _LOADED.search(text)
            if found is not None:
                return max(float(found[1]), _RESOLUTION_SECONDS / 2)
            if self._process.poll() is not None:
                raise ChildProcessError(f"the server in {self._folder} ended while it loaded:\n{text}")
            time.sleep(_POLL_SECONDS)

    def save_seconds(self, *, compressed: bool) -> float:
        """How long SAVE took, from the request to the reply."""
        self._ask(b"CONFIG", b"SET", b"rdbcompression", b"yes" if compressed else b"no")
        started = time.perf_counter()
        self._ask(b"SAVE")
        return time.perf_counter() - started

    def close(self) -> None:
        """End it, without saving."""
        self._process.kill()
        self._process.wait()
        self._place.cleanup()

    def __enter__(self) -> StockLoader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, *command: bytes) -> None:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(self._socket)
            connection.sendall(encode_command(command))
            reply = b""
            while not reply.endswith(b"\r\n"):
                data = connection.recv(1 << 12)
                if not data:
                    raise ChildProcessError(f"the server in {self._folder} hung up")
                reply += data
        if reply != b"+OK\r\n":
            raise ChildProcessError(f"the server in {self._folder} answered {reply!r}")
