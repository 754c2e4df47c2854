"""The promise: what was written is there when the directory is opened again, an engine has its directory for itself
(C10), and opening and closing change nothing but what they say.

Method: real directories and simulated ones, opened and closed in every order; a second process where it takes one.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from durakv.clock import ManualClock
from durakv.directory import LOCK_NAME, MANIFEST_NAME
from durakv.durability import Durability, FsyncPolicy
from durakv.engine import Engine
from durakv.errors import Closed, DirectoryError, Locked
from durakv.options import Options
from durakv_formats.manifest import decode_manifest
from durakv_fuzz.disk import SimulatedDisk
from durakv_fuzz.trace import Kind
from tests.support import Journal, numbers, open_engine, put


def log_names(disk: SimulatedDisk) -> list[str]:
    return [name for name in disk.list() if name.endswith(".incr.aof")]


def test_what_was_written_is_there_after_reopening(tmp_path: Path) -> None:
    with Engine(tmp_path / "deep" / "er", Journal(), fsync="always") as engine:
        assert engine.report.created
        assert engine.report.lines() == [], "nothing happened that has to be told"
        assert engine.apply([[b"put", b"1"], [b"put", b"2"]]) == [1, 2]
        assert engine.submit([[b"put", b"3"]]).result() == [3]
    for _ in range(3):
        journal = Journal()
        with Engine(tmp_path / "deep" / "er", journal) as engine:
            assert numbers(journal) == [1, 2, 3]
            assert engine.applied_seq == engine.written_seq == engine.synced_seq == 3
            report = engine.report
            assert report.clean
            assert not report.created
            assert report.lines() == []
            assert (report.last_seq, report.commands, report.batches, report.retired) == (3, 3, 2, 0)


@pytest.mark.parametrize("policy", list(FsyncPolicy))
def test_a_close_completes_what_was_only_applied(policy: FsyncPolicy) -> None:
    disk = SimulatedDisk()
    engine, journal, _ = open_engine(disk, fsync=policy)
    receipts = [engine.submit(put(number), Durability.APPLIED) for number in range(10)]
    engine.close()
    assert engine.synced_seq == 10
    assert all(receipt.result() == [number + 1] for number, receipt in enumerate(receipts))
    again = open_engine(disk)
    assert again.journal.commands == journal.commands
    assert again.engine.report.clean
    again.engine.close()


def test_a_closed_engine_refuses_everything_that_would_write_and_answers_the_rest() -> None:
    engine, journal, _ = open_engine(SimulatedDisk())
    engine.apply(put(1))
    engine.close()
    engine.close()
    for refused in (
        lambda: engine.apply(put(2)),
        lambda: engine.submit(put(2)),
        lambda: engine.transact(lambda: (put(2), None)),
        lambda: engine.rewrite(),
    ):
        with pytest.raises(Closed):
            refused()
    assert numbers(journal) == [1]
    assert engine.read(lambda: numbers(journal), Durability.SYNCED) == [1]
    engine.wait(1)
    engine.sync()
    assert engine.status().synced_seq == 1
    assert not engine.step()


def test_leaving_the_context_closes_whatever_happened(tmp_path: Path) -> None:
    with pytest.raises(KeyError), Engine(tmp_path, Journal()) as engine:
        engine.apply(put(1))
        raise KeyError
    journal = Journal()
    with Engine(tmp_path, journal) as engine:
        assert engine.report.clean
        assert numbers(journal) == [1]


def test_a_second_engine_in_this_process_is_refused(tmp_path: Path) -> None:
    engine = Engine(tmp_path, Journal())
    engine.apply(put(1))
    before = {path.name: path.read_bytes() for path in (tmp_path / "appendonlydir").iterdir()}
    with pytest.raises(Locked, match=r"is open in another process or engine; close it there"):
        Engine(tmp_path, Journal())
    assert {path.name: path.read_bytes() for path in (tmp_path / "appendonlydir").iterdir()} == before
    engine.apply(put(2))
    engine.close()
    Engine(tmp_path, Journal()).close()


OTHER_PROCESS = """
import sys
from durakv.engine import Engine
from tests.support import Journal
engine = Engine(sys.argv[1], Journal())
engine.apply([[b"put", b"1"]])
print("open", flush=True)
sys.stdin.read()
"""


def test_an_owner_in_another_process_is_respected_and_a_dead_one_forgotten(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", OTHER_PROCESS, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"open\n"
        with pytest.raises(Locked):
            Engine(tmp_path, Journal())
        other.kill()
        other.wait(20)
        journal = Journal()
        with Engine(tmp_path, journal) as engine:
            assert numbers(journal) == [1]
            assert not engine.report.clean


def test_an_engine_that_could_not_be_opened_gives_the_directory_up() -> None:
    disk = SimulatedDisk()
    open_engine(disk).engine.close()
    image = disk.image()
    broken = SimulatedDisk(type(image)({**image.files, MANIFEST_NAME: b"garbage\n"}))
    for _ in range(2):
        with pytest.raises(Exception, match=r"appendonly\.aof\.manifest") as caught:
            open_engine(broken)
        assert not isinstance(caught.value, Locked)


def test_a_missing_directory_is_not_made_unless_asked(tmp_path: Path) -> None:
    with pytest.raises(DirectoryError, match="does not exist; open it for writing once to create it"):
        Engine(tmp_path / "no", Journal(), create=False)
    assert not (tmp_path / "no").exists()
    Engine(tmp_path / "no", Journal()).close()
    Engine(tmp_path / "no", Journal(), create=False).close()


def test_opening_and_closing_leaves_one_segment_and_not_one_more_each_time() -> None:
    disk = SimulatedDisk()
    for _ in range(3):
        open_engine(disk).engine.close()
    assert len(log_names(disk)) <= 1
    engine = open_engine(disk).engine
    engine.apply(put(1))
    engine.close()
    names, commands = log_names(disk), numbers(open_engine(SimulatedDisk(disk.image())).journal)
    sizes = {name: len(disk.image().files[name]) for name in names}
    for _ in range(50):
        again = open_engine(disk)
        assert numbers(again.journal) == commands == [1]
        assert again.engine.report.retired == 0
        again.engine.close()
        assert log_names(disk) == names
    assert {name: len(disk.image().files[name]) for name in names} == sizes
    engine = open_engine(disk).engine
    assert engine.submit(put(2)).seq == 2
    engine.close()


def test_lives_that_write_and_die_keep_the_directory_bounded() -> None:
    disk = SimulatedDisk()
    for life in range(30):
        engine = open_engine(SimulatedDisk(disk.image()) if life % 2 else disk).engine
        assert isinstance(engine.filesystem, SimulatedDisk)
        disk = engine.filesystem
        engine.apply(put(life))
        if life % 3:
            engine.close()
        else:
            disk = SimulatedDisk(disk.image())  # it died
    journal = open_engine(disk).journal
    assert numbers(journal) == list(range(30))
    assert len(log_names(disk)) <= 32


def test_two_opens_without_a_write_see_the_same_and_leave_the_same() -> None:
    disk = SimulatedDisk()
    engine = open_engine(disk).engine
    for number in range(10):
        engine.apply(put(number, 1000))
    disk = SimulatedDisk(disk.image())  # it died
    images: list[object] = []
    journals: list[list[tuple[bytes, ...]]] = []
    for _ in range(3):
        opened = open_engine(disk)
        journals.append(opened.journal.commands)
        opened.engine.close()
        files = dict(disk.image().files)
        manifest = decode_manifest(files.pop(MANIFEST_NAME))
        images.append((files, manifest.files, manifest.synced_seq, manifest.identity))
    assert journals[0] == journals[1] == journals[2]
    assert images[0] == images[1] == images[2]


def test_a_clean_close_trims_seals_and_promises_everything() -> None:
    disk = SimulatedDisk()
    engine = open_engine(disk, fsync=FsyncPolicy.NO, segment_bytes=1 << 16).engine
    for number in range(5):
        engine.apply(put(number))
    engine.close()
    files = disk.image().files
    manifest = decode_manifest(files[MANIFEST_NAME])
    assert manifest.synced_seq == 5
    (segment,) = manifest.segments
    assert (segment.first, segment.last, segment.bytes) == (1, 5, len(files[segment.name]))
    assert set(files) == {MANIFEST_NAME, LOCK_NAME, segment.name}


def test_an_open_reads_before_it_writes_and_a_clean_one_writes_no_old_file() -> None:
    disk = SimulatedDisk()
    engine = open_engine(disk).engine
    engine.apply(put(1))
    engine.close()
    (old,) = log_names(disk)
    begin = len(disk.trace.operations)
    again = open_engine(disk)
    assert [o for o in disk.trace.operations[begin:] if o.name == old and o.kind is not Kind.SYNC] == []
    again.engine.close()


def test_options_may_differ_from_life_to_life() -> None:
    disk = SimulatedDisk()
    for life, segment_bytes in enumerate((4096, 1 << 20, 8192, 1 << 14)):
        engine = open_engine(disk, segment_bytes=segment_bytes, fsync=list(FsyncPolicy)[life % 3]).engine
        for index in range(6):
            engine.apply(put(life * 10 + index, 1500))
        engine.close()
    assert numbers(open_engine(disk).journal) == [life * 10 + index for life in range(4) for index in range(6)]


def test_without_a_path_or_a_filesystem_there_is_nothing_to_open() -> None:
    with pytest.raises(DirectoryError, match="give the engine a path, or a filesystem"):
        Engine(None, Journal())


def test_an_engine_without_a_thread_starts_none(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    with Engine(tmp_path, Journal(), background=False, clock=ManualClock()) as engine:
        engine.apply(put(1))
        assert set(threading.enumerate()) == before
    with Engine(tmp_path, Journal(), options=Options()) as engine:
        assert len(set(threading.enumerate()) - before) == 1
    assert set(threading.enumerate()) == before


def test_the_inside_of_a_data_directory_is_not_taken_for_a_new_one(tmp_path: Path) -> None:
    """It is what messages name; an empty state beside the data would look like a loss."""
    with Engine(tmp_path / "data", Journal()) as engine:
        engine.apply(put(1))
    inside = tmp_path / "data" / "appendonlydir"
    before = sorted(inside.iterdir())
    with pytest.raises(DirectoryError, match="open the directory above it"):
        Engine(inside, Journal())
    assert sorted(inside.iterdir()) == before
    with Engine(tmp_path / "data", Journal()) as engine:
        assert engine.applied_seq == 1
