"""The promise (C12): a newer version reads what an older one wrote, an older one refuses what a newer one wrote, by
name and without touching it, and the way from one to the other is an ordinary rewrite.

Method: directories of the released engine are opened and rewritten by one with a draft of a second version, and given
back; on the simulated disk, where every byte can be compared.
"""

from __future__ import annotations

import pytest

from durakv.directory import MANIFEST_NAME
from durakv.errors import Corruption, DirectoryError, UnsupportedVersion
from durakv.keyspace import Keyspace
from durakv.merge import MergeTask, merge_steps
from durakv.options import Load
from durakv.repair import repair
from durakv.verification import Severity
from durakv.verify import verify
from durakv_formats.manifest import decode_manifest
from durakv_fuzz.disk import SimulatedDisk
from durakv_fuzz.image import Image
from tests.badinput.places import files_of
from tests.keyspace.world import dump
from tests.rewrite.machines import Plain, Slotted
from tests.support import IDENTITY
from tests.upgrade.engines import State, base_of, fill, is_upgraded, old_directory, open_draft, open_released


@pytest.fixture(params=[Plain, Slotted], ids=["freeze", "merge"])
def machine(request: pytest.FixtureRequest) -> type[Plain]:
    chosen: type[Plain] = request.param
    return chosen


def upgraded(machine: type[Plain]) -> tuple[Image, State]:
    """The directory of an older engine after a rewrite by a newer one, closed."""
    image, _ = old_directory(machine)
    disk = SimulatedDisk(image)
    held = machine()
    engine = open_draft(disk, held)
    engine.rewrite()
    fill(engine, 2, b"third")
    engine.close()
    assert is_upgraded(disk.image())
    return Image(disk.image().files), held.state


def test_a_newer_engine_reads_an_older_base_and_writes_a_newer_one_at_its_next_rewrite(machine: type[Plain]) -> None:
    image, state = old_directory(machine)
    disk = SimulatedDisk(image)
    held = machine()
    engine = open_draft(disk, held)
    assert held.state == state
    assert not is_upgraded(disk.image()), "an open rewrites nothing"
    engine.rewrite()
    assert is_upgraded(disk.image())
    engine.close()
    again = machine()
    open_draft(SimulatedDisk(disk.image()), again)
    assert again.state == state


def test_a_newer_base_is_merged_with_what_was_logged_since(machine: type[Plain]) -> None:
    image, _ = upgraded(machine)
    disk = SimulatedDisk(image)
    held = machine()
    engine = open_draft(disk, held)
    fill(engine, 6, b"fourth")
    engine.rewrite()
    engine.close()
    again = machine()
    open_draft(SimulatedDisk(disk.image()), again)
    assert again.state == held.state


@pytest.mark.parametrize("load", Load)
def test_an_older_engine_refuses_a_newer_base_by_name_and_touches_nothing(machine: type[Plain], load: Load) -> None:
    image, _ = upgraded(machine)
    disk = SimulatedDisk(image)
    with pytest.raises(UnsupportedVersion) as refusal:
        open_released(disk, machine(), load)
    assert refusal.value.name == base_of(image)
    assert refusal.value.version == "snapshot 2"
    assert "version that wrote it" in str(refusal.value)
    assert files_of(disk) == files_of(SimulatedDisk(image))


def test_an_older_verify_and_repair_leave_a_newer_directory_unchecked(machine: type[Plain]) -> None:
    image, _ = upgraded(machine)
    disk = SimulatedDisk(image)
    (finding,) = [found for found in verify(disk).findings if found.name == base_of(image)]
    assert finding.severity is Severity.UNCHECKED
    assert "snapshot 2" in finding.reason
    broken = {**image.files}
    broken.pop(next(name for name in broken if name.endswith(".incr.aof")))
    disk = SimulatedDisk(Image(broken))
    with pytest.raises(DirectoryError, match="snapshot 2"):
        repair(disk, discard_after_damage=True)
    assert files_of(disk) == files_of(SimulatedDisk(Image(broken)))


def test_an_older_merge_refuses_a_newer_base_and_leaves_nothing() -> None:
    image, _ = upgraded(Slotted)
    base = decode_manifest(image.files[MANIFEST_NAME]).base
    assert base is not None
    assert base.last is not None
    task = MergeTask(
        IDENTITY.hex(), base.name, base.seq, base.last, (), 0, 9, base.last, Slotted.merger, Slotted.content, 8, 1000, 0
    )
    disk = SimulatedDisk(image)
    with pytest.raises(UnsupportedVersion, match="snapshot 2"):
        list(merge_steps(disk, task))
    assert files_of(disk) == files_of(SimulatedDisk(image))


def test_the_keyspace_is_upgraded_too_and_opens_lazily_from_the_index() -> None:
    disk = SimulatedDisk()
    engine = open_released(disk, Keyspace())
    for index in range(60):
        engine.apply([[b"SET", b"key:%d" % index, b"value %d" % index]])
    engine.apply([[b"HSET", b"hash", b"f", b"1"], [b"RPUSH", b"list", b"a", b"b"], [b"ZADD", b"zset", b"1.5", b"m"]])
    engine.rewrite()
    engine.apply([[b"SET", b"later", b"than the base"]])
    engine.close()
    newer = open_draft(disk, Keyspace())
    expected = dump_of(newer.machine)
    newer.rewrite()
    newer.close()
    assert is_upgraded(disk.image())
    for load in Load:
        engine = open_draft(SimulatedDisk(disk.image()), Keyspace(), load)
        assert engine.report.lazy == (load is Load.LAZY)
        assert dump_of(engine.machine) == expected
    for index in (len(disk.image().files[base_of(disk.image())]) - 60, 200):
        data = bytearray(disk.image().files[base_of(disk.image())])
        data[index] ^= 1
        damaged = SimulatedDisk(Image({**disk.image().files, base_of(disk.image()): bytes(data)}))
        with pytest.raises(Corruption):
            dump_of(open_draft(damaged, Keyspace(), Load.LAZY).machine)


def dump_of(machine: object) -> object:
    assert isinstance(machine, Keyspace)
    return dump(machine)


def test_a_newer_base_tells_an_older_engine_that_its_manifest_is_of_an_earlier_time(machine: type[Plain]) -> None:
    image, _ = upgraded(machine)
    earlier, _ = old_directory(machine)
    disk = SimulatedDisk(image)
    engine = open_draft(disk, machine())
    engine.rewrite()
    engine.close()
    # The older files are there again, with the manifest that names them; the newer base lies beside them.
    mixed = Image({**disk.image().files, **earlier.files})
    for opening in (open_released, open_draft):
        disk = SimulatedDisk(mixed)
        with pytest.raises(Corruption, match="the manifest is an older one"):
            opening(disk, machine())
        assert files_of(disk) == files_of(SimulatedDisk(mixed))
