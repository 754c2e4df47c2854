"""What the engine tells of its own accord, to the logger ``durakv`` (C13).

``logging`` is imported when there is something to tell: an open that finds everything in order does without it, and it
is a tenth of what an open would import.
"""

from __future__ import annotations

import sys


def info(message: str, *arguments: object) -> None:
    """What somebody may want to know."""
    _tell("info", message, arguments, None)


def warning(message: str, *arguments: object, failure: BaseException | None = None) -> None:
    """What somebody should know; with the traceback of ``failure``."""
    _tell("warning", message, arguments, failure)


def error(message: str, *arguments: object, failure: BaseException | None = None) -> None:
    """What somebody has to see to; with the traceback of ``failure``."""
    _tell("error", message, arguments, failure)


def _tell(level: str, message: str, arguments: tuple[object, ...], failure: BaseException | None) -> None:
    try:
        from logging import getLogger
    except OSError:
        # No file descriptor is left to read it from, which may be the very thing that is to be told.  This is where
        # it would have gone to in a program that has not set up logging.
        sys.stderr.write(f"durakv: {message % arguments}\n")
        return
    getattr(getLogger("durakv"), level)(message, *arguments, exc_info=failure, stacklevel=3)
