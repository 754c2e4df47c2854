"""The promise: a trace that was written down yields the same crash states, and a damaged one is refused.

Method: record engine runs and random programs, load what was dumped, and compare every state that the enumerator finds;
then flip every byte, cut everywhere, and break single rules behind a right checksum.
"""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import pytest

from durakv_fuzz.campaign import draw_run
from durakv_fuzz.choose import harshest
from durakv_fuzz.disk import SimulatedDisk
from durakv_fuzz.enumerate import crash_states
from durakv_fuzz.image import Image
from durakv_fuzz.lives import Recording
from durakv_fuzz.roles import Role, role_of
from durakv_fuzz.trace import Trace
from durakv_fuzz.trace_file import (
    VERSION,
    BadTraceFile,
    NewerTraceFile,
    dump_trace,
    load_trace,
    read_trace,
    write_trace,
)


def small() -> Trace:
    disk = SimulatedDisk(Image({"old": b"\0\xff"}), sites=True)
    file = disk.create("new")
    file.write_at(b"data", 0)
    file.truncate(2)
    file.sync()
    disk.note("told", {"number": 7, "values": (b"\xff", frozenset({2, 1}))})
    disk.rename("new", "newer")
    disk.remove("old")
    disk.sync_directory()
    return disk.trace


def states(trace: Trace, budget: int) -> list[tuple[object, ...]]:
    found = crash_states(trace, budget=budget, seed=1)
    return [(state.crash_seq, state.model, state.answers, state.time, state.image.digest()) for state in found]


def repack(trace: bytes, change: dict[str, Any], number: int) -> bytes:
    """The trace with fields of one record changed, and a header that fits."""
    header, _, packed = trace.partition(b"\n")
    lines = zlib.decompress(packed).splitlines()
    record = json.loads(lines[number]) | change
    lines[number] = json.dumps({key: value for key, value in record.items() if value is not None}).encode()
    body = b"".join(line + b"\n" for line in lines)
    words = json.loads(header) | {"bytes": len(body), "crc32": zlib.crc32(body)}
    return json.dumps(words).encode() + b"\n" + zlib.compress(body)


@pytest.mark.parametrize("number", range(6))
def test_a_loaded_trace_has_the_crash_states_of_the_original(number: int) -> None:
    setup, _, script = draw_run(5, number)
    trace = Recording.first(setup, script).trace
    loaded = load_trace(dump_trace(trace))
    assert states(loaded, 400) == states(trace, 400)
    assert [(note.seq, note.time, note.kind) for note in loaded.notes] == [
        (note.seq, note.time, note.kind) for note in trace.notes
    ]
    assert [call.site for call in loaded.operations] == [call.site for call in trace.operations]


def test_every_state_of_a_small_trace_survives() -> None:
    trace = small()
    assert states(load_trace(dump_trace(trace)), 100_000) == states(trace, 100_000)


def test_a_resumed_trace_with_calls_that_were_killed_survives() -> None:
    trace = small()
    for crash_seq in range(trace.seq + 1):
        killed = trace.killed(crash_seq, harshest)
        assert states(load_trace(dump_trace(killed)), 500) == states(killed, 500)


def test_a_loaded_trace_is_written_as_it_was_read() -> None:
    first = dump_trace(small())
    assert dump_trace(load_trace(first)) == first


def test_notes_are_plain_data() -> None:
    (note,) = load_trace(dump_trace(small())).notes
    assert note.payload == {"number": 7, "values": ["\xff", [1, 2]]}


def test_a_file_is_refused_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "run.trace"
    write_trace(small(), path)
    assert states(read_trace(path), 50) == states(small(), 50)
    path.write_bytes(b"nonsense")
    with pytest.raises(BadTraceFile, match=r"run\.trace: its first line"):
        read_trace(path)


def test_a_newer_version_is_refused_by_its_number() -> None:
    header, _, packed = dump_trace(small()).partition(b"\n")
    newer = json.dumps(json.loads(header) | {"version": VERSION + 1, "unheard": "of"}).encode() + b"\n" + packed
    with pytest.raises(NewerTraceFile, match=f"version {VERSION + 1}, this durakv reads version {VERSION}"):
        load_trace(newer)


def test_no_cut_and_no_flipped_byte_is_accepted() -> None:
    data = dump_trace(small())
    for size in range(len(data)):
        with pytest.raises(BadTraceFile):
            load_trace(data[:size])
    with pytest.raises(BadTraceFile):
        load_trace(data + b"\0")
    for index in range(data.index(b"\n") + 1, len(data)):
        damaged = bytearray(data)
        damaged[index] ^= 0x55
        with pytest.raises(BadTraceFile):
            load_trace(bytes(damaged))


RUN, OLD, CREATE, WRITE, TRUNCATE, SYNC, RENAME, REMOVE = range(8)


@pytest.mark.parametrize(
    ("number", "change", "reason"),
    [
        (RUN, {"seq": 5}, "is not of this run"),
        (RUN, {"root": False}, "no directory has that file"),
        (OLD, {"name": "../etc"}, "cannot name a file"),
        (OLD, {"name": None}, "name"),
        (CREATE, {"file": 9}, "the next new file is 2"),
        (WRITE, {"file": 3}, "there is no file 3"),
        (WRITE, {"offset": -1}, "negative"),
        (WRITE, {"offset": 1 << 40}, "no file is that large"),
        (WRITE, {"start": 0, "end": 1}, "not in order"),
        (WRITE, {"end": 4}, "is there twice"),
        (WRITE, {"end": 2}, "ends before it starts"),
        (WRITE, {"kind": "fly"}, "fly"),
        (WRITE, {"kind": "read_at"}, "changes nothing"),
        (WRITE, {"colour": "red"}, "colour"),
        (TRUNCATE, {"size": 1 << 40}, "no file is that large"),
        (SYNC, {"after": "gone"}, "nothing that a failed sync leaves"),
        (RENAME, {"new_name": ""}, "cannot name a file"),
        (REMOVE, {"start": "soon"}, "soon|int"),
    ],
)
def test_a_record_that_does_not_fit_is_refused(number: int, change: dict[str, Any], reason: str) -> None:
    data = dump_trace(small())
    load_trace(repack(data, {}, number))
    with pytest.raises(BadTraceFile, match=reason):
        load_trace(repack(data, change, number))


def test_a_body_that_grows_beyond_what_the_header_says_is_not_unpacked() -> None:
    header, _, _ = dump_trace(small()).partition(b"\n")
    with pytest.raises(BadTraceFile, match="longer or shorter"):
        load_trace(header + b"\n" + zlib.compress(bytes(1 << 24)))


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("appendonly.aof.manifest", Role.MANIFEST),
        ("appendonly.aof.12.incr.aof", Role.SEGMENT),
        ("appendonly.aof.3.base.dkv", Role.BASE),
        ("appendonly.aof.1.base.rdb", Role.BASE),
        ("temp-appendonly.aof.manifest", Role.TEMPORARY_MANIFEST),
        ("temp-appendonly.aof.3.base.dkv", Role.TEMPORARY_BASE),
        ("durakv.lock", Role.LOCK),
        ("", Role.DIRECTORY),
        ("appendonly.aof.x.incr.aof", Role.OTHER),
    ],
)
def test_a_name_tells_the_role(name: str, role: Role) -> None:
    assert role_of(name) is role
