"""Reading a segment back: every batch, then what kind of end it has.

The end is told apart by evidence (C8), not by guessing.  ``read_segment`` says what stands at the end and which
promises it met; whether that is a torn tail or corruption is decided by ``recovery``, which knows all the promises.

    clean    the file ends with a frame
    zeros    only zeros follow: preallocated space that was never written
    foreign  plain RESP follows, appended by a stock server; it was read and counted
    bad      something follows that is not a whole, valid, contiguous frame
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_right
from collections.abc import Generator, Iterator, Sequence
from operator import itemgetter
from typing import Literal, TypeAlias, cast

import msgspec

from durakv.errors import UnsupportedVersion
from durakv.storage.filesystem import File
from durakv_formats.command_decoder import decode_short
from durakv_formats.errors import FormatError, UnsupportedVersionError
from durakv_formats.frame import FrameDecoder, FrameError, find_frames
from durakv_formats.limits import STOCK_ANNOTATION_BYTES_MAX
from durakv_formats.resp import CommandDecoder, decode_batch
from durakv_formats.runs import Run, RunDecoder, decode_plain_batch

CHUNK_BYTES = 256 << 10

_OURS = b"#DKV"
_STOCK = b"#TS:"
_STOCK_LINE = re.compile(rb"#TS:[0-9]+\r?\n")

EndKind: TypeAlias = Literal["clean", "zeros", "foreign", "bad"]


class Record(msgspec.Struct, frozen=True, gc=False):
    """One batch of the log.  ``seq`` is its last number; ``offset`` is the end of its bytes in the file."""

    seq: int
    commands: list[list[bytes]]
    offset: int

    def batches(self) -> Iterator[tuple[Sequence[Sequence[bytes]], int]]:
        """The batch, and where it ends; see :meth:`Run.batches`."""
        yield self.commands, self.offset


class SegmentEnd(msgspec.Struct):
    """How a segment ended."""

    kind: EndKind = "clean"
    offset: int = 0
    """The end of the last good byte."""
    reason: str = ""
    identity: int | None = None
    """Whose frames it holds; None if it holds none."""
    first: int = 0
    """The number of the first command it can hold, by its opening frame; 0 without one."""
    last: int = 0
    """The number of the last good command, or the last number retired."""
    batches: int = 0
    commands: int = 0
    retired: int = 0
    foreign_commands: int = 0
    foreign_torn: bool = False
    """Whether the foreign part ends inside a command or transaction."""
    stopped: bool = False
    """Whether a note of a time was met that is later than what was asked for; nothing is known of the rest."""
    promise: int = 0
    """The highest ``synced_seq`` seen in any valid frame, also behind damage."""
    promise_offset: int = 0
    """Everything before this offset was synced when a later frame was written."""
    size: int = 0
    damage_bytes: int = 0
    """From the offset to the last byte that is not zero."""


def read_segment(
    file: File,
    *,
    identity: int | None,
    number: int,
    prior: int,
    stop: int | None = None,
    start: int = 0,
    until: int | None = None,
) -> Generator[Record, None, SegmentEnd]:
    """Yield the batches of a segment in order and return its end.

    ``prior`` is the last number before the segment, ``start`` where it begins in its file (behind an RDB file), and
    ``stop`` the size at which a sealed segment ends.  ``until`` is a Unix time in seconds: where a stock server noted a
    later one, nothing more is read (``stopped``).  Without an
    identity, under a stock server's manifest, frames of any identity are read.  Raises ``OSError`` from the file, and
    UnsupportedVersion at a frame of a newer version.
    """
    # Of a reader that makes no runs, nothing but records comes.
    records = read_runs(
        file, identity=identity, number=number, prior=prior, stop=stop, start=start, until=until, in_runs=False
    )
    return cast("Generator[Record, None, SegmentEnd]", records)


def read_runs(
    file: File,
    *,
    identity: int | None,
    number: int,
    prior: int,
    stop: int | None = None,
    start: int = 0,
    until: int | None = None,
    in_runs: bool = True,
) -> Generator[Record | Run, None, SegmentEnd]:
    """As ``read_segment``, but plain commands come as runs wherever that is faster, and not batch by batch."""
    end = SegmentEnd(last=prior, size=file.size(), offset=start)
    limit = end.size if stop is None else min(stop, end.size)
    decoder = FrameDecoder(identity, number, start)
    runs = RunDecoder(decoder, identity, number) if in_runs and identity is not None else None
    position = start
    ends = _Ends()
    next_frame = decoder.next_frame
    try:
        while True:
            if runs is not None and end.identity is not None and (run := runs.take(end.last + 1)) is not None:
                yield run
                count = len(run.keys)
                end.batches += count
                end.commands += count
                end.last, end.offset = run.seq, run.end
                end.promise = max(end.promise, run.synced_seq)
                ends.add_run(run)
            frame = next_frame()
            if frame is None:
                if position >= limit:
                    break
                data = file.read_at(min(CHUNK_BYTES, limit - position), position)
                if not data:
                    break
                position += len(data)
                decoder.feed(data)
                continue
            seq, count, payload = frame.seq, frame.count, frame.payload
            if end.identity is None:
                end.identity = frame.identity
            elif frame.identity != end.identity:
                end.kind = "bad"
                end.reason = f"a frame of another directory (identity {frame.identity:016x})"
                break
            if identity is None and not payload and seq >= end.last:
                end.last = seq - count  # a stock manifest does not say where our numbers began
            if seq - count != end.last:
                end.kind = "bad"
                end.reason = f"the frame holds {frame.first_seq}..{seq}, but {end.last + 1} comes next"
                break
            if payload and runs is not None and (columns := decode_plain_batch(payload, count)) is not None:
                yield Run(seq, frame.synced_seq, *columns, end.offset, [decoder.offset - end.offset])
                end.batches += 1
                end.commands += count
            elif payload:
                single = decode_short(payload) if count == 1 else None
                yield Record(seq, decode_batch(payload, count) if single is None else [single], decoder.offset)
                end.batches += 1
                end.commands += count
            elif end.offset > start:
                end.kind = "bad"
                end.reason = "an opening frame stands inside the segment"
                break
            else:
                end.retired = count
                end.first = seq + 1
            end.last = seq
            end.offset = decoder.offset
            ends.add(seq, end.offset)
            if frame.synced_seq > end.promise:
                end.promise = frame.synced_seq
    except UnsupportedVersionError as error:
        # No torn tail and no damage: whoever wrote it can read it, and must find it as it is (C12).
        raise UnsupportedVersion(file.name, error.version, "Open it with the version that wrote it") from error
    except FrameError as error:
        end.kind = cast(EndKind, error.kind)
        end.reason = error.reason
    except FormatError as error:
        end.kind = "bad"
        end.reason = error.reason
    else:
        if end.kind == "clean" and end.offset < limit:
            # What a stock server appends may begin with a comment, and may have got no further.
            rest = file.read_at(len(_STOCK), end.offset)
            stock = rest == _STOCK or (identity is None and _STOCK.startswith(rest))
            end.kind = "foreign" if stock else "bad"
            end.reason = "the file ends inside a frame"
    if end.kind == "foreign":
        yield from _read_foreign(file, end, limit, until)
    if end.kind in ("bad", "zeros"):
        _look_behind(file, end, identity, number, limit)
    end.promise_offset = ends.covered_by(end.promise)
    return end


class _Ends:
    """Where frames end, by the number of their last command.

    Arrays, because a large segment holds a million small frames, and a rewrite reads it in little memory.
    """

    def __init__(self) -> None:
        self._seqs, self._offsets = array("q"), array("q")
        self._runs: list[tuple[int, int, Sequence[int]]] = []

    def add(self, seq: int, offset: int) -> None:
        self._seqs.append(seq)
        self._offsets.append(offset)

    def add_run(self, run: Run) -> None:
        self._runs.append((run.seq - len(run.ends) + 1, run.start, run.ends))

    def covered_by(self, seq: int) -> int:
        """Where the last frame ends that holds no number above this one; 0 if there is none."""
        covered = bisect_right(self._seqs, seq)
        offset = self._offsets[covered - 1] if covered else 0
        runs = bisect_right(self._runs, seq, key=itemgetter(0))
        if runs:
            first, start, ends = self._runs[runs - 1]
            offset = max(offset, start + ends[min(seq - first, len(ends) - 1)])
        return offset


def _read_foreign(file: File, end: SegmentEnd, limit: int, until: int | None) -> Generator[Record, None, None]:
    """Plain RESP, as a stock server appends it: each command a batch, MULTI to EXEC one batch.

    Where frames stood, or may have stood before damage, only a stock server's own comments are passed over.  A file
    that begins with a whole command never held any.  The manifest has no part in this: it becomes ours when a stock
    directory is opened, and what was read then must be read again.
    """
    may_hold_frames = True
    decoder = CommandDecoder(offset=end.offset)
    position = end.offset
    transaction: list[list[bytes]] | None = None
    selected = b"0"
    while True:
        try:
            command = decoder.next_command()
        except FormatError as error:
            line = file.read_at(STOCK_ANNOTATION_BYTES_MAX, decoder.offset)
            if line.startswith(_OURS):
                # Nobody writes a frame behind a stock server's commands: these were a frame whose header is damaged.
                end.kind = "bad"
                end.reason = "a frame behind commands outside any frame"
                break
            length = line.find(b"\n") + 1
            if may_hold_frames and length and line.startswith(b"#") and not _STOCK_LINE.fullmatch(line, 0, length):
                # A damaged sector that begins so would swallow the header of the frame behind it, and the payload
                # would be replayed without its checksum and out of its place.
                end.kind = "bad"
                end.reason = "a comment of nobody before commands outside any frame"
                break
            if line.startswith(b"#") and length:
                if until is not None and transaction is None and _noted(line[:length]) > until:
                    end.stopped = True
                    break
                after = decoder.offset + length
                if not decoder.skip(length):
                    position = after
                    decoder = CommandDecoder(offset=position)
                if transaction is None:
                    end.offset = after
                continue
            if not line.startswith(b"#") or decoder.offset + len(line) < limit:
                end.kind = "bad"
                end.reason = error.reason
            break
        if command is None:
            if position >= limit:
                break
            data = file.read_at(min(CHUNK_BYTES, limit - position), position)
            if not data:
                break
            position += len(data)
            decoder.feed(data)
            continue
        may_hold_frames = end.identity is not None
        name = command[0].upper() if command else b""
        if name == b"MULTI":
            transaction = []
            continue
        if name == b"EXEC":
            batch = transaction if transaction is not None else []
            transaction = None
        elif transaction is not None:
            transaction.append(command)
            continue
        else:
            batch = [command]
        for command in batch:
            if len(command) == 2 and command[0].upper() == b"SELECT":
                selected = command[1]
        end.last += len(batch)
        end.foreign_commands += len(batch)
        end.commands += len(batch)
        end.batches += 1
        end.offset = decoder.offset
        if batch:
            yield Record(end.last, batch, end.offset)
    if selected != b"0":
        yield Record(end.last, [[b"SELECT", b"0"]], end.offset)
    end.foreign_torn = end.kind == "foreign" and (transaction is not None or end.offset < limit)
    if end.kind == "foreign":
        end.reason = "it ends inside a command, a transaction or a comment" if end.foreign_torn else ""


def _noted(line: bytes) -> int:
    """The time that a stock server noted in a comment; 0 if it is another comment."""
    return int(line[len(_STOCK) :].strip()) if _STOCK_LINE.fullmatch(line) else 0


def _look_behind(file: File, end: SegmentEnd, identity: int | None, number: int, limit: int) -> None:
    """Evidence behind the last good frame: valid frames with their promises, and how far the damage reaches."""
    position = end.offset
    rest = bytearray()
    zeros = 0
    while position < limit:
        data = file.read_at(min(CHUNK_BYTES, limit - position), position)
        if not data:
            break
        position += len(data)
        # Nearly always only zeros follow: that is seen in one comparison, and they are not kept.
        if data == bytes(len(data)):
            zeros += len(data)
        else:
            rest += bytes(zeros)
            rest += data
            zeros = 0
    kept = len(rest.rstrip(b"\0"))
    end.damage_bytes = kept
    if kept == 0:
        end.kind = "zeros"
        end.reason = "only zeros follow"
        return
    if end.kind == "zeros":
        end.kind = "bad"
        end.reason = "zeros stand where a frame should, and other bytes follow them"
    if identity is not None:
        for _, frame in find_frames(bytes(rest[:kept]), identity=identity, segment=number):
            end.promise = max(end.promise, frame.synced_seq)
