"""The order service of the tutorial under crashes: every answer that was sent is kept.

    python -m tests.adapters.crash_orders --kills 200 --cuts 10000

The cuts are of the FastAPI application itself: customers at the same time, each request through ASGI, on a simulated
disk.  The kills are those of ``docs/orders/kill.py``: the real service, over TCP.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import subprocess
import sys
from itertools import starmap

import httpx

import durakv
from durakv_fuzz.service import Environment, Facts, Service, Told, Violation, explore
from tests.orders_path import ORDERS, check_the_books

from orders import Orders  # isort: skip
from service import create_app  # isort: skip

CUSTOMERS = 3
WAVES = 2
STOCK = 1_000_000
OPTIONS = durakv.Options(segment_bytes=4096)


def drive(env: Environment, told: Told, source: random.Random, *, fsync: str = "always") -> None:
    """One life of the service: waves of customers, and a rewrite between some of them."""
    asyncio.run(_live(env, told, source, fsync))


async def _live(env: Environment, told: Told, source: random.Random, fsync: str) -> None:
    app = create_app(
        None,
        fsync=fsync,
        now_ms=env.clock.time_ms,
        new_id=lambda: f"{source.getrandbits(64):016x}",
        options=OPTIONS,
        filesystem=env.filesystem,
        clock=env.clock,
        background=False,
    )
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://orders") as http,
    ):
        await _put(http, "/deliveries/tea", {"sku": "tea", "quantity": STOCK, "cents": 450})
        for _ in range(WAVES):
            keys = [f"{source.getrandbits(64):016x}" for _ in range(CUSTOMERS)]
            # Each with chance of its own: which task draws first must not matter.
            customers = [(http, told, random.Random(key), key) for key in keys]
            await asyncio.gather(*starmap(_shop, customers))
            if source.random() < 0.3:
                assert (await http.post("/rewrite")).status_code == 200


async def _shop(http: httpx.AsyncClient, told: Told, source: random.Random, key: str) -> None:
    """Order, perhaps ask again, perhaps pay, and then have it sent or cancel it."""
    told.began(("placed", key))
    wish = {"items": {"tea": source.randint(1, 3)}}
    answers = [await http.post("/orders", json=wish, headers={"Idempotency-Key": key})]
    order = answers[0].json()["id"]
    told.acked(("placed", key))
    told.acked(("id", key, order))
    if source.random() < 0.3:
        answers.append(await http.post("/orders", json=wish, headers={"Idempotency-Key": key}))
    assert [answer.status_code for answer in answers] == [201, 200][: len(answers)]
    assert {answer.json()["id"] for answer in answers} == {order}, "the same key, another order"
    steps: list[tuple[str, str, dict[str, object]]] = []
    if source.random() < 0.7:
        steps.append(("paid", "payment", {"payment": key, "cents": wish["items"]["tea"] * 450}))
    if source.random() < 0.7:
        steps.append(source.choice([("cancelled", "cancellation", {}), ("shipped", "shipment", {})]))
    for fact, place, body in steps:
        if fact == "shipped" and len(steps) == 1:
            return  # what is not paid is not sent
        told.began((fact, key))
        await _put(http, f"/orders/{order}/{place}", body)
        told.acked((fact, key))


async def _put(http: httpx.AsyncClient, path: str, body: dict[str, object]) -> None:
    answer = await http.put(path, json=body)
    assert answer.status_code == 200, answer.text


def check(env: Environment, facts: Facts) -> None:
    """After a crash: what was answered is there, nothing else is, each order once, and the books agree."""
    orders = Orders()
    durakv.Engine(None, orders, options=OPTIONS, filesystem=env.filesystem, clock=env.clock, background=False).close()
    shown: set[object] = {("placed", key) for key in orders.keys}
    for order in orders.orders.values():
        shown |= {("paid", order.key)} if order.payment else set()
        shown |= {(order.state, order.key)}
    ids: set[object] = {("id", key, order) for key, order in orders.keys.items()}
    lost = set(facts.acked) - shown - ids
    assert not lost, f"answered, and lost: {lost}"
    invented = shown - set(facts.began)
    assert not invented, f"nobody asked for it: {invented}"
    assert len(orders.orders) == len(orders.keys), "an order is there twice"
    check_the_books(orders)


def main() -> int:
    """Run both campaigns."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cuts", type=int, default=10_000, help="how many crash states of the simulated disk")
    parser.add_argument("--kills", type=int, default=200, help="how often the real service is killed")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    if given.cuts:
        try:
            outcome = explore(Service(drive, check), states=given.cuts, seed=given.seed)
        except Violation as violation:
            sys.stdout.write(f"{violation}\n")
            return 1
        sys.stdout.write("".join(f"{line}\n" for line in outcome.lines()))
        sys.stdout.flush()
    if not given.kills:
        return 0
    command = [sys.executable, str(ORDERS / "kill.py"), "--kills", str(given.kills), "--seed", str(given.seed)]
    return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
