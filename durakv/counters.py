"""An engine as numbers: for whoever collects metrics."""

from __future__ import annotations

from durakv.health import Health
from durakv.report import RecoveryReport, Status


def counters(status: Status, report: RecoveryReport) -> dict[str, int | float]:
    """See ``Engine.counters``."""
    return {
        "up": int(status.health is not Health.DEAD),
        "degraded": int(status.health is Health.DEGRADED),
        "poisoned": int(status.poisoned is not None),
        "stalled": int(status.stalled),
        "applied_seq": status.applied_seq,
        "written_seq": status.written_seq,
        "synced_seq": status.synced_seq,
        "unsynced_commands": status.unsynced_commands,
        "unsynced_bytes": status.unsynced_bytes,
        "unsynced_age_seconds": status.unsynced_age_seconds,
        "pending_bytes": status.pending_bytes,
        "sync_under_way_seconds": status.sync_seconds,
        "logged_bytes_total": status.logged_bytes,
        "writes_total": status.writes,
        "syncs_total": status.syncs,
        "rotations_total": status.rotations,
        "healed_total": status.healed,
        "log_bytes": status.log_bytes,
        "base_bytes": status.base_bytes,
        "segments": status.segments,
        "slots_to_load": status.slots_to_load,
        "rewriting": int(status.rewriting),
        "rewrite_progress_ratio": status.rewrite_progress,
        "rewrites_total": status.rewrites,
        "rewrite_failures_total": status.rewrites_failed,
        "rewrite_failures_in_a_row": status.rewrite_failures,
        "recovery_seconds": report.seconds,
        "recovery_commands": report.commands,
        "recovery_unclean": int(not report.clean),
        "recovery_cut_bytes": 0 if report.cut is None else report.cut.bytes,
    }
