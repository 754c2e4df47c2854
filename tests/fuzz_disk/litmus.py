"""Every image a crash model allows, for small programs: all answers to all questions."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from durakv_fuzz.disk import SimulatedDisk
from durakv_fuzz.image import Image
from durakv_fuzz.model import Model, crash_image
from durakv_fuzz.timeline import Timeline

Outcome: TypeAlias = frozenset[tuple[str, bytes]] | None
"""Names and contents; ``None`` when the directory itself is gone."""

EMPTY: Outcome = frozenset()


class Every:
    """Walks the tree of answers, depth first, with every answer to every question."""

    def __init__(self) -> None:
        self._path: list[tuple[int, int]] = []
        self._asked = 0

    def __call__(self, count: int, label: str, /) -> int:
        if self._asked == len(self._path):
            self._path.append((0, count))
        answer, _ = self._path[self._asked]
        self._asked += 1
        return answer

    def advance(self) -> bool:
        self._asked = 0
        while self._path:
            answer, count = self._path.pop()
            if answer + 1 < count:
                self._path.append((answer + 1, count))
                return True
        return False


def outcome(image: Image) -> Outcome:
    return frozenset(image.files.items()) if image.exists else None


def one(**files: bytes) -> Outcome:
    return frozenset(files.items())


def outcomes(
    source: SimulatedDisk | Timeline, *, crash_seq: int | None = None, model: Model = Model.POWER_LOSS
) -> set[Outcome]:
    """What a crash there (at the end, unless told) may leave."""
    timeline = source if isinstance(source, Timeline) else Timeline(source.trace)
    choose, found = Every(), set[Outcome]()
    while True:
        at = timeline.trace.seq if crash_seq is None else crash_seq
        found.add(outcome(crash_image(timeline, at, choose, model=model)))
        if not choose.advance():
            return found


def disk_after(program: Callable[[SimulatedDisk], None], base: Image | None = None) -> SimulatedDisk:
    disk = SimulatedDisk(Image() if base is None else base)
    program(disk)
    return disk
