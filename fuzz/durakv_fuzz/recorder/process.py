"""A file system's process: a fresh interpreter that ends when the process that started it does.

It is told apart from its starter's other children: a session of its own, so that an interrupt from the keyboard does
not reach it before its starter has finished; no standard streams but a log, so that it holds no pipe open.  It watches
its starter through a pidfd.  (Not ``PR_SET_PDEATHSIG``: that follows the thread that started it, not the process.)

    starter                                server
    Server(module, private)  -- control -->  Adopted()      pickles, one at a time, each way
                             -- words   -->                 short messages in order, from any thread or forked child
"""

from __future__ import annotations

import contextlib
import os
import pickle
import socket
import subprocess
import sys
from pathlib import Path
from struct import Struct

_LENGTH = Struct("=Q")
MESSAGE_BYTES_MAX = 16 << 30
"""Bounds a length before it is believed; only a mistake of our own could be larger."""

WORD_BYTES_MAX = 64 << 10

LOG = "server.log"
_STOP_SECONDS = 10.0


class ServerEnded(Exception):
    """The file system's process ended, or told of a failure; the message ends with what it had to say."""


class Server:
    """The starter's end: starts ``python -m module`` and speaks with it.  ``private`` is where its log goes."""

    def __init__(self, module: str, private: Path, *arguments: str) -> None:
        self.private = private
        self.control, control = socket.socketpair()
        self.words, words = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with control, words, open(private / LOG, "ab") as log:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    module,
                    str(os.getpid()),
                    str(control.fileno()),
                    str(words.fileno()),
                    *arguments,
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(control.fileno(), words.fileno()),
                start_new_session=True,
                cwd="/",
                env={**os.environ, "PYTHONPATH": os.pathsep.join(str(Path(place).absolute()) for place in sys.path)},
            )

    @property
    def pid(self) -> int:
        """The number of its process."""
        return self._process.pid

    def ask(self, *message: object) -> object:
        """Send a message and wait for its answer; raises ``ServerEnded`` if there comes none, or a failure."""
        try:
            send(self.control, message)
            answer = receive(self.control)
        except (OSError, EOFError) as failure:
            raise ServerEnded(f"the file system's process ended: {self._last_words()}") from failure
        if isinstance(answer, Failure):
            raise ServerEnded(answer.text)
        return answer

    def close(self) -> None:
        """Hang up and wait until it has ended, which unmounts."""
        with contextlib.suppress(OSError):  # it hung up first
            self.control.shutdown(socket.SHUT_RDWR)  # for forked children's copies too
        self.control.close()
        self.words.close()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _last_words(self) -> str:
        text = (self.private / LOG).read_bytes()[-2000:].decode(errors="replace").strip()
        return text or "it left no message"


class Failure:
    """An answer that says why there is none."""

    def __init__(self, text: str) -> None:
        self.text = text


class Adopted:
    """The server's end: what its command line gave it.  ``arguments`` are those that its starter added."""

    def __init__(self) -> None:
        starter, control, words, *self.arguments = sys.argv[1:]
        self.control = socket.socket(fileno=int(control))
        self.words = socket.socket(fileno=int(words))
        self.words.setblocking(False)
        for inherited in (self.control, self.words):
            inherited.set_inheritable(False)
        self.starter_fd = os.pidfd_open(int(starter))
        """For ``poll``: readable when the starter has ended."""
        if os.getppid() != int(starter):  # it ended before its pidfd was open, and its number may be another's now
            raise EOFError("the process that started this one is gone")


def send(channel: socket.socket, message: object) -> None:
    """Send one message of any size; waits while the other side is slow."""
    data = pickle.dumps(message, protocol=5)
    channel.sendall(_LENGTH.pack(len(data)))
    channel.sendall(data)


def receive(channel: socket.socket) -> object:
    """Wait for one whole message; raises ``EOFError`` if the other side hung up."""
    (size,) = _LENGTH.unpack(_exactly(channel, _LENGTH.size))
    if size > MESSAGE_BYTES_MAX:
        raise EOFError(f"a message of {size} bytes; at most {MESSAGE_BYTES_MAX} are believed")
    return pickle.loads(_exactly(channel, size))


def _exactly(channel: socket.socket, size: int) -> bytearray:
    data = bytearray(size)
    view, have = memoryview(data), 0
    while have < size:
        count = channel.recv_into(view[have:])
        if count == 0:
            raise EOFError("the other side hung up")
        have += count
    return data
