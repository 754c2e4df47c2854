"""What thousands of recoveries must not waste time on."""

from __future__ import annotations

import contextlib
import gc
import logging
from collections.abc import Generator

from durakv.collector import without_collections


@contextlib.contextmanager
def quiet() -> Generator[None]:
    """Nobody wants to read what thousands of recoveries have to say."""
    logger = logging.getLogger("durakv")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)  # which durakv.recovery and its like inherit; being disabled they would not
    try:
        yield
    finally:
        logger.setLevel(level)


@contextlib.contextmanager
def collected_at_the_end() -> Generator[None]:
    """No garbage is collected meanwhile; what became garbage is, when it ends.

    Engines leave cycles behind, and a fifth of a recovery's time went into looking for them among what lives anyway.
    Not for more than a thousand recoveries at once: each leaves some ten kilobytes.
    """
    with without_collections():
        try:
            yield
        finally:
            gc.collect(0)
