"""What both versions of a written trace have in common: errors, bounds, and the records of calls and notes."""

from __future__ import annotations

from typing import Any

import msgspec

from durakv_fuzz.trace import Kind, Note, Operation, Trace

BODY_BYTES_MAX = 1 << 30
RECORD_BYTES_MAX = 64 << 20
_AFTERS = frozenset({"", "dirty", "kept", "reverted", "sticky"})


class BadTraceFile(ValueError):
    """The bytes are no trace, or a damaged one; the message names the file and says why."""


class OperationRecord(
    msgspec.Struct, tag_field="record", tag="operation", forbid_unknown_fields=True, omit_defaults=True
):
    """The fields of :class:`Operation`."""

    kind: str
    start: int
    end: int = -1
    name: str = ""
    new_name: str = ""
    file: int = 0
    offset: int = 0
    size: int = 0
    data: bytes = b""
    started: float = 0.0
    ended: float = 0.0
    error: int = 0
    done: bool = True
    after: str = ""
    killed: bool = False
    site: str = ""
    task: str = ""


class NoteRecord(msgspec.Struct, tag_field="record", tag="note", forbid_unknown_fields=True, omit_defaults=True):
    """A note; its payload is plain data."""

    seq: int
    time: float
    kind: str
    payload: Any = None


class Order:
    """Takes calls and notes in, and refuses those whose numbers do not fit."""

    def __init__(self, trace: Trace, seq: int, file_bytes_max: int) -> None:
        self._trace = trace
        self._seq = seq
        self._file_bytes_max = file_bytes_max
        self._taken: set[int] = set()
        check(seq >= 0, "the run's number is negative")

    def operation(self, record: OperationRecord) -> Operation:
        """Check what does not depend on names, and add the call to the trace."""
        operations = self._trace.operations
        kind = Kind(record.kind)
        check(not operations or operations[-1].start < record.start, "the calls are not in order")
        check(record.end == -1 or record.end > record.start, "the call ends before it starts")
        check(min(record.offset, record.size, record.error) >= 0, "a number is negative")
        check(record.offset + len(record.data) <= self._file_bytes_max >= record.size, "no file is that large")
        check(record.after in _AFTERS, f"{record.after!r} is nothing that a failed sync leaves")
        for seq in (record.start, record.end) if record.end >= 0 else (record.start,):
            self._take(seq)
        words: dict[str, Any] = {field: getattr(record, field) for field in record.__struct_fields__}
        words["kind"] = kind
        operation = Operation(**words)
        operations.append(operation)
        return operation

    def note(self, record: NoteRecord) -> None:
        """Add it to the trace."""
        self._take(record.seq)
        self._trace.notes.append(Note(record.seq, record.time, record.kind, record.payload))

    def _take(self, seq: int) -> None:
        check(0 <= seq < self._seq, f"number {seq} is not of this run")
        check(seq not in self._taken, f"number {seq} is there twice")
        self._taken.add(seq)


def check(good: bool, reason: str) -> None:
    """Raise :class:`BadTraceFile` with that reason."""
    if not good:
        raise BadTraceFile(reason)
