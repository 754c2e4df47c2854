"""The promise (C8): damage above every promise is a torn tail, cut and told; damage at or below one is corruption,
refused and left as it is, with the file, the offset, the reason and the remedy.

Method: logs written by the real engine, damaged at every place that tells the two apart.
"""

from __future__ import annotations

import errno
import re

import pytest

from durakv.directory import MANIFEST_NAME
from durakv.durability import Durability, FsyncPolicy
from durakv.errors import Corruption, Poisoned
from durakv_formats.frame import HEADER_BYTES, FrameDecoder
from durakv_formats.manifest import decode_manifest
from durakv_fuzz.choose import Seeded, harshest, kindest
from durakv_fuzz.disk import SimulatedDisk
from durakv_fuzz.faults import AfterFailedSync, Fault, fail_nth
from durakv_fuzz.model import Model, crash_image
from durakv_fuzz.timeline import Timeline
from durakv_fuzz.trace import Kind
from tests.support import FRAME_IDENTITY, changed, died, numbers, open_engine, put

LOG = "appendonly.aof.1.incr.aof"
WRITTEN, SYNCED = Durability.WRITTEN, Durability.SYNCED


def written(count: int, *, synced: int = 0, size: int = 100, close: bool = False) -> SimulatedDisk:
    """A directory with so many commands in one segment, the first of them synced; its owner died or closed it."""
    disk = SimulatedDisk()
    engine, _, _ = open_engine(disk, fsync=FsyncPolicy.NO, segment_bytes=1 << 14)
    for number in range(1, count + 1):
        engine.apply(put(number, size), SYNCED if number <= synced else WRITTEN)
    if close:
        engine.close()
    return died(disk)


def frame_ends(disk: SimulatedDisk) -> list[int]:
    """Where the frames of the first segment end; [0] is the end of the opening frame."""
    decoder = FrameDecoder(FRAME_IDENTITY, 1)
    decoder.feed(disk.image().files[LOG].rstrip(b"\0") + b"\n")
    ends: list[int] = []
    while True:
        try:
            if decoder.next_frame() is None:
                return ends
        except ValueError:
            return ends
        ends.append(decoder.offset)


def damaged(disk: SimulatedDisk, offset: int, replacement: bytes) -> SimulatedDisk:
    data = disk.image().files[LOG]
    return changed(disk, LOG, data[:offset] + replacement + data[offset + len(replacement) :])


def refused(disk: SimulatedDisk, *, name: str = LOG) -> Corruption:
    """Open it twice; both must refuse in the same words and touch nothing."""
    before = disk.image()
    told: list[Corruption] = []
    for _ in range(2):
        with pytest.raises(Corruption) as caught:
            open_engine(disk)
        told.append(caught.value)
        assert {n: d for n, d in disk.image().files.items() if n != "durakv.lock"} == {
            n: d for n, d in before.files.items() if n != "durakv.lock"
        }, "a refused open touches nothing"
    first, second = told
    assert str(first) == str(second)
    assert first.name == name
    assert first.reason
    assert first.remedy
    assert str(first) == f"{name} at byte {first.offset}: {first.reason}. {first.remedy}"
    return first


# --- above every promise ----------------------------------------------------------------------------------------------


def test_a_tail_that_ends_in_zeros_lost_nothing_that_was_promised() -> None:
    disk = written(5)
    opened = open_engine(disk)
    assert numbers(opened.journal) == [1, 2, 3, 4, 5]
    report = opened.engine.report
    assert report.cut is None
    assert not report.clean
    assert report.lines() == ["the last owner did not close the directory; recovered up to number 5"]
    opened.engine.close()


def test_a_torn_tail_is_cut_and_told_wherever_it_is_torn() -> None:
    disk = written(6, synced=3)
    ends = frame_ends(disk)
    assert len(ends) == 7
    data = disk.image().files[LOG]
    size = len(data.rstrip(b"\0"))
    for offset in range(ends[3] + 1, size):
        torn = changed(disk, LOG, data[:offset] + bytes(len(data) - offset))
        good = sum(end <= offset for end in ends) - 1
        kept = data[:offset].rstrip(b"\0")
        opened = open_engine(torn)
        assert numbers(opened.journal) == list(range(1, good + 1))
        cut = opened.engine.report.cut
        if len(kept) <= ends[good]:
            assert cut is None
            continue
        assert cut is not None
        assert (cut.name, cut.offset, cut.bytes) == (LOG, ends[good], len(kept) - ends[good])
        assert cut.first_lost_seq == good + 1
        assert cut.reason
        # The promise of 3 is first told by the frame of 4.
        assert cut.allowed == f"number {3 if good >= 4 else 2} is the last one ever promised as synced"
        assert opened.engine.report.lines()[0] == (
            f"{LOG}: cut {cut.bytes} bytes at byte {cut.offset} ({cut.reason}); {cut.allowed}"
        )
        opened.engine.close()
        assert len(torn.image().files[LOG]) == ends[good], "it is trimmed"
        again = open_engine(torn)
        assert numbers(again.journal) == list(range(1, good + 1))
        assert again.engine.report.lines() == []
        again.engine.close()


@pytest.mark.parametrize("garbage", [b"x", b"\0x", b"#DKV1 ", b"*1\r\n", b"#TS:17", b"\xff" * 700], ids=repr)
def test_garbage_behind_the_last_promise_is_cut(garbage: bytes) -> None:
    disk = written(4, synced=4)
    end = frame_ends(disk)[-1]
    opened = open_engine(damaged(disk, end, garbage))
    assert numbers(opened.journal) == [1, 2, 3, 4]
    assert opened.engine.report.cut is not None
    assert opened.engine.report.cut.offset == end
    opened.engine.close()


def test_what_was_cut_never_comes_back() -> None:
    """Stale bytes behind a cut are whole frames; no later life may take them for its own."""
    disk = written(8, synced=2)
    ends = frame_ends(disk)
    torn = damaged(disk, ends[4] - 5, b"?")
    first = open_engine(torn)
    assert numbers(first.journal) == [1, 2, 3]
    first.engine.apply(put(100))
    for image in (torn.image(), crash_image(torn.trace, torn.trace.seq, harshest)):
        again = open_engine(SimulatedDisk(image))
        assert numbers(again.journal) == [1, 2, 3, 100]
        again.engine.apply(put(101))
        again.engine.close()


# --- at or below a promise --------------------------------------------------------------------------------------------


def test_damage_below_a_promise_is_refused_and_nothing_is_touched() -> None:
    disk = written(6, synced=5)
    ends = frame_ends(disk)
    for hurt in range(1, 6):
        failure = refused(damaged(disk, ends[hurt] - 3, b"?"))
        assert failure.offset == ends[hurt - 1]
        assert "number 5 was promised as synced" in failure.reason
        assert f"{hurt} is missing" in failure.reason
        assert "Restore the file from a copy" in failure.remedy
    assert numbers(open_engine(damaged(disk, ends[6] - 3, b"?")).journal) == [1, 2, 3, 4, 5]


def test_zeros_below_a_promise_are_corruption_and_no_tail() -> None:
    disk = written(6, synced=5, size=600)
    data = disk.image().files[LOG]
    for start in range(512, len(data.rstrip(b"\0")) - 1500, 512):
        failure = refused(damaged(disk, start, bytes(512)))
        assert failure.offset <= start


def test_a_promised_tail_that_is_gone_is_corruption_if_anything_remembers_it() -> None:
    disk = written(6, synced=5)
    ends = frame_ends(disk)
    # The frame of number 6 is there and says so ...
    gap = damaged(disk, ends[3], bytes(ends[5] - ends[3]))
    assert "number 5 was promised" in refused(gap).reason
    # ... and without it nothing does: that is what the contract gives up.
    assert numbers(open_engine(damaged(disk, ends[3], bytes(ends[6] - ends[3]))).journal) == [1, 2, 3]


def test_the_manifest_remembers_what_an_open_segment_lost() -> None:
    disk = written(3, close=True)
    open_engine(disk)  # the second life names a new segment, then dies
    second = died(disk)
    data = second.image().files[LOG]
    assert "sealed at byte" in refused(changed(second, LOG, data[:-1])).reason


def test_after_a_clean_close_any_loss_is_corruption() -> None:
    disk = written(4, close=True)
    data = disk.image().files[LOG]
    for size in range(len(data)):
        failure = refused(changed(disk, LOG, data[:size]))
        assert "sealed at byte" in failure.reason
    for offset in range(0, len(data), 7):
        flipped = bytearray(data)
        flipped[offset] ^= 0x10
        assert refused(changed(disk, LOG, bytes(flipped))).offset <= offset
    refused(changed(disk, LOG, bytes(len(data))))
    failure = refused(changed(disk, LOG, None))
    assert failure.reason == "the manifest names this file, but it is missing"


def test_behind_a_clean_close_zeros_and_cut_tails_do_not_count() -> None:
    disk = written(4, close=True)
    data = disk.image().files[LOG]
    for behind in (bytes(3000), data[HEADER_BYTES:], b"#DKV1 torn"):
        opened = open_engine(changed(disk, LOG, data + behind))
        assert numbers(opened.journal) == [1, 2, 3, 4]
        assert opened.engine.report.cut is None
        opened.engine.close()


def test_an_opening_frame_is_never_torn() -> None:
    """It was durable before the manifest named its segment."""
    disk = written(2)
    for offset in range(0, HEADER_BYTES, 5):
        assert refused(damaged(disk, offset, b"?")).offset == 0
    assert refused(changed(disk, LOG, b"")).reason
    assert refused(changed(disk, LOG, bytes(1 << 14))).reason


def test_a_lost_segment_in_the_middle_is_named() -> None:
    disk = SimulatedDisk()
    engine, _, _ = open_engine(disk)
    for number in range(1, 8):
        engine.apply(put(number, 1800))
    disk = died(disk)
    names = [segment.name for segment in decode_manifest(disk.image().files[MANIFEST_NAME]).segments]
    assert len(names) >= 3
    for name in names:
        failure = refused(changed(disk, name, None), name=name)
        assert failure.reason == "the manifest names this file, but it is missing"
    one, other = names[0], names[1]
    swapped = changed(changed(disk, one, disk.image().files[other]), other, disk.image().files[one])
    assert "another segment" in refused(swapped, name=one).reason


# --- F5: what the page cache shows and the disk never got -------------------------------------------------------------


@pytest.mark.parametrize("after", [AfterFailedSync.KEPT, AfterFailedSync.DIRTY, AfterFailedSync.REVERTED])
def test_what_a_recovery_shows_after_a_failed_sync_survives_the_next_power_loss(after: AfterFailedSync) -> None:
    disk = SimulatedDisk()
    engine, _, _ = open_engine(disk, fsync=FsyncPolicy.NO, segment_bytes=1 << 14)
    engine.apply(put(1, 900), SYNCED)
    for number in range(2, 8):
        engine.apply(put(number, 900), WRITTEN)
    disk.faults = fail_nth(0, Fault(errno.EIO, after=after), kinds={Kind.SYNC})
    with pytest.raises(Poisoned):
        engine.sync()
    second = SimulatedDisk.resume(disk.trace, disk.trace.seq)
    opened = open_engine(second)
    shown = numbers(opened.journal)
    assert shown == ([1] if after is AfterFailedSync.REVERTED else [1, 2, 3, 4, 5, 6, 7])
    for choose in (harshest, Seeded(1), kindest):
        image = crash_image(second.trace, second.trace.seq, choose)
        assert numbers(open_engine(SimulatedDisk(image)).journal) == shown, "it was recovered, and so it is promised"


# --- C9: recovery is repeatable ---------------------------------------------------------------------------------------


def recoveries(disk: SimulatedDisk, expected: list[int], depth: int) -> int:
    """Crash a recovery at each of its events, and the recovery of that; each must come to the same state."""
    trial = died(disk)
    opened = open_engine(trial)
    assert numbers(opened.journal) == expected
    count = 1
    if not depth:
        return count
    timeline = Timeline(trial.trace)
    for crash_seq in range(trial.trace.seq + 1):
        for model, choose in (
            (Model.POWER_LOSS, harshest),
            (Model.POWER_LOSS, Seeded(crash_seq)),
            (Model.PROCESS_CRASH, harshest),
        ):
            image = crash_image(timeline, crash_seq, choose, model=model)
            count += recoveries(SimulatedDisk(image), expected, depth - 1 if crash_seq % 5 == 0 else 0)
    return count


def test_a_recovery_crashed_at_any_event_comes_to_the_same_state() -> None:
    disk = written(5, synced=3)
    ends = frame_ends(disk)
    torn = damaged(disk, ends[5] - 2, b"?")
    assert recoveries(torn, [1, 2, 3, 4], depth=2) > 500


def test_a_recovery_of_nothing_is_repeatable_too() -> None:
    assert recoveries(SimulatedDisk(), [], depth=1) > 50


def test_messages_name_the_place_and_the_remedy_in_one_sentence_each() -> None:
    disk = written(3, close=True)
    failure = refused(changed(disk, LOG, b""))
    assert re.fullmatch(r"appendonly\.aof\.1\.incr\.aof at byte 0: .+, but .+\. Restore the file .+", str(failure))
