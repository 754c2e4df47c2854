"""The promise: a campaign finds what is wrong with a service under crashes, tells it, and repeats it; in a right one it
finds nothing.

Method: an order service that is right in three ways, and copies of it that are each wrong in one way of real services;
then the right one on an engine that is broken on purpose.
"""

from __future__ import annotations

import random
import re

import pytest

import durakv
from durakv_fuzz.mutants import MUTANTS
from durakv_fuzz.service import BadSubject, Environment, Facts, Outcome, Service, Told, Violation, explore
from durakv_fuzz.service.subject import Acked, Began, Word, facts_of
from tests.service import orders
from tests.service.orders import RIGHT

STATES = 1500
"""Every wrong one is found in less."""


def found(service: Service, states: int = STATES, seed: int = 0) -> Violation:
    with pytest.raises(Violation) as raised:
        explore(service, states=states, seed=seed)
    return raised.value


def test_a_right_service_passes_thousands_of_crashes() -> None:
    outcome = explore(RIGHT, states=2000)
    assert outcome.states >= 2000
    assert outcome.checks >= outcome.states
    assert set(outcome.stages) == {"life 1", "recovery 1", "life 2", "recovery 2", "life 3"}
    assert all(count >= 100 for count in outcome.stages.values()), outcome.stages
    assert "2,000 distinct crash states" in "\n".join(outcome.lines())


@pytest.mark.parametrize(
    "service",
    [Service(orders.lets_the_system_write, orders.check), Service(orders.takes_them_in_first, orders.check_both)],
    ids=["written", "taken in first"],
)
def test_a_service_that_promises_less_or_recovers_more_may_be_right_too(service: Service) -> None:
    assert explore(service, states=300).states >= 300


@pytest.mark.parametrize(
    ("service", "reason", "crash"),
    [
        (Service(orders.acks_before_the_sync, orders.check), "an order is lost", "power loss"),
        (Service(orders.acks_before_the_write, orders.check), "an order is lost", "process"),
        (Service(orders.uses_two_batches, orders.check), "the total is", "process crash"),
        (Service(orders.begins_nothing, orders.check), "an order that nobody gave", "process crash"),
        (Service(orders.counts_from_zero_again, orders.check), "an order is there twice", "life 2"),
        (Service(orders.recovers_in_two_batches, orders.check_both), "lost or invented", "life 2"),
    ],
    ids=lambda value: value.drive.__name__ if isinstance(value, Service) else "",
)
def test_a_wrong_service_is_found_and_told(service: Service, reason: str, crash: str) -> None:
    violation = found(service)
    assert reason in violation.story[0]
    assert crash in str(violation)
    assert isinstance(violation.__cause__, AssertionError)


def test_what_breaks_the_engine_breaks_the_right_service() -> None:
    with MUTANTS["no fsync before ack"].applied():
        violation = found(RIGHT)
    assert "an order is lost" in str(violation)
    with MUTANTS["batch not atomic"].applied():
        violation = found(RIGHT)
    assert "the total is" in str(violation)
    assert explore(RIGHT, states=200).states >= 200, "it was the break that was found"


def test_a_loss_of_power_after_a_kill_may_take_what_only_the_cache_had() -> None:
    service = Service(orders.vouches_for_what_it_finds, orders.check)
    assert explore(service, states=200).states >= 200
    with MUTANTS["tail sealed before it is synced"].applied():
        story = found(service).story
    first, second = story.index("life 1"), story.index("life 2")
    assert any(line.startswith("  process crash before event") for line in story[first:second])
    assert any(line.startswith("  power loss") for line in story[second:])


def test_the_same_seed_does_the_same() -> None:
    def explored(seed: int) -> Outcome:
        return explore(RIGHT, states=200, seed=seed)

    first, again, other = explored(5), explored(5), explored(6)
    assert (first.distinct, first.stages, first.runs) == (again.distinct, again.stages, again.runs)
    assert first.distinct != other.distinct


def test_a_story_names_its_run_and_the_run_alone_tells_it_again() -> None:
    service = Service(orders.counts_from_zero_again, orders.check)
    violation = found(service, seed=3)
    named = re.search(r"seed=3, first_run=(\d+), runs=1", str(violation))
    assert named is not None
    with pytest.raises(Violation) as again:
        explore(service, states=STATES, seed=3, first_run=int(named[1]), runs=1)
    assert again.value.story[0] == violation.story[0]
    assert again.value.story[2:] == violation.story[2:]


def test_a_story_tells_calls_words_losses_and_facts_and_no_loss_too_many() -> None:
    story = found(Service(orders.acks_before_the_sync, orders.check)).story
    text = "\n".join(story)
    assert re.search(r"tests/service/orders.py:\d+ in check", story[0])
    assert re.search(r"began 0\n +#\d+ write_at .*\n.* acked 0 \(SYNCED\)", text)
    assert sum(line.startswith("    lost: ") for line in story) == 1
    assert story[-2:] == ("acknowledged, so it must be there: 0", "begun, so it may be there: 0")


def test_an_assertion_without_words_is_told_by_its_source() -> None:
    def check(env: Environment, facts: Facts) -> None:
        missing = len(facts.began) - len(orders.Orders(env).shown())
        if missing:
            raise AssertionError

    assert "raise AssertionError (" in found(Service(orders.takes_orders, check)).story[0]


def test_whatever_a_check_raises_is_a_broken_promise() -> None:
    def check(env: Environment, facts: Facts) -> None:
        if facts.acked:
            raise KeyError("what was it")

    violation = found(Service(orders.takes_orders, check))
    assert violation.story[0].startswith("KeyError: 'what was it'")


def test_a_later_life_that_cannot_go_on_is_a_broken_promise() -> None:
    def drive(env: Environment, told: Told, source: random.Random) -> None:
        if orders.Orders(env).total():
            raise RuntimeError("somebody was here before")
        orders.takes_orders(env, told, source)

    def drives_once(env: Environment, told: Told, source: random.Random) -> None:
        if "appendonly.aof.1.incr.aof" in (env.filesystem.list() if env.filesystem.exists_root() else ()):
            raise RuntimeError("somebody was here before")
        orders.takes_orders(env, told, source)

    violation = found(Service(drives_once, orders.check))
    assert violation.story[0].startswith("RuntimeError: somebody was here before")
    assert "drive raised that on what the crash had left" in str(violation)
    # It opens twice and closes neither: the first life fails already, and no crash is to blame.
    with pytest.raises(BadSubject, match="run 0 of seed 0, although nothing was crashed: Locked"):
        explore(Service(drive, orders.check), states=10)


def test_a_fact_that_cannot_be_counted_is_refused() -> None:
    def drive(env: Environment, told: Told, source: random.Random) -> None:
        told.began(["a", "list"])

    with pytest.raises(BadSubject, match="not \\['a', 'list'\\]"):
        explore(Service(drive, orders.check), states=10)


def test_a_service_of_which_nothing_new_comes_ends_early() -> None:
    def drive(env: Environment, told: Told, source: random.Random) -> None:
        told.began("nothing")

    outcome = explore(Service(drive, lambda env, facts: None), states=1000)
    assert outcome.states < 10
    assert outcome.runs < 50


def test_what_counts_depends_on_the_level_and_on_the_crash() -> None:
    applied, written, synced = durakv.Durability
    words: list[Word] = [Began(1), Acked(1, applied), Began(2), Acked(2, written), Began(3), Acked(3, synced), Began(4)]
    assert facts_of(words, power=True) == Facts((3,), (1, 2, 3, 4))
    assert facts_of(words, power=False) == Facts((2, 3), (1, 2, 3, 4))


def test_what_was_never_begun_shows_from_its_acknowledgement_on_as_often_as_it_was_told() -> None:
    words: list[Word] = [Acked("hit", durakv.Durability.SYNCED), Began("hit"), Acked("hit", durakv.Durability.SYNCED)]
    assert facts_of(words, power=True) == Facts(("hit", "hit"), ("hit", "hit"))
