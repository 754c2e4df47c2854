"""System calls of any program that fail, are cut short, are slow, or end in SIGKILL; the program is as it is.

    with start(["redis-server", "redis.conf"], Watch(directory, (Kill(at=20, calls=SYNCS),))) as run:
        ended = run.wait(seconds=10)

Needs Linux on x86_64 or aarch64, no privileges; ``missing()`` says what else.  Not seen: shared mappings, io_uring.
"""

from durakv_fuzz.injector.calls import Call
from durakv_fuzz.injector.faults import ALWAYS, Fail, Fault, Kill, Short, Slow, interrupt
from durakv_fuzz.injector.numbers import CHANGES, SYNCS, WRITES
from durakv_fuzz.injector.run import Ended, Run, start, start_function
from durakv_fuzz.injector.seccomp import CannotInject, missing
from durakv_fuzz.injector.supervisor import Watch
from durakv_fuzz.injector.sweep import Outcome, Point, Sweep, sweep, swept

__all__ = [
    "ALWAYS",
    "CHANGES",
    "SYNCS",
    "WRITES",
    "Call",
    "CannotInject",
    "Ended",
    "Fail",
    "Fault",
    "Kill",
    "Outcome",
    "Point",
    "Run",
    "Short",
    "Slow",
    "Sweep",
    "Watch",
    "interrupt",
    "missing",
    "start",
    "start_function",
    "sweep",
    "swept",
]
