"""The order service over HTTP: with ``--fsync always``, no answer is sent before the fsync that covers it.

python service.py DIRECTORY [--port 8000] [--fsync always]
"""

from __future__ import annotations

import argparse
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import islice
from typing import Annotated, Any, TypeAlias

import msgspec
import rules
import uvicorn
from fastapi import FastAPI, Header, Query, Request, Response
from orders import Order, Orders, Receive
from pydantic import BaseModel, Field

import durakv
from durakv.aio import AsyncEngine

STATUS = {"unknown": 404, "conflict": 409, "invalid": 422}
Name: TypeAlias = Annotated[str, Field(min_length=1, max_length=100)]


class Goods(BaseModel):
    """What is in a delivery."""

    sku: Name
    quantity: int
    cents: int


class Wish(BaseModel):
    """What a customer orders: so many of each article."""

    items: dict[str, int]


class Payment(BaseModel):
    """What the bank says."""

    payment: Name
    cents: int


def now_ms() -> int:
    """The time, to be put into a command."""
    return time.time_ns() // 1_000_000


def new_id() -> str:
    """A name that no order has had, to be put into a command."""
    return uuid.uuid4().hex


def create_app(
    directory: str | None,
    *,
    fsync: str = "always",
    now_ms: Callable[[], int] = now_ms,
    new_id: Callable[[], str] = new_id,
    **settings: Any,
) -> FastAPI:
    """The service on one data directory; more ``settings`` go to the engine."""
    orders = Orders()
    engine: AsyncEngine
    level = durakv.FsyncPolicy(fsync).default_durability  # what a write waits for, a read waits for too (C14)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        nonlocal engine
        async with AsyncEngine.open(directory, orders, fsync=fsync, **settings) as engine:
            yield

    app = FastAPI(title="orders", lifespan=lifespan)

    @app.post("/orders")
    async def place(wish: Wish, idempotency_key: Annotated[Name, Header()]) -> Response:
        order, now = new_id(), now_ms()
        answer = await engine.transact(lambda: rules.place(orders, idempotency_key, wish.items, order=order, at_ms=now))
        return reply(answer, 201 if isinstance(answer, Order) and answer.id == order else 200)

    @app.put("/deliveries/{delivery}")
    async def receive(delivery: Name, goods: Goods) -> Response:
        arrived = Receive(delivery, goods.sku, goods.quantity, goods.cents)
        return reply(await engine.transact(lambda: rules.receive(orders, arrived)))

    @app.put("/orders/{order}/payment")
    async def pay(order: str, sent: Payment) -> Response:
        now = now_ms()
        return reply(await engine.transact(lambda: rules.pay(orders, order, sent.payment, sent.cents, at_ms=now)))

    @app.put("/orders/{order}/cancellation")
    async def cancel(order: str) -> Response:
        now = now_ms()
        return reply(await engine.transact(lambda: rules.cancel(orders, order, at_ms=now)))

    @app.put("/orders/{order}/shipment")
    async def ship(order: str) -> Response:
        now = now_ms()
        return reply(await engine.transact(lambda: rules.ship(orders, order, at_ms=now)))

    @app.get("/orders/{order}")
    async def show(order: str) -> Response:
        found = await engine.read(lambda: orders.orders.get(order), level)
        return reply(found or rules.Refused("unknown", f"there is no order {order}"))

    @app.get("/orders")
    async def show_all(skip: int = Query(0, ge=0), limit: int = Query(1000, ge=1, le=1000)) -> Response:
        return reply(await engine.read(lambda: list(islice(orders.orders.values(), skip, skip + limit)), level))

    @app.get("/stock")
    async def stock() -> Response:
        return reply(await engine.read(lambda: dict(orders.stock), level))

    @app.get("/health")
    async def health() -> Response:
        status = engine.status()
        return reply(status, 200 if status.healthy else 503)

    @app.post("/rewrite")
    async def rewrite() -> Response:
        await engine.rewrite()
        return reply(engine.status())

    @app.exception_handler(durakv.DurakvError)
    async def unavailable(_: Request, error: Exception) -> Response:
        # Poisoned: whether the write survives is not known.  The client asks again, with the same key (C7).
        return reply(rules.Refused("unavailable", str(error)), 503)

    return app


def reply(answer: object, status: int = 200) -> Response:
    """What the client gets."""
    if isinstance(answer, rules.Refused):
        status = STATUS.get(answer.why, status)
    return Response(msgspec.json.encode(answer), status, media_type="application/json")


def main() -> None:
    """Serve until SIGTERM or Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--fsync", default="always", choices=[policy.value for policy in durakv.FsyncPolicy])
    given = parser.parse_args()
    app = create_app(given.directory, fsync=given.fsync)
    uvicorn.run(app, port=given.port, log_level="warning", timeout_graceful_shutdown=30)


if __name__ == "__main__":
    main()
