"""What the engine tells of its own accord, to the loggers ``durakv`` and ``durakv.<about>`` (C13).

Each record carries its values once more for programs: the attribute ``durakv`` is a dictionary, whose ``event`` is one
of those that docs/operations.md lists.  ``logging`` is imported when there is something to tell: an open that finds
everything in order does without it, and it is a tenth of what an open would import.
"""

from __future__ import annotations

import sys


def info(message: str, *arguments: object, about: str = "", event: str = "", **values: object) -> None:
    """What somebody may want to know."""
    _tell("info", message, arguments, None, about, {"event": event, **values})


def warning(
    message: str,
    *arguments: object,
    failure: BaseException | None = None,
    about: str = "",
    event: str = "",
    **values: object,
) -> None:
    """What somebody should know; with the traceback of ``failure``."""
    _tell("warning", message, arguments, failure, about, {"event": event, **values})


def error(
    message: str,
    *arguments: object,
    failure: BaseException | None = None,
    about: str = "",
    event: str = "",
    **values: object,
) -> None:
    """What somebody has to see to; with the traceback of ``failure``."""
    _tell("error", message, arguments, failure, about, {"event": event, **values})


def _tell(
    level: str,
    message: str,
    arguments: tuple[object, ...],
    failure: BaseException | None,
    about: str,
    values: dict[str, object],
) -> None:
    try:
        from logging import getLogger
    except OSError:
        # No file descriptor is left to read it from, which may be the very thing that is to be told.  This is where
        # it would have gone to in a program that has not set up logging.
        sys.stderr.write(f"durakv: {message % arguments}\n")
        return
    logger = getLogger(f"durakv.{about}" if about else "durakv")
    getattr(logger, level)(message, *arguments, exc_info=failure, stacklevel=3, extra={"durakv": values})
