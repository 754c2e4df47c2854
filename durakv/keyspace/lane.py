"""The lane: a plain SET that meets nobody, from its arguments into the log and the keyspace in one compiled call.

What it does, and when it leaves a write to the way written in Python, is said in ``_lane.c``; here is who may have one.
It reads and changes the slots of the objects of that way themselves, so there is nothing to keep in step, and takes
no lock but looks whether it is free.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from durakv.commit import SYNC_AGE_SECONDS
from durakv.durability import Durability, FsyncPolicy
from durakv.engine import Engine
from durakv.keyspace.machine import Keyspace
from durakv.log.segment import Segment
from durakv.payload import encoded
from durakv.runner import Runner
from durakv.storage.posix_file import PosixFile
from durakv.work import Claimed, Kind, Work

if TYPE_CHECKING:
    from collections.abc import Callable

    from durakv.keyspace import _lane as stub

SHAPE = 1
"""To be raised, there and here, when what ``_lane.c`` takes for granted changes: one built before is not used then."""

_make: Callable[..., stub.Lane] | None
try:
    from durakv.keyspace import _lane
except ImportError:
    _make = None
else:
    _make = _lane.Lane if _lane.SHAPE == SHAPE else None

COMPILED = _make is not None
"""Whether it was built."""


def make_lane(engine: Engine, keyspace: Keyspace) -> stub.Lane | None:
    """The lane of database 0; None where none was built, or where something could tell it from the other way."""
    if _make is None or type(engine) is not Engine or type(keyspace) is not Keyspace or engine.machine is not keyspace:
        return None
    runner = engine._runner
    if runner.clock.monotonic is not time.monotonic:
        return None
    return _make(
        runner,
        runner.commit,
        keyspace,
        keyspace.store(0),
        Segment,
        PosixFile,
        runner.lock,
        take_over,
        encoded,
        FsyncPolicy.ALWAYS,
        FsyncPolicy.EVERYSEC,
        Durability.WRITTEN,
        Durability.SYNCED,
        SYNC_AGE_SECONDS,
        engine.options.stall_seconds,
        engine.options.pending_bytes_max,
    )


def take_over(runner: Runner, claimed: Claimed) -> None:
    """Bring a durable write that the lane has claimed to its end; called, and returns, with the runner's lock."""
    seq, frame, offset, logged_bytes, error = claimed
    work = Work(Kind.WRITE_THROUGH, runner.commit.segment, seq, frame, offset, logged_bytes)
    work.called = OSError(error, os.strerror(error)) if error > 0 else error < 0
    runner.take_over(work)
