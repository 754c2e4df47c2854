"""The crash tests of the order service: ``python -m tests.service.crash_orders --kills 200 --cuts 10000``."""

from __future__ import annotations

import sys
from pathlib import Path

import durakv
from durakv_fuzz.service import Facts, main
from tests.service.orders import RIGHT

DRIVER = [sys.executable, "-m", "tests.service.driver"]


def check(directory: Path, facts: Facts) -> None:
    with durakv.open(directory) as db:
        shown = [("order", int(order)) for order in db.lrange(b"orders", 0, -1)]
    assert len(set(shown)) == len(shown), "an order is there twice"
    assert set(facts.acked) <= set(shown), f"lost: {set(facts.acked) - set(shown)}"
    assert set(shown) <= set(facts.began), f"nobody gave: {set(shown) - set(facts.began)}"


if __name__ == "__main__":
    main(service=RIGHT, argv=[*DRIVER, "right"], check=check)
