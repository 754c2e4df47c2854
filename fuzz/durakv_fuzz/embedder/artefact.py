"""A failing case as one small file: what was written, in which order, and where the crashes were.

    artefact := JSON object {format, version, verdict, reason, setup, lives, story}

It holds batches and not the machine, so it is replayed with the machine of the day, to see whether that is mended.
Byte strings are stored as text in which byte ``n`` is character ``n``.
"""

from __future__ import annotations

import json
from typing import Any, cast

from durakv_fuzz.embedder.campaign import Failure
from durakv_fuzz.embedder.life import Case, Life
from durakv_fuzz.embedder.program import LEVEL_COUNT, POLICIES, Act, Step
from durakv_fuzz.embedder.subject import Commands, checked
from durakv_fuzz.lives import Crash
from durakv_fuzz.model import Model
from durakv_fuzz.script import dump_setup, load_setup

FORMAT = "durakv crash of an embedder's machine"
VERSION = 1
_CODEC = "latin-1"


class BadArtefact(ValueError):
    """A file that is no artefact, or of a version that is not known here."""


def dump_case(failure: Failure) -> str:
    """As JSON, with the story for whoever opens the file."""
    words = {
        "format": FORMAT,
        "version": VERSION,
        "verdict": failure.violation.verdict,
        "reason": failure.violation.reason,
        "setup": dump_setup(failure.case.setup),
        "lives": [_dump_life(life) for life in failure.case.lives],
        "story": failure.story,
    }
    return json.dumps(words, ensure_ascii=True, indent=1) + "\n"


def load_case(text: str) -> Case:
    """The other way round; raises :class:`BadArtefact`."""
    try:
        words: Any = json.loads(text)
    except (ValueError, RecursionError) as failure:
        raise BadArtefact(f"it is not JSON: {failure}") from failure
    if not isinstance(words, dict) or cast(dict[str, Any], words).get("format") != FORMAT:
        raise BadArtefact(f"it is not a {FORMAT!r}")
    known = cast(dict[str, Any], words)
    if known.get("version") != VERSION:
        raise BadArtefact(f"it has version {known.get('version')!r}, this durakv reads version {VERSION}")
    try:
        lives = tuple(map(_load_life, known["lives"]))
        if not lives:
            raise ValueError("it has no lives")
        return Case(load_setup(known["setup"]), lives)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as failure:
        raise BadArtefact(f"a part is missing or damaged: {type(failure).__name__}: {failure}") from failure


def _dump_life(life: Life) -> dict[str, Any]:
    steps = [[step.act, step.number, _dump_batch(step.batch)] for step in life.steps]
    crash = life.crash
    return {"steps": steps, "crash": {"at": crash.crash_seq, "model": crash.model, "answers": crash.answers}}


def _load_life(words: dict[str, Any]) -> Life:
    steps = tuple(_load_step(act, number, batch) for act, number, batch in words["steps"])
    crash = words["crash"]
    numbers = [crash["at"], *crash["answers"]]
    if any(type(number) is not int or number < 0 for number in numbers):
        raise ValueError("a crash is made of whole numbers")
    return Life(steps, Crash(crash["at"], Model(crash["model"]), tuple(crash["answers"])))


def _load_step(act: str, number: object, batch: list[list[str]]) -> Step:
    kind = Act(act)
    most = {Act.WRITE: LEVEL_COUNT, Act.POLICY: len(POLICIES), Act.REOPEN: len(POLICIES)}.get(kind, 1 << 31)
    if not isinstance(number, int) or not 0 <= number < most:
        raise ValueError(f"{act} {number!r}: the number must be from 0 to {most - 1}")
    if kind is not Act.WRITE:
        return Step(kind, number)
    return Step(kind, number, checked([[part.encode(_CODEC) for part in command] for command in batch]))


def _dump_batch(batch: Commands) -> list[list[str]]:
    return [[part.decode(_CODEC) for part in command] for command in batch]
