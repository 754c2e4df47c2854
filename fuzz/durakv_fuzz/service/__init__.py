"""Crash tests of a service that stands on durakv's public API: an adapter, a queue, anything that says "done".

    def open_database(env: Environment) -> durakv.Database:
        return durakv.open(None, filesystem=env.filesystem, clock=env.clock, background=False, fsync="always",
                           options=durakv.Options(segment_bytes=4096))

    def drive(env: Environment, told: Told, source: random.Random) -> None:        one life
        with open_database(env) as db:
            for order in range(db.llen(b"orders"), db.llen(b"orders") + 5):
                told.began(order)                                                  from now on it may show
                db.rpush(b"orders", b"%d" % order)
                told.acked(order)                                                  from now on it must

    def check(env: Environment, facts: Facts) -> None:                             after the crash
        with open_database(env) as db:
            shown = [int(order) for order in db.lrange(b"orders", 0, -1)]
        assert set(facts.acked) <= set(shown) <= set(facts.began)

    explore(Service(drive, check), states=10_000)

``explore`` cuts the power and kills the process at any point of ``drive``, of the recovery from such a crash and of
the lives after it, on a disk in memory.  ``kill`` does it to a real process on real files, with SIGKILL.  What callers
were told before the crash is all that counts.  The first promise that is not kept raises :class:`Violation`, whose
text is the story: what was called and told, what the crash took, what ``check`` said, and how to see it again.

Give the engine small segments, ``options=durakv.Options(segment_bytes=4096)``: there is more to crash when the log is
rotated, and a state costs a hundredth of what it does with the usual megabyte of zeros.

Given up: facts that may be lost for a while.  What is acknowledged at WRITTEN under ``everysec`` counts after a kill
and never after a power cut, though the contract gives it a second at most (C4); ``durakv fuzz run`` tests that.  And
the disk does not fail here.

Names are imported when they are first used: a driver that is killed hundreds of times needs ``say`` alone.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from durakv_fuzz.embedder.subject import BadSubject
    from durakv_fuzz.service.campaign import Outcome, explore
    from durakv_fuzz.service.command import main
    from durakv_fuzz.service.killing import BadDriver, Killed, kill
    from durakv_fuzz.service.saying import say
    from durakv_fuzz.service.subject import Environment, Facts, Service, Told
    from durakv_fuzz.service.violation import Violation

__all__ = [
    "BadDriver",
    "BadSubject",
    "Environment",
    "Facts",
    "Killed",
    "Outcome",
    "Service",
    "Told",
    "Violation",
    "explore",
    "kill",
    "main",
    "say",
]

_WHERE = {
    "durakv_fuzz.embedder.subject": "BadSubject",
    "durakv_fuzz.service.campaign": "Outcome explore",
    "durakv_fuzz.service.command": "main",
    "durakv_fuzz.service.killing": "BadDriver Killed kill",
    "durakv_fuzz.service.saying": "say",
    "durakv_fuzz.service.subject": "Environment Facts Service Told",
    "durakv_fuzz.service.violation": "Violation",
}
_HOME = {name: module for module, names in _WHERE.items() for name in names.split()}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = globals()[name] = getattr(import_module(_HOME[name]), name)
    return value
