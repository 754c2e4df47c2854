"""Kill a crawl at every event, and at random ones again and again: ``python -m tests.adapters.scrapy_sweep``."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from pathlib import Path

from tests.adapters.scrapy_site import EXPECTED, Crawls, Site, left_over

REST_KILLS_MAX = 4


def crawl_killed_at(events: list[int]) -> tuple[int, str | None]:
    """Crawl, killed at these events, one for each run, and then to the end; how often, and what was broken."""
    site = Site()
    try:
        with tempfile.TemporaryDirectory(prefix="scrapy-sweep-") as directory:
            crawls = Crawls(site, Path(directory))
            kills = [crawls.run(event) for event in events].count(-9)
            if (status := crawls.run()) != 0:
                return kills, f"the last run ended with {status}"
            if missing := EXPECTED - set(crawls.items):
                return kills, f"items are missing: {sorted(missing)}"
            left = left_over(Path(directory))
            return kills, None if left == ([], []) else f"the job is not empty: {left}"
    finally:
        site.end()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=int, default=1, help="kill at each so many events")
    parser.add_argument("--random", type=int, default=0, help="instead: so many crawls, each killed several times")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    source = random.Random(arguments.seed)
    if arguments.random:
        plans = [
            [source.randint(1, 60) for _ in range(source.randint(1, REST_KILLS_MAX))] for _ in range(arguments.random)
        ]
    else:
        plans = [[event] for event in range(1, 120, arguments.every)]
    killed = broken = 0
    for plan in plans:
        kills, failure = crawl_killed_at(plan)
        killed += kills
        if failure is not None:
            broken += 1
            sys.stdout.write(f"killed at {plan}: {failure}\n")
    sys.stdout.write(f"{killed} SIGKILLs in {len(plans)} crawls, {broken} broken promises\n")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
