"""What a trace and a manifest say, in the words of the machine; for ``follower``."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from operator import itemgetter

from durakv.directory import MANIFEST_NAME, MANIFEST_TEMPORARY
from durakv.log.segment import numbers_given_out_max
from durakv_formats.errors import FormatError
from durakv_formats.manifest import Manifest as Record
from durakv_formats.manifest import decode_manifest
from durakv_fuzz.specification.state import Manifest, State, span, top
from durakv_fuzz.trace import Kind, Note, Operation, Trace


def events(trace: Trace) -> list[tuple[int, Note | Operation, bool]]:
    """Every word, and every call's begin (True) and end, in order."""
    events: list[tuple[int, Note | Operation, bool]] = [(note.seq, note, False) for note in trace.notes]
    events += [(operation.start, operation, True) for operation in trace.operations]
    events += [(operation.end, operation, False) for operation in trace.operations if operation.end >= 0]
    return sorted(events, key=itemgetter(0))


def ends(trace: Trace) -> Iterator[tuple[int, int]]:
    """When each manifest was renamed, and where the log ends that it seals."""
    data = b""
    for operation in trace.operations:
        if operation.kind is Kind.WRITE and operation.name == MANIFEST_TEMPORARY:
            data = operation.data
        elif operation.kind is Kind.RENAME and operation.new_name == MANIFEST_NAME and operation.done:
            with contextlib.suppress(FormatError):
                yield operation.start, max((file.last or 0 for file in decode_manifest(data).files), default=0)


def abstract(record: Record, s: State) -> Manifest:
    """A manifest in the words of the machine, in this state.  Without an open segment it says no next number."""
    base = record.base.last if record.base is not None and record.base.last is not None else 0
    log, first, room = 0, s.applied + 1, 0
    for file in record.segments:
        assert file.first is not None, "a manifest of ours says where its segments begin"
        if file.last is not None:
            log |= span(file.first, file.last)
        else:
            first = file.first
            room = numbers_given_out_max(first=first, capacity=file.capacity or 0) - first + 1
    known = s.manifest.base | s.manifest.log | s.durable.log
    return Manifest(known & span(1, base), log, first, room)


def words(manifest: Manifest) -> str:
    """For people."""
    log = f"log up to {top(manifest.log)}" if manifest.log else "no log"
    base = f"base up to {top(manifest.base)}" if manifest.base else "no base"
    return f"{base}, {log}, {f'open from {manifest.first}' if manifest.room else 'closed'}"
