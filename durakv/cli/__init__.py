"""The command line: ``durakv``, one command with subcommands that are imported when they are called."""

from __future__ import annotations

import sys
from importlib.util import find_spec

__all__ = ["main"]

_EXIT_USAGE = 2


def main() -> int:
    """Run the command line; the packages it needs are an extra, and told if they are missing."""
    missing = [package for package in ("click", "rich") if find_spec(package) is None]
    if missing:
        line = f"durakv: the command line needs {' and '.join(missing)}; install it with: pip install 'durakv[cli]'"
        print(line, file=sys.stderr)
        return _EXIT_USAGE
    from durakv.cli.app import app

    app.main(prog_name="durakv")
    return 0
