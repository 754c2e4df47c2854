"""What redis-server and Valkey say that a crash may take: of acknowledged writes, how many, and how old."""

from __future__ import annotations

from durakv.durability import FsyncPolicy

EVERYSEC_SECONDS = 2.0
"""Their documentation says "about one second"; their code goes on without a sync for two."""


def promised_by_servers(policy: str, sync_seconds_max: float) -> tuple[int | None, float | None]:
    """The most that may be lost and its greatest age, None where nothing is promised.

    They make no difference between a process that is killed and a loss of power: under ``everysec`` a write may be
    acknowledged before the operating system has it.
    """
    if policy == FsyncPolicy.ALWAYS:
        return 0, 0.0
    if policy == FsyncPolicy.EVERYSEC:
        return None, EVERYSEC_SECONDS + sync_seconds_max
    return None, None
