"""Step 1: the shop in memory, without a disk."""

import rules
from orders import Order, Orders, Receive

orders = Orders()


def do(decision: rules.Decision[Order]) -> None:
    """Apply what a rule has decided, and show the answer."""
    commands, answer = decision
    for command in commands:
        print("apply", command[0].decode())
        orders.apply(command)
    print("  ->", answer.reason if isinstance(answer, rules.Refused) else answer.state)


commands, _ = rules.receive(orders, Receive("delivery-1", "tea", 10, 450))
orders.apply(commands[0])
do(rules.place(orders, "anna-1", {"tea": 8}, order="order-1", at_ms=1))
do(rules.place(orders, "anna-1", {"tea": 8}, order="order-2", at_ms=2))
do(rules.place(orders, "ben-1", {"tea": 3}, order="order-3", at_ms=3))
do(rules.pay(orders, "order-1", "bank-1", 3600, at_ms=4))
do(rules.ship(orders, "order-1", at_ms=5))
do(rules.cancel(orders, "order-1", at_ms=6))
print(orders.stock["tea"])
