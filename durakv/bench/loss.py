"""What a crash really costs: acknowledged writes that are lost, by policy, for durakv and for the servers it is like.

Two kinds of crash.  SIGKILL is done to real processes on real files.  A loss of power is simulated: of durakv on the
simulated disk with the real disk's latencies, of a server by what its own calls had made durable.  Both get the same
load then: one writer, who makes so many writes a second and waits for each as the policy says.
"""

from __future__ import annotations

import gc
import random
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from durakv.bench.loss_kill import measure_kills
from durakv.bench.loss_latency import durable_write, plain_write
from durakv.bench.loss_ledger import is_broken
from durakv.bench.loss_power import measure_power_cuts
from durakv.bench.loss_recording import Speed
from durakv.bench.loss_redis import ServerError
from durakv.bench.loss_redis_kill import measure_server_kills
from durakv.bench.loss_redis_power import measure_server_power_cuts
from durakv.bench.loss_servers import Server, find_servers
from durakv.bench.results import Disk, Loss
from durakv.bench.strace_log import StraceError
from durakv.durability import FsyncPolicy
from durakv_fuzz.demo.kill import WriterError
from durakv_fuzz.quiet import quiet

WRITES_PER_SECOND = 1000.0
"""Of the load whose power is cut, where the disk can sync that often."""
SHARE_OF_RAW = 0.8
"""At most this part of what the raw loop does, so that ``always`` can keep up."""

RUN_SECONDS_MIN = 3.0
RUN_SECONDS_MAX = 8.0
_RUN_SHARE = 0.1
"""Of the whole budget, for the run under ``everysec`` whose power is cut, within these bounds."""
_RUN_PART = {FsyncPolicy.ALWAYS: 0.5, FsyncPolicy.EVERYSEC: 1.0, FsyncPolicy.NO: 0.5}
"""How long the other runs are beside it, which need not last for several rounds of a sync a second."""


class Part(NamedTuple):
    """One entry of the result, to be measured in its share of the time."""

    name: str
    weight: float
    measure: Callable[[Path, float, random.Random], Loss]


def measure_losses(
    directory: Path, *, disk: Disk, seconds: float, seed: int, progress: Callable[[str], None]
) -> tuple[list[Loss], list[str]]:
    """Crash everything, for about so long in all; return what was lost, and what was left out with the reasons.

    A loss beyond what is promised is told at once, and by its note (``loss_ledger.is_broken``).  ``directory`` is on
    the disk that is measured; what is made in it is removed again.
    """
    directory.mkdir(parents=True, exist_ok=True)
    parts, left_out = _parts(directory, disk, min(RUN_SECONDS_MAX, max(RUN_SECONDS_MIN, seconds * _RUN_SHARE)))
    losses: list[Loss] = []
    deadline = time.monotonic() + seconds
    weight_left = sum(part.weight for part in parts)
    for index, part in enumerate(parts):
        progress(part.name)
        place = directory / f"crashed-{index}"
        share = max(0.0, deadline - time.monotonic()) * part.weight / weight_left
        weight_left -= part.weight
        try:
            with quiet():
                loss = part.measure(place, share, random.Random(f"{seed} {part.name}"))
        except (WriterError, ServerError, StraceError, OSError) as failure:
            left_out.append(f"{part.name}: {failure}")
        else:
            losses.append(loss)
            if is_broken(loss):
                progress(f"{part.name}: {loss.note}")
        finally:
            shutil.rmtree(place, ignore_errors=True)
            gc.collect()
    return losses, left_out


def _parts(directory: Path, disk: Disk, run_seconds: float) -> tuple[list[Part], list[str]]:
    servers, left_out = find_servers()
    parts = list(_kills(servers))
    durable = durable_write(disk)
    if durable is None:
        left_out.append("power cuts: no raw loop was measured on this disk, so it is not known how long a sync takes")
        return parts, left_out
    rate = min(WRITES_PER_SECOND, SHARE_OF_RAW * durable.commits_per_second)
    plain = plain_write(directory)
    speeds = {policy: Speed(durable.latency, plain, rate, run_seconds * _RUN_PART[policy]) for policy in FsyncPolicy}
    parts += _power_cuts(speeds)
    strace = shutil.which("strace")
    if strace is None:
        left_out += [
            f"{server.name}: power cuts: there is no strace on this machine to record its calls; install it"
            for server in servers
        ]
    else:
        parts += [part for server in servers for part in _server_power_cuts(server, strace, speeds)]
    return parts, left_out


def _kills(servers: list[Server]) -> Iterator[Part]:
    for policy in FsyncPolicy:

        def kill(place: Path, seconds: float, generator: random.Random, policy: FsyncPolicy = policy) -> Loss:
            return measure_kills(policy, place, seconds=seconds, generator=generator)

        yield Part(f"durakv {policy}: killed", 2.0, kill)
    for server in servers:
        for policy in FsyncPolicy:

            def kill_server(
                place: Path,
                seconds: float,
                generator: random.Random,
                server: Server = server,
                policy: FsyncPolicy = policy,
            ) -> Loss:
                return measure_server_kills(server, policy, place, seconds=seconds, generator=generator)

            yield Part(f"{server.name} {policy}: killed", 1.0, kill_server)


def _power_cuts(speeds: dict[FsyncPolicy, Speed]) -> Iterator[Part]:
    for policy in FsyncPolicy:

        def cut(_place: Path, seconds: float, generator: random.Random, policy: FsyncPolicy = policy) -> Loss:
            return measure_power_cuts(policy, speeds[policy], seconds=seconds, generator=generator)

        yield Part(f"durakv {policy}: power cuts", 2.0, cut)


def _server_power_cuts(server: Server, strace: str, speeds: dict[FsyncPolicy, Speed]) -> Iterator[Part]:
    for policy in FsyncPolicy:

        def cut(place: Path, seconds: float, generator: random.Random, policy: FsyncPolicy = policy) -> Loss:
            return measure_server_power_cuts(
                server,
                policy,
                place,
                strace=strace,
                rate=speeds[policy].writes_per_second,
                run_seconds=speeds[policy].seconds,
                seconds=seconds,
                generator=generator,
            )

        yield Part(f"{server.name} {policy}: power cuts", 2.0, cut)
