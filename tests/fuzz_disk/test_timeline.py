"""The promise: what is known of a disk at a crash point does not depend on how one came there."""

from __future__ import annotations

import pytest

from durakv_fuzz.choose import Seeded, harshest
from durakv_fuzz.disk import SimulatedDisk
from durakv_fuzz.image import Image
from durakv_fuzz.model import Model, crash_image, image_at
from durakv_fuzz.timeline import Timeline, moments_at


def run() -> SimulatedDisk:
    """Some of every sort of call, two in flight at once."""
    disk = SimulatedDisk(Image({"old": b"before"}))
    file = disk.create("new")
    file.write_at(bytes(range(256)) * 40, 0)
    other = disk.open("old", writable=True)
    disk.during = lambda _operation: other.write_at(b"meanwhile", 3)
    file.sync()
    disk.during = None
    disk.note("told")
    disk.rename("new", "name")
    file.truncate(700)
    disk.sync_directory()
    other.write_through(b"end", 0)
    disk.remove("old")
    return disk


@pytest.mark.parametrize("model", Model)
def test_moments_played_once_are_those_of_the_timeline(model: Model) -> None:
    trace = run().trace
    timeline = Timeline(trace)
    points = list(range(trace.seq + 1))
    for crash_seq, moment in zip(points, moments_at(trace, points), strict=True):
        assert image_at(moment, harshest, model=model) == crash_image(timeline, crash_seq, harshest, model=model)
        assert image_at(moment, Seeded(7), model=model) == crash_image(timeline, crash_seq, Seeded(7), model=model)


def test_points_may_be_left_out_and_repeated() -> None:
    trace = run().trace
    timeline = Timeline(trace)
    points = [2, 2, 9, trace.seq, trace.seq]
    images = [image_at(moment, harshest) for moment in moments_at(trace, points)]
    assert images == [crash_image(timeline, crash_seq, harshest) for crash_seq in points]
    assert len({image.digest() for image in images}) > 1
