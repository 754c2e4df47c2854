"""Step 2: the same shop, in a directory.  Run it as often as you like."""

import time

import rules
from orders import Orders, Receive

import durakv

orders = Orders()
with durakv.Engine("shop", orders, fsync="always") as engine:
    print(f"found {len(orders.orders)} orders, {engine.report.commands} commands in the log")
    engine.transact(lambda: rules.receive(orders, Receive("delivery-1", "tea", 10, 450)))
    number, now = len(orders.orders) + 1, time.time_ns() // 1_000_000
    answer = engine.transact(
        lambda: rules.place(orders, f"key-{number}", {"tea": 4}, order=f"order-{number}", at_ms=now)
    )
    print(f"refused: {answer.reason}" if isinstance(answer, rules.Refused) else f"placed {answer.id}")
