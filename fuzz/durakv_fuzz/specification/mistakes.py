"""Mistakes that are made in the models on purpose, each by a name that both of them know.

A model that cannot fail proves nothing.  Each mistake is looked for in what a crash leaves, and not in the state that
leads to it: the clauses on which the others rest (``EARLIER``) are left out.
"""

from __future__ import annotations

from dataclasses import dataclass

EARLIER = frozenset({"C5_PublishedIsSynced", "C7_FailStop"})
"""Clauses that are broken before any crash shows it."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """One of them."""

    name: str
    what: str
    broken: str
    """The clause by which it is found; the shortest way there leads to it."""


MISTAKES = (
    Mistake("ack_before_fsync", "SYNCED is told when the write returns", "C3_PowerLossSynced"),
    Mistake("ack_before_write", "WRITTEN is told when the batch is applied", "C2_ProcessCrash"),
    Mistake("sync_covers_later_writes", "a sync vouches for what was written while it ran", "C3_PowerLossSynced"),
    Mistake("fsync_retried", "a failed sync is tried again, and the second one believed", "C8_NoPromiseIsBroken"),
    Mistake("not_poisoned", "a failed sync is forgotten with the next success", "C8_NoPromiseIsBroken"),
    Mistake("no_window", "a second passes although a write of the second before is unsynced", "C4_PowerLossEverysec"),
    Mistake("rotation_unsynced", "a manifest seals a segment that is not synced", "C6_AlwaysAWayToOpen"),
    Mistake("base_unsynced", "a manifest names a base that is not synced", "C6_AlwaysAWayToOpen"),
    Mistake("removed_early", "what is replaced is removed before the manifest is durable", "C6_AlwaysAWayToOpen"),
    Mistake("tail_not_rewritten", "a dead owner's tail is only synced, not written again", "C6_AlwaysAWayToOpen"),
    Mistake("cut_unsynced", "an open appends before the cut that it made is durable", "C3_PowerLossSynced"),
    Mistake("seq_reused", "numbers go on where the surviving log ends", "NumbersAreFresh"),
    Mistake("promise_ahead", "a frame promises what is only written", "C8_NoPromiseIsBroken"),
    Mistake("hole_skipped", "recovery goes on behind a frame that is missing", "C1_Prefix"),
)
