"""How fast a log is replayed and a base loaded and saved, beside redis-server on the same keys.

    python tests/benchmarks/replay_and_base.py [--keys 1000000] [--rounds 5] [--only log|base] [--directory DIR]

What is measured and how stands in ``durakv.bench.load_side``.  Exit code 1: a target was missed.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from durakv.bench.load_side import LoadSide, take_turns, verdicts


def main() -> int:
    """Print what was asked and what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=["log", "base"])
    parser.add_argument("--directory", help="where to write; by default the folder for temporary files")
    options = parser.parse_args()
    told = subprocess.run(["redis-server", "--version"], check=True, capture_output=True, text=True).stdout
    print("command:", " ".join([Path(sys.executable).name, *sys.argv]))
    print(f"redis-server {told.split()[2]}  python {platform.python_version()}  {platform.platform()}")
    with tempfile.TemporaryDirectory(dir=options.directory) as place:
        print(f"disk: {options.directory or tempfile.gettempdir()}")
        side = LoadSide(Path(place) / "files", options.keys)
        runs = side.contestants(log=options.only != "base", base=options.only != "log")
        taken = take_turns(runs, options.rounds)
    print(f"{'contestant':30}{'median s':>10}{'min':>8}{'max':>8}{'M keys/s':>10}{'MB':>8}")
    for name, samples in taken.items():
        seconds = [sample.seconds for sample in samples]
        median = statistics.median(seconds)
        row = f"{median:10.3f}{min(seconds):8.3f}{max(seconds):8.3f}{samples[0].keys / median / 1e6:10.2f}"
        print(f"{name:30}{row}{samples[0].file_bytes / 1e6:8.1f}")
    found = verdicts(taken, keys=options.keys)
    for verdict in found:
        word = "met" if verdict.met else "missed"
        print(f"target {verdict.name}: {verdict.measured:.2f}, wanted at least {verdict.wanted:.2f}: {word}")
    return 0 if all(verdict.met for verdict in found) else 1


if __name__ == "__main__":
    sys.exit(main())
