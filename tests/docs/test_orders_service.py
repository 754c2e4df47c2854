"""The promise: the tutorial's service answers after the fsync and not before, says what it refuses and why, says when
its disk has failed, and ends in order when it is told to.

Method: the application through ASGI on a simulated disk whose syncs are counted and broken; then the real program, with
customers at work when SIGTERM comes.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from tests.hosts import host
from tests.orders_path import check_the_books

for name in ("fastapi", "httpx", "uvicorn"):
    host(name)

import httpx  # noqa: E402

import durakv  # noqa: E402
from durakv_fuzz.choose import harshest  # noqa: E402
from durakv_fuzz.disk import SimulatedDisk  # noqa: E402
from durakv_fuzz.faults import Fault, fail_nth  # noqa: E402
from durakv_fuzz.model import crash_image  # noqa: E402
from durakv_fuzz.trace import Kind  # noqa: E402

from client import LOST, Client, free_port, start  # isort: skip  # noqa: E402
from orders import Orders  # isort: skip  # noqa: E402
from service import create_app  # isort: skip  # noqa: E402

TEA = {"sku": "tea", "quantity": 10, "cents": 450}
CUSTOMERS = 8


def serve(
    talk: Callable[[httpx.AsyncClient], Awaitable[None]], disk: SimulatedDisk | None = None, **settings: Any
) -> None:
    """Open the shop, deliver ten of tea, and talk."""

    async def main() -> None:
        app = create_app(None, filesystem=disk or SimulatedDisk(), background=False, **settings)
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://shop") as http,
        ):
            assert (await http.put("/deliveries/delivery-1", json=TEA)).status_code == 200
            await talk(http)

    asyncio.run(asyncio.wait_for(main(), 30))


async def place(http: httpx.AsyncClient, key: str, quantity: int = 1) -> httpx.Response:
    return await http.post("/orders", json={"items": {"tea": quantity}}, headers={"Idempotency-Key": key})


def after_a_power_cut(disk: SimulatedDisk) -> Orders:
    """What a loss of power at this moment would leave, at its worst."""
    orders = Orders()
    left = SimulatedDisk(crash_image(disk.trace, disk.trace.seq, harshest))
    durakv.Engine(None, orders, filesystem=left, background=False).close()
    return orders


def test_the_life_of_an_order() -> None:
    async def talk(http: httpx.AsyncClient) -> None:
        placed = await place(http, "anna-1", 8)
        assert placed.status_code == 201
        order = placed.json()["id"]
        again = await place(http, "anna-1", 8)
        assert (again.status_code, again.json()) == (200, placed.json())
        paid = await http.put(f"/orders/{order}/payment", json={"payment": "bank-1", "cents": 3600})
        assert (paid.status_code, paid.json()["state"]) == (200, "paid")
        shipped = await http.put(f"/orders/{order}/shipment")
        assert (shipped.status_code, shipped.json()["state"]) == (200, "shipped")
        assert (await http.get(f"/orders/{order}")).json() == shipped.json()
        assert (await http.get("/orders")).json() == [shipped.json()]
        assert (await http.get("/orders", params={"skip": 1})).json() == []
        assert (await http.get("/stock")).json() == {"tea": {"free": 2, "reserved": 0, "shipped": 8, "cents": 450}}
        other = (await place(http, "ben-1")).json()["id"]
        cancelled = await http.put(f"/orders/{other}/cancellation")
        assert (cancelled.status_code, cancelled.json()["state"]) == (200, "cancelled")

    serve(talk)


def test_what_is_refused_has_its_status_and_its_reason() -> None:
    async def talk(http: httpx.AsyncClient) -> None:
        too_many = await place(http, "anna-1", 11)
        assert (too_many.status_code, too_many.json()["reason"]) == (409, "11 of tea are wanted, 10 are there")
        assert (await place(http, "anna-1", 0)).status_code == 422
        assert (await place(http, "anna-1", 1)).status_code == 201
        assert (await place(http, "anna-1", 2)).status_code == 422
        assert (await http.get("/orders/nobody")).status_code == 404
        assert (await http.put("/orders/nobody/payment", json={"payment": "b", "cents": 1})).status_code == 404
        assert (await http.put("/deliveries/delivery-1", json={**TEA, "quantity": 11})).status_code == 422
        assert (await http.post("/orders", json={"items": {"tea": 1}})).status_code == 422  # without a key
        assert (await http.post("/orders", json=[], headers={"Idempotency-Key": "k"})).status_code == 422
        assert (await place(http, "k" * 101)).status_code == 422

    serve(talk)


def test_customers_at_the_same_time_share_fsyncs_and_are_sold_what_there_is() -> None:
    async def talk(http: httpx.AsyncClient) -> None:
        before = (await http.get("/health")).json()["syncs"]
        answers = await asyncio.gather(*(place(http, f"customer-{number}") for number in range(30)))
        assert sorted(answer.status_code for answer in answers) == [201] * 10 + [409] * 20
        assert (await http.get("/health")).json()["syncs"] - before <= 3

    serve(talk)


def test_no_answer_comes_before_the_fsync_not_even_that_to_a_question() -> None:
    disk = SimulatedDisk()

    async def talk(http: httpx.AsyncClient) -> None:
        async def ask(key: str) -> None:
            placed = await place(http, key)
            assert after_a_power_cut(disk).orders[placed.json()["id"]].key == key

        async def look() -> None:
            seen = (await http.get("/orders")).json()
            assert {order["id"] for order in seen} <= set(after_a_power_cut(disk).orders)

        calls: list[Awaitable[None]] = [each for number in range(5) for each in (ask(f"customer-{number}"), look())]
        await asyncio.gather(*calls)

    serve(talk, disk)


def test_when_the_disk_fails_the_service_says_so_and_acknowledges_nothing_more() -> None:
    disk = SimulatedDisk(faults=fail_nth(3, Fault(), kinds=(Kind.WRITE_THROUGH,)))

    async def talk(http: httpx.AsyncClient) -> None:
        assert (await http.get("/health")).status_code == 200
        statuses = [(await place(http, f"customer-{number}")).status_code for number in range(3)]
        assert statuses[-1] == 503
        assert (await http.get("/health")).status_code == 503
        assert "poisoned" in (await http.get("/health")).text

    with pytest.raises(durakv.Poisoned):
        serve(talk, disk)


def test_sigterm_ends_it_in_order_while_customers_are_at_work(tmp_path: Path) -> None:
    directory, port = str(tmp_path / "data"), free_port()
    service = start(directory, port)
    told: dict[str, str] = {}
    busy = Event()

    def customer(number: int) -> None:
        client = Client(port)
        try:
            for turn in count():
                key = f"{number}-{turn}"
                status, order = client.call("POST", "/orders", {"items": {"tea": 1}}, key=key)
                assert status == 201, order
                told[key] = order["id"]
                if turn == 3:
                    busy.set()
        except LOST:
            return  # it has ended
        finally:
            client.close()

    with ThreadPoolExecutor(CUSTOMERS) as pool:
        try:
            client = Client(port)
            client.call("PUT", "/deliveries/delivery-1", {**TEA, "quantity": 100_000})
            client.close()
            customers = [pool.submit(customer, number) for number in range(CUSTOMERS)]
            assert busy.wait(30)
            service.terminate()
            assert service.wait(30) in (0, -signal.SIGTERM)
        finally:
            service.kill()
    for done in customers:
        done.result()
    orders = Orders()
    with durakv.Engine(directory, orders) as engine:
        assert engine.report.clean, engine.report.lines()
    assert {key: orders.keys[key] for key in told} == told
    assert len(told) >= 4
    check_the_books(orders)
