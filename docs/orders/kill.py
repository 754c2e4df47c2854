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


def all_orders(client: Client) -> list[dict[str, Any]]:
    """Every order that the service has, page by page."""
    found: list[dict[str, Any]] = []
    while True:
        page = client.call("GET", f"/orders?skip={len(found)}&limit={PAGE}")[1]
        found += page
        if len(page) < PAGE:
            return found


def faults(told: Told, orders: list[dict[str, Any]], stock: dict[str, dict[str, int]]) -> tuple[int, int]:
    """How many acknowledged orders or payments are lost, and how many orders are there twice."""
    by_key = {order["key"]: order for order in orders}
    lost = sum(by_key.get(key, {}).get("id") != order for key, order in told.placed.items())
    lost += sum(by_key.get(key, {}).get("state") != "paid" for key in told.paid)
    for sku, wanted in WISH["items"].items():
        assert stock[sku]["reserved"] == wanted * len(orders), f"{sku}: not what the orders have reserved: {stock}"
    return lost, len(orders) - len(by_key)


def main() -> int:
    """Print a line for each kill; the exit code is 1 if anything was lost, or was there twice."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--fsync", default="always")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    source = random.Random(given.seed)
    told, port, worst = Told(), free_port(), 0
    with tempfile.TemporaryDirectory(prefix="orders-") as directory:
        service = start(directory, port, fsync=given.fsync)
        client = Client(port)
        for sku in WISH["items"]:
            client.call("PUT", f"/deliveries/{sku}", {"sku": sku, "quantity": 1_000_000, "cents": 450})
        print("kill  after    orders  payments  in doubt  of them there  lost  twice")
        for kill in range(1, given.kills + 1):
            before = len(told.placed), len(told.paid)
            after, pause = source.uniform(0.02, SECONDS_MAX), source.uniform(0.01, 0.2)
            with ThreadPoolExecutor(CUSTOMERS + 1) as pool:
                callers = [pool.submit(customer, port, told, f"{kill}-{number}") for number in range(CUSTOMERS)]
                callers.append(pool.submit(rewriter, port, pause))
                time.sleep(after)
                service.kill()
            for caller in callers:
                caller.result()
            service.wait()
            client.close()

            service, client = start(directory, port, fsync=given.fsync), Client(port)
            orders = all_orders(client)
            there = len(told.in_doubt & {order["key"] for order in orders})
            doubtful = len(told.in_doubt)
            lost, twice = faults(told, orders, client.call("GET", "/stock")[1])
            row = kill, after * 1000, len(told.placed) - before[0], len(told.paid) - before[1], doubtful, there
            # The customers who got no answer ask again, with the same keys: now each has exactly one order.
            for key in sorted(told.in_doubt):
                order_and_pay(client, told, key)
            again, more = faults(told, all_orders(client), client.call("GET", "/stock")[1])
            lost, twice = lost + again, twice + more
            worst += lost + twice
            print("{:4}  {:4.0f} ms  {:6,}  {:8,}  {:8}  {:13}".format(*row), f"  {lost:3}  {twice:5}", flush=True)
        client.close()
        service.terminate()
        service.wait()
    acknowledged = f"{len(told.placed):,} orders and {len(told.paid):,} payments acknowledged"
    print(f"{given.kills} kills, {acknowledged}, {worst} lost or there twice")
    return 1 if worst else 0


if __name__ == "__main__":
    sys.exit(main())
