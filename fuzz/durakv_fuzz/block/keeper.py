"""A process that waits for its starter to end, however it ends, and clears its directory then.

python -m durakv_fuzz.block.keeper STARTER CONTROL WORDS PRIVATE
"""

from __future__ import annotations

import select
import sys
from contextlib import suppress
from pathlib import Path

from durakv_fuzz.block.leftovers import clear
from durakv_fuzz.recorder.process import Adopted


def main() -> None:
    """Wait for the hanging up too: that is how a starter that goes on says that it is done."""
    with suppress(EOFError, ProcessLookupError):  # it ended before this process was there
        adopted = Adopted()
        poll = select.poll()
        poll.register(adopted.control.fileno(), select.POLLIN)
        poll.register(adopted.starter_fd, select.POLLIN)
        poll.poll()
    clear(Path(sys.argv[4]))


if __name__ == "__main__":
    main()
