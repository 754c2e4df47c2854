"""The records of a trace of a tree.  See formats/trace-v2.md; ``trace_file`` puts them into a file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, TypeAlias
from urllib.parse import quote_from_bytes, unquote_to_bytes

import msgspec

from durakv_fuzz.content import Content, Draft
from durakv_fuzz.trace import Trace
from durakv_fuzz.trace_records import BadTraceFile, NoteRecord, OperationRecord, Order, check
from durakv_fuzz.tree import Node, NodeKind, Tree, pack_status, with_data, with_status
from durakv_fuzz.tree_names import TARGET_BYTES_MAX, TreeNames

FILE_BYTES_MAX = 1 << 40
"""Holes cost nothing."""

_SAFE = bytes(byte for byte in range(0x21, 0x7F) if byte != ord("%")).decode()


class _Run(msgspec.Struct, tag_field="record", tag="run", forbid_unknown_fields=True, omit_defaults=True):
    """The first record."""

    seq: int
    sites: bool = False


class _Node(msgspec.Struct, tag_field="record", tag="node", forbid_unknown_fields=True, omit_defaults=True):
    number: int
    kind: str
    status: msgspec.Raw
    size: int = 0
    target: bytes = b""


class _Extent(msgspec.Struct, tag_field="record", tag="extent", forbid_unknown_fields=True):
    number: int
    offset: int
    data: bytes


class _Entry(msgspec.Struct, tag_field="record", tag="entry", forbid_unknown_fields=True):
    directory: int
    name: str
    number: int


class _Operation(OperationRecord, tag_field="record", tag="operation", forbid_unknown_fields=True, omit_defaults=True):
    directory: int = 0
    new_directory: int = 0


_Record: TypeAlias = _Run | _Node | _Extent | _Entry | _Operation | NoteRecord
_decoder: msgspec.json.Decoder[_Record] = msgspec.json.Decoder(_Record)
_FIELDS = _Operation.__struct_fields__


def records_of(trace: Trace, base: Tree) -> Iterator[msgspec.Struct]:
    """The records, but for the notes."""
    yield _Run(trace.seq, trace.sites)
    for number, node in sorted(base.nodes.items()):
        status = msgspec.Raw(pack_status(node))
        if node.kind is not NodeKind.FILE:
            yield _Node(number, str(node.kind), status, target=bytes(node.data))
            continue
        yield _Node(number, str(node.kind), status, size=len(node.data))
        for offset, data in Content.of(node.data).extents():
            yield _Extent(number, offset, data)
    for (directory, name), number in sorted(base.entries.items()):
        yield _Entry(directory, quoted(name), number)
    for operation in trace.operations:
        words: dict[str, Any] = {field: getattr(operation, field) for field in _FIELDS}
        words |= {"kind": str(operation.kind), "after": str(operation.after)}
        words |= {"name": quoted(operation.name), "new_name": quoted(operation.new_name)}
        yield _Operation(**words)


def load_tree_trace(lines: list[bytes]) -> Trace:
    """Put the records together; the first that does not fit is refused by its number."""
    run = _decoder.decode(lines[0])
    if not isinstance(run, _Run):
        raise BadTraceFile("its first record is not about the run")
    loading = _Loading(run)
    for index, line in enumerate(lines[1:], 2):
        try:
            loading.add(_decoder.decode(line))
        except (ValueError, msgspec.MsgspecError) as cause:
            raise BadTraceFile(f"record {index}: {cause}") from cause
    return loading.finished()


class _Loading:
    def __init__(self, run: _Run) -> None:
        self._trace = Trace(sites=run.sites)
        self._trace.seq = run.seq
        self._order = Order(self._trace, run.seq, FILE_BYTES_MAX)
        self._names = TreeNames()
        self._nodes: dict[int, Node] = {}
        self._open: tuple[int, Draft, int] | None = None
        """The file that extents are about now, and where its next one may begin."""
        self._base: Tree | None = None

    def add(self, record: _Record) -> None:
        if isinstance(record, _Extent):
            self._extent(record)
            return
        self._close()
        if isinstance(record, _Node):
            check(self._base is None and not self._names.entries, "a node comes after the names")
            self._node(record)
        elif isinstance(record, _Entry):
            check(self._base is None, "a name comes after the first call")
            self._names.enter(record.directory, unquoted(record.name), record.number)
        elif isinstance(record, _Operation):
            self._begin()
            check(not self._trace.notes, "a call comes after the notes")
            record.name, record.new_name = unquoted(record.name), unquoted(record.new_name)
            self._names.play(self._order.operation(record))
        elif isinstance(record, NoteRecord):
            self._begin()
            self._order.note(record)
        else:
            raise BadTraceFile("a second run begins")

    def finished(self) -> Trace:
        self._close()
        self._begin()
        assert self._base is not None
        self._trace.base = self._base
        return self._trace

    def _begin(self) -> None:
        """What was there is complete."""
        if self._base is None:
            check(bool(self._nodes), "there is no root")
            self._names.check_all_reached()
            self._base = Tree(self._nodes, dict(self._names.entries))

    def _node(self, record: _Node) -> None:
        kind = NodeKind(record.kind)
        self._names.add(record.number, kind)
        check(kind is NodeKind.FILE or not record.size, f"a {kind} has no size")
        check(0 <= record.size <= FILE_BYTES_MAX, "no file is that large")
        if kind is NodeKind.LINK:
            check(0 < len(record.target) <= TARGET_BYTES_MAX, "a link leads to a path of 1 to 4096 bytes")
        else:
            check(not record.target, f"a {kind} leads nowhere")
        self._nodes[record.number] = with_status(Node(kind, record.target), bytes(record.status))
        if kind is NodeKind.FILE:
            draft = Draft(Content())
            draft.resize(record.size)
            self._open = record.number, draft, 0

    def _extent(self, record: _Extent) -> None:
        check(self._open is not None and self._open[0] == record.number, "an extent does not follow its file")
        assert self._open is not None
        number, draft, least = self._open
        end = record.offset + len(record.data)
        check(bool(record.data), "an extent is empty")
        check(least <= record.offset, "an extent is not behind the one before")
        check(end <= len(draft), "an extent is not in its file")
        draft[record.offset : end] = record.data
        self._open = number, draft, end

    def _close(self) -> None:
        if self._open is not None:
            number, draft, _ = self._open
            self._nodes[number] = with_data(self._nodes[number], draft.freeze())
            self._open = None


def quoted(name: str) -> str:
    """A name as text that any JSON can hold: what is no printable ASCII, and ``%``, as ``%`` and two digits."""
    return quote_from_bytes(os.fsencode(name), _SAFE)


def unquoted(text: str) -> str:
    """The other way round; only what ``quoted`` gives is accepted."""
    name = os.fsdecode(unquote_to_bytes(text))
    check(quoted(name) == text, f"{text!r} is not how a name is written")
    return name
