"""Three mistakes that are easy to make, and how each is found.

python mistakes.py
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from functools import partial

import rules
from orders import Orders, Pay, decode, encode
from test_orders import Placing, check, draw, drive, read

import durakv
from durakv_fuzz.service import Service, explore


def answer_before_the_receipt(engine: durakv.Engine, orders: Orders, key: str, order: str) -> object:
    """Mistake 1: it is in the log, so why wait?"""
    receipt = engine.submit_decided(lambda: rules.place(orders, key, {"tea": 1}, order=order, at_ms=1))
    return receipt.results[0]  # and receipt.result() is never called


def two_batches(engine: durakv.Engine, orders: Orders, key: str, order: str) -> object:
    """Mistake 2: first the order, then the goods."""
    commands, answer = rules.place(orders, key, {"tea": 1}, order=order, at_ms=1)
    for command in commands:
        engine.apply([command])
    return answer


class ClockInApply(Orders):
    """Mistake 3: the time of the payment is the time at which it is applied."""

    def apply(self, command: Sequence[bytes]) -> None:
        """See :class:`Orders`."""
        change = decode(command)
        if isinstance(change, Pay):
            command = encode(Pay(change.order, change.payment, change.cents, time.time_ns()))
        super().apply(command)


def crash(placing: Placing) -> None:
    """Cut the power at up to a thousand points of a shop that places orders so."""
    explore(Service(partial(drive, placing=placing), check), states=1000)


def check_the_machine() -> None:
    """Look whether the machine keeps the rules of state machines."""
    durakv.check_state_machine(ClockInApply, [draw(random.Random(n)) for n in range(20)], look=read)


def main() -> None:
    """Make each mistake, and print what was found."""
    found: list[tuple[str, Callable[[], None]]] = [
        ("answer before the receipt", partial(crash, answer_before_the_receipt)),
        ("two batches for one order", partial(crash, two_batches)),
        ("clock in apply", check_the_machine),
    ]
    for name, look in found:
        try:
            look()
        except AssertionError as failure:
            print(f"--- {name}\n{failure}\n")
        else:
            raise SystemExit(f"{name}: nothing was found")


if __name__ == "__main__":
    main()
