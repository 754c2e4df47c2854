"""The promise: what is known to be wrong with programs is found again, and nothing is found in those that are right.

Method: each program as it is installed here is crashed, by numbers of states, so that a slow machine finds the same.
What is known of one version is asked of that version only.  Two that are wrong and one that is right are tried whenever
the tests run, and all of them by `pytest -m long`.
"""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from durakv_fuzz.model import Model
from durakv_fuzz.program.campaign import Limits
from durakv_fuzz.program.examine import MODELS, Examination, examine
from durakv_fuzz.program.oracle import Verdict
from durakv_fuzz.program.seen import Seen
from durakv_fuzz.targets import find
from durakv_fuzz.targets.target import Target
from tests.block.real_filesystems import needs

from .disks_here import needs_memory

pytestmark = pytest.mark.slow
_MODELS = {**MODELS, "in order": (Model.ORDERED,)}
"""RocksDB refuses a manifest with a torn record and zeros after it, which a disk may leave where sizes come first."""


def installed(name: str, setting: str, version: str = "") -> Target:
    target = find(name, setting)
    if reason := target.missing():
        pytest.skip(f"{name}: {reason}")
    if version and version not in " ".join(target.versions().values()).split():
        pytest.skip(f"it is known of {version}, and here is {', '.join(target.versions().values())}")
    return target


def crashed(target: Target, disk: str, states: int, *, fresh: bool = False) -> Seen:
    """On a real file system, or under the model of that name."""
    if disk in _MODELS:
        needs_memory()
        examination = Examination(models=_MODELS[disk], limits=Limits(states=states), fresh=fresh, shrink_seconds=0)
    else:
        needs(disk)
        examination = Examination(disks=(disk,), limits=Limits(states=states), fresh=fresh, shrink_seconds=0)
    return examine(target, examination, target.plan)


def broken(seen: Seen) -> Mapping[str, int]:
    """Verdicts, of what was not kept."""
    counts = [(verdict, count) for by_verdict in seen.verdicts.values() for verdict, count in by_verdict.items()]
    return {verdict: count for verdict, count in counts if verdict != Verdict.KEPT}


@pytest.mark.long
def test_redis_refuses_a_log_that_was_cut_around_a_rewrite() -> None:
    """Only the last of its log files may be cut, and a power cut cuts the one before as well."""
    seen = crashed(installed("redis", "everysec+rewrite", "7.0.15"), "ordered", 120)
    assert broken(seen).keys() & {Verdict.NO_START, Verdict.REPAIRABLE}, broken(seen)


def test_sqlite_may_lose_the_last_commit_when_its_journal_is_deleted() -> None:
    """Its documents say so of this setting, so that no promise is broken: it is told as a loss."""
    seen = crashed(installed("sqlite", "delete+full"), "ext4", 40)
    assert not broken(seen)
    states, most = seen.losses["ext4"]
    assert states
    assert most == 1


@pytest.mark.long
@pytest.mark.parametrize("setting", ["wal+full", "delete+extra"])
def test_sqlite_loses_no_commit_with_a_log_or_when_the_deletion_is_synced(setting: str) -> None:
    for disk in ("ext4", "ordered"):
        seen = crashed(installed("sqlite", setting), disk, 40)
        assert not broken(seen)
        assert not seen.losses


@pytest.mark.parametrize("setting", [pytest.param("rename", marks=pytest.mark.long), "fsync+rename"])
def test_a_rename_without_a_sync_of_the_directory_is_lost(setting: str) -> None:
    for disk in ("ext4", "ordered"):
        assert Verdict.LOST_ACKED in broken(crashed(installed("file", setting), disk, 40))


@pytest.mark.long
def test_leveldb_cannot_open_what_a_crash_left_of_its_making() -> None:
    """Its first manifest was not synced before 1.23."""
    target = installed("leveldb", "sync+creation")
    if not any(version.startswith("1.22") for version in target.versions().values()):
        pytest.skip(f"it is known of 1.22, and here is {', '.join(target.versions().values())}")
    assert Verdict.NO_START in broken(crashed(target, "ordered", 60, fresh=True))
    assert not broken(crashed(installed("leveldb", "sync"), "ordered", 60)), "once it is made it is fine"


@pytest.mark.long
def test_persist_queue_loses_what_it_acknowledged_and_cannot_be_read() -> None:
    target = installed("persist-queue", "file", "1.1.0")
    assert broken(crashed(target, "ordered", 60)).keys() >= {Verdict.LOST_ACKED, Verdict.NO_START}
    assert Verdict.LOST_ACKED in broken(crashed(target, "ext4", 40))


@pytest.mark.parametrize(
    ("name", "setting"),
    [
        pytest.param("lmdb", "sync", marks=pytest.mark.long),
        pytest.param("rocksdb", "sync", marks=pytest.mark.long),
        pytest.param("file", "fsync+rename+dirsync", marks=pytest.mark.long),
        ("durakv", "always"),
        pytest.param("durakv", "everysec", marks=pytest.mark.long),
        pytest.param("durakv", "no", marks=pytest.mark.long),
    ],
)
def test_those_that_are_right_are_not_convicted(name: str, setting: str) -> None:
    target = installed(name, setting)
    for disk, states in (("in order", 60), ("ext4", 30)):
        seen = crashed(target, disk, states)
        assert not broken(seen), seen.findings[0].reason
        assert len(seen.lives) >= 2, "a start or a second life was crashed as well"


@pytest.mark.long
@pytest.mark.parametrize("setting", ["always", "everysec", "no"])
def test_durakv_keeps_its_promises_where_only_fsync_orders_anything_and_while_it_is_made(setting: str) -> None:
    target = installed("durakv", setting)
    for fresh in (False, True):
        seen = crashed(target, "posix", 40, fresh=fresh)
        assert not broken(seen), seen.findings[0].reason
