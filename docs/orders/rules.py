"""What may happen: each rule looks at the state, changes nothing, and returns what to log and what to answer.

They are called in ``Engine.transact``, with no other write between the look and the change.  What is not in the state
(ids, the time, the bank's word) comes in as an argument, for a rule may be called twice.  A refusal is an answer like
any other, with nothing to log.
"""

from __future__ import annotations

from typing import TypeAlias, TypeVar

import msgspec
from orders import Cancel, Line, Order, Orders, Pay, Place, Receive, Reserve, Ship, Stock, encode

LINES_MAX = 100
QUANTITY_MAX = 1_000_000
CENTS_MAX = 1_000_000_000


class Refused(msgspec.Struct, frozen=True):
    """A rule says no; ``why`` is unknown, conflict or invalid."""

    why: str
    reason: str


T = TypeVar("T")
Decision: TypeAlias = tuple[list[list[bytes]], T | Refused]


def receive(orders: Orders, goods: Receive) -> Decision[Stock]:
    """Goods arrive.  A delivery that was received before is not received again."""
    if not (0 < goods.quantity <= QUANTITY_MAX and 0 < goods.cents <= CENTS_MAX):
        return [], Refused("invalid", f"quantity 1 to {QUANTITY_MAX}, cents 1 to {CENTS_MAX}")
    known = orders.deliveries.get(goods.delivery)
    if known is not None and known != goods:
        return [], Refused("invalid", f"delivery {goods.delivery} was another one")
    stock = orders.stock.get(goods.sku, Stock())
    if known is not None:
        return [], stock
    return [encode(goods)], msgspec.structs.replace(stock, free=stock.free + goods.quantity, cents=goods.cents)


def place(orders: Orders, key: str, items: dict[str, int], *, order: str, at_ms: int) -> Decision[Order]:
    """A customer orders.  The same key is the same wish: it gets the order that it got the first time."""
    known = orders.keys.get(key)
    if known is not None:
        found = orders.orders[known]
        return [], found if found.items == items else Refused("invalid", f"key {key} was another order's")
    if not 0 < len(items) <= LINES_MAX or not all(0 < quantity <= QUANTITY_MAX for quantity in items.values()):
        return [], Refused("invalid", f"an order has 1 to {LINES_MAX} articles, and of each 1 to {QUANTITY_MAX}")
    for sku, quantity in items.items():
        free = orders.stock.get(sku, Stock()).free
        if quantity > free:
            return [], Refused("conflict", f"{quantity} of {sku} are wanted, {free} are there")
    lines = tuple(Line(sku, quantity, orders.stock[sku].cents) for sku, quantity in items.items())
    placed = Place(order, key, lines, at_ms)
    return [encode(placed), encode(Reserve(order))], Order.of(placed)


def pay(orders: Orders, order: str, payment: str, cents: int, *, at_ms: int) -> Decision[Order]:
    """Money has come.  The same payment of the same order is taken once."""
    found = orders.orders.get(order)
    if found is None:
        return [], Refused("unknown", f"there is no order {order}")
    if found.payment == payment and found.paid_cents == cents:
        return [], found
    if found.state != "placed":
        return [], Refused("conflict", f"order {order} is {found.state}")
    if cents != found.cents:
        return [], Refused("conflict", f"order {order} costs {found.cents}, not {cents}")
    change = Pay(order, payment, cents, at_ms)
    return [encode(change)], found.after(change)


def cancel(orders: Orders, order: str, *, at_ms: int) -> Decision[Order]:
    """The customer does not want it any more, and gets back what was paid."""
    found = orders.orders.get(order)
    if found is None:
        return [], Refused("unknown", f"there is no order {order}")
    if found.state == "cancelled":
        return [], found
    if found.state == "shipped":
        return [], Refused("conflict", f"order {order} is shipped")
    change = Cancel(order, found.paid_cents, at_ms)
    return [encode(change)], found.after(change)


def ship(orders: Orders, order: str, *, at_ms: int) -> Decision[Order]:
    """What is paid leaves the house."""
    found = orders.orders.get(order)
    if found is None:
        return [], Refused("unknown", f"there is no order {order}")
    if found.state == "shipped":
        return [], found
    if found.state != "paid":
        return [], Refused("conflict", f"order {order} is {found.state}")
    change = Ship(order, at_ms)
    return [encode(change)], found.after(change)
