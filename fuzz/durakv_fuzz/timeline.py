"""A trace played once, with the state of the disk kept for every point at which a crash may happen.

States share everything that did not change between them, so a timeline costs little more than its trace, and an
image of any crash point is made without playing the trace again.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter

from durakv_fuzz.content import Content
from durakv_fuzz.kernel import FileState, Kernel
from durakv_fuzz.pending import EntryUnit
from durakv_fuzz.trace import Operation, Trace
from durakv_fuzz.tree import Node

_NUMBER = re.compile(r"#(\d+) ")
_PLACE_CHARS_MAX = 120
"""Names of C++ functions may be very long."""


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """What is known of the disk at one crash point."""

    version: int
    """Equal for moments between which nothing changed that a power loss could tell."""

    root: bool
    root_durable: bool
    names: Mapping[str, int]
    """The durable names by ``Operation.key``, before ``entries``."""

    nodes: Mapping[int, Node] | None
    """Of a tree, what every number is, but for the content of ``unsettled`` files.

    Modes, owners and attributes are as last set: they are never lost.
    """

    entries: Sequence[EntryUnit]
    entries_required: Sequence[bool]
    files: Mapping[int, FileState]
    unsettled: tuple[int, ...]
    """The files with units."""
    stale: tuple[bytes | Content, ...]
    committed_seq: int
    in_flight: tuple[Operation, ...]
    open_entries: int
    open_files: int
    """How many files have units that a power loss may drop."""

    open_count: int
    """How many units a power loss may drop: entries and data."""


def moments_at(trace: Trace, crash_seqs: Sequence[int]) -> Iterator[Moment]:
    """Play a trace once and yield the state at each of these crash points, which must not fall.

    For traces too long for a ``Timeline``: nothing is kept of the points in between.
    """
    kernel = Kernel(trace.base)
    in_flight: tuple[Operation, ...] = ()
    events = trace.events()
    upcoming = next(events, None)
    for crash_seq in crash_seqs:
        while upcoming is not None:
            operation, begins = upcoming
            if (operation.start if begins else operation.end) >= crash_seq:
                break
            in_flight = _pass(kernel, in_flight, operation, begins)
            upcoming = next(events, None)
        yield _moment(kernel, in_flight)


class Timeline:
    """The crash points of one trace: ``moments[crash_seq]`` for every number from 0 to the trace's end."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.moments: list[Moment] = []
        self._descriptions: dict[int, str] = {}
        self._play()

    def power_points(self) -> list[int]:
        """The crash points that a power loss can tell apart; of equal ones the last, at which most was promised."""
        versions = [moment.version for moment in self.moments]
        return _last_of_runs(versions)

    def kill_points(self) -> list[int]:
        """The same for process crashes, for which also the calls in flight matter."""
        return _last_of_runs([(moment.version, moment.in_flight) for moment in self.moments])

    def describe(self, operation: Operation) -> str:
        """An operation of this trace for people; in a tree with the paths that names had when it began."""
        return self._descriptions.get(operation.start) or str(operation)

    def tell(self, operation: Operation) -> str:
        """The same, with the place in the program that made the call, if the trace has it."""
        return self.describe(operation) + _place(operation)

    def placed(self, line: str) -> str:
        """What is said of one operation of this trace (``#12 ...``), with its place likewise."""
        match = _NUMBER.search(line)
        if match is None:
            return line
        operations, number = self.trace.operations, int(match[1])
        index = bisect_left(operations, number, key=attrgetter("start"))
        found = index < len(operations) and operations[index].start == number
        return line + _place(operations[index]) if found else line

    def time_at(self, crash_seq: int) -> float:
        """The latest time known to have been reached before this crash point."""
        return self._times[crash_seq]

    def notes_before(self, crash_seq: int) -> int:
        """How many of the trace's notes were made before this crash point."""
        return self._note_counts[crash_seq]

    def _play(self) -> None:
        trace = self.trace
        events: dict[int, tuple[Operation, bool]] = {}
        times = [0.0] * (trace.seq + 1)
        notes = [0] * (trace.seq + 1)
        for operation, begins in trace.events():
            events[operation.start if begins else operation.end] = (operation, begins)
        for note in trace.notes:
            notes[note.seq + 1] = 1
            times[note.seq + 1] = note.time
        kernel = Kernel(trace.base)
        in_flight: tuple[Operation, ...] = ()
        self.moments.append(_moment(kernel, in_flight))
        for seq in range(trace.seq):
            if (event := events.get(seq)) is not None:
                operation, begins = event
                times[seq + 1] = operation.started if begins else operation.ended
                if begins and kernel.nodes is not None:
                    self._descriptions[operation.start] = kernel.describe(operation)
                in_flight = _pass(kernel, in_flight, operation, begins)
                self.moments.append(_moment(kernel, in_flight))
            else:
                self.moments.append(self.moments[-1])
            times[seq + 1] = max(times[seq], times[seq + 1])
            notes[seq + 1] += notes[seq]
        self._times = times
        self._note_counts = notes


def _place(operation: Operation) -> str:
    site = operation.site
    if len(site) > _PLACE_CHARS_MAX:
        site = f"{site[:_PLACE_CHARS_MAX]}..."
    return f" (called at {site})" if site else ""


def _pass(
    kernel: Kernel, in_flight: tuple[Operation, ...], operation: Operation, begins: bool
) -> tuple[Operation, ...]:
    """Let one event happen; return the calls that are in flight after it."""
    if begins:
        kernel.begin(operation)
        return (*in_flight, operation)
    kernel.finish(operation)
    return tuple(other for other in in_flight if other is not operation)


def _moment(kernel: Kernel, in_flight: tuple[Operation, ...]) -> Moment:
    entries, required = kernel.entries.snapshot()
    files = kernel.file_states()
    counts = kernel.open_counts
    open_entries = len(required) - sum(required)
    return Moment(
        version=kernel.version,
        root=kernel.root,
        root_durable=kernel.root_durable,
        names=kernel.durable_names,
        nodes=kernel.nodes,
        entries=entries,
        entries_required=required,
        files=files,
        unsettled=kernel.unsettled,
        stale=kernel.stale,
        committed_seq=kernel.committed_seq,
        in_flight=in_flight,
        open_entries=open_entries,
        open_files=len(counts),
        open_count=open_entries + sum(counts.values()),
    )


def _last_of_runs(keys: list[int] | list[tuple[int, tuple[Operation, ...]]]) -> list[int]:
    return [index for index, key in enumerate(keys) if index + 1 == len(keys) or keys[index + 1] != key]
