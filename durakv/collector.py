"""The garbage collector, kept from looking for garbage where there is none.

Building a large state makes millions of objects and no garbage.  Python's collector cannot know that and goes through
all of them again and again: half of the time that a recovery of a million containers takes.
"""

from __future__ import annotations

import gc
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def without_collections() -> Generator[None]:
    """Collect nothing meanwhile; afterwards it is as it was.  Of two at once in one process the first to end counts."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
