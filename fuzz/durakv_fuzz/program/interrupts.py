"""SIGINT and SIGTERM come only where a campaign can be left: while it waits for a program, and between two states.

    with held():
        campaign.run()      # raises KeyboardInterrupt

Anywhere else one could come between making a mount point and remembering that it has to be removed.
"""

from __future__ import annotations

import signal
from collections.abc import Generator
from contextlib import contextmanager

_INTERRUPTS = frozenset({signal.SIGINT, signal.SIGTERM})


@contextmanager
def held() -> Generator[None]:
    """Hold both back in this thread, the main one, until :func:`admitted`; one that waits at the end comes then."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, _INTERRUPTS)
    try:
        yield
    finally:
        try:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        finally:
            signal.signal(signal.SIGTERM, before)


@contextmanager
def admitted() -> Generator[None]:
    """Let them come here, as ``KeyboardInterrupt``; without :func:`held` they come anyway."""
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _INTERRUPTS)
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def admit() -> None:
    """Let one come that waits."""
    with admitted():
        pass


def as_usual() -> None:
    """In a forked child: a program is to be ended by both as any other."""
    for number in _INTERRUPTS:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _INTERRUPTS)
