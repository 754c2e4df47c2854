"""A server is killed with SIGKILL under load, started again on what it left, and asked what is there."""

from __future__ import annotations

import random
import threading
import time
from array import array
from pathlib import Path

from durakv.bench.loss_ledger import SIGKILL, Ledger
from durakv.bench.loss_promises import promised_by_servers
from durakv.bench.loss_redis import RunningServer, ServerError
from durakv.bench.loss_servers import Server
from durakv.bench.results import Loss
from durakv.durability import FsyncPolicy

LIFE_SECONDS = (0.2, 0.5)
"""How long a server is written to before it is killed, at least and at most."""
LIVES_MAX = 60


def measure_server_kills(
    server: Server, policy: str, directory: Path, *, seconds: float, generator: random.Random
) -> Loss:
    """Kill servers for so long, at least one; each begins in a new directory below this one."""
    deadline = time.monotonic() + seconds
    lost_max, age_max_seconds = promised_by_servers(policy, 0.0)
    ledger = Ledger(
        store=server.name,
        setting=f"appendfsync {policy}",
        crash=SIGKILL,
        lost_max=lost_max,
        age_max_seconds=age_max_seconds,
    )
    writing = 0.0
    lives, longest = 0, 0.0
    while lives == 0 or (lives < LIVES_MAX and time.monotonic() + longest < deadline):
        started = time.monotonic()
        lives += 1
        writing += _live(server, policy, directory / f"life-{lives}", generator.uniform(*LIFE_SECONDS), ledger)
        longest = max(longest, time.monotonic() - started)
    notes = ["one connection, each write when the one before is acknowledged"]
    if policy == FsyncPolicy.EVERYSEC and any(ledger.lost):
        notes.append("while a sync is under way it acknowledges writes that the operating system does not have yet")
    return ledger.loss(
        method=f"{lives} servers of version {server.version}, each killed at a random instant and started again",
        writes_per_second=sum(ledger.acknowledged) / writing,
        notes=notes,
    )


def _live(server: Server, policy: str, directory: Path, seconds: float, ledger: Ledger) -> float:
    """One life; return how long was written."""
    directory.mkdir(parents=True)
    acknowledged: array[int] = array("q")
    with RunningServer(server, directory, policy) as running:
        writer = threading.Thread(
            target=running.write, args=(acknowledged,), kwargs={"now": time.monotonic_ns, "seconds": 2 * seconds}
        )
        begin = time.monotonic_ns()
        writer.start()
        time.sleep(seconds)
        running.kill_now()
        killed = time.monotonic_ns()
        writer.join()
    if not acknowledged:
        raise ServerError(f"{server.name} acknowledged nothing in {seconds:.1f} s")
    with RunningServer(server, directory, policy) as again:
        survived, damage = again.survived()
    ledger.count(
        acknowledged=len(acknowledged),
        survived=survived,
        oldest_seconds=max(0, killed - acknowledged[survived]) / 1e9 if survived < len(acknowledged) else 0.0,
        where=directory.name,
        damage=damage,
    )
    return (killed - begin) / 1e9
