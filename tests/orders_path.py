"""Importing this makes the modules of the tutorial importable, as they are for a script in its folder.

And what the tests of the tutorial's shop share: its books.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

ORDERS = Path(__file__).parents[1] / "docs" / "orders"

if str(ORDERS) not in sys.path:
    sys.path.append(str(ORDERS))

if TYPE_CHECKING:
    from orders import Orders

SHELF = {"placed": "reserved", "paid": "reserved", "shipped": "shipped"}
"""Where the goods of an order are, by its state."""


def decide(orders: Orders, decision: tuple[Sequence[Sequence[bytes]], object]) -> None:
    """Do in memory what a rule decided; it must not have refused."""
    commands, answer = decision
    assert commands, answer
    for command in commands:
        orders.apply(command)


def check_the_books(orders: Orders) -> None:
    """What the stock says is what the orders say, nothing is sold twice, and all money is accounted for."""
    for sku, stock in orders.stock.items():
        shelves = {"reserved": 0, "shipped": 0}
        for order in orders.orders.values():
            if order.state in SHELF:
                shelves[SHELF[order.state]] += order.items.get(sku, 0)
        received = sum(goods.quantity for goods in orders.deliveries.values() if goods.sku == sku)
        assert (stock.reserved, stock.shipped) == (shelves["reserved"], shelves["shipped"]), (
            f"{sku}: {stock}, {shelves}"
        )
        assert stock.free >= 0, f"{sku} is oversold: {stock}"
        assert stock.free + stock.reserved + stock.shipped == received, f"{sku}: {received} came, {stock} is there"
    for order in orders.orders.values():
        kept = order.paid_cents - order.refunded_cents
        assert kept == (order.cents if order.state in ("paid", "shipped") else 0), f"the money of {order}"
