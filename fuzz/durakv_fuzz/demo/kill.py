"""Round 1: a process writes to a real directory, is killed with SIGKILL, and what it acknowledged is looked for.

The writer tells every acknowledgement through a pipe at once, so the parent knows what it knew when it died.  The
directory lives on through several lives; each is killed at a moment drawn at random and begins where the last ended.
"""

from __future__ import annotations

import os
import random
import select
import struct
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from durakv.durability import Durability, FsyncPolicy
from durakv.errors import DurakvError
from durakv.keyspace.database import open as open_database
from durakv_fuzz.demo.tally import KILL, Crash, Tally
from durakv_fuzz.demo.workload import Found, read_back

RECORD = struct.Struct("<Qd")
"""An acknowledgement: the number, and when."""

LIVES = 3
STARTUP_SECONDS_MAX = 30.0


class WriterError(RuntimeError):
    """The writing process could not do its work; the message is its own."""


def kill_round(
    policy: FsyncPolicy,
    directory: Path,
    *,
    seconds: float = 2.0,
    lives: int = LIVES,
    seed: int = 0,
    level: Durability | None = None,
) -> Tally:
    """Let writers write for so many seconds in all, kill each, and judge what is left (C1, C2).

    ``level`` breaks the promise on purpose: writers acknowledge at that level, whatever the policy says.
    """
    tally = Tally(policy=policy, crash=KILL, clauses=("C1", "C2"))
    generator = random.Random(f"{seed} {policy}")
    writing = last = 0
    spent = 0.0
    for life in range(1, lives + 1):
        told = _live(policy, directory, last + 1, seconds / lives * generator.uniform(0.6, 1.4), level)
        acknowledged = max(told.last, last)
        # One writer, one write at a time: at most one was under way.
        crash = Crash(acknowledged, acknowledged + 1, acknowledged, "C2", f"{policy}, life {life}")
        try:
            with open_database(directory, fsync=policy) as db:
                found = read_back(db)
        except (DurakvError, OSError) as failure:
            found = Found(0, f"it does not open again: {failure}")
        lost = tally.count(crash, found)
        if lost is not None:
            tally.age(max(0.0, told.killed - told.when(lost)))
        writing += told.last - told.first + 1
        spent += told.killed - told.ready
        last = found.last
    tally.writes_per_second = writing / spent if spent else 0.0
    return tally


@dataclass(frozen=True, slots=True)
class _Told:
    """What one life told: records of consecutive numbers."""

    first: int
    data: bytes
    killed: float

    @property
    def ready(self) -> float:
        """When it had opened the database."""
        return _seconds(self.data, 0)

    @property
    def last(self) -> int:
        """The last number it acknowledged."""
        return self.first - 2 + len(self.data) // RECORD.size

    def when(self, number: int) -> float:
        """When it acknowledged this number; what an earlier life acknowledged counts as old as this one."""
        return _seconds(self.data, max(0, number - self.first + 1))


def _seconds(data: bytes, index: int) -> float:
    seconds: float = RECORD.unpack_from(data, index * RECORD.size)[1]
    return seconds


def _live(policy: FsyncPolicy, directory: Path, first: int, seconds: float, level: Durability | None) -> _Told:
    # It ends by itself some time after it should have been killed, in case this process dies first.
    arguments = [str(directory), policy.value, str(first), str(seconds + STARTUP_SECONDS_MAX)]
    if level is not None:
        arguments.append(level.name)
    command = [sys.executable, "-m", "durakv_fuzz.demo.writer", *arguments]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        assert writer.stderr is not None
        try:
            chunks = [_read(writer.stdout.fileno(), STARTUP_SECONDS_MAX)]
            deadline = time.monotonic() + seconds
            while chunks[-1] and (left := deadline - time.monotonic()) > 0:
                chunks.append(_read(writer.stdout.fileno(), left))
        finally:
            writer.kill()
        killed = time.monotonic()
        chunks += iter(writer.stdout.read, b"")
        data = b"".join(chunks)
        complaint = writer.stderr.read().decode(errors="replace")
    if len(data) < RECORD.size or complaint:
        last_line = complaint.strip().rpartition("\n")[2] or "it did not open the database in time"
        raise WriterError(f"the writing process failed: {last_line}")
    return _Told(first, data, killed)


def _read(descriptor: int, seconds: float) -> bytes:
    """What there is to read within this time; nothing at the end of it, or of the stream."""
    ready, _, _ = select.select([descriptor], [], [], seconds)
    return os.read(descriptor, 1 << 16) if ready else b""
