"""What the tests of several rooms share: the plainest state machine, and shorthands for logs on a simulated disk."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

from durakv.clock import ManualClock, SystemClock
from durakv.commit import Commit
from durakv.directory import Directory, add_segment, empty_manifest
from durakv.durability import Durability, FsyncPolicy
from durakv.engine import Engine
from durakv.log.reader import SegmentEnd, read_segment
from durakv.log.segment import prepare_segment
from durakv.machine import Command
from durakv.options import Options
from durakv.storage.filesystem import Filesystem
from durakv.work import Work
from durakv_formats.resp import encode_batch
from durakv_fuzz.disk import SimulatedDisk
from durakv_fuzz.image import Image

IDENTITY = bytes(range(16))
FRAME_IDENTITY = int.from_bytes(IDENTITY[:8], "big")


class Journal:
    """A state machine whose state is the list of its commands, so that every kind of loss or reordering shows."""

    def __init__(self) -> None:
        self.commands: list[tuple[bytes, ...]] = []

    def apply(self, command: Command) -> int:
        self.commands.append(tuple(command))
        return len(self.commands)

    def freeze(self) -> Iterator[bytes]:
        return iter([b"".join(b"%d %b" % (len(c), b"".join(b"%d:%b" % (len(p), p) for p in c)) for c in self.commands)])

    def restore(self, chunks: Iterable[bytes]) -> None:
        data = b"".join(chunks)
        self.commands = []
        at = 0
        while at < len(data):
            space = data.index(b" ", at)
            count, at = int(data[at:space]), space + 1
            parts: list[bytes] = []
            for _ in range(count):
                colon = data.index(b":", at)
                size = int(data[at:colon])
                parts.append(data[colon + 1 : colon + 1 + size])
                at = colon + 1 + size
            self.commands.append(tuple(parts))


def put(number: int, size: int = 4) -> list[list[bytes]]:
    """A batch of one command that names its number."""
    return [[b"put", b"%d" % number, b"x" * size]]


def numbers(journal: Journal) -> list[int]:
    """What ``put`` put there, in order."""
    return [int(command[1]) for command in journal.commands]


class Pipeline:
    """A commit pipeline over a new directory, driven by hand."""

    def __init__(self, filesystem: Filesystem, *, options: Options | None = None, capacity: int | None = None) -> None:
        self.options = options if options is not None else Options(fsync=FsyncPolicy.NO, segment_bytes=4096)
        self.journal = Journal()
        if not filesystem.exists_root():
            filesystem.make_root()
        self.directory = Directory(filesystem, empty_manifest(IDENTITY))
        segment = prepare_segment(filesystem, 1, self.options.segment_bytes if capacity is None else capacity)
        segment.start(seq=0, retired=0, synced_seq=0, identity=FRAME_IDENTITY)
        self.directory.swap(lambda manifest: add_segment(manifest, 1, first=1, capacity=segment.capacity), synced_seq=0)
        self.commit = Commit(self.directory, segment, seq=0, apply=self.journal.apply, options=self.options)

    def append(self, batch: Sequence[Sequence[bytes]], now: float = 0.0) -> int:
        """Append a batch for which there is room."""
        payload = encode_batch(batch)
        assert self.commit.room(len(payload)), "no room: the test is wrong"
        return self.commit.append(payload, batch, now)[0]

    def claim(self, seq: int, level: Durability, now: float = 0.0) -> Work:
        """Claim work that must be there."""
        work = self.commit.claim(seq, level, now)
        assert work is not None, "there was nothing to claim"
        return work

    def do(self, work: Work) -> None:
        """Perform and finish."""
        self.commit.perform(work)
        self.commit.finish(work)

    def reach(self, seq: int, level: Durability, now: float = 0.0) -> None:
        """Do whatever is left until ``seq`` has reached ``level``."""
        while not self.commit.reached(seq, level):
            self.do(self.claim(seq, level, now))

    @property
    def positions(self) -> tuple[int, int, int]:
        """synced, written, applied."""
        return self.commit.synced_seq, self.commit.written_seq, self.commit.applied_seq


def read_log(image: Image, *segment_numbers: int) -> tuple[list[tuple[bytes, ...]], SegmentEnd]:
    """Every command of these segments of an image in order, and how the last one ends."""
    disk = SimulatedDisk(image)
    commands: list[tuple[bytes, ...]] = []
    end = SegmentEnd()
    for number in segment_numbers:
        file = disk.open(f"appendonly.aof.{number}.incr.aof")
        records, end = drain(read_segment(file, identity=FRAME_IDENTITY, number=number, prior=end.last))
        commands += [tuple(command) for record in records for command in record.commands]
    return commands, end


R = TypeVar("R")


def drain(records: Iterator[R]) -> tuple[list[R], SegmentEnd]:
    """Run a segment reader to its end."""
    read: list[R] = []
    while True:
        try:
            read.append(next(records))
        except StopIteration as finished:
            end: SegmentEnd = finished.value
            return read, end


class Opened(NamedTuple):
    """An engine and the parts it was made of."""

    engine: Engine
    journal: Journal
    clock: ManualClock


def open_engine(
    disk: Filesystem,
    *,
    fsync: FsyncPolicy = FsyncPolicy.ALWAYS,
    segment_bytes: int = 4096,
    background: bool = False,
    clock: ManualClock | None = None,
    create: bool = True,
    **options: Any,
) -> Opened:
    """Open a directory of a simulated disk with small segments and no thread."""
    journal, clock = Journal(), clock if clock is not None else ManualClock()
    engine = Engine(
        None,
        journal,
        options=Options(fsync=fsync, segment_bytes=segment_bytes, rewrite_percentage=0, **options),
        filesystem=disk,
        clock=SystemClock() if background else clock,
        background=background,
        create=create,
        entropy=lambda size: IDENTITY[:size],
    )
    return Opened(engine, journal, clock)


def died(disk: SimulatedDisk) -> SimulatedDisk:
    """The disk after its owner's process died: everything handed over is there."""
    return SimulatedDisk(disk.image())


def changed(disk: SimulatedDisk, name: str, data: bytes | None) -> SimulatedDisk:
    """A copy of the disk with another content in one file; None removes it."""
    content = {other: kept for other, kept in disk.image().files.items() if other != name}
    if data is not None:
        content[name] = data
    return SimulatedDisk(Image(content))
