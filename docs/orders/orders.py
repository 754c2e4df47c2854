"""The state of an order service: no disk, no network, no clock, no chance.

    command := name.version payload        [b"place.1", msgpack of a Place]

Three methods make it durable: ``apply`` changes the state, ``freeze`` and ``restore`` are its image.  A command says
what has happened.  Whether it may happen is decided before, in rules.py, so ``apply`` never refuses.  Money is in
cents, times are in milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import TypeAlias

import msgspec
from msgspec.structs import replace

ORDERS_PER_CHUNK = 1000


class Stock(msgspec.Struct, frozen=True):
    """What there is of one article, where it is, and the price of one."""

    free: int = 0
    reserved: int = 0
    shipped: int = 0
    cents: int = 0


class Line(msgspec.Struct, frozen=True):
    """So many of one article, at the price of the day."""

    sku: str
    quantity: int
    cents: int


class Receive(msgspec.Struct, frozen=True):
    """Goods arrive; ``cents`` is the price from now on."""

    delivery: str
    sku: str
    quantity: int
    cents: int


class Place(msgspec.Struct, frozen=True):
    """A customer orders.  ``key`` is the customer's name for this wish, ``order`` is ours."""

    order: str
    key: str
    lines: tuple[Line, ...]
    at_ms: int


class Reserve(msgspec.Struct, frozen=True):
    """The goods of an order are put aside."""

    order: str


class Pay(msgspec.Struct, frozen=True):
    """The money has come; ``payment`` is the bank's name for it."""

    order: str
    payment: str
    cents: int
    at_ms: int


class Cancel(msgspec.Struct, frozen=True):
    """The goods go back, and so does the money."""

    order: str
    refund_cents: int
    at_ms: int


class CancelUnpaid(msgspec.Struct, frozen=True):
    """How the first release cancelled: it knew no refunds.  Not logged any more; old logs are full of it."""

    order: str
    at_ms: int


class Ship(msgspec.Struct, frozen=True):
    """The goods leave the house."""

    order: str
    at_ms: int


class Order(msgspec.Struct, frozen=True):
    """One order; ``state`` is placed, paid, shipped or cancelled."""

    id: str
    key: str
    lines: tuple[Line, ...]
    changed_ms: int
    state: str = "placed"
    payment: str | None = None
    paid_cents: int = 0
    refunded_cents: int = 0

    @classmethod
    def of(cls, place: Place) -> Order:
        """A new one."""
        return cls(place.order, place.key, place.lines, place.at_ms)

    def after(self, change: Pay | Cancel | CancelUnpaid | Ship) -> Order:
        """What becomes of it."""
        match change:
            case Pay(_, payment, cents, at_ms):
                return replace(self, state="paid", payment=payment, paid_cents=cents, changed_ms=at_ms)
            case Cancel(_, refund_cents, at_ms):
                return replace(self, state="cancelled", refunded_cents=refund_cents, changed_ms=at_ms)
            case CancelUnpaid(_, at_ms):
                return replace(self, state="cancelled", changed_ms=at_ms)
            case Ship(_, at_ms):
                return replace(self, state="shipped", changed_ms=at_ms)

    @property
    def cents(self) -> int:
        """What it costs."""
        return sum(line.quantity * line.cents for line in self.lines)

    @property
    def items(self) -> dict[str, int]:
        """What was ordered, without the prices."""
        return {line.sku: line.quantity for line in self.lines}


Change: TypeAlias = Receive | Place | Reserve | Pay | Cancel | CancelUnpaid | Ship

NAMES: dict[type[Change], bytes] = {
    Receive: b"receive.1",
    Place: b"place.1",
    Reserve: b"reserve.1",
    Pay: b"pay.1",
    CancelUnpaid: b"cancel.1",
    Cancel: b"cancel.2",
    Ship: b"ship.1",
}
DECODERS = {name: msgspec.msgpack.Decoder(kind) for kind, name in NAMES.items()}


def encode(change: Change) -> list[bytes]:
    """The command that is logged."""
    return [NAMES[type(change)], msgspec.msgpack.encode(change)]


def decode(command: Sequence[bytes]) -> Change:
    """What a command of any release means."""
    name, payload = command
    if name not in DECODERS:
        raise ValueError(f"command {name.decode()!r} is of a later release of this service: start that one")
    return DECODERS[name].decode(payload)


class Image(msgspec.Struct, frozen=True):
    """A piece of the image."""

    version: int = 1
    deliveries: list[Receive] = []
    stock: dict[str, Stock] = {}
    orders: list[Order] = []


IMAGE = msgspec.msgpack.Decoder(Image)


class Orders:
    """All orders, and the goods they are for.  Values are immutable: a change puts another one in its place."""

    def __init__(self) -> None:
        self.deliveries: dict[str, Receive] = {}
        self.stock: dict[str, Stock] = {}
        self.orders: dict[str, Order] = {}
        self.keys: dict[str, str] = {}

    # --- what the engine calls ----------------------------------------------------------------------------------------

    def apply(self, command: Sequence[bytes]) -> None:
        """Change the state; the same command in the same state always does the same."""
        match decode(command):
            case Receive(delivery, sku, quantity, cents) as goods:
                old = self.stock.get(sku, Stock())
                self.stock[sku] = replace(old, free=old.free + quantity, cents=cents)
                self.deliveries[delivery] = goods
            case Place(order, key) as place:
                self.orders[order] = Order.of(place)
                self.keys[key] = order
            case Reserve(order):
                self._move(order, free=-1, reserved=1)
            case Pay() as change:
                self._update(change)
            case Cancel() | CancelUnpaid() as change:
                self._update(change)
                self._move(change.order, free=1, reserved=-1)
            case Ship() as change:
                self._update(change)
                self._move(change.order, reserved=-1, shipped=1)

    def freeze(self) -> Iterator[bytes]:
        """An image of now.  The lists are copied at the call; what is in them cannot change."""
        first = Image(deliveries=list(self.deliveries.values()), stock=dict(self.stock))
        orders = list(self.orders.values())
        pieces = (Image(orders=orders[at : at + ORDERS_PER_CHUNK]) for at in range(0, len(orders), ORDERS_PER_CHUNK))
        return map(msgspec.msgpack.encode, chain([first], pieces))

    def restore(self, chunks: Iterable[bytes]) -> None:
        """Become what the image shows."""
        self.deliveries, self.stock, self.orders, self.keys = {}, {}, {}, {}
        for piece in map(IMAGE.decode, chunks):
            if piece.version > 1:
                raise ValueError(f"an image of version {piece.version} is of a later release: start that one")
            self.deliveries.update((goods.delivery, goods) for goods in piece.deliveries)
            self.stock.update(piece.stock)
            self.orders.update((order.id, order) for order in piece.orders)
            self.keys.update((order.key, order.id) for order in piece.orders)

    # --- parts --------------------------------------------------------------------------------------------------------

    def _update(self, change: Pay | Cancel | CancelUnpaid | Ship) -> None:
        self.orders[change.order] = self.orders[change.order].after(change)

    def _move(self, order: str, *, free: int = 0, reserved: int = 0, shipped: int = 0) -> None:
        for line in self.orders[order].lines:
            old = self.stock[line.sku]
            self.stock[line.sku] = replace(
                old,
                free=old.free + free * line.quantity,
                reserved=old.reserved + reserved * line.quantity,
                shipped=old.shipped + shipped * line.quantity,
            )
