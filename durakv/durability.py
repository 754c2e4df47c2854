"""Two words for two questions.

``FsyncPolicy``: when does the log sync by itself?  ``Durability``: what does this call wait for?
The levels are named after the crash they survive.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum


class Durability(IntEnum):
    """What a call waits for before it returns."""

    APPLIED = 0
    """In memory only: a crash of any kind may take it back."""

    WRITTEN = 1
    """Handed to the operating system: survives a crash of this process, SIGKILL included (C2)."""

    SYNCED = 2
    """On stable storage: survives a power loss (C3)."""


def check_level(level: object) -> Durability:
    """The level; TypeError for anything else.

    The number or the name of a level would compare as none of them, and be waited for as APPLIED.
    """
    if type(level) is not Durability:
        raise TypeError(f"durability is Durability.APPLIED, WRITTEN or SYNCED, not {level!r}")
    return level


class FsyncPolicy(StrEnum):
    """When the log is synced without being asked."""

    ALWAYS = "always"
    """Before a write is acknowledged, so it survives a power loss (C3).  The default level of a call is SYNCED."""

    EVERYSEC = "everysec"
    """At least once a second while there is something to sync (C4).  The default level is WRITTEN."""

    NO = "no"
    """Never by itself; the kernel decides (C5).  The default level is WRITTEN."""

    @property
    def default_durability(self) -> Durability:
        """The level a call waits for when it names none."""
        return Durability.SYNCED if self is FsyncPolicy.ALWAYS else Durability.WRITTEN
