"""A small service for the tests of the crash kit: orders with a total beside them; right, and wrong as services are."""

from __future__ import annotations

import random

import durakv
from durakv_fuzz.service import Environment, Facts, Service, Told

ORDERS = b"orders"
TOTAL = b"total"
ARRIVED = b"arrived"


class Orders:
    """The service itself: what somebody would write on durakv."""

    def __init__(self, env: Environment, policy: str = "always") -> None:
        options = durakv.Options(segment_bytes=4096)
        self.db = durakv.open(
            None, filesystem=env.filesystem, clock=env.clock, background=False, fsync=policy, options=options
        )

    def take(self, order: int, level: durakv.Durability | None = None) -> None:
        with self.db.batch(durability=level) as batch:
            batch.rpush(ORDERS, b"%d" % order)
            batch.incr(TOTAL)

    def shown(self) -> list[int]:
        return [int(order) for order in self.db.lrange(ORDERS, 0, -1)]

    def total(self) -> int:
        return int(self.db.get(TOTAL) or 0)


def check(env: Environment, facts: Facts) -> None:
    orders = Orders(env)
    shown = orders.shown()
    assert len(set(shown)) == len(shown), f"an order is there twice: {shown}"
    assert orders.total() == len(shown), f"the total is {orders.total()}, and there are {shown}"
    assert set(facts.acked) <= set(shown), f"an order is lost: {shown}"
    assert set(shown) <= set(facts.began), f"an order that nobody gave: {shown}"


def takes_orders(env: Environment, told: Told, source: random.Random) -> None:
    """One life of the right one: some orders, perhaps a rewrite, and an end with or without a close."""
    orders = Orders(env)
    for _ in range(source.randint(1, 8)):
        order = orders.total()
        told.began(order)
        orders.take(order)
        told.acked(order)
        if source.random() < 0.1:
            orders.db.rewrite()
    if source.random() < 0.5:
        orders.db.close()


def lets_the_system_write(env: Environment, told: Told, source: random.Random) -> None:
    """Right: what is only written is acknowledged as such, and a sync acknowledges all of it."""
    orders = Orders(env, "everysec")
    for _ in range(source.randint(1, 8)):
        order = orders.total()
        told.began(order)
        orders.take(order)
        told.acked(order, durakv.Durability.WRITTEN)
        env.clock.advance(source.choice((0.1, 2.0)))
        orders.db.engine.step()
        if source.random() < 0.2:
            orders.db.sync()
            told.acked(order)


def takes_them_in_first(env: Environment, told: Told, source: random.Random) -> None:
    """Right: what arrives is put aside, and entered later, or by the next life."""
    orders = Orders(env)
    while arrived := orders.db.lrange(ARRIVED, 0, 0):
        with orders.db.batch() as batch:
            batch.lpop(ARRIVED)
            batch.rpush(ORDERS, *arrived)
            batch.incr(TOTAL)
    for order in range(orders.total(), orders.total() + source.randint(1, 3)):
        told.began(order)
        orders.db.rpush(ARRIVED, b"%d" % order)
        told.acked(order)


def check_both(env: Environment, facts: Facts) -> None:
    orders = Orders(env)
    entered, arrived = orders.shown(), [int(order) for order in orders.db.lrange(ARRIVED, 0, -1)]
    assert orders.total() == len(entered)
    assert sorted({*entered, *arrived}) == sorted(entered + arrived), f"twice: {entered}, {arrived}"
    assert set(facts.acked) <= {*entered, *arrived} <= set(facts.began), f"lost or invented: {entered}, {arrived}"


def vouches_for_what_it_finds(env: Environment, told: Told, source: random.Random) -> None:
    """Right: whatever an open finds is durable, and a loss of power after it takes nothing of that."""
    orders = Orders(env, "no")
    for order in orders.shown():
        told.acked(order)
    for _ in range(source.randint(1, 3)):
        order = orders.total()
        told.began(order)
        orders.take(order)


# --- the wrong ones ---------------------------------------------------------------------------------------------------


def acks_before_the_sync(env: Environment, told: Told, source: random.Random) -> None:
    orders = Orders(env, "no")
    for _ in range(source.randint(1, 4)):
        order = orders.total()
        told.began(order)
        orders.take(order)
        told.acked(order)


def acks_before_the_write(env: Environment, told: Told, source: random.Random) -> None:
    orders = Orders(env, "no")
    for _ in range(source.randint(1, 4)):
        order = orders.total()
        told.began(order)
        orders.take(order, durakv.Durability.APPLIED)
        told.acked(order, durakv.Durability.WRITTEN)


def uses_two_batches(env: Environment, told: Told, source: random.Random) -> None:
    orders = Orders(env)
    for _ in range(source.randint(1, 4)):
        order = orders.total()
        told.began(order)
        orders.db.rpush(ORDERS, b"%d" % order)
        orders.db.incr(TOTAL)
        told.acked(order)


def begins_nothing(env: Environment, told: Told, source: random.Random) -> None:
    orders = Orders(env)
    for _ in range(source.randint(1, 4)):
        order = orders.total()
        orders.take(order)
        told.acked(order)


def counts_from_zero_again(env: Environment, told: Told, source: random.Random) -> None:
    """What only a second life shows."""
    orders = Orders(env)
    for order in range(source.randint(1, 4)):
        told.began(order)
        orders.take(order)
        told.acked(order)


def recovers_in_two_batches(env: Environment, told: Told, source: random.Random) -> None:
    """What only a crash of a recovery shows."""
    orders = Orders(env)
    while (order := orders.db.lpop(ARRIVED)) is not None:
        with orders.db.batch() as batch:
            batch.rpush(ORDERS, order)
            batch.incr(TOTAL)
    for number in range(orders.total(), orders.total() + source.randint(1, 3)):
        told.began(number)
        orders.db.rpush(ARRIVED, b"%d" % number)
        told.acked(number)


RIGHT = Service(takes_orders, check)
