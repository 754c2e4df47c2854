"""Saves its settings a few times, as many programs do; `python save_json.py DIRECTORY`.

Every line that it prints says that what it saved so far is kept.  After a power cut that is not so: nothing waits for
the disk, so the new name may be there before what it stands for.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

SAVES = 8


def save(directory: Path, settings: dict[str, object]) -> None:
    """Write another file, and give it the name of the first."""
    temporary = directory / "settings.json.tmp"
    temporary.write_text(json.dumps(settings, indent=1))
    temporary.replace(directory / "settings.json")


def main() -> None:
    """Save, and say so."""
    directory = Path(sys.argv[1])
    for number in range(SAVES):
        save(directory, {"theme": "dark", "opened": [f"document-{n}" for n in range(50 * number)]})
        print(f"saved {number}", flush=True)


if __name__ == "__main__":
    main()
