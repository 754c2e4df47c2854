"""Every byte of a small directory decays, and every sector of it, in every way that F6 names; each outcome is judged.

    resting = Resting.after(setup, LOG)
    tally = sweep(resting, flips(resting.image))
    tally = sweep(resting, sector_damage(resting.image))

A campaign draws its damage at random; this leaves none out.  Of a directory that was closed every byte was promised, so
nothing may be overlooked but what counts for nothing.  When the owner died, a flipped byte may cost the last batch,
which no later record vouches for, and the report has to say so; anything more has to be refused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations, permutations
from typing import TypeAlias

from durakv.directory import LOCK_NAME, MANIFEST_NAME
from durakv_fuzz.decay import Damaged, judge_damaged
from durakv_fuzz.image import Image
from durakv_fuzz.lives import Crash, Recording
from durakv_fuzz.model import Model
from durakv_fuzz.oracle import Expectation, Verdict, Violation
from durakv_fuzz.script import Action, Script, Setup, Step
from durakv_fuzz.trace import SECTOR_BYTES
from durakv_fuzz.witness import Witness, left_over, witness

MASKS = (*(1 << bit for bit in range(8)), 0xFF)
"""What a byte is changed by: each bit alone, and all of them."""


class Outcome(StrEnum):
    """How a damaged directory may be received."""

    REFUSED = "refused"
    """By name, and left as it was."""

    CUT = "cut"
    """A batch that nothing vouches for is gone, and the report says so."""

    HARMLESS = "harmless"
    """The state is whole."""


Sector: TypeAlias = tuple[str, int]
"""A file, and where in it the sector begins."""

Tally: TypeAlias = Counter[Outcome]
"""How often each outcome was met."""


class Wrong(AssertionError):
    """Damage that was neither noticed nor harmless."""

    def __init__(self, violation: Violation) -> None:
        super().__init__(f"{violation.verdict}: {violation.reason}")
        self.violation = violation


@dataclass(frozen=True, slots=True)
class Resting:
    """A directory that nobody uses, and what is known of it."""

    setup: Setup
    image: Image
    expectation: Expectation
    clean: bool
    lines: tuple[str, ...]
    """What an open reports when nothing decayed."""

    @classmethod
    def after(cls, setup: Setup, script: Script, *, forgotten: Script = ()) -> Resting:
        """The directory after a life that ended without trouble.

        Files that it had after the ``forgotten`` life, and has no longer, are there as well: nobody removed them.
        """
        recording = Recording.first(setup, script)
        assert not recording.history.violations, "the life itself went wrong"
        end = Crash(recording.trace.seq, Model.PROCESS_CRASH, ())
        files = dict(recording.image(end).files)
        if forgotten:
            earlier = Recording.first(setup, forgotten)
            files = {**earlier.session.disk.image().files, **files}
        image = Image(files)
        expectation = recording.expect(end)
        seen = witness(image, setup)
        assert seen.judge(expectation).violation is None, "it is bad already"
        assert seen.found is not None
        return cls(setup, image, expectation, recording.closed_cleanly, seen.found.lines)


def sweep(resting: Resting, damages: Iterable[Damaged]) -> Tally:
    """Open the directory after each of the damages; raises Wrong for the first that is received badly."""
    tally: Tally = Counter()
    for damaged in damages:
        tally[_receive(resting, damaged, witness(damaged.image, resting.setup))] += 1
    return tally


def flips(image: Image) -> Iterator[Damaged]:
    """Every byte of every file changed by each of the masks; by one of them in the zeros that a file ends with."""
    for name in _names(image):
        data = image.files[name]
        end = len(data.rstrip(b"\0"))
        for offset, byte in enumerate(data):
            for mask in MASKS if offset < end else (MASKS[offset % len(MASKS)],):
                changed = data[:offset] + bytes([byte ^ mask]) + data[offset + 1 :]
                yield _damaged(image, {name: changed}, f"byte {offset} was changed by {mask:#04x}")


def sector_damage(image: Image) -> Iterator[Damaged]:
    """Every sector zeroed, swapped with every other one, and written over it, in the same file or another."""
    sectors = sectors_of(image)
    for target in sectors:
        yield from _changed(image, {target: bytes(SECTOR_BYTES)}, "was zeroed")
    for one, other in combinations(sectors, 2):
        content = {one: _read(image, other), other: _read(image, one)}
        yield from _changed(image, content, f"was swapped with that at {other[1]} of {other[0]}")
    for target, source in permutations(sectors, 2):
        content = {target: _read(image, source)}
        yield from _changed(image, content, f"holds what is at {source[1]} of {source[0]}")


def sectors_of(image: Image) -> list[Sector]:
    """Every sector that a file has; the last one of a file may be a part."""
    return [(name, start) for name in _names(image) for start in range(0, len(image.files[name]), SECTOR_BYTES)]


# --- judging ----------------------------------------------------------------------------------------------------------


def _receive(resting: Resting, damaged: Damaged, seen: Witness) -> Outcome:
    judgement = judge_damaged(damaged, resting.expectation, seen, clean=resting.clean)
    if judgement.violation is not None:
        raise Wrong(judgement.violation)
    if seen.found is None:
        return Outcome.REFUSED
    lost = resting.expectation.most - judgement.survived
    if not lost:
        return Outcome.HARMLESS
    if seen.found.lines == resting.lines:
        raise Wrong(Violation(Verdict.SILENT, f"{damaged.what}: {lost} batches are gone, and nothing says so"))
    if lost > 1 and _is_flip(resting.image, damaged.image):
        reason = f"{damaged.what}: {lost} batches are gone, though the last one vouched for those before it"
        raise Wrong(Violation(Verdict.LOST_ACKED, reason))
    return Outcome.CUT


def _is_flip(image: Image, damaged: Image) -> bool:
    """Whether a single byte differs."""
    pairs = [(data, damaged.files[name]) for name, data in image.files.items() if data != damaged.files[name]]
    return len(pairs) == 1 and sum(one != other for one, other in zip(*pairs[0], strict=True)) == 1


# --- damaging ---------------------------------------------------------------------------------------------------------


def _names(image: Image) -> list[str]:
    return sorted(name for name in image.files if name != LOCK_NAME)


def _read(image: Image, sector: Sector) -> bytes:
    """What the device holds there: behind the end of a file are zeros."""
    name, start = sector
    return image.files[name][start : start + SECTOR_BYTES].ljust(SECTOR_BYTES, b"\0")


def _changed(image: Image, content: dict[Sector, bytes], what: str) -> Iterator[Damaged]:
    """With this content of these sectors, if that is news; no file changes its size."""
    files: dict[str, bytes] = {}
    for (name, start), patch in content.items():
        data = files.get(name, image.files[name])
        files[name] = (data[:start] + patch + data[start + SECTOR_BYTES :])[: len(data)]
    if any(data != image.files[name] for name, data in files.items()):
        _, start = next(iter(content))
        yield _damaged(image, files, f"the sector at {start} {what}")


def _damaged(image: Image, files: dict[str, bytes], what: str) -> Damaged:
    """Only files that count for nothing may be damaged without anybody noticing."""
    name = next(iter(files))
    changed = {other for other, data in files.items() if data != image.files[other]}
    may_open = changed <= set(left_over(image.files[MANIFEST_NAME], image.files))
    return Damaged(Image({**image.files, **files}), f"{name}: {what}", name, may_open)


# --- lives ------------------------------------------------------------------------------------------------------------


def _write(*commands: int) -> Step:
    """One batch, at the policy's own level: for each command kind, key and size."""
    return Step(Action.WRITE, (3, 0, *commands))


OPEN_LOG: Script = (_write(0, 1, 20), _write(1, 1, 30), _write(0, 2, 40, 3, 3, 9), _write(2, 2, 0))
"""A log, and nothing else; its owner dies."""

OPEN_BASE: Script = (
    _write(0, 1, 20),
    _write(3, 2, 30),
    Step(Action.REWRITE, (1,)),
    _write(0, 3, 10),
    Step(Action.REOPEN, (0,)),
    _write(1, 1, 15),
    _write(0, 4, 15),
)
"""A base, a sealed segment and an open one; its owner dies."""

LOG: Script = (*OPEN_LOG, Step(Action.CLOSE))
BASE: Script = (*OPEN_BASE, Step(Action.CLOSE))
"""The same directories when they are closed."""

BEFORE_BASE: Script = OPEN_BASE[:2]
"""What ``BASE`` was before its rewrite."""

_FIRST, _NEXT = 295, 389
"""Values of these sizes make every record of a segment begin and end with a sector: those can be swapped whole."""

_MANY_PIECES = tuple(number for index in range(400) for number in (1, index, 0))
"""Of appends that are different enough for a compressed base of several sectors."""

OPEN_SECTORS: Script = (
    _write(*_MANY_PIECES),
    Step(Action.REWRITE, (1,)),
    _write(0, 1, _FIRST),
    *(_write(0, key, _NEXT) for key in (2, 3, 4, 1)),
    Step(Action.REOPEN, (0,)),
    _write(0, 1, _FIRST),
    *(_write(0, key, _NEXT) for key in (2, 3, 1)),
)
SECTORS: Script = (*OPEN_SECTORS, Step(Action.CLOSE))
"""Files of several sectors, whose records are a sector each; open, and closed."""
