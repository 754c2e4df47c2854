"""The command of a module with crash tests: ``python -m tests.adapters.crash_queue --kills 200 --cuts 10000``."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterable, Sequence
from typing import NoReturn

from durakv_fuzz.service.campaign import explore
from durakv_fuzz.service.killing import CheckFiles, kill
from durakv_fuzz.service.subject import Service
from durakv_fuzz.service.violation import Violation

CUTS = 10_000
KILLS = 200


def main(
    *,
    service: Service | None = None,
    argv: Sequence[str] | None = None,
    check: CheckFiles | None = None,
    arguments: Sequence[str] | None = None,
) -> NoReturn:
    """Run both campaigns, print what they did or the story of what they found, and exit: 1 if a promise was broken.

    ``service`` is crashed on the simulated disk (``--cuts`` states), ``argv`` with real kills (``--kills``), after
    which ``check`` looks; either may be left out.
    """
    parser = argparse.ArgumentParser(
        description="Crash a service: on a simulated disk, and real processes with SIGKILL."
    )
    if service is not None:
        parser.add_argument("--cuts", type=_count, default=CUTS, help=f"how many crash states, by default {CUTS:,}")
    if argv is not None:
        parser.add_argument("--kills", type=_count, default=KILLS, help=f"how many lives to kill, by default {KILLS}")
    parser.add_argument("--seed", type=int, default=0, help="which ones: the same seed, the same ones")
    chosen = parser.parse_args(arguments)
    try:
        if service is not None and chosen.cuts:
            _say(explore(service, states=chosen.cuts, seed=chosen.seed).lines())
        if argv is not None and check is not None and chosen.kills:
            directory = tempfile.mkdtemp(prefix="durakv-kill-")
            _say(kill(argv, check, points=chosen.kills, seed=chosen.seed, directory=directory).lines())
            shutil.rmtree(directory)  # after a broken promise the files stay
    except Violation as violation:
        _say(violation.story)
        sys.exit(1)
    sys.exit(0)


def _count(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError("it must be 0 or more")
    return number


def _say(lines: Iterable[str]) -> None:
    for line in lines:
        sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
