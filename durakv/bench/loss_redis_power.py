"""The power is cut under a server: its calls are recorded by strace, and then the AOF it would be left with is drawn.

The server runs on the real disk, so its syncs take what they take.  From the trace it is known which bytes had been
written and which were covered by a finished sync at any instant; the writer noted on the same clock when each write
was acknowledged.  A sample of the files so left is loaded by a real server, which must serve exactly the writes that
were counted.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import time
from array import array
from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from durakv.bench.loss_aof import AofHistory, Survivor, Tail, ends_of_writes
from durakv.bench.loss_ledger import POWER_CUT, Ledger
from durakv.bench.loss_promises import promised_by_servers
from durakv.bench.loss_redis import AOF_DIRECTORY, START_SECONDS_MAX, RunningServer, ServerError
from durakv.bench.loss_servers import Server
from durakv.bench.results import Loss
from durakv.bench.strace_log import StraceError, parse

CUTS = 4000
LOADS_MAX = 40
LOADS_MIN = 3

_AOF = "appendonly.aof.1.incr.aof"
_TRACED = "openat,close,write,pwrite64,fdatasync,fsync"


class Recorded(NamedTuple):
    """A run of a server, as a power cut sees it."""

    acknowledged_us: array[int]
    """When each write was acknowledged."""
    history: AofHistory
    written: bytes
    """The whole append-only file."""
    ends: Sequence[int]
    """Where each write ends in it."""

    def survived(self, survivor: Survivor) -> int:
        """How many writes are whole."""
        return bisect_right(self.ends, survivor.whole)


def measure_server_power_cuts(
    server: Server,
    policy: str,
    directory: Path,
    *,
    strace: str,
    rate: float,
    run_seconds: float,
    seconds: float,
    generator: random.Random,
    cuts: int = CUTS,
) -> Loss:
    """Record one run, draw so many cuts, and load some of what they leave for as long as there is time."""
    deadline = time.monotonic() + seconds
    recorded = record(server, policy, directory / "run", strace=strace, rate=rate, seconds=run_seconds)
    when = recorded.acknowledged_us
    history = recorded.history
    lost_max, age_max = promised_by_servers(policy, history.sync_seconds_max)
    ledger = Ledger(
        store=server.name, setting=f"appendfsync {policy}", crash=POWER_CUT, lost_max=lost_max, age_max_seconds=age_max
    )
    drawn = draw_cuts(recorded, cuts, generator, ledger)
    loads = _Loads(server, recorded, directory / "run", directory / "loaded")
    for survivor in generator.sample(drawn, min(LOADS_MAX, len(drawn))):
        if loads.count >= LOADS_MIN and time.monotonic() > deadline:
            break
        loads.load(survivor, ledger)
    run = (when[-1] - when[0]) / 1e6
    notes = [
        f"a run of {run:.1f} s under strace, {history.syncs} syncs of the AOF in it, the longest "
        f"{history.sync_seconds_max * 1e3:.1f} ms",
        *loads.notes(),
    ]
    if policy == "no":
        notes.append("all of it was at risk; a kernel writes back after some 30 s")
    return ledger.loss(
        method=(
            f"calls of a real server (version {server.version}) on the real disk, recorded by strace; {cuts} random "
            f"instants, at half of them all unsynced bytes gone, else part of them; {loads.count} of the files left "
            "loaded by a real server"
        ),
        writes_per_second=len(when) / run,
        notes=notes,
    )


def draw_cuts(recorded: Recorded, cuts: int, generator: random.Random, ledger: Ledger) -> list[Survivor]:
    """Cut the power at so many random instants, count what each took, and return the files that they left."""
    when = recorded.acknowledged_us
    drawn: list[Survivor] = []
    for index in range(cuts):
        time_us = generator.randint(when[0], when[-1])
        # Every other cut is the harshest.
        tail = Tail.GONE if index % 2 == 0 else generator.choice((Tail.CUT, Tail.PAGES))
        survivor = recorded.history.survivor(time_us, tail, generator)
        survived = recorded.survived(survivor)
        acknowledged = bisect_right(when, time_us)
        ledger.count(
            acknowledged=acknowledged,
            survived=survived,
            oldest_seconds=(time_us - when[survived]) / 1e6 if survived < acknowledged else 0.0,
            where=f"power lost {(time_us - when[0]) / 1e6:.6f} s after the first write, its tail {tail}",
        )
        drawn.append(survivor)
    return drawn


def record(server: Server, policy: str, directory: Path, *, strace: str, rate: float, seconds: float) -> Recorded:
    """Run the server under strace and write to it at this rate, or as fast as it acknowledges if that is slower."""
    directory.mkdir(parents=True)
    log = directory / "strace.log"
    under = [strace, "-f", "--seccomp-bpf", "-ttt", "-T", "-s", "0", "-o", os.fspath(log), "-e", f"trace={_TRACED}"]
    acknowledged: array[int] = array("q")
    with RunningServer(server, directory, policy, under=under) as running:
        running.write(acknowledged, now=lambda: time.time_ns() // 1000, seconds=seconds, rate=rate)
        running.shut_down()
    if len(acknowledged) < 2:
        raise ServerError(f"{server.name} under strace acknowledged {len(acknowledged)} writes in {seconds:.1f} s")
    with log.open(errors="replace") as lines:
        history = AofHistory(parse(lines))
    written = (directory / AOF_DIRECTORY / _AOF).read_bytes()
    ends = ends_of_writes(written)
    if history.size != len(written) or len(ends) != len(acknowledged):
        raise StraceError(
            f"the trace tells of {history.size} bytes and the AOF has {len(written)}; {len(acknowledged)} writes were "
            f"acknowledged and it holds {len(ends)}"
        )
    return Recorded(acknowledged, history, written, ends)


class _Loads:
    """Loading drawn files with a real server."""

    def __init__(self, server: Server, recorded: Recorded, run: Path, directory: Path) -> None:
        self._server = server
        self._recorded = recorded
        self._run = run
        self._directory = directory
        self.count = 0
        self._refused = 0
        self._repaired = 0

    def load(self, survivor: Survivor, ledger: Ledger) -> None:
        """Start a server on the file; what it serves must be what was counted."""
        aof = self._directory / AOF_DIRECTORY
        shutil.copytree(self._run / AOF_DIRECTORY, aof)
        (aof / _AOF).write_bytes(survivor.content(self._recorded.written))
        expected = self._recorded.survived(survivor)
        self.count += 1
        try:
            served, damage = self._serve_or_repair(survivor, aof)
        finally:
            shutil.rmtree(self._directory)
        if served is not None and (served != expected or damage):
            ledger.broken.append(f"{expected} writes were counted as left, and a real server serves {served} {damage}")

    def _serve_or_repair(self, survivor: Survivor, aof: Path) -> tuple[int | None, str]:
        try:
            return self._serve()
        except ServerError:
            if survivor.tail is not Tail.PAGES:
                raise
        self._refused += 1
        if not self._repair(aof):
            return None, ""
        self._repaired += 1
        return self._serve()

    def notes(self) -> list[str]:
        """What became of the loads."""
        if not self._refused:
            return []
        return [
            f"{self._refused} of {self.count} loaded files were refused at first, for a hole of zeros in the unsynced "
            f"tail; {self._repaired} of them loaded after the server's own check-aof --fix"
        ]

    def _serve(self) -> tuple[int, str]:
        with RunningServer(self._server, self._directory, "no") as running:
            return running.survived()

    def _repair(self, aof: Path) -> bool:
        """Run the server's program as its own repair tool, which it is under that name.

        On the file itself: given the manifest, that of Valkey 9.1 does not know its own server's base.
        """
        name = "valkey-check-aof" if "valkey" in self._server.program else "redis-check-aof"
        try:
            fix = subprocess.run(
                [name, "--fix", os.fspath(aof / _AOF)],
                executable=self._server.program,
                input=b"y\n",
                capture_output=True,
                check=False,
                timeout=START_SECONDS_MAX,
            )
        except subprocess.TimeoutExpired as error:
            raise ServerError(f"{name} of {self._server.name} does not end") from error
        return fix.returncode == 0
