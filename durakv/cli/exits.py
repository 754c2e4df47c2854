"""Exit codes, and how a failure is told: one line on standard error, never a traceback."""

from __future__ import annotations

from durakv.client.errors import BadUrl
from durakv.errors import Corruption, DurakvError, Locked
from durakv.storage.remedies import describe_failure
from durakv_formats.errors import FormatError

OK = 0
TOLD = 1
USAGE = 2
CORRUPTION = 3
FAILED = 4
LOCKED = 5
INTERRUPTED = 130

EXIT_CODES = """\b
Exit codes:
  0    done, and there is nothing to tell
  1    done, but something was cut, or would be (a torn tail), or was left out as allowed
  2    wrong usage, or the command line's packages are missing
  3    corruption: refused, and nothing was touched
  4    not possible: missing, of a newer version, no permission, a full disk
  5    another process owns the directory
  130  interrupted
"""


class Failure(Exception):
    """What ends a command: one line and an exit code."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(" ".join(message.split()))
        self.code = code


def failure(error: DurakvError | FormatError | OSError) -> Failure:
    """What an error of the engine, of a codec or of the system comes to."""
    if isinstance(error, Corruption):
        return Failure(str(error), CORRUPTION)
    if isinstance(error, BadUrl):
        return Failure(str(error), USAGE)
    if isinstance(error, Locked):
        return Failure(str(error), LOCKED)
    return Failure(describe_failure(error) if isinstance(error, OSError) else str(error), FAILED)
