"""The scripted runs, as a program would write them, and the same with mistakes made on purpose.

Every command says which one it is (its index), which batch it belongs to, and is filled by a rule, so that whoever
looks at a recovered state knows what should be there without having seen the run.  What the run is told by the engine
goes into a pipe at once, one line each, and so survives the run:

    told <seq>                  the engine gave out this number
    ack <level> <index>         the batch that ends with this command was acknowledged at this level
    done                        the script came to its end
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from durakv.clock import ManualClock
from durakv.durability import Durability, FsyncPolicy
from durakv.engine import Engine
from durakv.keyspace.machine import Keyspace
from durakv.machine import StateMachine
from durakv.options import Options
from durakv.storage.filesystem import File, Filesystem
from durakv.storage.posix import PosixFilesystem
from tests.support import Journal

APPLIED, WRITTEN, SYNCED = Durability.APPLIED, Durability.WRITTEN, Durability.SYNCED
SEGMENT_BYTES = 4096
DIRECTORY = "data"
"""The data directory's name, below the directory of the run."""

Command = list[bytes]


def command(index: int, first: int, count: int, size: int) -> Command:
    """The command with this index; its batch begins with ``first`` and has ``count`` commands."""
    return [b"SET", b"key:%06d" % index, b"%d %d %d " % (first, count, size) + bytes([65 + index % 26]) * size]


@dataclass(slots=True)
class Writer:
    """Writes batches and tells the pipe what came of them."""

    engine: Engine
    pipe: int
    index: int = 0
    early: bool = False
    """A mistake: tell the acknowledgement before it is one."""
    halves: bool = False
    """A mistake: log a batch in two parts."""

    def batch(self, count: int, size: int) -> list[Command]:
        """The next batch."""
        first = self.index
        self.index += count
        return [command(index, first, count, size) for index in range(first, self.index)]

    def write(self, level: Durability | None = None, *, count: int = 1, size: int = 20) -> None:
        """Write a batch, wait for its level, tell both."""
        self._submit(self.batch(count, size), self.engine.fsync.default_durability if level is None else level)

    def submit(self, *, count: int = 1, size: int = 20) -> None:
        """Write a batch and do not wait."""
        receipt = self.engine.submit(self.batch(count, size), APPLIED)
        self.say(f"told {receipt.seq}")

    def sync(self) -> None:
        """Wait for everything."""
        last = self.index - 1
        self.engine.sync()
        self.say(f"ack {SYNCED:d} {last}")

    def say(self, line: str) -> None:
        """Tell the driver, whatever happens to this process next."""
        os.write(self.pipe, line.encode() + b"\n")

    def _submit(self, batch: list[Command], level: Durability) -> None:
        last = self.index - 1
        if self.halves and len(batch) > 1:
            self.engine.submit(batch[:1]).result()
            batch = batch[1:]
        receipt = self.engine.submit(batch, level)
        self.say(f"told {receipt.seq}")
        if self.early:
            self.say(f"ack {level:d} {last}")
        receipt.result()
        self.say(f"ack {level:d} {last}")


def open_engine(
    directory: str,
    machine: StateMachine,
    *,
    fsync: FsyncPolicy = FsyncPolicy.ALWAYS,
    background: bool = False,
    clock: ManualClock | None = None,
    filesystem: Filesystem | None = None,
) -> Engine:
    """An engine with small segments, as all the runs here use it."""
    return Engine(
        os.path.join(directory, DIRECTORY),
        machine,
        options=Options(fsync=fsync, segment_bytes=SEGMENT_BYTES, rewrite_percentage=0),
        background=background,
        clock=clock,
        filesystem=filesystem,
    )


def life(
    directory: str,
    pipe: int,
    *,
    filesystem: Filesystem | None = None,
    early: bool = False,
    halves: bool = False,
    rewrite: bool = True,
) -> None:
    """Open, every level under every policy, rotations, rewrites, close, and once more: in one thread, so that the calls
    are the same every time.
    """
    journal, clock = Journal(), ManualClock()
    engine = open_engine(directory, journal, clock=clock, filesystem=filesystem)
    writer = Writer(engine, pipe, early=early, halves=halves)
    for policy in FsyncPolicy:
        engine.set_fsync(policy)
        for level in (None, *Durability):
            writer.write(level)
            writer.write(level, count=3)
        writer.submit(count=2)
        writer.submit()
        writer.write(WRITTEN)
        clock.advance(1.0)
        while engine.step():
            pass
        writer.write(size=3000)
        writer.submit(size=500)
    writer.sync()
    engine.set_fsync(FsyncPolicy.ALWAYS)
    if rewrite:
        engine.rewrite()
    writer.write(size=9000)
    writer.write(APPLIED, count=200, size=1)
    engine.close()

    engine = writer.engine = open_engine(directory, Journal(), clock=clock, fsync=FsyncPolicy.NO, filesystem=filesystem)
    writer.write()
    writer.write(size=2500)
    engine.step()
    writer.write(size=2500)
    if rewrite:
        engine.rewrite()
    writer.write(count=2)
    engine.set_fsync("everysec")
    writer.write()
    engine.close()
    open_engine(directory, Journal(), clock=clock, filesystem=filesystem).close()
    writer.say("done")


def merging(directory: str, pipe: int) -> None:
    """A keyspace whose log is merged by a child process while writes go on, twice; with the engine's own thread."""
    engine = open_engine(directory, Keyspace(), fsync=FsyncPolicy.EVERYSEC, background=True)
    writer = Writer(engine, pipe)
    for _ in range(2):
        for size in (10, 1500, 1500, 1500):
            writer.write(size=size)
        before = engine.status().rewrites
        engine.rewrite(wait=False)
        while engine.status().rewrites == before:
            assert engine.status().rewrite_error is None, engine.status().rewrite_error
            writer.write(SYNCED, count=2)
            time.sleep(0.05)
        writer.write(count=3)
    engine.close()
    engine = writer.engine = open_engine(directory, Keyspace())
    writer.write()
    engine.close()
    writer.say("done")


def crowd(directory: str, pipe: int) -> None:
    """Several threads that write at once, at different levels, through rotations and a change of policy."""
    engine = open_engine(directory, Journal(), background=True)
    writer = Writer(engine, pipe)

    def work(lane: int) -> None:
        for turn in range(6):
            level = (WRITTEN, SYNCED)[(lane + turn) % 2]

            def decide(count: int = 1 + lane % 3) -> tuple[list[Command], int]:
                # Under the engine's lock: indexes come in the order of the numbers.  It may be called again.
                batch = [command(index, len_now(), count, 150) for index in range(len_now(), len_now() + count)]
                return batch, len_now() + count - 1

            last = engine.transact(decide, level)
            writer.say(f"ack {level:d} {last}")

    journal = engine.machine
    assert isinstance(journal, Journal)

    def len_now() -> int:
        return len(journal.commands)

    threads = [threading.Thread(target=work, args=(lane,)) for lane in range(6)]
    for thread in threads:
        thread.start()
    engine.set_fsync("no")
    for thread in threads:
        thread.join()
    engine.close()
    writer.say("done")


def recover(directory: str, pipe: int) -> None:
    """What the next owner does: open, write a little, close."""
    journal = Journal()
    engine = open_engine(directory, journal)
    writer = Writer(engine, pipe, index=len(journal.commands))
    writer.write(count=2)
    writer.write(WRITTEN)
    engine.close()
    writer.say("done")


# --- mistakes made on purpose -----------------------------------------------------------------------------------------


class LateFile:
    """A file that keeps what is written in memory until it is synced: acknowledged at WRITTEN too early."""

    def __init__(self, file: File) -> None:
        self._file = file
        self._late: list[tuple[bytes, int]] = []
        self.name = file.name
        self.write_through, self.size, self.truncate = file.write_through, file.size, file.truncate

    def read_at(self, size: int, offset: int, /) -> bytes:
        self._flush()
        return self._file.read_at(size, offset)

    def window(self, size: int, /) -> None:
        return None

    def write_at(self, data: bytes | bytearray | memoryview, offset: int, /) -> None:
        self._late.append((bytes(data), offset))

    def sync(self) -> None:
        self._flush()
        self._file.sync()

    def close(self) -> None:
        self._flush()
        self._file.close()

    def _flush(self) -> None:
        while self._late:
            self._file.write_at(*self._late.pop(0))


class LateFilesystem(PosixFilesystem):
    """Gives out files that write late."""

    def create(self, name: str, /) -> File:  # type: ignore[override]
        return LateFile(super().create(name))


class CopyingFilesystem(PosixFilesystem):
    """Replaces a file by writing over it, as ``open(path, "w")`` would."""

    def rename(self, old: str, new: str, /) -> None:
        path = Path(self.path)
        (path / new).write_bytes((path / old).read_bytes())
        self.remove(old)


def _filesystem(directory: str, kind: type[PosixFilesystem]) -> PosixFilesystem:
    return kind(os.path.join(directory, DIRECTORY, "appendonlydir"))


SCRIPTS: dict[str, Callable[[str, int], None]] = {
    "life": life,
    "merging": merging,
    "crowd": crowd,
    "recover": recover,
    "acknowledged before the write": lambda d, p: life(d, p, early=True),
    "a batch in two parts": lambda d, p: life(d, p, halves=True),
    "written late": lambda d, p: life(d, p, filesystem=_filesystem(d, LateFilesystem), rewrite=False),
    "manifest written over": lambda d, p: life(d, p, filesystem=_filesystem(d, CopyingFilesystem)),
}
