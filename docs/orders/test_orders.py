"""No crash harms an order.  This file is all there is to write."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from shutil import copytree

import pytest
import rules
from orders import Cancel, Change, Line, Orders, Pay, Place, Receive, Reserve, Ship, Stock, encode

import durakv
from durakv_fuzz.pytest_plugin import Campaign
from durakv_fuzz.service import Environment, Facts, Service, Told, explore

Placing = Callable[[durakv.Engine, Orders, str, str], object]


def draw(source: random.Random) -> list[list[bytes]]:
    """One batch that is fine in any state: goods arrive, somebody orders them, and then one thing or another."""
    order = f"{source.getrandbits(64):x}"
    batch: list[Change] = [Receive(order, "tea", 5, 450)]
    batch += [Place(order, order, (Line("tea", 1, 450),), 1), Reserve(order)]
    paid = Pay(order, "bank", 450, 2)
    batch += source.choice([[], [paid], [paid, Ship(order, 3)], [Cancel(order, 0, 3)], [paid, Cancel(order, 450, 3)]])
    return [encode(change) for change in batch]


def read(orders: Orders) -> object:
    return orders.deliveries, orders.stock, orders.orders, orders.keys


def open_engine(env: Environment, orders: Orders) -> durakv.Engine:
    small = durakv.Options(segment_bytes=4096)  # so that the log goes through many files
    disk, clock = env.filesystem, env.clock
    return durakv.Engine(None, orders, fsync="always", options=small, filesystem=disk, clock=clock, background=False)


def place(engine: durakv.Engine, orders: Orders, key: str, order: str) -> object:
    return engine.transact(lambda: rules.place(orders, key, {"tea": 1}, order=order, at_ms=1))


def drive(env: Environment, told: Told, source: random.Random, placing: Placing = place) -> None:
    """One life of the shop: take orders, and tell what was acknowledged."""
    orders = Orders()
    with open_engine(env, orders) as engine:
        engine.transact(lambda: rules.receive(orders, Receive("delivery-1", "tea", 1000, 450)))
        for _ in range(5):
            key = f"{source.getrandbits(64):x}"
            told.began(key)
            placing(engine, orders, key, f"order-{key}")
            told.acked(key)
            if source.random() < 0.2:
                engine.rewrite()


def check(env: Environment, facts: Facts) -> None:
    """After the crash: every acknowledged order is there, none that nobody placed, and the goods are put aside."""
    orders = Orders()
    with open_engine(env, orders):
        assert set(facts.acked) <= set(orders.keys), "an acknowledged order is lost"
        assert set(orders.keys) <= set(facts.began), "there is an order that nobody placed"
        reserved = sum(stock.reserved for stock in orders.stock.values())
        assert reserved == len(orders.orders), f"{len(orders.orders)} orders, but {reserved} reserved"


def test_the_orders_are_a_state_machine() -> None:
    source = random.Random(1)
    durakv.check_state_machine(Orders, [draw(source) for _ in range(20)], look=read)


@pytest.mark.crash(states=300)
def test_no_crash_harms_the_machine(crash_campaign: Campaign) -> None:
    crash_campaign(make=Orders, draw=draw, read=read)


def test_no_crash_takes_an_acknowledged_order() -> None:
    explore(Service(drive, check), states=300)


def test_what_the_first_release_wrote_is_still_read(tmp_path: Path) -> None:
    data = copytree(Path(__file__).parent / "first_release", tmp_path / "data")
    orders = Orders()
    with durakv.Engine(data, orders):
        states = [order.state for order in orders.orders.values()]
        assert states == ["shipped", "cancelled", "cancelled", "paid"]
        assert orders.stock["tea"] == Stock(free=7, reserved=1, shipped=2, cents=450)
