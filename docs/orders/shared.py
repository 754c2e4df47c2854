"""Step 3: a hundred orders at the same time share their fsync."""

import asyncio
from functools import partial

import rules
from orders import Orders, Receive

from durakv.aio import AsyncEngine


async def main() -> None:
    """Place them all, and count."""
    orders = Orders()
    async with AsyncEngine.open("shared", orders, fsync="always") as engine:
        await engine.transact(lambda: rules.receive(orders, Receive("delivery-1", "tea", 100, 450)))
        before = engine.status().syncs
        wishes = [
            partial(rules.place, orders, f"key-{number}", {"tea": 1}, order=f"order-{number}", at_ms=number)
            for number in range(100)
        ]
        answers = await asyncio.gather(*map(engine.transact, wishes))
        print(len(answers), "orders are on disk, after", engine.status().syncs - before, "fsync")


asyncio.run(main())
