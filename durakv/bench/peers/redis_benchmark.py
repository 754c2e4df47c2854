"""The load that ``redis-benchmark`` makes: the server's own tool, in C, so that no Python stands before the server.

Each measurement has a fresh server in a directory of its own.  The tool takes a number of requests and no time: a small
number shows the rate, which tells how many are wanted; the next measurement begins with what this one found.  Keys are
drawn at random from a million.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from durakv.bench.peers.servers import POLICIES, SOCKET, RunningServer, ServerProgram, version_of
from durakv.bench.results import Latency, Promise, Shape
from durakv.client.errors import ServerError

NAME = "redis-benchmark"
PROGRAMS = ("redis-benchmark", "valkey-benchmark")

_KEYS = 1_000_000
_REQUESTS_AT_FIRST = 5_000
_SHARE_MIN = 0.5
"""A measurement that took less than this share of what was asked for is made again with more requests."""
_GROWTH_MAX = 8
"""So many times as many at most: what few requests show may be far from the rate of many."""
_LOADS = (
    (Shape.CLIENTS, 50, 50, 1),
    (Shape.CLIENTS, 64, 64, 1),
    (Shape.PIPELINE, 16, 50, 16),
    (Shape.PIPELINE, 64, 50, 64),
)
"""Shape and width, and the tool's clients and pipeline for it."""
_PATIENCE = 20
"""How many times as long as was asked for a measurement may take."""
_PATIENCE_SECONDS_MIN = 60.0


class External(NamedTuple):
    """What one measurement found."""

    writes: int
    seconds: float
    rate: float
    latency: Latency | None
    """Of single requests, or of whole pipelines."""


class ExternalSetting(NamedTuple):
    """A load that another program makes."""

    name: str
    setting: str
    promise: Promise
    shape: Shape
    width: int
    value_bytes: int
    measure: Callable[[float], External]
    """Measure for about so many seconds."""
    version: str
    client: str = NAME
    note: str = ""


def find() -> str | None:
    """The tool, if it is on this machine."""
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


def settings(
    tool: str, program: ServerProgram, path: str, directory: Path, value_bytes: Iterable[int]
) -> list[ExternalSetting]:
    """A server with each policy of syncing, under each load."""
    version = version_of(path)
    return [
        ExternalSetting(
            program.name,
            f"appendfsync {policy}",
            promise,
            shape,
            width,
            size,
            _Measurement(tool, path, policy, clients, pipeline, size, directory).measure,
            version,
            NAME if shape is Shape.CLIENTS else f"{NAME} -c {clients}",
            note,
        )
        for policy, promise, note in POLICIES
        for shape, width, clients, pipeline in _LOADS
        for size in value_bytes
    ]


class _Measurement:
    """One load, which knows how fast it was."""

    def __init__(
        self, tool: str, path: str, policy: str, clients: int, pipeline: int, value_bytes: int, directory: Path
    ) -> None:
        self._command = [
            *(tool, "-s", SOCKET, "-t", "set", "-r", str(_KEYS), "-d", str(value_bytes)),
            *("-c", str(clients), "-P", str(pipeline)),
        ]
        self._path = path
        self._policy = policy
        self._directory = directory
        self._requests_per_second = 0.0

    def measure(self, seconds: float) -> External:
        """Start a server, load it, and end it."""
        with tempfile.TemporaryDirectory(prefix="redis-benchmark-", dir=self._directory) as place:
            server = RunningServer(self._path, Path(place), self._policy)
            try:
                requests = round(self._requests_per_second * seconds) or _REQUESTS_AT_FIRST
                while (found := self._run(Path(place), requests, seconds)).seconds < seconds * _SHARE_MIN:
                    wanted = round(found.rate * seconds)
                    requests *= min(max(wanted // requests, 2), _GROWTH_MAX)
            finally:
                server.close()
        self._requests_per_second = found.rate
        return found

    def _run(self, place: Path, requests: int, seconds: float) -> External:
        try:
            done = subprocess.run(
                [*self._command, "-n", str(requests)],
                cwd=place,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=max(_PATIENCE_SECONDS_MIN, seconds * _PATIENCE),
            )
        except subprocess.TimeoutExpired as error:
            raise ServerError(f"{NAME}: it did not end in {error.timeout:g} seconds") from error
        if done.returncode:
            raise ServerError(f"{NAME}: it failed: {(done.stderr or done.stdout).strip()[-200:]}")
        return read(done.stdout)


def read(told: str) -> External:
    """What the tool printed.  Raises ServerError if it is not in the form that is known since 6.2."""
    requests = re.search(r"^\s*(\d+) requests completed in ([\d.]+) seconds", told, re.MULTILINE)
    rate = re.search(r"throughput summary: ([\d.]+) requests per second", told)
    if not requests or not rate:
        raise ServerError(f"{NAME}: it prints what cannot be read here; its version has to be 6.2 or later")
    writes, per_second = int(requests[1]), float(rate[1])
    return External(writes, writes / per_second, per_second, _latency(told))


def _latency(told: str) -> Latency | None:
    """Percentiles from the distribution, straight lines between its points; its last point is the slowest."""
    distribution = told.partition("Latency by percentile distribution:")[2].partition("\n\n")[0]
    lines = re.findall(r"([\d.]+)% <= ([\d.]+) milliseconds \(cumulative count (\d+)\)", distribution)
    points = [(float(percent), float(ms) * 1000, int(count)) for percent, ms, count in lines]
    if not points:
        return None

    def at(percent: float) -> float:
        below, above = points[0], points[0]
        for point in points:
            above = point
            if point[0] >= percent:
                break
            below = point
        if above[0] <= below[0]:
            return above[1]
        return below[1] + (above[1] - below[1]) * (percent - below[0]) / (above[0] - below[0])

    return Latency(points[-1][2], at(50), at(90), at(99), at(99.9), points[-1][1])
