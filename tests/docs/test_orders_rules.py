"""The promise: whatever customers ask of the tutorial's shop, nothing is sold twice, a wish that is repeated is one
order, all money is accounted for, and a rule that says yes is kept by ``apply``.

Method: Hypothesis plays customers, carriers and the bank against the machine in memory; after each step the books are
balanced, and an image and a replay of the log must show the same shop.  The rules that refuse have a test each.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import settings, strategies
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule

from tests.orders_path import check_the_books, decide

import rules as shop  # isort: skip
from orders import CancelUnpaid, Line, Order, Orders, Place, Receive, Reserve, Stock, decode, encode  # isort: skip

SKUS = strategies.sampled_from(["tea", "cup", "pot"])
SMALL = strategies.integers(min_value=1, max_value=5)


def look(orders: Orders) -> object:
    return orders.deliveries, orders.stock, orders.orders, orders.keys


class Shop(RuleBasedStateMachine):
    """Everybody at once, one after the other."""

    keys = Bundle("keys")

    def __init__(self) -> None:
        super().__init__()
        self.orders = Orders()
        self.log: list[list[bytes]] = []
        self.wishes: dict[str, tuple[dict[str, int], str]] = {}
        self.now = 0

    def do(self, decision: shop.Decision[Order] | shop.Decision[Stock]) -> object:
        """What the engine does: log, apply, answer."""
        commands, answer = decision
        self.log += commands
        for command in commands:
            self.orders.apply(command)
        self.now += 1
        return answer

    def change(self, key: str, change: Callable[..., shop.Decision[Order]], *arguments: object) -> None:
        """One step of one order: what was answered is what is there, and asking again changes nothing."""
        order = self.orders.keys[key]
        answer = self.do(change(self.orders, order, *arguments, at_ms=self.now))
        if isinstance(answer, Order):
            assert answer == self.orders.orders[order]
            assert change(self.orders, order, *arguments, at_ms=self.now + 1) == ([], answer)

    @initialize(quantity=SMALL)
    def open(self, quantity: int) -> None:
        self.deliver("tea", quantity, 450)

    @rule(sku=SKUS, quantity=SMALL, cents=SMALL)
    def deliver(self, sku: str, quantity: int, cents: int) -> None:
        goods = Receive(f"delivery-{len(self.orders.deliveries)}", sku, quantity, cents)
        answer = self.do(shop.receive(self.orders, goods))
        assert answer == self.orders.stock[sku]
        assert shop.receive(self.orders, goods) == ([], answer)

    @rule(target=keys, items=strategies.dictionaries(SKUS, SMALL, max_size=3))
    def order(self, items: dict[str, int]) -> object:
        key, order = f"key-{self.now}", f"order-{self.now}"
        free = {sku: stock.free for sku, stock in self.orders.stock.items()}
        answer = self.do(shop.place(self.orders, key, items, order=order, at_ms=self.now))
        possible = bool(items) and all(quantity <= free.get(sku, 0) for sku, quantity in items.items())
        assert isinstance(answer, Order) == possible
        if not isinstance(answer, Order):
            return multiple()
        assert answer == self.orders.orders[order]
        self.wishes[key] = items, order
        return key

    @rule(key=keys)
    def ask_again(self, key: str) -> None:
        items, order = self.wishes[key]
        commands, answer = shop.place(self.orders, key, items, order="another", at_ms=self.now)
        assert not commands
        assert answer == self.orders.orders[order]

    @rule(key=keys, more=strategies.integers(min_value=0, max_value=1))
    def pay(self, key: str, more: int) -> None:
        cents = self.orders.orders[self.orders.keys[key]].cents
        self.change(key, shop.pay, f"bank-{key}", cents + more)

    @rule(key=keys)
    def cancel(self, key: str) -> None:
        self.change(key, shop.cancel)

    @rule(key=keys)
    def ship(self, key: str) -> None:
        self.change(key, shop.ship)

    @rule(key=consumes(keys))
    def leave(self, key: str) -> None:
        """A customer who does not come back."""

    @invariant()
    def the_books_agree(self) -> None:
        check_the_books(self.orders)
        assert sorted(self.wishes) == sorted(self.orders.keys)

    def teardown(self) -> None:
        replayed, restored = Orders(), Orders()
        for command in self.log:
            replayed.apply(command)
        restored.restore(self.orders.freeze())
        assert look(replayed) == look(restored) == look(self.orders)


TestShop = Shop.TestCase
TestShop.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)


@pytest.fixture
def orders() -> Orders:
    """Ten of tea, and an order of eight."""
    opened = Orders()
    decide(opened, shop.receive(opened, Receive("delivery-1", "tea", 10, 450)))
    decide(opened, shop.place(opened, "anna-1", {"tea": 8}, order="order-1", at_ms=1))
    return opened


Ask = Callable[[Orders], shop.Decision[Order] | shop.Decision[Stock]]
REFUSALS: list[tuple[str, str, Ask]] = [
    ("conflict", "3 of tea are wanted, 2 are there", lambda o: shop.place(o, "k", {"tea": 3}, order="o", at_ms=2)),
    ("conflict", "1 of gold are wanted, 0 are", lambda o: shop.place(o, "k", {"gold": 1}, order="o", at_ms=2)),
    ("invalid", "1 to 100 articles", lambda o: shop.place(o, "k", {}, order="o", at_ms=2)),
    ("invalid", "of each 1 to 1000000", lambda o: shop.place(o, "k", {"tea": 0}, order="o", at_ms=2)),
    ("invalid", "of each 1 to 1000000", lambda o: shop.place(o, "k", {"tea": -1}, order="o", at_ms=2)),
    ("invalid", "key anna-1 was another", lambda o: shop.place(o, "anna-1", {"tea": 1}, order="o", at_ms=2)),
    ("invalid", "quantity 1 to", lambda o: shop.receive(o, Receive("delivery-2", "tea", 0, 450))),
    ("invalid", "cents 1 to", lambda o: shop.receive(o, Receive("delivery-2", "tea", 1, 0))),
    ("invalid", "delivery-1 was another", lambda o: shop.receive(o, Receive("delivery-1", "tea", 11, 450))),
    ("conflict", "costs 3600, not 3599", lambda o: shop.pay(o, "order-1", "bank-1", 3599, at_ms=2)),
    ("conflict", "order-1 is placed", lambda o: shop.ship(o, "order-1", at_ms=2)),
    ("unknown", "no order order-2", lambda o: shop.pay(o, "order-2", "bank-1", 3600, at_ms=2)),
    ("unknown", "no order order-2", lambda o: shop.cancel(o, "order-2", at_ms=2)),
    ("unknown", "no order order-2", lambda o: shop.ship(o, "order-2", at_ms=2)),
]


@pytest.mark.parametrize(("why", "reason", "ask"), REFUSALS)
def test_a_rule_that_says_no_says_why_and_logs_nothing(orders: Orders, why: str, reason: str, ask: Ask) -> None:
    commands, answer = ask(orders)
    assert not commands
    assert isinstance(answer, shop.Refused)
    assert answer.why == why
    assert reason in answer.reason


def test_an_order_is_paid_once_whoever_pays(orders: Orders) -> None:
    decide(orders, shop.pay(orders, "order-1", "bank-1", 3600, at_ms=2))
    commands, answer = shop.pay(orders, "order-1", "bank-2", 3600, at_ms=3)
    assert (commands, answer) == ([], shop.Refused("conflict", "order order-1 is paid"))


def test_who_cancels_a_paid_order_gets_the_money_and_the_shop_its_goods(orders: Orders) -> None:
    decide(orders, shop.pay(orders, "order-1", "bank-1", 3600, at_ms=2))
    decide(orders, shop.cancel(orders, "order-1", at_ms=3))
    assert orders.orders["order-1"].refunded_cents == 3600
    assert orders.stock["tea"] == Stock(free=10, cents=450)
    assert shop.pay(orders, "order-1", "bank-2", 3600, at_ms=4)[1] == shop.Refused(
        "conflict", "order order-1 is cancelled"
    )


def test_what_is_shipped_stays_shipped(orders: Orders) -> None:
    decide(orders, shop.pay(orders, "order-1", "bank-1", 3600, at_ms=2))
    decide(orders, shop.ship(orders, "order-1", at_ms=3))
    assert shop.cancel(orders, "order-1", at_ms=4)[1] == shop.Refused("conflict", "order order-1 is shipped")
    assert orders.stock["tea"] == Stock(free=2, shipped=8, cents=450)


def test_the_commands_of_the_first_release_mean_what_they_meant(orders: Orders) -> None:
    cancel_1 = [b"cancel.1", b"\x82\xa5order\xa7order-1\xa5at_ms\x05"]
    assert decode(cancel_1) == CancelUnpaid("order-1", 5)
    orders.apply(cancel_1)
    assert orders.orders["order-1"].state == "cancelled"
    assert orders.orders["order-1"].refunded_cents == 0
    assert orders.stock["tea"] == Stock(free=10, cents=450)


def test_commands_and_images_of_a_later_release_are_refused_by_name(orders: Orders) -> None:
    with pytest.raises(ValueError, match=r"'cancel\.3' is of a later release"):
        orders.apply([b"cancel.3", b"\x80"])
    with pytest.raises(ValueError, match=r"version 2 is of a later release"):
        orders.restore([b"\x81\xa7version\x02"])


def test_an_image_of_many_orders_comes_in_pieces() -> None:
    orders = Orders()
    orders.apply(encode(Receive("delivery-1", "tea", 10_000, 450)))
    for number in range(2500):
        orders.apply(encode(Place(f"order-{number}", f"key-{number}", (Line("tea", 1, 450),), number)))
        orders.apply(encode(Reserve(f"order-{number}")))
    pieces = list(orders.freeze())
    assert len(pieces) == 4
    restored = Orders()
    restored.restore(pieces)
    assert look(restored) == look(orders)
