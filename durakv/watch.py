"""Tells what changed in the commit pipeline that no caller meets as an error: a task of the background (C13)."""

from __future__ import annotations

from durakv import journal
from durakv.clock import Clock
from durakv.commit import Commit

LOOK_AGAIN_SECONDS = 5.0
"""How long after a full disk the background looks again whether there is room for the next segment."""


class Watch:
    """See :class:`durakv.background.Task`.  It only looks, at attributes that the pipeline changes in one piece."""

    def __init__(self, commit: Commit, clock: Clock) -> None:
        self._commit = commit
        self._clock = clock
        self._directory = commit.directory.filesystem.describe()
        self._healed = 0
        self._full_since: float | None = None
        self._told_full = False

    def step(self) -> bool:
        """Tell what is new; never more than a look."""
        commit = self._commit
        if commit.healed != self._healed:
            self._healed = commit.healed
            self._tell("a full disk was healed in place: what was cut was written again, and synced", "healed")
        if commit.supply.is_full_behind(commit.segment):
            return self._full()
        self._full_since = None
        if self._told_full and commit.supply.spare is not None:
            self._told_full = False
            self._tell("there is room for the next log segment again", "room_again")
        return False

    def _full(self) -> bool:
        now = self._clock.monotonic()
        if not self._told_full:
            self._told_full = True
            journal.warning(
                "%s: no room for the next log segment; free some space before writes are refused",
                self._directory,
                about="commit",
                event="disk_full",
                directory=self._directory,
            )
        if self._full_since is None:
            self._full_since = now
        elif now - self._full_since >= LOOK_AGAIN_SECONDS:
            self._full_since = None
            self._commit.supply.look_again()
            return True
        return False

    def _tell(self, message: str, event: str) -> None:
        journal.info(f"%s: {message}", self._directory, about="commit", event=event, directory=self._directory)
