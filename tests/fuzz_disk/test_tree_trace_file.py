"""The promise: a trace of a tree that was written down yields the same crash states, and one that no file system would
have made is refused by the number of its record.

Method: a small program with every kind of call is dumped, loaded and enumerated; single records are then changed behind
a right checksum; and the example in formats/trace-v2.md is read and written again.
"""

from __future__ import annotations

import json
import re
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from durakv_fuzz.choose import harshest, kindest
from durakv_fuzz.content import Content, Draft
from durakv_fuzz.enumerate import tree_states
from durakv_fuzz.trace import Trace
from durakv_fuzz.trace_file import BadTraceFile, NewerTraceFile, dump_trace, load_trace
from durakv_fuzz.tree import EMPTY_DIRECTORY, ROOT, Node, NodeKind, Tree
from durakv_fuzz.tree_model import crash_tree

from .trees import Program
from .walks import Walk

PAGE = Path(__file__).parents[2] / "formats" / "trace-v2.md"
SIZE = 1 << 30


def sparse() -> Content:
    draft = Draft(Content())
    draft.resize(SIZE)
    draft[SIZE // 2 : SIZE // 2 + 4] = b"deep"
    return draft.freeze()


def small() -> Trace:
    nodes = {
        ROOT: EMPTY_DIRECTORY,
        1: Node(NodeKind.DIRECTORY, mode=0o700, owner=5),
        2: Node(NodeKind.FILE, b"old", attributes={"user.x": b"\xff"}),
        3: Node(NodeKind.LINK, b"d/f", mode=0o777),
        4: Node(NodeKind.FILE, sparse()),
    }
    entries = {(ROOT, "d"): 1, (1, "f"): 2, (ROOT, "l"): 3, (ROOT, "hole"): 4, (1, "g"): 2}
    program = Program(Tree(nodes, entries))
    program.create("d/new", b"data", mode=0o600)
    program.sync("d/new")
    program.trace.note("told", 7)
    program.mkdir("e")
    program.symlink("e", "d/\udcff %")
    program.link("d/new", "e/new")
    program.exchange("d/f", "d/new")
    program.rename("d/g", "e/g")
    program.set_mode("e", 0o711)
    program.remove("hole")
    program.truncate("d/f", 1)
    program.sync_directory("e")
    program.sync_all()
    return program.trace


def records(data: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in zlib.decompress(data.partition(b"\n")[2]).splitlines()]


def packed(found: list[dict[str, Any]]) -> bytes:
    body = b"".join(json.dumps(record, separators=(",", ":")).encode() + b"\n" for record in found)
    header = {
        "format": "durakv-trace",
        "version": 2,
        "bytes": len(body),
        "records": len(found),
        "crc32": zlib.crc32(body),
    }
    return json.dumps(header).encode() + b"\n" + zlib.compress(body)


def states(trace: Trace) -> list[tuple[object, ...]]:
    found = tree_states(trace, budget=400, seed=1)
    return [(state.crash_seq, state.model, state.answers, state.time, state.image.digest()) for state in found]


def test_a_loaded_trace_has_the_crash_states_of_the_original() -> None:
    trace = small()
    assert states(load_trace(dump_trace(trace))) == states(trace)


def test_a_loaded_trace_is_written_as_it_was_read_and_holes_are_not_written() -> None:
    first = dump_trace(small())
    assert len(first) < 10_000
    assert dump_trace(load_trace(first)) == first
    assert json.loads(first.partition(b"\n")[0])["version"] == 2
    loaded = load_trace(first).base
    assert isinstance(loaded, Tree)
    assert loaded.digest() == Program(loaded).trace.base.digest()
    assert loaded.nodes[4].data == sparse()
    assert loaded.nodes[2].attributes == {"user.x": b"\xff"}


@given(st.integers(0, 1 << 32), st.integers(1, 30))
@settings(max_examples=60, deadline=None)
def test_whatever_a_program_did_is_accepted_and_read_as_it_was(seed: int, steps: int) -> None:
    program = Walk(seed).go(steps).program
    data = dump_trace(program.trace)
    loaded = load_trace(data)
    assert dump_trace(loaded) == data
    for choose in (harshest, kindest):
        trees = [crash_tree(trace, program.trace.seq, choose).digest() for trace in (loaded, program.trace)]
        assert trees[0] == trees[1]


def test_the_example_of_the_page_is_read_and_written_again() -> None:
    (example,) = re.findall(r"```json\n(.*?)```", PAGE.read_text(), re.DOTALL)
    data = packed([json.loads(line) for line in example.splitlines()])
    assert records(dump_trace(load_trace(data))) == records(data)


def test_no_cut_and_no_flipped_byte_is_accepted() -> None:
    data = dump_trace(small())
    for size in range(0, len(data), 7):
        with pytest.raises(BadTraceFile):
            load_trace(data[:size])
    for index in range(data.index(b"\n") + 1, len(data), 5):
        damaged = bytearray(data)
        damaged[index] ^= 0x55
        with pytest.raises(BadTraceFile):
            load_trace(bytes(damaged))


def test_a_newer_version_is_refused_by_its_number() -> None:
    with pytest.raises(NewerTraceFile, match="version 3, this durakv reads version 2"):
        load_trace(dump_trace(small()).replace(b'"version":2', b'"version":3', 1))


BASE: list[dict[str, Any]] = [
    {"record": "run", "seq": 9},
    {"record": "node", "number": 0, "kind": "directory", "status": {"mode": 493}},
    {"record": "node", "number": 1, "kind": "directory", "status": {"mode": 493}},
    {"record": "node", "number": 2, "kind": "file", "status": {"mode": 420}, "size": 3},
    {"record": "extent", "number": 2, "offset": 0, "data": "b2xk"},
    {"record": "entry", "directory": 0, "name": "d", "number": 1},
    {"record": "entry", "directory": 1, "name": "f", "number": 2},
]
RUN, ROOT_NODE, NODE, FILE, EXTENT, ENTRY, ENTRY_2 = range(7)
OPERATION: dict[str, Any] = {"record": "operation", "start": 0, "end": 1}


def test_the_trace_that_is_broken_below_is_a_good_one() -> None:
    load_trace(packed(BASE))


@pytest.mark.parametrize(
    ("number", "change", "reason"),
    [
        (RUN, {"seq": -1}, "negative"),
        (RUN, {"colour": "red"}, "colour"),
        (ROOT_NODE, {"number": 3}, "record 2: the first is the root"),
        (ROOT_NODE, {"kind": "file"}, "record 2: the root is a directory"),
        (ROOT_NODE, {"kind": "pipe"}, "record 2: 'pipe'"),
        (NODE, {"number": 0}, "record 3: number 0 is there twice"),
        (NODE, {"number": 1 << 60}, "record 3: .* cannot be a number"),
        (NODE, {"size": 1}, "record 3: a directory has no size"),
        (NODE, {"target": "YQ=="}, "record 3: a directory leads nowhere"),
        (NODE, {"kind": "link"}, "record 3: a link leads to a path"),
        (NODE, {"status": {"mode": 1 << 20}}, "record 3: no file has mode"),
        (NODE, {"status": {}}, "record 3: .*mode"),
        (FILE, {"size": 2}, "record 5: an extent is not in its file"),
        (FILE, {"size": 1 << 50}, "record 4: no file is that large"),
        (EXTENT, {"number": 1}, "record 5: an extent does not follow its file"),
        (EXTENT, {"offset": -1}, "record 5: an extent is not behind"),
        (EXTENT, {"data": ""}, "record 5: an extent is empty"),
        (ENTRY, {"name": ".."}, "record 6: .* cannot name a file"),
        (ENTRY, {"name": "a/b"}, "record 6: .* cannot name a file"),
        (ENTRY, {"name": "%41"}, "record 6: .* is not how a name is written"),
        (ENTRY, {"name": "x" * 256}, "record 6: .* cannot name a file"),
        (ENTRY, {"directory": 2}, "record 6: number 2 is no directory"),
        (ENTRY, {"directory": 1}, "record 6: directory 1 is inside itself"),
        (ENTRY, {"number": 0}, "record 6: there is no file 0"),
        (ENTRY, {"number": 9}, "record 6: there is no file 9"),
        (ENTRY, {"number": 2}, "directory 1 cannot be reached"),
        (ENTRY_2, {"directory": 0, "name": "d"}, "record 7: 'd' is there already"),
        (ENTRY_2, {"directory": 0, "number": 1}, "record 7: directory 1 has two names"),
    ],
)
def test_a_base_that_is_no_tree_is_refused(number: int, change: dict[str, Any], reason: str) -> None:
    broken = [*BASE]
    broken[number] = broken[number] | change
    with pytest.raises(BadTraceFile, match=reason):
        load_trace(packed(broken))


@pytest.mark.parametrize(
    ("operation", "reason"),
    [
        ({"kind": "create", "name": "f", "directory": 1, "file": 3}, "'f' is there already"),
        ({"kind": "create", "name": "g", "directory": 1, "file": 2}, "number 2 is there twice"),
        ({"kind": "create", "name": "g", "directory": 7, "file": 3}, "there is no file 7"),
        ({"kind": "create", "name": "g", "file": 3, "data": "YQ=="}, "malformed"),
        ({"kind": "make_directory", "name": "g", "directory": 2, "file": 3}, "number 2 is no directory"),
        ({"kind": "symlink", "name": "g", "file": 3}, "a link leads to a path"),
        ({"kind": "link", "name": "g", "file": 1}, "a directory has no second name"),
        ({"kind": "remove", "name": "d", "file": 1}, "removed and not empty"),
        ({"kind": "remove", "name": "x", "file": 2}, "there is no 'x'"),
        ({"kind": "remove", "name": "f", "directory": 1, "file": 1}, "removed and not empty|is number 2, not 1"),
        ({"kind": "rename", "name": "d", "new_name": "e", "new_directory": 1, "file": 1}, "inside itself"),
        (
            {"kind": "rename", "name": "f", "directory": 1, "new_name": "d", "file": 2},
            "a file replaces a directory",
        ),
        ({"kind": "rename", "name": "d", "new_name": "", "file": 1}, "cannot name a file"),
        ({"kind": "exchange", "name": "d", "new_name": "e", "file": 1}, "there is no 'e' to exchange"),
        ({"kind": "write_at", "file": 1, "data": "YQ=="}, "number 1 is no file"),
        ({"kind": "sync", "file": 9}, "there is no file 9"),
        ({"kind": "sync_directory", "file": 2}, "number 2 is no directory"),
        ({"kind": "set_node", "file": 2, "data": "YQ=="}, "malformed"),
        ({"kind": "make_root"}, "not recorded of a tree"),
        ({"kind": "write_at", "file": 2, "offset": 1 << 41}, "no file is that large"),
        ({"kind": "sync_all", "start": 3}, "ends before it starts"),
        ({"kind": "sync_all", "end": 12}, "not of this run"),
    ],
)
def test_a_call_that_no_file_system_would_have_done_is_refused(operation: dict[str, Any], reason: str) -> None:
    with pytest.raises(BadTraceFile, match=rf"record 8: .*({reason})"):
        load_trace(packed([*BASE, OPERATION | operation]))
