"""The promise: under always, what the lane acknowledges is synced (C3).

Method: a disk in memory that records; the simulated disk of other tests knows no lane.
"""

from __future__ import annotations

import pytest

from durakv import FsyncPolicy
from durakv.keyspace import lane as lane_module
from durakv_fuzz.recorder.recorder import Recorder
from durakv_fuzz.trace import Kind
from tests.keyspace.lanes import lane_of, open_at
from tests.recorder.replay import needs_recorder

COUNT = 5


@needs_recorder
@pytest.mark.skipif(not lane_module.COMPILED, reason="the lane was not built here")
def test_each_write_of_the_lane_is_followed_by_a_sync_of_its_segment_before_it_returns() -> None:
    with Recorder() as recorder, open_at(recorder.directory / "a", FsyncPolicy.ALWAYS) as db:
        db.set(b"key", b"first")
        for number in range(COUNT):
            recorder.note("begun", number)
            assert lane_of(db).put(b"key", b"value %d" % number, None) is True, "the lane was not what wrote"
            recorder.note("told", number)
        trace = recorder.trace()
    begun, told = ([note.seq for note in trace.notes if note.kind == kind] for kind in ("begun", "told"))
    assert len(begun) == len(told) == COUNT
    for first, last in zip(begun, told, strict=True):
        calls = [operation for operation in trace.operations if first < operation.start < last]
        assert [operation.kind for operation in calls] == [Kind.WRITE, Kind.SYNC]
        write, sync = calls
        assert write.file == sync.file
        assert write.end < sync.start
        assert 0 < sync.end < last
