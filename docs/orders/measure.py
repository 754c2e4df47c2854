"""What an order costs: orders a second and the time of one, for each policy, through the engine and over HTTP.

    python measure.py [--quick] [--directory DIR]

The rows of one round run one after the other, round after round, so that whatever else the machine does meets all of
them.  The clients share the machine with the service.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import shutil
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from statistics import median, quantiles

import rules
from client import Client, free_port, start
from orders import Orders, Receive

from durakv.aio import AsyncEngine

POLICIES = ("always", "everysec", "no")
CLIENTS = (1, 32)
WARM_UP = 50
Times = list[float]


async def through_the_engine(directory: str, fsync: str, clients: int, seconds: float) -> tuple[Times, float, int]:
    """Tasks that place orders in this process, without HTTP."""
    orders = Orders()
    times: Times = []
    async with AsyncEngine.open(directory, orders, fsync=fsync) as engine:
        await engine.transact(lambda: rules.receive(orders, Receive("tea", "tea", 1_000_000, 450)))

        async def customer(name: int, until: float) -> None:
            number = 0
            while (began := time.perf_counter()) < until:
                key = f"{name}-{number}"
                await engine.transact(lambda: rules.place(orders, key, {"tea": 1}, order=key, at_ms=number))  # noqa: B023
                times.append(time.perf_counter() - began)
                number += 1

        before = engine.status().syncs
        took = await _all(customer, clients, seconds)
        return times, took, engine.status().syncs - before


async def _all(customer: Callable[[int, float], Awaitable[None]], clients: int, seconds: float) -> float:
    began = time.perf_counter()
    await asyncio.gather(*(customer(name, began + seconds) for name in range(clients)))
    return time.perf_counter() - began


def over_http(directory: str, fsync: str, clients: int, seconds: float) -> tuple[Times, float, int]:
    """Threads that place orders with the service, each on a connection of its own."""
    port = free_port()
    service = start(directory, port, fsync=fsync)
    times: Times = []

    def customer(name: int, until: float) -> None:
        client = Client(port)
        number = 0
        while (began := time.perf_counter()) < until:
            status, order = client.call("POST", "/orders", {"items": {"tea": 1}}, key=f"{name}-{number}")
            assert status == 201, order
            times.append(time.perf_counter() - began)
            number += 1
        client.close()

    try:
        client = Client(port)
        client.call("PUT", "/deliveries/tea", {"sku": "tea", "quantity": 1_000_000, "cents": 450})
        for number in range(WARM_UP):
            client.call("POST", "/orders", {"items": {"tea": 1}}, key=f"warm-{number}")
        before = client.call("GET", "/health")[1]["syncs"]
        began = time.perf_counter()
        threads = [threading.Thread(target=customer, args=(name, began + seconds)) for name in range(clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        took = time.perf_counter() - began
        syncs = client.call("GET", "/health")[1]["syncs"] - before
        client.close()
        return times, took, syncs
    finally:
        service.terminate()
        service.wait()


def measure(face: str, fsync: str, clients: int, seconds: float, root: str) -> tuple[float, float, float, float]:
    """Orders a second, the median and the 99th percentile of one in milliseconds, and orders for each fsync."""
    directory = tempfile.mkdtemp(dir=root)
    if face == "HTTP":
        times, took, syncs = over_http(directory, fsync, clients, seconds)
    else:
        times, took, syncs = asyncio.run(through_the_engine(directory, fsync, clients, seconds))
    shutil.rmtree(directory)
    steps = quantiles(times, n=100)
    return len(times) / took, steps[49] * 1000, steps[98] * 1000, len(times) / max(syncs, 1)


def main() -> None:
    """Print the table, as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one short round, to see that it runs")
    parser.add_argument("--directory", help="where to write; by default where temporary files are")
    given = parser.parse_args()
    rounds, seconds = (1, 0.2) if given.quick else (5, 2.0)
    all_clients, policies = (CLIENTS[-1:], ("always", "no")) if given.quick else (CLIENTS, POLICIES)
    rows = [(face, clients, fsync) for face in ("engine", "HTTP") for clients in all_clients for fsync in policies]
    got: dict[tuple[str, int, str], list[tuple[float, float, float, float]]] = {row: [] for row in rows}
    with tempfile.TemporaryDirectory(prefix="orders-", dir=given.directory) as root:
        for _ in range(rounds):
            for row in rows:
                face, clients, fsync = row
                got[row].append(measure(face, fsync, clients, seconds, root))
    print(f"{rounds} rounds of {seconds} s, medians; {os.cpu_count()} cores, {platform.system()} {platform.release()},")
    print(f"Python {platform.python_version()}, " + ", ".join(f"{n} {version(n)}" for n in ("fastapi", "uvicorn")))
    print()
    print("| | clients | fsync | orders/s | p50 | p99 | beside `no` | orders for each fsync |")
    print("|---|--:|---|--:|--:|--:|--:|--:|")
    for row in rows:
        rate, p50, p99, share = (median(column) for column in zip(*got[row], strict=True))
        free = median(run[0] for run in got[(*row[:2], "no")])
        shared = f"{share:.1f}" if row[2] == "always" else ""
        cells = [*map(str, row), f"{rate:,.0f}", f"{p50:.2f} ms", f"{p99:.2f} ms", f"{rate / free:.2f}", shared]
        print(f"| {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
