"""The promise (W2, W7, C5): a writer waits for a rewrite in one place, two syncs of log files and one manifest swap;
and nothing is in a new base that a power loss could still take, whatever the policy.

Method: the calls of a rewrite on the simulated disk, with a look at who holds the commit pipeline during each; then the
power goes at every event of a rewrite under a policy that never syncs by itself.
"""

from __future__ import annotations

import pytest

from durakv.clock import ManualClock
from durakv.directory import MANIFEST_NAME, MANIFEST_TEMPORARY, segment_name
from durakv.durability import FsyncPolicy
from durakv.engine import Engine
from durakv.options import Options
from durakv_fuzz.choose import Choose, Seeded, harshest
from durakv_fuzz.disk import SimulatedDisk
from durakv_fuzz.model import crash_image
from durakv_fuzz.timeline import Timeline
from durakv_fuzz.trace import Kind, Operation
from tests.rewrite.machines import Plain, Slotted
from tests.support import IDENTITY

State = dict[bytes, bytes]


def open_on(disk: SimulatedDisk, machine: Plain, policy: FsyncPolicy = FsyncPolicy.ALWAYS) -> Engine:
    return Engine(
        None,
        machine,
        options=Options(fsync=policy, segment_bytes=4096, rewrite_percentage=0, rewrite_segments_max=0),
        filesystem=disk,
        clock=ManualClock(),
        background=False,
        entropy=lambda size: IDENTITY[:size],
    )


def fill(engine: Engine, value: bytes) -> None:
    for index in range(12):
        engine.apply([[b"set", b"key%d" % index, value]])


@pytest.mark.parametrize("machine", [Plain, Slotted], ids=["freeze", "merge"])
def test_writers_wait_for_two_syncs_of_the_log_and_one_manifest_swap(machine: type[Plain]) -> None:
    disk = SimulatedDisk()
    engine = open_on(disk, machine())
    fill(engine, b"value")
    held: list[tuple[Kind, str]] = []
    free: list[tuple[Kind, str]] = []

    def look(operation: Operation) -> None:
        (held if engine.committing else free).append((operation.kind, operation.name))

    disk.during = look
    engine.rewrite()
    assert held == [
        (Kind.SYNC, segment_name(1)),
        (Kind.WRITE_THROUGH, segment_name(2)),
        (Kind.SYNC, MANIFEST_TEMPORARY),
        (Kind.SYNC_DIRECTORY, ""),
    ]
    assert free[:2] == [(Kind.SYNC, segment_name(2)), (Kind.SYNC_DIRECTORY, "")], "zeros are not waited for"
    assert (Kind.SYNC, "temp-appendonly.aof.1.base.dkv") in free


@pytest.mark.parametrize("machine", [Plain, Slotted], ids=["freeze", "merge"])
@pytest.mark.parametrize("policy", [FsyncPolicy.NO, FsyncPolicy.EVERYSEC])
def test_what_a_base_holds_is_durable_once_it_is_named_whatever_the_policy(
    machine: type[Plain], policy: FsyncPolicy
) -> None:
    disk = SimulatedDisk()
    held = machine()
    engine = open_on(disk, held, policy)
    fill(engine, b"first")
    engine.rewrite()
    fill(engine, b"second")
    begin = disk.trace.seq
    engine.rewrite()
    state = dict(held.state)
    timeline = Timeline(disk.trace)
    published = 0
    choices: list[Choose] = [harshest, *map(Seeded, range(4))]
    for crash_seq in range(begin, disk.trace.seq + 1):
        for choose in choices:
            image = crash_image(timeline, crash_seq, choose)
            survivor = machine()
            open_on(SimulatedDisk(image), survivor, policy)
            if b".2.base.dkv" in image.files[MANIFEST_NAME]:
                published += 1
                assert survivor.state == state, "the base that counts lacks something"
            else:
                assert survivor.state.keys() == state.keys(), "the base that counted is gone"
    assert published > 5
