"""What somebody sees who opens what a crash has left.

The real engine recovers, on a disk that remembers nothing: a recovery that is to be crashed in turn is a life of its
own (``lives``), on a disk that does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

from durakv.clock import ManualClock
from durakv.directory import LOCK_NAME, MANIFEST_NAME
from durakv.engine import Engine
from durakv.errors import Corruption, DurakvError
from durakv.machine import StateMachine
from durakv.options import Options
from durakv_formats.manifest import decode_manifest
from durakv_fuzz.history import Before
from durakv_fuzz.image import Image
from durakv_fuzz.machines import Digest, make_machine, state_of
from durakv_fuzz.oracle import Expectation, Found, Judgement, Verdict, Violation, judge
from durakv_fuzz.plain_disk import PlainDisk
from durakv_fuzz.script import Setup

M = TypeVar("M", bound=StateMachine)

_MANIFESTS_KEPT = 64
"""Opens of neighbouring crash states leave the same manifest."""


@dataclass(frozen=True, slots=True)
class Witness:
    """The outcome of one open: what was found, or why nothing was."""

    found: Found | None
    refusal: str = ""
    verdict: Verdict = Verdict.NO_START
    """What the refusal amounts to, if a crash may leave such a state."""
    named: bool = True
    """Whether it was refused with an error of the engine's own."""
    touched: bool = False
    """Whether a refused directory is not as it was."""

    def judge(self, expectation: Expectation) -> Judgement:
        """Judge it, as the recovery of a state that a crash may leave."""
        if self.found is None:
            return Judgement(Violation(self.verdict, f"it does not open: {self.refusal}"))
        return judge(expectation, self.found)

    def before(self, expectation: Expectation) -> Before:
        """What is known to whoever goes on from here."""
        assert self.found is not None
        return Before(self.found.state, expectation.told_seq)


def witness(image: Image, setup: Setup) -> Witness:
    """Open the image and look; the program that does so ends without a word, as if killed."""
    return witness_with(image, make_machine(setup.machine), state_of, options=setup.options(), entropy=setup.entropy)


def witness_with(
    image: Image, machine: M, state: Callable[[M], Digest], *, options: Options, entropy: Callable[[int], bytes]
) -> Witness:
    """The same with any new machine, whose state ``state`` tells."""
    disk = PlainDisk(image)
    try:
        engine = Engine(
            None,
            machine,
            options=options,
            filesystem=disk,
            clock=ManualClock(),
            background=False,
            entropy=entropy,
        )
    except Corruption as failure:
        return Witness(None, str(failure), Verdict.CORRUPT, touched=_touched(disk))
    except DurakvError as failure:
        return Witness(None, f"{type(failure).__name__}: {failure}", touched=_touched(disk))
    except Exception as failure:  # noqa: BLE001 - whatever it is, it is not what an open should raise
        what = f"{type(failure).__name__}: {failure}"
        verdict = Verdict.NO_START if isinstance(failure, OSError) else Verdict.BROKEN
        return Witness(None, what, verdict, named=False, touched=_touched(disk))
    report = engine.report
    try:
        seen = state(machine)
    except Corruption as failure:
        # After a lazy open, which has written by now; the damaged file has to be there as it was all the same.
        touched = failure.name not in disk.names() or disk.content(failure.name) != image.files[failure.name]
        return Witness(None, str(failure), Verdict.CORRUPT, touched=touched)
    found = Found(
        state=seen,
        applied_seq=engine.applied_seq,
        last_seq=report.last_seq,
        lines=tuple(report.lines()),
        left_over=left_over(disk.content(MANIFEST_NAME), disk.names()),
    )
    return Witness(found)


def left_over(manifest: bytes, names: Iterable[str]) -> tuple[str, ...]:
    """The files that count for nothing: those that the manifest does not name."""
    return tuple(sorted(set(names) - _named(manifest)))


@lru_cache(maxsize=_MANIFESTS_KEPT)
def _named(manifest: bytes) -> frozenset[str]:
    return frozenset([MANIFEST_NAME, LOCK_NAME, *(file.name for file in decode_manifest(manifest).files)])


def _touched(disk: PlainDisk) -> bool:
    """Whether the disk holds anything else than before, but for the lock's empty file."""
    before, after = dict(disk.base.files), dict(disk.image().files)
    before.pop(LOCK_NAME, None)
    after.pop(LOCK_NAME, None)
    return before != after
