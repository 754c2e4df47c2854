"""How an engine is doing, in one word and in as many sentences as there are reasons.

*Degraded* keeps every promise and needs somebody to look at it; *dead* takes no more writes, whatever is done, until
the directory is opened again.  A probe that restarts a program should ask for the second.
"""

from __future__ import annotations

from enum import StrEnum

REWRITES_FAILED_MAX = 3
"""From this many failed rewrites in a row on the engine is degraded: from then on they are tried ever more rarely."""


class Health(StrEnum):
    """Whether an engine needs somebody to look at it, and whether a restart would help."""

    OK = "ok"
    """Nothing to see to."""

    DEGRADED = "degraded"
    """It works, and every promise holds, but slower or with less reserve than it should: a restart mends nothing."""

    DEAD = "dead"
    """It takes no writes and never will again; open the directory again, or look at what ``reasons`` names first."""


def judge_health(
    *,
    ended: str | None,
    poison: BaseException | None,
    stalled_seconds: float | None,
    late_seconds: float | None,
    no_room: bool,
    rewrite_failures: int,
    rewrite_error: str | None,
) -> tuple[Health, tuple[str, ...]]:
    """The word and its reasons, the gravest first; each reason says what to do."""
    if ended is not None:
        return Health.DEAD, (ended,)
    if poison is not None:
        return Health.DEAD, (f"it takes no writes since {poison}. Mend the disk, and open the directory again",)
    reasons: list[str] = []
    if stalled_seconds is not None:
        reasons.append(
            f"writers wait for a sync that has lasted {stalled_seconds:.1f} s: "
            "the disk is slow or hangs; look at its load and at the kernel's log"
        )
    elif late_seconds is not None:
        reasons.append(
            f"the oldest unsynced write is {late_seconds:.1f} s old, older than the policy allows: "
            "the disk is slow or hangs; look at its load and at the kernel's log"
        )
    if no_room:
        reasons.append(
            "there was no room for the next log segment: "
            "free some space before this one is full, or writes are refused with DiskFull"
        )
    if rewrite_failures >= REWRITES_FAILED_MAX:
        reasons.append(
            f"{rewrite_failures} rewrites in a row have failed ({rewrite_error}): "
            "the log grows until one succeeds; see to the cause and call rewrite()"
        )
    return (Health.DEGRADED, tuple(reasons)) if reasons else (Health.OK, ())
