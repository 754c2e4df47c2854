"""A crash made smaller: with as little lost as breaks the promise, on the mildest disk, as early."""

from __future__ import annotations

from durakv_fuzz.image import Image
from durakv_fuzz.lives import Crash
from durakv_fuzz.losses import Losses
from durakv_fuzz.minimal_crash import MinimalCrash
from durakv_fuzz.model import crash_image
from durakv_fuzz.service.life import Life
from durakv_fuzz.service.subject import Service

CHECKS_MAX = 500


def smallest(service: Service, life: Life, crash: Crash, failure: Exception) -> tuple[Crash, Exception]:
    """The smallest crash of this life that was found to fail in the same way, and what ``check`` raised there."""
    found: dict[tuple[object, ...], Exception] = {}
    checks = 0

    def fails(losses: Losses, image: Image) -> bool:
        nonlocal checks
        if checks >= CHECKS_MAX:
            return False
        checks += 1
        smaller = losses.crash()
        raised = life.judge(service, smaller, image, life.facts(smaller))
        if type(raised) is not type(failure):
            return False
        assert raised is not None, "its type is that of an exception"
        found[smaller.crash_seq, smaller.model, smaller.answers] = raised
        return True

    minimal = MinimalCrash(
        crash_image, life.timeline, fails, since=life.since, enough=lambda: checks >= CHECKS_MAX
    ).find(Losses.of(life.timeline, crash))
    smaller = minimal.crash()
    return smaller, found.get((smaller.crash_seq, smaller.model, smaller.answers), failure)
