"""Saves its settings so that a power cut takes none that it said were kept; `python save_json_fixed.py DIRECTORY`."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

SAVES = 8


def save(directory: Path, settings: dict[str, object]) -> None:
    """Write another file, wait for the disk, give it the name of the first, and wait for the name."""
    temporary = directory / "settings.json.tmp"
    with temporary.open("w") as file:
        file.write(json.dumps(settings, indent=1))
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(directory / "settings.json")
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def main() -> None:
    """Save, and say so."""
    directory = Path(sys.argv[1])
    for number in range(SAVES):
        save(directory, {"theme": "dark", "opened": [f"document-{n}" for n in range(50 * number)]})
        print(f"saved {number}", flush=True)


if __name__ == "__main__":
    main()
