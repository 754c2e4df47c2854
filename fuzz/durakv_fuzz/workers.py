"""One campaign in several processes, part by part, so that it can tell how far it is, stop, and go on later.

Worker ``w`` of a campaign takes the runs from ``w * RUNS_APART`` on: the same seed and the same runs do the same
whatever the number of processes, and no run is done twice.
"""

from __future__ import annotations

import json
import multiprocessing
import time
from array import array
from collections import Counter
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from durakv.durability import FsyncPolicy
from durakv_fuzz.campaign import Summary, Windows, run
from durakv_fuzz.coverage import Coverage
from durakv_fuzz.directed import run_directed
from durakv_fuzz.scope import EVERYTHING, Profile, Scope

RUNS_APART = 1_000_000
RUNS_PER_PART = 10
"""Some seconds of work: how often progress is told, and how late a campaign may end."""

STATE_NAME = "campaign.json"
DIGESTS_NAME = "states.u64"
_FORMAT = "durakv-campaign"
_VERSION = 2


class BadCampaign(ValueError):
    """A directory holds no campaign that can go on; the message says why."""


@dataclass(slots=True)
class Campaign:
    """A campaign so far."""

    seed: int
    next_runs: list[int] = field(default_factory=list[int])
    """For each worker, the run it does next."""
    total: Summary = field(default_factory=lambda: Summary(0))
    mutant: str = ""
    """What the engine was broken by; its states are not to be counted with those of another engine."""
    scope: Scope = EVERYTHING
    directed: bool = False
    """Whether the lives that chance seldom makes were lived."""

    @classmethod
    def begin(cls, seed: int, workers: int, mutant: str = "", scope: Scope = EVERYTHING) -> Campaign:
        """A new one."""
        runs = [worker * RUNS_APART for worker in range(workers)]
        return cls(seed, runs, Summary(seed), mutant, scope, directed=not scope.is_everything)

    def go(
        self,
        *,
        states: int | None = None,
        seconds: float | None = None,
        failures_max: int = 1,
        progress: Callable[[Summary], None] | None = None,
    ) -> Summary:
        """Go on until so many distinct states in all were seen, so much time has passed, or so much was found.

        ``progress`` is called after each part; whatever was done by then may be saved from there.
        """
        if states is None and seconds is None:
            raise ValueError("say when it is enough: states, seconds, or both")
        began, before = time.monotonic(), self.total.seconds
        # Forked, so that a mutant that was switched on here is on there; nothing here has threads.
        context = multiprocessing.get_context("fork")
        with ProcessPoolExecutor(len(self.next_runs), mp_context=context) as pool:
            parts: dict[Future[Summary], int | None] = {}
            enough = False
            if not self.directed:
                parts[pool.submit(run_directed)] = None
            while parts or not enough:
                for worker in range(len(self.next_runs)):
                    if not enough and worker not in parts.values():
                        first = self.next_runs[worker]
                        part = pool.submit(run, self.seed, runs=RUNS_PER_PART, first_run=first, scope=self.scope)
                        parts[part] = worker
                done, _ = wait(parts, return_when=FIRST_COMPLETED)
                for part in done:
                    summary = part.result()
                    done_by = parts.pop(part)
                    if done_by is None:
                        self.directed = True
                    else:
                        self.next_runs[done_by] += summary.runs
                    self.total.merge(summary)
                self.total.seconds = before + time.monotonic() - began
                enough = (
                    (states is not None and len(self.total.distinct) >= states)
                    or (seconds is not None and time.monotonic() - began >= seconds)
                    or len(self.total.failures) >= failures_max
                )
                if progress is not None:
                    progress(self.total)
        return self.total

    def save(self, directory: Path) -> None:
        """Write down how far it is; failures have files of their own."""
        total = self.total
        words = {
            "format": _FORMAT,
            "version": _VERSION,
            "seed": self.seed,
            "mutant": self.mutant,
            "policy": self.scope.policy,
            "profile": self.scope.profile,
            "directed": self.directed,
            "next_runs": self.next_runs,
            "runs": total.runs,
            "checks": total.checks,
            "seconds": total.seconds,
            "states": len(total.distinct),
            "stages": dict(total.stages),
            "windows": [
                [policy, kind, seen.crashes, seen.lossy, seen.lost_max, seen.seconds]
                for (policy, kind), seen in total.windows.items()
            ],
            "judged": [[policy, model, count] for (policy, model), count in total.judged.items()],
            "coverage": total.coverage.dump(),
        }
        _put(directory / DIGESTS_NAME, array("Q", sorted(total.distinct)).tobytes())
        _put(directory / STATE_NAME, json.dumps(words).encode())

    @classmethod
    def load(cls, directory: Path) -> Campaign:
        """Take up a campaign that was saved; raises :class:`BadCampaign`."""
        try:
            words: dict[str, Any] = json.loads((directory / STATE_NAME).read_text())
            if words["format"] != _FORMAT or words["version"] != _VERSION:
                raise BadCampaign(f"{directory / STATE_NAME} is of another format or version")
            digests = array("Q")
            digests.frombytes((directory / DIGESTS_NAME).read_bytes())
            total = Summary(
                words["seed"], words["runs"], words["checks"], set(digests), Counter(words["stages"]),
                seconds=words["seconds"], coverage=Coverage.load(words["coverage"]),
            )  # fmt: skip
            for policy, model, count in words["judged"]:
                total.judged[policy, model] = count
            scope = Scope(FsyncPolicy(words["policy"]) if words["policy"] else None, Profile(words["profile"]))
            for policy, kind, crashes, lossy, lost_max, seconds in words["windows"]:
                total.windows[policy, kind] = Windows(crashes, lossy, lost_max, list(seconds))
            if len(digests) != words["states"]:
                raise BadCampaign(f"{directory / DIGESTS_NAME} has {len(digests)} states, not {words['states']}")
            return cls(words["seed"], list(words["next_runs"]), total, words["mutant"], scope, words["directed"])
        except (KeyError, TypeError, ValueError, OSError, RecursionError) as cause:
            if isinstance(cause, BadCampaign):
                raise
            raise BadCampaign(f"{directory} holds no campaign that can go on: {cause}") from cause


def _put(path: Path, data: bytes) -> None:
    """Whole or not at all: a campaign may be stopped while it is saved."""
    temporary = path.with_name(path.name + ".part")
    temporary.write_bytes(data)
    temporary.replace(path)
