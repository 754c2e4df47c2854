"""The judge of a recovery: it knows what callers were told, sees what came back, and never looks into the engine.

What came back must be the state after the first ``k`` batches, for one ``k`` (C1) between ``least``, which is what was
promised (C2, C3, C4), and ``most``, which is what was asked for.  ``history`` works those out.

For every crash it also says what it cost: how many batches that were acknowledged at WRITTEN are gone, and how old the
oldest was.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import compress, product

from durakv.durability import FsyncPolicy
from durakv.machine import Command
from durakv_fuzz.machines import Digest, State, change

_SUBSETS_MAX = 6
"""Of larger batches only beginnings are tried, to see whether a part is there."""


class Verdict(StrEnum):
    """What is wrong; the worst first."""

    LOST_ACKED = "LOST_ACKED"
    """A write is gone whose survival had been promised (C2, C3, C4, C7)."""

    GAP = "GAP"
    """A write is gone although a later one is there (C1)."""

    TORN_BATCH = "TORN_BATCH"
    """A part of a batch is there (C1)."""

    PHANTOM = "PHANTOM"
    """Something is there that nobody wrote, or that was refused (C1, C7, C11)."""

    UNDETECTED = "UNDETECTED"
    """Damage to promised data was read as if nothing were wrong (C8, F6)."""

    TOUCHED = "TOUCHED"
    """A directory that was refused is not as it was (C8)."""

    CORRUPT = "CORRUPT"
    """A state that a crash may leave was taken for corruption (C8)."""

    NO_START = "NO_START"
    """A state that a crash may leave did not open, for another reason."""

    SEQ_REUSED = "SEQ_REUSED"
    """A number that somebody was told names another batch now."""

    SILENT = "SILENT"
    """Something was lost, and the report does not say so (C13)."""

    HANG = "HANG"
    """It does not come to an end."""

    LEAK = "LEAK"
    """Files are left that count for nothing."""

    BROKEN = "BROKEN"
    """The engine contradicted its own documentation in some other way."""


@dataclass(frozen=True, slots=True)
class Violation:
    """A promise that was not kept."""

    verdict: Verdict
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """A batch as its caller knows it."""

    name: int
    commands: tuple[Command, ...]
    seq: int
    """Its number; 0 if the caller never learned it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What a recovery may find."""

    batches: Sequence[Batch]
    """In the order of the log."""
    states: Sequence[Digest]
    """``states[k]``: after the first ``k`` of them."""
    refused: Sequence[Batch]
    least: int
    """At least so many batches survive,"""
    why: str
    """because of this;"""
    most: int
    """no more were asked for."""
    acknowledged: Sequence[float]
    """The batches that were acknowledged at WRITTEN, in order: when that was."""
    numbered: int
    """How many batches had been told their number."""
    told_seq: int
    """The highest number that any caller was ever told, in this life of the directory or an earlier one."""
    time: float
    """When the crash was."""
    policy: FsyncPolicy | None
    """In force at the crash; None if nothing was open."""
    vouch: Callable[[], Sequence[int]] = tuple[int, ...]
    """For each batch that was acknowledged at WRITTEN: so many batches had been promised as SYNCED when it was handed
    over, and wherever it is in the log it says so (C8)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a caller sees who opens the directory after the crash."""

    state: Digest
    applied_seq: int
    last_seq: int
    lines: tuple[str, ...]
    left_over: tuple[str, ...] = ()
    """Files of the store that the manifest does not name."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """The outcome of one recovery."""

    violation: Violation | None
    survived: int = 0
    """How many batches."""
    lost: int = 0
    """How many that were acknowledged at WRITTEN."""
    window: float = 0.0
    """The age of the oldest of them, in seconds."""


def judge(expectation: Expectation, found: Found) -> Judgement:
    """Judge what an open found."""
    states = expectation.states
    hash(found.state)  # kept by the set, as by those it is compared with
    matching = [k for k, state in enumerate(states) if state == found.state]
    kept = [k for k in matching if expectation.least <= k <= expectation.most]
    if not kept:
        return Judgement(_explain(expectation, found.state, matching))
    # Several prefixes may lead to one state (a deletion of what was not there): the doubt is in the engine's favour.
    k = kept[-1]
    lost_times = expectation.acknowledged[k:]
    window = expectation.time - lost_times[0] if lost_times else 0.0
    violation = _judge_words(expectation, found, least=kept[0], most=k)
    return Judgement(violation, survived=k, lost=len(lost_times), window=window)


def _judge_words(expectation: Expectation, found: Found, *, least: int, most: int) -> Violation | None:
    if found.applied_seq < expectation.told_seq:
        return Violation(
            Verdict.SEQ_REUSED,
            f"the next batch would get number {found.applied_seq + 1}, but {expectation.told_seq} was told before",
        )
    # In the order of the log, and those that never learned their number come last.
    last = next((batch.seq for batch in reversed(expectation.batches[:least]) if batch.seq), 0)
    if found.last_seq < last:
        return Violation(Verdict.SILENT, f"the report ends at number {found.last_seq}, but {last} is there")
    if most < expectation.numbered and not found.lines:
        count = expectation.numbered - most
        return Violation(Verdict.SILENT, f"{count} numbered batches are gone, and nothing says so")
    if found.left_over:
        return Violation(Verdict.LEAK, f"after the open {', '.join(found.left_over)} are still there")
    return None


def _explain(expectation: Expectation, state: Digest, matching: list[int]) -> Violation:
    """Which promise a state breaks that is none of the allowed ones."""
    if matching:
        k = matching[-1]
        if k < expectation.least:
            return Violation(
                Verdict.LOST_ACKED,
                f"the first {k} batches survived, but {expectation.least} were promised: {expectation.why}",
            )
        return Violation(Verdict.PHANTOM, f"{k} batches are there, but only {expectation.most} had been asked for")
    values = {value for _, (value, _) in state}
    for k, batch in enumerate(expectation.batches):
        if state in _parts(expectation.states[k], batch):
            return Violation(Verdict.TORN_BATCH, f"of batch {batch.name} only a part is there")
    written = {command[2] for batch in expectation.batches for command in batch.commands if len(command) > 2}
    base = {value for _, (value, _) in expectation.states[0]}
    invented = [value for value in values if not _is_made_of(value, written | base)]
    if invented:
        refused = {command[2] for batch in expectation.refused for command in batch.commands if len(command) > 2}
        word = "a refused batch wrote" if refused.intersection(invented) else "nobody wrote"
        return Violation(Verdict.PHANTOM, f"there is a value that {word}: {invented[0][:40]!r}")
    return Violation(Verdict.GAP, "it is the state after no prefix of the batches; " + _compare(expectation, state))


def _parts(base: Digest, batch: Batch) -> set[Digest]:
    """The states after each part of the batch's commands that is neither none nor all of them."""
    count = len(batch.commands)
    beginnings = [range(size) for size in range(1, count)]
    subsets = product((False, True), repeat=count) if count <= _SUBSETS_MAX else ()
    parts: set[Digest] = set()
    for chosen in (*beginnings, *(list(compress(range(count), subset)) for subset in subsets)):
        if 0 < len(chosen) < count:
            state: State = dict(base)
            for index in chosen:
                change(state, batch.commands[index])
            parts.add(frozenset(state.items()))
    return parts


def _is_made_of(value: bytes, written: set[bytes]) -> bool:
    """Whether a value is one that was written, or several that were appended to each other."""
    while value:
        part = next((part for part in written if part and value.startswith(part)), None)
        if part is None:
            return False
        value = value[len(part) :]
    return True


def _compare(expectation: Expectation, state: Digest) -> str:
    """How the state differs from the nearest expected one."""
    near = min(range(len(expectation.states)), key=lambda k: len(expectation.states[k] ^ state))
    wrong = expectation.states[near] ^ state
    keys = sorted({key for key, _ in wrong})
    return f"nearest are the first {near}, but {b', '.join(keys).decode(errors='replace')} differ"
