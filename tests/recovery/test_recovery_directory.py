"""The promise: the manifest decides what counts.  Without it nothing is guessed, what it does not name is debris that
the next open removes and tells, and an open says how far it is.

Method: directories of the real engine with files added, taken away and left over, and a crash at every event of a life
to see that whatever it leaves is gone after the next open.
"""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from durakv.directory import LOCK_NAME, MANIFEST_NAME, MANIFEST_TEMPORARY
from durakv.durability import Durability, FsyncPolicy
from durakv.engine import Engine
from durakv.errors import Corruption, UnsupportedVersion
from durakv_formats.manifest import decode_manifest
from durakv_fuzz.choose import Seeded, harshest
from durakv_fuzz.disk import SimulatedDisk
from durakv_fuzz.faults import AfterFailedSync, Fault, fail_nth
from durakv_fuzz.image import Image
from durakv_fuzz.model import Model, crash_image
from durakv_fuzz.timeline import Timeline
from durakv_fuzz.trace import Kind
from tests.support import Journal, changed, died, numbers, open_engine, put


def life(*, close: bool) -> SimulatedDisk:
    """Three segments, two of them sealed, and a base."""
    disk = SimulatedDisk()
    engine, _, _ = open_engine(disk)
    engine.apply(put(1, 2000))
    engine.rewrite()
    for number in range(2, 6):
        engine.apply(put(number, 1800))
    if close:
        engine.close()
    return died(disk)


def named(disk: SimulatedDisk) -> set[str]:
    """Every name that belongs there."""
    manifest = decode_manifest(disk.image().files[MANIFEST_NAME])
    return {MANIFEST_NAME, LOCK_NAME, *(file.name for file in manifest.files)}


@pytest.mark.parametrize("close", [True, False])
def test_a_lost_manifest_is_corruption_and_no_beginning(close: bool) -> None:
    disk = changed(life(close=close), MANIFEST_NAME, None)
    before = disk.image()
    for _ in range(2):
        with pytest.raises(
            Corruption, match=r"appendonly\.aof\.manifest at byte 0: the manifest is missing, but appen"
        ):
            open_engine(disk)
        assert disk.image() == before


def test_a_directory_without_a_manifest_and_without_our_files_is_a_new_one() -> None:
    disk = SimulatedDisk(Image({"README": b"mine", "temp-appendonly.aof.1.base.dkv": b"?", LOCK_NAME: b""}))
    opened = open_engine(disk)
    assert opened.engine.report.created
    assert opened.engine.report.debris == ("temp-appendonly.aof.1.base.dkv",)
    assert disk.image().files["README"] == b"mine"
    opened.engine.close()


@pytest.mark.parametrize("damage", ["empty", "cut", "flipped", "other text"])
def test_a_damaged_manifest_is_refused_and_nothing_is_touched(damage: str) -> None:
    disk = life(close=True)
    data = disk.image().files[MANIFEST_NAME]
    if damage == "flipped":
        versions = [data[:index] + bytes([data[index] ^ 1]) + data[index + 1 :] for index in range(len(data))]
    elif damage == "cut":
        versions = [data[:size] for size in range(1, len(data))]
    else:
        versions = [b"" if damage == "empty" else b"file\nfile\n"]
    for version in versions:
        broken = changed(disk, MANIFEST_NAME, version)
        before = broken.image()
        with pytest.raises(Exception, match=r"appendonly\.aof\.manifest") as caught:
            open_engine(broken)
        assert type(caught.value).__name__ in ("Corruption", "UnsupportedVersion")
        assert broken.image() == before


LEFT_OVER = {
    MANIFEST_TEMPORARY: b"#DKVM1 torn",
    "temp-appendonly.aof.9.base.dkv": b"half a base",
    "temp-appendonly.aof.4.incr.aof": b"",
    "appendonly.aof.17.base.dkv": b"published to nobody",
    "appendonly.aof.99.incr.aof": bytes(4096),
    "appendonly.aof.3.base.rdb": b"REDIS",
}


def test_what_the_manifest_does_not_name_is_removed_and_told() -> None:
    disk = life(close=True)
    foreign = {"README": b"keep", "appendonly.conf": b"keep", "temp-file": b"keep", "dump.rdb": b"keep"}
    disk = SimulatedDisk(Image({**disk.image().files, **LEFT_OVER, **foreign}))
    opened = open_engine(disk)
    assert numbers(opened.journal) == [1, 2, 3, 4, 5]
    report = opened.engine.report
    assert report.debris == tuple(sorted(LEFT_OVER))
    assert report.lines() == [f"removed {name}, left by a crash" for name in sorted(LEFT_OVER)]
    opened.engine.apply(put(6))
    opened.engine.close()
    assert set(disk.list()) == named(disk) | set(foreign)
    assert all(disk.image().files[name] == b"keep" for name in foreign)
    again = open_engine(disk)
    assert again.engine.report.debris == ()
    again.engine.close()


def test_a_segment_never_takes_a_number_that_debris_has() -> None:
    """Whatever stands in the debris cannot be mistaken for frames of the new segment."""
    disk = life(close=True)
    debris = "appendonly.aof.40.incr.aof"
    opened = open_engine(changed(disk, debris, disk.image().files[sorted(named(disk))[-2]]))
    assert opened.engine.report.debris == (debris,)
    assert opened.engine._commit.segment.number == 41
    opened.engine.close()


def test_an_open_that_is_refused_removes_no_debris() -> None:
    disk = life(close=True)
    segment = decode_manifest(disk.image().files[MANIFEST_NAME]).segments[0].name
    broken = SimulatedDisk(Image({**disk.image().files, **LEFT_OVER, segment: b""}))
    before = broken.image()
    with pytest.raises(Corruption):
        open_engine(broken)
    assert broken.image() == before


def test_whatever_a_crash_leaves_is_gone_after_the_next_open() -> None:
    disk = SimulatedDisk()
    engine, _, _ = open_engine(disk, fsync=FsyncPolicy.NO)
    for number in range(1, 5):
        engine.apply(put(number, 1500), Durability.SYNCED)
        engine.step()
    engine.rewrite()
    engine.apply(put(5))
    engine.close()
    timeline = Timeline(disk.trace)
    told = 0
    for crash_seq in range(disk.trace.seq + 1):
        for model, choose in (
            (Model.POWER_LOSS, harshest),
            (Model.POWER_LOSS, Seeded(crash_seq)),
            (Model.PROCESS_CRASH, harshest),
        ):
            left = SimulatedDisk(crash_image(timeline, crash_seq, choose, model=model))
            before = set(left.list()) if left.exists_root() else set[str]()
            opened = open_engine(left)
            gone = before - set(left.list())
            if opened.engine.report.created:
                gone.discard(MANIFEST_TEMPORARY)  # the first one of all, now finished
            assert gone == set(opened.engine.report.debris), "what is removed is told, and nothing else"
            told += bool(gone)
            assert set(left.list()) == named(left)
            opened.engine.close()
            files = left.image().files
            for segment in decode_manifest(files[MANIFEST_NAME]).segments:
                assert segment.bytes == len(files[segment.name]), "and nothing is longer than it says"
    assert told > 20


def test_the_report_counts_what_was_read() -> None:
    disk = life(close=True)
    opened = open_engine(disk)
    report = opened.engine.report
    files = disk.image().files
    manifest = decode_manifest(files[MANIFEST_NAME])
    read = [file for file in manifest.files if file.last is not None]
    assert report.files == len(read)
    assert report.bytes == sum(len(files[file.name]) for file in read)
    assert (report.commands, report.batches, report.last_seq) == (4, 4, 5)
    assert report.commands_per_second >= 0
    opened.engine.close()


def test_progress_rises_to_the_end_and_names_the_same_total() -> None:
    disk = SimulatedDisk()
    engine, _, _ = open_engine(disk, segment_bytes=1 << 20)
    for number in range(40):
        engine.apply(put(number, 50_000))
    engine.close()
    calls: list[tuple[int, int]] = []
    again = Engine(
        None,
        Journal(),
        filesystem=disk,
        background=False,
        progress=lambda done, total: calls.append((done, total)),
    )
    size = sum(len(data) for name, data in died(disk).image().files.items() if name.endswith(".incr.aof"))
    (total,) = {total for _, total in calls}
    assert total <= size
    assert calls[-1] == (total, total)
    assert [done for done, _ in calls] == sorted(done for done, _ in calls)
    assert len(calls) > 3
    again.close()


def test_a_progress_callback_that_raises_stops_the_open_and_gives_the_directory_up() -> None:
    disk = life(close=True)

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    before = disk.image()
    with pytest.raises(KeyboardInterrupt):
        Engine(None, Journal(), filesystem=disk, background=False, progress=stop)
    assert disk.image() == before
    open_engine(disk).engine.close()


def test_an_empty_manifest_that_no_sync_vouched_for_is_written_again() -> None:
    """Its directory's first sync fails, the next open's succeeds and says nothing about it (F5)."""
    disk = SimulatedDisk(faults=fail_nth(0, Fault(done=1, after=AfterFailedSync.KEPT), kinds={Kind.SYNC_DIRECTORY}))
    with pytest.raises(OSError, match="Input/output"):
        open_engine(disk)
    open_engine(disk).engine.close()
    timeline = Timeline(disk.trace)
    for crash_seq in range(disk.trace.seq + 1):
        opened = open_engine(SimulatedDisk(crash_image(timeline, crash_seq, harshest)))
        opened.engine.close()


def test_an_image_that_the_machine_refuses_is_told_as_anothers_and_nothing_is_touched() -> None:
    disk = SimulatedDisk()
    engine, _, _ = open_engine(disk)
    engine.apply(put(1))
    engine.rewrite()
    engine.close()

    class Other(Journal):
        def restore(self, chunks: Iterable[bytes]) -> None:
            raise ValueError(f"an image of {len(b''.join(chunks))} bytes is none of mine")

    before = disk.image()
    with pytest.raises(
        UnsupportedVersion, match=r"appendonly\.aof\.1\.base\.dkv.*none of mine.*state machine that wrote"
    ):
        Engine(None, Other(), filesystem=disk, background=False)
    assert disk.image() == before
    assert numbers(open_engine(disk).journal) == [1]
