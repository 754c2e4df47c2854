"""The promise: a campaign against a foreign state machine finds what is wrong with it, and nothing where nothing is.

Method: a counter that is right, and copies of it that are each wrong in one way of real machines; then the same counter
on an engine that is broken on purpose.
"""

from __future__ import annotations

import json
import logging
import random
from collections.abc import Callable, Iterable, Iterator, Sequence

import pytest

from durakv_fuzz.embedder import BadArtefact, BadSubject, Outcome, Subject, dump_case, explore, load_case, replay
from durakv_fuzz.mutants import MUTANTS
from durakv_fuzz.oracle import Verdict

STATES = 400


class Counter:
    """add name amount: counts, and remembers the last one added to."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.last = ""

    def apply(self, command: Sequence[bytes], /) -> int:
        _, name, amount = command
        self.last = name.decode()
        self.counts[self.last] = self.counts.get(self.last, 0) + int(amount)
        return self.counts[self.last]

    def freeze(self) -> Iterator[bytes]:
        return iter([json.dumps([self.counts, self.last]).encode()])

    def restore(self, chunks: Iterable[bytes], /) -> None:
        self.counts, self.last = json.loads(b"".join(chunks))


class ForgetsTheLast(Counter):
    """Its image is not everything that it knows."""

    def freeze(self) -> Iterator[bytes]:
        return iter([json.dumps([self.counts, ""]).encode()])


class FreezesLazily(Counter):
    """What it returns from freeze is read later, and shows what has changed since."""

    def freeze(self) -> Iterator[bytes]:
        yield b"["
        yield json.dumps(self.counts).encode()
        yield b", "
        yield json.dumps(self.last).encode()
        yield b"]"


class SetsOnReplay(Counter):
    """Depends on something that no log holds: how often it was asked since it was made."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    def apply(self, command: Sequence[bytes], /) -> int:
        self.asked += 1
        return super().apply((*command[:2], b"%d" % self.asked))


class RestoresHalf(Counter):
    """Reads the first chunk alone."""

    def freeze(self) -> Iterator[bytes]:
        return iter([json.dumps([{name: count}, name]).encode() for name, count in sorted(self.counts.items())])

    def restore(self, chunks: Iterable[bytes], /) -> None:
        for chunk in chunks:
            self.counts, self.last = json.loads(chunk)
            break


def draw(source: random.Random) -> list[list[bytes]]:
    return [[b"add", source.choice([b"a", b"b"]), b"%d" % source.randrange(9)] for _ in range(source.randint(1, 3))]


def read(machine: Counter) -> object:
    return sorted(machine.counts.items()), machine.last


def crash(make: Callable[[], Counter], states: int = STATES, seed: int = 0) -> Outcome:
    return explore(Subject(make, draw, read), states=states, seed=seed)


def test_nothing_is_found_where_nothing_is_wrong() -> None:
    outcome = crash(Counter)
    assert outcome.failure is None, "\n".join(outcome.failure.story)
    assert outcome.states >= STATES
    assert set(outcome.stages) == {"first life", "crashed recovery", "second life"}


def test_the_same_seed_does_the_same() -> None:
    assert crash(Counter, 150, seed=3).distinct == crash(Counter, 150, seed=3).distinct
    assert crash(Counter, 150, seed=4).distinct != crash(Counter, 150, seed=3).distinct


@pytest.mark.parametrize("make", [ForgetsTheLast, FreezesLazily, SetsOnReplay, RestoresHalf])
def test_a_wrong_machine_is_found_told_and_repeated(make: type[Counter]) -> None:
    failure = crash(make).failure
    assert failure is not None
    assert failure.violation.reason in failure.story[0]
    subject = Subject(make, draw, read)
    case = load_case(dump_case(failure))
    assert case == failure.case
    again = replay(subject, case).violation
    assert again is not None
    assert again.verdict is failure.violation.verdict
    assert replay(Subject(Counter, draw, read), case).violation is None, "a machine that is right breaks nothing there"


def test_the_story_says_which_rule_the_machine_breaks() -> None:
    failure = crash(ForgetsTheLast).failure
    assert failure is not None
    assert failure.violation.verdict is Verdict.PHANTOM
    assert "a state that it was never in" in failure.violation.reason
    assert "breaks a rule of state machines" in failure.story[-1]


@pytest.mark.parametrize("name", ["no fsync before ack", "base published before it is synced", "batch not atomic"])
def test_a_wrong_engine_is_found_too(name: str) -> None:
    with MUTANTS[name].applied():
        failure = crash(Counter, 2000).failure
    assert failure is not None
    assert "conformance kit finds nothing" in failure.story[-1], "the machine is not to blame"


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (Subject(Counter, draw, lambda machine: machine), "read differently"),
        (Subject(Counter, lambda _: [], read), "a batch"),
        (Subject(Counter, lambda _: b"add", read), "a batch"),  # type: ignore[arg-type,return-value]
        (Subject(Counter, lambda _: [[b"add", "a", b"1"]], read), "byte strings only"),  # type: ignore[list-item]
        (Subject(Counter, lambda _: [[b"add", b"a", b"one"]], read), "raised ValueError"),
        (Subject(Counter, lambda _: iter(()), read), "too few"),
    ],
)
def test_what_cannot_be_tested_is_refused_with_a_reason(bad: Subject[Counter], reason: str) -> None:
    with pytest.raises(BadSubject, match=reason):
        explore(bad, states=10)


def test_a_bad_file_is_refused_by_what_is_wrong_with_it() -> None:
    failure = crash(ForgetsTheLast).failure
    assert failure is not None
    text = dump_case(failure)
    words = json.loads(text)
    for bad in (
        "",
        "[]",
        "{}",
        text[:-9],
        json.dumps({**words, "version": 2}),
        json.dumps({**words, "lives": []}),
        json.dumps({**words, "lives": [{**words["lives"][0], "crash": {"at": -1, "model": "x", "answers": []}}]}),
        json.dumps({**words, "lives": [{**words["lives"][0], "steps": [["write", 9, []]]}]}),
        json.dumps({**words, "setup": 7}),
        "[" * 100_000,
    ):
        with pytest.raises(BadArtefact):
            load_case(bad)


def test_a_campaign_logs_nothing_of_its_recoveries_and_leaves_logging_as_it_was(
    caplog: pytest.LogCaptureFixture,
) -> None:
    logger = logging.getLogger("durakv")
    level = logger.level
    assert explore(Subject(Counter, draw, read), seed=1, states=STATES).failure is None
    assert caplog.messages == []
    logging.getLogger("durakv.recovery").warning("what an open says afterwards")
    assert caplog.messages == ["what an open says afterwards"]
    assert logger.level == level
