"""A failure written down: one small file that any machine can replay.

    {"format": "durakv-failure", "version": 1, "verdict": ..., "reason": ..., "mutant": ..., "case": {...}}

A case is a program, crashes and answers (``lives``), not images, so the file stays small and the same on every machine.
A failure of an engine that was broken on purpose names the mutant, and replaying it breaks the engine again.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass, replace
from typing import Any, cast

import durakv
from durakv_fuzz.campaign import Failure
from durakv_fuzz.lives import Case, play, replay
from durakv_fuzz.mutants import MUTANTS
from durakv_fuzz.oracle import Judgement, Verdict
from durakv_fuzz.quiet import quiet
from durakv_fuzz.shrink import shrink
from durakv_fuzz.story import tell
from durakv_fuzz.trace import Trace

FORMAT = "durakv-failure"
VERSION = 1
BYTES_MAX = 4 << 20
"""Real ones have a few thousand bytes; what is larger is something else."""


class BadFailureFile(ValueError):
    """The text is no failure that this version can replay; the message says why."""


@dataclass(frozen=True, slots=True)
class FailureFile:
    """See the module."""

    verdict: Verdict
    reason: str
    case: Case
    stage: str = ""
    """Where in a campaign it was found."""
    mutant: str = ""
    """What was broken on purpose; empty if nothing was."""

    @classmethod
    def of(cls, failure: Failure, mutant: str = "") -> FailureFile:
        """What a campaign found, as it stands."""
        violation = failure.violation
        return cls(violation.verdict, violation.reason, failure.case, failure.stage, mutant)

    def replay(self) -> Judgement:
        """Repeat it and judge it anew."""
        with self._engine(), quiet():
            return replay(self.case)

    def tell(self) -> list[str]:
        """The story, line by line."""
        with self._engine(), quiet():
            return tell(self.case)

    def trace(self) -> Trace:
        """What its last life did to the disk, and what it was told."""
        with self._engine(), quiet():
            return play(self.case).trace

    def shrink(self, attempts: int = 300) -> FailureFile:
        """The smallest case found that breaks the same promise."""
        violation = self.replay().violation
        if violation is None:
            return self
        with self._engine():
            case = shrink(Failure(violation, self.case, 0, self.stage), attempts=attempts)
        smaller = replace(self, case=case)
        violation = smaller.replay().violation
        return self if violation is None else replace(smaller, verdict=violation.verdict, reason=violation.reason)

    def dump(self) -> str:
        """As JSON."""
        words = {
            "format": FORMAT,
            "version": VERSION,
            "durakv": durakv.__version__,
            "verdict": self.verdict,
            "reason": self.reason,
            "stage": self.stage,
            "mutant": self.mutant,
            "case": json.loads(self.case.dump()),
        }
        return json.dumps(words, ensure_ascii=False) + "\n"

    @classmethod
    def load(cls, text: str) -> FailureFile:
        """The other way round; raises :class:`BadFailureFile`."""
        if len(text) > BYTES_MAX:
            raise BadFailureFile(f"it has {len(text)} characters, a failure at most {BYTES_MAX}")
        words = _object(text)
        if words.get("format") != FORMAT:
            raise BadFailureFile("it is not a failure that a campaign wrote down: the format's name is missing")
        version = words.get("version")
        if version != VERSION or isinstance(version, bool):
            raise BadFailureFile(f"it has version {version}, this durakv reads version {VERSION}")
        mutant = words.get("mutant", "")
        if not isinstance(mutant, str):
            raise BadFailureFile(f"a part is missing or damaged: the mutant's name is {mutant!r}")
        if mutant and mutant not in MUTANTS:
            raise BadFailureFile(f"it was found with the mutant {mutant!r}, which this version does not have")
        try:
            case = Case.load(json.dumps(words["case"]))
            _check(case)
            return cls(Verdict(words["verdict"]), str(words["reason"]), case, str(words["stage"]), mutant)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as cause:
            raise BadFailureFile(f"a part is missing or damaged: {type(cause).__name__}: {cause}") from cause

    def _engine(self) -> contextlib.AbstractContextManager[None]:
        return MUTANTS[self.mutant].applied() if self.mutant else contextlib.nullcontext()


def _check(case: Case) -> None:
    """Raise ``ValueError`` for what JSON allows and no campaign writes.

    The laboratory would fail in the middle of the replay, or blame the engine for a program that makes no sense.
    """
    if not case.lives:
        raise ValueError("it has no lives")
    for life in case.lives:
        numbers = [life.crash.crash_seq, *life.crash.answers]
        for step in life.script:
            numbers += step.arguments
        if any(type(number) is not int for number in numbers):
            raise ValueError("a number is something else")
        if life.crash.crash_seq < 0:
            raise ValueError(f"it crashes before its beginning, at {life.crash.crash_seq}")
    if any(type(answer) is not int for answer in case.damage or ()):
        raise ValueError("a number is something else")


def _object(text: str) -> dict[str, Any]:
    try:
        words: object = json.loads(text)
    except (ValueError, RecursionError) as cause:
        raise BadFailureFile(f"it is not JSON, or a part of it is missing: {cause}") from cause
    if not isinstance(words, dict):
        raise BadFailureFile("it is JSON, but no object")
    return cast(dict[str, Any], words)
