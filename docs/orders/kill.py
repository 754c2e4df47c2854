"""Kill the service with SIGKILL at random moments, start it again, and look for every order it had acknowledged.

python kill.py [--kills 20] [--fsync always] [--seed 0]
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from client import LOST, Client, free_port, start

CUSTOMERS = 8
SECONDS_MAX = 0.6
PAGE = 1000
WISH = {"items": {"tea": 2, "cup": 1}}


@dataclass
class Told:
    """What the customers know: each key is written by one of them only."""

    placed: dict[str, str] = field(default_factory=dict)
    """Acknowledged orders: key to id."""
    paid: set[str] = field(default_factory=set)
    """The keys of those whose payment was acknowledged too."""
    in_doubt: set[str] = field(default_factory=set)
    """Keys that were sent, without an answer."""


def order_and_pay(client: Client, told: Told, key: str) -> None:
    """Order, and pay; stop wherever the connection is lost."""
    told.in_doubt.add(key)
    status, order = client.call("POST", "/orders", WISH, key=key)
    assert status in (200, 201), order
    told.placed[key] = order["id"]
    told.in_doubt.discard(key)
    cents = sum(line["quantity"] * line["cents"] for line in order["lines"])
    status, order = client.call("PUT", f"/orders/{order['id']}/payment", {"payment": key, "cents": cents})
    assert status == 200, order
    told.paid.add(key)


def customer(port: int, told: Told, name: str) -> None:
    """One order after the other, until the service is gone."""
    client = Client(port)
    try:
        for number in count():
            order_and_pay(client, told, f"{name}-{number}")
    except LOST:
        pass  # what it has not acknowledged is in doubt, and in the books as such
    finally:
        client.close()


def rewriter(port: int, wait_seconds: float) -> None:
    """Have the log rewritten while orders come in, so that kills fall into rewrites too."""
    client = Client(port)
    try:
        while True:
            time.sleep(wait_seconds)
            client.call("POST", "/rewrite")
    except LOST:
        pass  # it is gone, as planned
    finally:
        client.close()


class Shop:
    """The service, killed and started again on one directory."""

    def __init__(self, directory: str, fsync: str) -> None:
        self.port = free_port()
        self._directory = directory
        self._fsync = fsync
        self.start()

    def start(self) -> None:
        """Start it on what is there."""
        self._service = start(self._directory, self.port, fsync=self._fsync)
        self.client = Client(self.port)

    def kill(self) -> None:
        """SIGKILL."""
        self._service.kill()
        self._service.wait()
        self.client.close()

    def orders(self) -> list[dict[str, Any]]:
        """Every order that it has, page by page."""
        found: list[dict[str, Any]] = []
        while True:
            page = self.client.call("GET", f"/orders?skip={len(found)}&limit={PAGE}")[1]
            found += page
            if len(page) < PAGE:
                return found

    def stock(self) -> dict[str, dict[str, int]]:
        """What it says about its goods."""
        stock: dict[str, dict[str, int]] = self.client.call("GET", "/stock")[1]
        return stock


def faults(told: Told, orders: list[dict[str, Any]], stock: dict[str, dict[str, int]]) -> tuple[int, int]:
    """How many acknowledged orders or payments are lost or there by half, and how many orders are there twice."""
    by_key = {order["key"]: order for order in orders}
    lost = sum(by_key.get(key, {}).get("id") != order for key, order in told.placed.items())
    lost += sum(by_key.get(key, {}).get("state") != "paid" for key in told.paid)
    for sku, wanted in WISH["items"].items():
        # An order without its goods, or goods without their order, is half of one.
        lost += stock.get(sku, {}).get("reserved", 0) != wanted * len(orders)
    return lost, len(orders) - len(by_key)


def one_kill(shop: Shop, told: Told, number: int, source: random.Random) -> int:
    """Open the doors, kill, start again, look; return how many faults there are."""
    before = len(told.placed), len(told.paid)
    after, pause = source.uniform(0.02, SECONDS_MAX), source.uniform(0.01, 0.2)
    with ThreadPoolExecutor(CUSTOMERS + 1) as pool:
        callers = [pool.submit(customer, shop.port, told, f"{number}-{name}") for name in range(CUSTOMERS)]
        callers.append(pool.submit(rewriter, shop.port, pause))
        time.sleep(after)
        shop.kill()
    for caller in callers:
        caller.result()
    new, paid, doubtful = len(told.placed) - before[0], len(told.paid) - before[1], len(told.in_doubt)

    shop.start()
    orders = shop.orders()
    there = len(told.in_doubt & {order["key"] for order in orders})
    lost, twice = faults(told, orders, shop.stock())
    if not lost and not twice:
        # Customers who got no answer ask again, with the same keys: now each has exactly one order.
        for key in sorted(told.in_doubt):
            order_and_pay(shop.client, told, key)
        lost, twice = faults(told, shop.orders(), shop.stock())
    row = "{:4}  {:4.0f} ms  {:6,}  {:8,}  {:8}  {:13}  {:4}  {:5}"
    print(row.format(number, after * 1000, new, paid, doubtful, there, lost, twice), flush=True)
    return lost + twice


def main() -> int:
    """Print a line for each kill; the exit code is 1 if anything was lost, or was there twice."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--fsync", default="always")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    source, told, kills, found = random.Random(given.seed), Told(), 0, 0
    with tempfile.TemporaryDirectory(prefix="orders-") as directory:
        shop = Shop(directory, given.fsync)
        try:
            for sku in WISH["items"]:
                shop.client.call("PUT", f"/deliveries/{sku}", {"sku": sku, "quantity": 1_000_000, "cents": 450})
            print("kill    after  orders  payments  in doubt  of them there  lost  twice")
            while kills < given.kills and not found:
                kills += 1
                found = one_kill(shop, told, kills, source)
        finally:
            shop.kill()
    acknowledged = f"{len(told.placed):,} orders and {len(told.paid):,} payments acknowledged"
    print(f"{kills} kills, {acknowledged}, {found} lost or there twice")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
