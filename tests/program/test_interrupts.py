"""The promise: while they are held, SIGINT and SIGTERM come where a campaign waits for a program, and nowhere else.

Method: the test's own process is signalled, before, within and outside a call.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from durakv_fuzz.program.calls import Pending, call
from durakv_fuzz.program.interrupts import admit, held

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are reaped as Linux allows it")
BOTH = [signal.SIGINT, signal.SIGTERM]


def interrupt(number: signal.Signals) -> None:
    # To this thread: a worker of tests has others, which do not hold it back.
    signal.pthread_kill(threading.main_thread().ident or 0, number)


@pytest.mark.parametrize("number", BOTH)
def test_one_waits_until_it_is_admitted(number: signal.Signals) -> None:
    reached = False
    with held():
        interrupt(number)
        reached = True
        with pytest.raises(KeyboardInterrupt):
            admit()
        admit()
    assert reached


@pytest.mark.parametrize("number", BOTH)
def test_one_ends_the_call(number: signal.Signals, tmp_path: Path) -> None:
    parent = os.getpid()

    def interrupt_the_caller() -> None:
        (tmp_path / "pid").write_text(str(os.getpid()))
        os.kill(parent, number)
        time.sleep(60)

    began = time.monotonic()
    with held(), pytest.raises(KeyboardInterrupt):
        call(interrupt_the_caller, 60.0)
    assert time.monotonic() - began < 20
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


@pytest.mark.parametrize("number", BOTH)
def test_one_that_was_never_admitted_comes_at_the_end(number: signal.Signals) -> None:
    reached = False
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt), held():
        interrupt(number)
        reached = True
    assert reached
    assert signal.getsignal(number) == before
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, ()) & set(BOTH)


def test_a_call_is_ended_by_both_as_any_other_program() -> None:
    def seen() -> tuple[bool, list[bool]]:
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        return bool(mask & set(BOTH)), [signal.getsignal(number) == signal.SIG_DFL for number in BOTH]

    with held():
        assert call(seen, 20.0) == (False, [True, True])


def test_without_it_an_interrupt_comes_at_once() -> None:
    pending = Pending(lambda: time.sleep(60))
    with pytest.raises(KeyboardInterrupt):
        interrupt(signal.SIGINT)
    pending.kill()
