"""A recorded life of the engine, gone through step by step in the machine of ``write_path``.

    follower = Follower()
    follower.follow(trace)                                  raises Deviation at the first step that is not allowed
    follower.lose_power(crash_image(trace, ...))            and goes on in the directory that the crash left

What is seen are calls to the disk and words to callers.  Each is one action of the machine, or several, or none:

    numbers told, frames in a write             append, write
    a sync of the open segment                  sync_begin, and sync_end or sync_fail
    the rename of a manifest                    publish_segment, publish_base, publish_close, publish_opening
    a sync of the directory                     publication_synced, settle_sync, opening_synced, or their failures
    removing or truncating a file               remove
    a promise, a position                       acknowledge_written, acknowledge_synced
    the process is killed, power is lost        process_crash, power_loss; and recover, when it first writes

A new manifest must be the one to which the machine comes, and each file in it durable, content and name.  Where the
machine may choose (how much of a write was in the page cache when its process died) it chooses what was found later.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NoReturn

from durakv.directory import MANIFEST_NAME, MANIFEST_TEMPORARY, NO_SPACE, frame_identity
from durakv.durability import Durability
from durakv_formats.errors import FormatError
from durakv_formats.frame import Frame, find_frames
from durakv_formats.manifest import Manifest as Record
from durakv_formats.manifest import decode_manifest
from durakv_fuzz import told
from durakv_fuzz.faults import AfterFailedSync
from durakv_fuzz.image import Image
from durakv_fuzz.specification import write_path as machine
from durakv_fuzz.specification.files import Files, segment_number
from durakv_fuzz.specification.records import abstract, ends, events, words
from durakv_fuzz.specification.state import FRESH, Manifest, Phase, Publishing, State, forget, span, top
from durakv_fuzz.trace import Kind, Note, Operation, Trace

_WRITES = frozenset({Kind.WRITE, Kind.WRITE_THROUGH})
_SYNCS = frozenset({Kind.SYNC, Kind.WRITE_THROUGH})


class Deviation(Exception):
    """The engine did what the machine does not allow, in this state of the machine."""

    def __init__(self, event: object, reason: str, state: State) -> None:
        super().__init__(f"{event}: {reason}")
        self.reason = reason
        self.state = state


class Follower:
    """See the module."""

    def __init__(self) -> None:
        self.state: State = FRESH
        self.steps = 0
        """How many actions of the machine were seen."""
        self._files = Files()
        self._record: Record | None = None
        """The manifest as programs see it."""
        self._before = Manifest()
        """The manifest before the last rename."""
        self._durable_names: frozenset[str] = frozenset()
        """What the manifest names that a power loss cannot take back."""
        self._event: object = "the beginning"
        self._sync: Operation | None = None
        self._dropped: tuple[int, tuple[tuple[int, int], ...]] = (0, ())
        """Frames that a failed sync dropped from the page cache, and their promises; some may be on the disk."""
        self._renamed = False
        """Whether the rename of a manifest is not synced."""
        self._covered = False
        """Whether the sync of the directory that is under way covers it."""
        self._closing = False
        """Whether the directory is closed already, and its owner not yet gone."""
        self._found = 0
        self._unwritten = 0
        """What recovery has still to write again, because its last sync had failed."""
        self._tail_is_synced = False
        self._sizes: dict[int, int] = {}
        self._ends: list[tuple[int, int]] = []

    def follow(self, trace: Trace, crash_seq: int | None = None) -> None:
        """Everything up to a crash point; raises Deviation."""
        stop = trace.seq if crash_seq is None else crash_seq
        self._ends = list(ends(trace))
        for seq, event, begins in events(trace):
            if seq >= stop:
                return
            self._event = event
            if isinstance(event, Note):
                self._hear(event)
            elif begins:
                self._begin(event)
            else:
                self._end(event)

    # --- words ------------------------------------------------------------------------------------------------------

    def _hear(self, note: Note) -> None:
        word, s = note.payload, self.state
        if isinstance(word, told.Invoked):
            self._sizes[word.batch] = len(word.commands)
        elif isinstance(word, told.Numbered):
            if word.seq > s.applied:
                self._append(word.seq, self._sizes[word.batch])
        elif isinstance(word, told.Promised):
            self._promise(word.level, word.seq)
        elif isinstance(word, told.Opened):
            self._open(word)
        elif isinstance(word, told.Poisoned):
            if s.phase is Phase.OPEN:
                self._step(s._replace(phase=Phase.POISONED, publishing=Publishing.NOTHING), "")
        elif isinstance(word, told.Closed):
            self._closing = False
            if s.phase is not Phase.DOWN:
                self._deviate("a close returned before its manifest was durable")
        elif isinstance(word, told.Killed) or (isinstance(word, told.Failed) and word.what in ("close", "open")):
            self._die(note.seq)

    def _promise(self, level: Durability, seq: int) -> None:
        s = self.state
        if s.phase is Phase.DOWN and not s.manifest.room and seq < s.manifest.first:
            return  # told late: the directory is closed, and everything durable
        if level is Durability.SYNCED and seq > s.told_synced:
            self._step(machine.acknowledge_synced(s, last=seq), f"{seq} is called synced, but {s.synced} is")
        elif level is Durability.WRITTEN and seq > s.told_written and (s.phase is Phase.OPEN or seq > s.written):
            self._step(machine.acknowledge_written(s, last=seq), f"{seq} is called written, but {s.written} is")

    def _open(self, word: told.Opened) -> None:
        s = self.state
        if s.phase is not Phase.OPEN or s.publishing is not Publishing.NOTHING:
            self._deviate("an open returned before its manifest was durable")
        if (word.last_seq, word.applied_seq) != (self._found, s.applied):
            self._deviate(
                f"the open found {word.last_seq} and goes on at {word.applied_seq}, not {self._found}, {s.applied}"
            )

    def _die(self, seq: int) -> None:
        """The process ends; how much of a broken write was in the page cache is what is found later."""
        s = self.state
        self._sync, self._closing = None, False
        if s.phase is not Phase.DOWN:
            found = self._found_after(seq)
            last = min(max(self._cached() if found is None else found, s.written), s.applied)
            self._step(machine.process_crash(s, last=last), "a process may always crash")

    def _cached(self) -> int:
        """The last number whose frame was seen to get into the page cache, whatever its writer was told."""
        segments = self._record.segments if self._record is not None else ()
        return max((top(self._numbers(file.name)) for file in segments if not file.sealed), default=0)

    # --- calls ------------------------------------------------------------------------------------------------------

    def _begin(self, operation: Operation) -> None:
        kind, name = operation.kind, operation.name
        if kind in _WRITES and segment_number(name) is not None:
            self._write(operation)
        elif kind is Kind.RENAME and operation.new_name == MANIFEST_NAME and operation.done:
            self._wake()
            self._publish(operation)
        elif kind in (Kind.REMOVE, Kind.TRUNCATE) and operation.done:
            self._remove(name, removed=kind is Kind.REMOVE, behind=operation.size)
        elif kind is Kind.SYNC_DIRECTORY:
            self._covered = self._renamed
        self._files.begin(operation)
        if kind in _SYNCS and self._is_open(name):
            self._wake()
            self._begin_sync(operation)

    def _end(self, operation: Operation) -> None:
        self._files.end(operation)
        kind, name = operation.kind, operation.name
        if kind is Kind.SYNC_DIRECTORY:
            self._directory_synced(operation)
        elif operation is self._sync:
            self._end_sync(operation)
        elif self._is_open(name):
            if self.state.phase is Phase.REWRITTEN and kind is Kind.SYNC:
                self._tail_is_synced = not operation.error
                if operation.error:
                    self._fail_settling(operation)
            elif kind in _WRITES and operation.error not in {0, *NO_SPACE} and self.state.phase is Phase.OPEN:
                # What was being written may have been numbered without a word.
                self._step(machine.write_fail(self.state) or self.state._replace(phase=Phase.POISONED), "")

    def _write(self, operation: Operation) -> None:
        """Frames.  Anything else fills with zeros, or mends, and adds nothing."""
        self._wake()
        if self._record is None or not self._is_open(operation.name):
            return
        frames = [frame for frame in self._frames(operation) if not frame.is_opening]
        if self.state.recovers:
            self._tail_is_synced = False
            for frame in frames:
                self._unwritten &= ~span(frame.first_seq, frame.seq)
            return
        for frame in frames:
            if frame.seq > self.state.applied:
                self._append(frame.seq, frame.count, frame.synced_seq)
            elif frame.synced_seq > self.state.synced:
                self._deviate(f"a frame promises {frame.synced_seq}, but {self.state.synced} is synced")
        # What a failed or broken write left in the page cache is found out by the next owner.
        if frames and frames[-1].seq > self.state.written and not operation.error and not operation.killed:
            self._step(machine.write(self.state, last=frames[-1].seq), "nothing may be written after a failure")

    def _append(self, seq: int, count: int, promise: int | None = None) -> None:
        s = self.state
        if seq - count != s.applied:
            self._deviate(f"a batch of {count} ends with {seq}, but {s.applied} was the last number")
        self._step(machine.append(s, count=count, promise=promise), f"no batch may be numbered {seq} now")

    def _begin_sync(self, operation: Operation) -> None:
        s = self.state
        if s.phase is Phase.OPEN and self._sync is None and s.synced < s.written:
            if operation.kind is Kind.WRITE_THROUGH and operation.error:
                return  # nothing of it was written, so it vouches for nothing
            self._sync = operation
            self._step(machine.sync_begin(s), "a sync is under way")

    def _end_sync(self, operation: Operation) -> None:
        self._sync = None
        if self.state.phase is not Phase.OPEN:
            return
        s = self.state
        if not operation.error:
            self._step(machine.sync_end(s), "")
        elif operation.after == AfterFailedSync.REVERTED:
            self._step(machine.sync_fail_reverting(s, kept=self._kept(operation)), "")
        else:
            self._step(machine.sync_fail(s), "")

    def _fail_settling(self, operation: Operation) -> None:
        s = self.state
        if operation.after == AfterFailedSync.REVERTED:
            self._step(machine.settle_fail_reverting(s, kept=self._kept(operation)), "")
        else:
            self._step(machine.settle_fail(s), "")

    def _kept(self, failed: Operation) -> int:
        """What is still there after the pages were dropped: what the next open found, or a power loss will leave."""
        s = self.state
        kept = s.dirty & span(1, self._found_after(failed.end) or 0)
        dropped = s.dirty & ~kept
        self._dropped = dropped, forget(s.promises, ~dropped)
        return kept

    def _found_after(self, seq: int) -> int | None:
        """The last number that the next open found, by the manifest that it made; None if none was made."""
        return next((last for renamed, last in self._ends if renamed > seq), None)

    def _directory_synced(self, operation: Operation) -> None:
        s = self.state
        if operation.error:
            if s.publishing is not Publishing.NOTHING:
                self._step(machine.publication_fail(s) or machine.opening_fail(s), "")
            elif s.phase is Phase.REWRITTEN:
                self._step(machine.settle_fail(s), "")
            return
        if s.publishing is Publishing.OPENING and self._covered:
            self._step(machine.opening_synced(s), "")
        elif s.publishing is not Publishing.NOTHING and self._covered:
            self._step(machine.publication_synced(s), "")
            self._closing = self.state.phase is Phase.DOWN
        elif not self._closing and s.phase in (Phase.DOWN, Phase.REWRITTEN):
            self._wake()
            tail = self.state.dirty & span(self.state.manifest.first, self._found)
            if not self._unwritten and (self._tail_is_synced or not tail):
                self._step(machine.settle_sync(self.state), "")
        if self._covered:
            self._renamed = False
            self._durable_names = self._names()

    def _wake(self) -> None:
        """Recovery has read and judged before it first writes."""
        s = self.state
        if s.phase is Phase.DOWN and not self._closing:
            self._dropped = (0, ())
            self._found = machine.end(s)
            self._unwritten = s.ghost & span(s.manifest.first, self._found)
            self._tail_is_synced = False
            self._step(machine.recover(s), "")
            if self.state.phase is not Phase.REWRITTEN:
                self._deviate(f"it is opened, although what it holds is {self.state.phase.value}")

    # --- the manifest -----------------------------------------------------------------------------------------------

    def _publish(self, operation: Operation) -> None:
        if not self._files.is_synced(operation.name):
            self._deviate("a manifest is published before its content is synced")
        try:
            record = decode_manifest(self._files.content(MANIFEST_TEMPORARY))
        except FormatError as error:
            self._deviate(f"a manifest is published that is none: {error}")
        named, self._before = self._names(), self.state.manifest
        self._record, self._renamed = record, True
        for file in record.files:
            if file.name not in named and not self._files.is_durable(file.name):
                self._deviate(f"a manifest is published that names {file.name}, which is not durable")
        if record.files or self.state.phase is Phase.OPEN:
            self._change_manifest(record)

    def _change_manifest(self, record: Record) -> None:
        s = self.state
        seen = abstract(record, s)
        if s.recovers:
            if seen.first < s.manifest.first + s.manifest.room:
                self._deviate(f"{seen.first} is to be the next number, but may have been given out before")
            self._step(machine.publish_opening(s, room=seen.room, first=seen.first), "the tail is not durable yet")
        elif seen == s.manifest:
            return  # a base that replaces segments which only retire numbers
        elif seen.base != s.manifest.base:
            last = top(seen.base)
            self._step(machine.rewrite_begin(s, last=last), f"no base can be made now that reaches up to {last}")
            self._step(machine.rewrite_sync(self.state), "")
            self._step(machine.publish_base(self.state), "")
        elif seen.room:
            self._step(machine.publish_segment(s, room=seen.room), "the old segment is not synced")
        else:
            self._step(machine.publish_close(s), "not everything is synced")
        expected = self.state.manifest
        if seen != expected:
            self._deviate(f"the manifest says {words(seen)}; it should say {words(expected)}")

    def _names(self) -> frozenset[str]:
        return frozenset(file.name for file in self._record.files) if self._record is not None else frozenset()

    def _is_open(self, name: str) -> bool:
        """Whether it is the segment that the owner appends to, or the last one did."""
        last = self._record.segments[-1:] if self._record is not None else ()
        return any(file.name == name and not file.sealed for file in last)

    def _remove(self, name: str, *, removed: bool, behind: int) -> None:
        """A file goes, or what stands in it behind an offset."""
        counts = name in self._names() | self._durable_names
        if segment_number(name) is None and not counts:
            return
        if removed and counts:
            self._deviate("a manifest counts on that file")
        s = self.state
        numbers = self._numbers(name, behind)
        if counts and numbers & (s.manifest.log | s.durable.log | span(s.manifest.first, s.written)):
            self._deviate("a manifest counts on what is cut off")
        if numbers & s.replaced and s.phase is Phase.OPEN:
            self._step(machine.remove(s, numbers=numbers & s.replaced, bases=0), "the new manifest is not durable yet")

    # --- power ------------------------------------------------------------------------------------------------------

    def lose_power(self, image: Image) -> None:
        """Go on in what a power loss left; raises Deviation if the machine does not allow that to be left."""
        self._event = "a power loss"
        files, s = Files(image), self.state
        data = files.content(MANIFEST_NAME)
        record = decode_manifest(data) if data else None
        seen = Manifest() if record is None or not record.files else abstract(record, s)
        if s.doubted and seen == self._before:
            s = s._replace(manifest=seen)  # as if the last rename had not been tried
        manifest = next((m for m in (s.manifest, s.durable) if _is_same(m, seen)), None)
        if manifest is None:
            self._deviate(f"it left a manifest that says {words(seen)}, and not {words(s.durable)}")
        there = 0
        for name in [file.name for file in record.segments] if record is not None else ():
            assert record is not None, "it names something"
            there |= files.numbers(name, frame_identity(record))
        dropped, promises = self._dropped
        back = dropped & there
        s = s._replace(solid=s.solid | back, promises=s.promises + forget(promises, ~back))
        self._dropped = (0, ())
        if lost := s.solid & (manifest.log | span(manifest.first, manifest.first + manifest.room - 1)) & ~there:
            self._deviate(f"it took number {top(lost)}, which is durable")
        self._step(machine.power_loss(s, kept=s.unsure & there, manifest=manifest), "nothing of that is in doubt")
        self._files, self._record, self._sync, self._renamed, self._closing = files, record, None, False, False
        self._durable_names = self._names()

    # --- steps ------------------------------------------------------------------------------------------------------

    def _numbers(self, name: str, behind: int = 0) -> int:
        return 0 if self._record is None else self._files.numbers(name, frame_identity(self._record), behind=behind)

    def _frames(self, operation: Operation) -> Iterator[Frame]:
        number = segment_number(operation.name)
        assert number is not None, "only segments have frames"
        assert self._record is not None, "an open segment is named"
        for _, frame in find_frames(operation.data, identity=frame_identity(self._record), segment=number):
            yield frame

    def _step(self, state: State | None, reason: str) -> None:
        if state is None:
            self._deviate(reason)
        self.state = state
        self.steps += 1

    def _deviate(self, reason: str) -> NoReturn:
        raise Deviation(self._event, reason or f"not while it is {self.state.phase.value}", self.state)


def _is_same(manifest: Manifest, seen: Manifest) -> bool:
    """Whether one was seen; the next number of a closed directory is not in its manifest."""
    return manifest == (seen if seen.room else seen._replace(first=manifest.first))
