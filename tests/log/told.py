"""What a reader tells of a segment, in a form in which readers can be compared."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from durakv.errors import UnsupportedVersion
from durakv.log.reader import SegmentEnd
from durakv_fuzz.disk import SimulatedDisk
from durakv_fuzz.image import Image

Told: TypeAlias = tuple[int, tuple[bytes, ...], int]
"""The number of a command, the command, and where its frame ends."""

NAME = "appendonly.aof.1.incr.aof"


def told(
    reader: Callable[..., Iterator[Any]], data: bytes, number: int, identity: int | None
) -> tuple[list[Told], SegmentEnd | str]:
    """Every command that the reader finds in the segment, and its end or why it refuses the file."""
    file = SimulatedDisk(Image({NAME: data})).open(NAME)
    found: list[Told] = []
    records = reader(file, identity=identity, number=number, prior=0)
    while True:
        try:
            record = next(records)
        except StopIteration as finished:
            return found, finished.value
        except UnsupportedVersion as error:
            return found, str(error)
        commands = [(tuple(command), end) for batch, end in record.batches() for command in batch]
        first = record.seq - len(commands) + 1
        found += [(first + index, command, end) for index, (command, end) in enumerate(commands)]
