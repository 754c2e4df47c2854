"""The promise: what the campaign found once stays found.

Method: one plain test for each bug that the crash campaign met, smaller than the run that met it.
"""

from __future__ import annotations

import re

import pytest

from durakv.clock import ManualClock
from durakv.directory import MANIFEST_NAME
from durakv.durability import Durability
from durakv.engine import Engine
from durakv.errors import Corruption
from durakv.options import Options
from durakv_formats.frame import HEADER_BYTES
from durakv_fuzz.disk import SimulatedDisk
from durakv_fuzz.image import Image
from durakv_fuzz.machines import FrozenMachine

OPTIONS = Options(segment_bytes=4096, rewrite_percentage=0, rewrite_segments_max=0)


def open_engine(disk: SimulatedDisk, machine: FrozenMachine | None = None) -> Engine:
    return Engine(
        None,
        machine if machine is not None else FrozenMachine(),
        options=OPTIONS,
        fsync="always",
        filesystem=disk,
        clock=ManualClock(),
        background=False,
    )


def test_a_full_disk_does_not_keep_the_background_busy() -> None:
    disk = SimulatedDisk()
    engine = open_engine(disk)
    engine.apply([[b"SET", b"k", bytes(3000)]])
    disk.capacity_bytes = sum(map(len, disk.image().files.values()))
    assert sum(engine.step() for _ in range(50)) <= 2, "the next segment was tried again and again"


def test_an_outdated_manifest_is_refused_and_the_later_segments_stay() -> None:
    disk = SimulatedDisk()
    engine = open_engine(disk)
    engine.apply([[b"SET", b"k", b"1"]])
    earlier = disk.image().files[MANIFEST_NAME]
    engine.close()
    engine = open_engine(disk)
    engine.apply([[b"SET", b"k", b"2"]])
    engine.close()

    decayed = Image({**disk.image().files, MANIFEST_NAME: earlier})
    damaged = SimulatedDisk(decayed)
    with pytest.raises(Corruption, match="older one") as refusal:
        open_engine(damaged)
    assert refusal.value.name == MANIFEST_NAME
    assert damaged.image() == decayed, "a refused directory was changed"


def test_a_manifest_outdated_by_a_segment_without_batches_may_be_followed() -> None:
    disk = SimulatedDisk()
    engine = open_engine(disk)
    engine.apply([[b"SET", b"k", b"1"]])
    earlier = disk.image().files[MANIFEST_NAME]
    engine.close()
    open_engine(SimulatedDisk(disk.image()))

    machine = FrozenMachine()
    open_engine(SimulatedDisk(Image({**disk.image().files, MANIFEST_NAME: earlier})), machine).close()
    assert machine.state == {b"k": (b"1", 0)}


def test_numbers_that_an_outdated_manifest_does_not_know_of_are_not_given_out_twice() -> None:
    disk = SimulatedDisk()
    open_engine(disk)
    earlier = disk.image().files[MANIFEST_NAME]
    second = SimulatedDisk(disk.image())  # the first owner died
    told = open_engine(second).submit([[b"SET", b"k", b"1"]], Durability.APPLIED).seq
    third = SimulatedDisk(second.image())  # and so did this one, before the batch was written
    open_engine(third).close()

    engine = open_engine(SimulatedDisk(Image({**third.image().files, MANIFEST_NAME: earlier})))
    assert engine.applied_seq >= told


def test_a_manifest_outdated_by_a_rewrite_is_refused_and_the_base_stays() -> None:
    disk = SimulatedDisk()
    engine = open_engine(disk)
    engine.apply([[b"SET", b"k", b"1"]])
    earlier = dict(disk.image().files)
    engine.rewrite()
    engine.apply([[b"SET", b"k", b"2"]])
    engine.rewrite()
    engine.close()

    decayed = Image({**earlier, **disk.image().files, MANIFEST_NAME: earlier[MANIFEST_NAME]})
    damaged = SimulatedDisk(decayed)
    with pytest.raises(Corruption, match="older one"):
        open_engine(damaged)
    assert damaged.image() == decayed, "a refused directory was changed"


def test_a_segment_that_lost_its_size_does_not_let_numbers_be_given_out_twice() -> None:
    disk = SimulatedDisk()
    engine = open_engine(disk)
    told = engine.submit([[b"DEL", b"k"]] * 80).seq
    (name,) = (name for name in disk.image().files if name.endswith(".incr.aof"))
    left = Image({**disk.image().files, name: disk.image().files[name][:100]})
    assert open_engine(SimulatedDisk(left)).applied_seq >= told


def one_segment() -> tuple[Image, str, bytes]:
    """A segment of three batches whose owner died, and its zeros."""
    disk = SimulatedDisk()
    engine = open_engine(disk)
    for number in range(3):
        engine.apply([[b"SET", b"k%d" % number, b"1"]])
    image = disk.image()
    (name,) = (name for name in image.files if name.endswith(".incr.aof"))
    return image, name, image.files[name]


def test_a_comment_that_swallows_a_header_does_not_get_its_batch_replayed_out_of_place() -> None:
    image, name, data = one_segment()
    *_, second, third = (match.start() for match in re.finditer(b"#DKV1 ", data))
    rubble = b"#" + bytes(third - second - 1)
    for tail in (data[third:], data[third:].rstrip(b"\0")):
        damaged = SimulatedDisk(Image({**image.files, name: data[:second] + rubble + tail}))
        with pytest.raises(Corruption, match="promised as synced"):
            open_engine(damaged)


def test_commands_without_a_frame_that_zeros_follow_are_not_taken_for_those_of_a_stock_server() -> None:
    image, name, data = one_segment()
    (*_, third) = (match.start() for match in re.finditer(b"#DKV1 ", data))
    tail = data[third + HEADER_BYTES :]
    damaged = Image({**image.files, name: data[:third] + tail})
    machine = FrozenMachine()
    with pytest.raises(Corruption, match="zeros behind commands outside any frame") as refusal:
        open_engine(SimulatedDisk(damaged), machine)
    assert refusal.value.name == name
