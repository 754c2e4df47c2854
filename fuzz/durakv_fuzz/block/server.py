"""The device's process: it serves one file from memory, which a loop device makes a disk of, and records what is done.

    python -m durakv_fuzz.block.server STARTER CONTROL WORDS PRIVATE SYNC-SECONDS

The file is the root of its mount.  It takes no discards (FALLOCATE), so that the kernel writes the zeros it wants.
"""

from __future__ import annotations

import os
import select
import stat
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from errno import EINVAL, ENOSPC, ENOSYS
from pathlib import Path

import msgspec

from durakv_fuzz.block.leftovers import DEVICE, MOUNT, clear
from durakv_fuzz.block.trace import BLOCK_BYTES, NO_DATA, BlockTrace, BlockWrite, Flush, pieces
from durakv_fuzz.recorder.connection import Connection, Unmounted
from durakv_fuzz.recorder.connection import unmount as detach
from durakv_fuzz.recorder.process import WORD_BYTES_MAX, Adopted, Failure, receive, send
from durakv_fuzz.recorder.wire import (
    ATTRIBUTES,
    ATTRIBUTES_HEAD,
    FOREVER_SECONDS,
    OPEN_DIRECT_IO,
    OPEN_OUT,
    READ_IN,
    UNANSWERED,
    WRITE_IN,
    WRITE_OUT,
    Opcode,
    Request,
)
from durakv_fuzz.trace import SECTOR_BYTES, Note

RECORDED_BYTES_MAX = 4 << 30
"""The most that is recorded of one run; more would be a run of another kind, and no room for its crash states."""

_LAST_SECONDS = 5.0

_WORD = msgspec.msgpack.Decoder(tuple[str, int | str])


class Record:
    """What was done since the last settling of a device that holds ``content``, which is changed by its owner."""

    def __init__(self, blank: BlockTrace, content: dict[int, bytes]) -> None:
        self._blank = blank
        self._content = content
        self._notes: list[Note] = []
        self._seq = 0
        self.settle()

    def settle(self) -> None:
        """Everything so far is durable."""
        self._base = dict(self._content)
        self._first_seq = self._seq
        self._writes: list[BlockWrite] = []
        self._flushes: list[Flush] = []
        self._under_way: dict[int, int] = {}
        self._times: list[float] = []
        self._bytes = 0

    def write(self, offset: int, data: bytes) -> None:
        """A write, from its start to its end: they come one after the other."""
        start, end = self._event(), self._event()
        self._bytes += len(data)
        if self._bytes <= RECORDED_BYTES_MAX:
            self._writes.append(BlockWrite(start, end, offset, data))

    def start_flush(self, unique: int) -> None:
        """A flush begins."""
        self._under_way[unique] = self._event()

    def end_flush(self, unique: int) -> None:
        """A flush returns; one from before the last settling is not told of."""
        start = self._under_way.pop(unique, None)
        if start is not None:
            self._flushes.append(Flush(start, self._event()))

    def note(self, kind: str, payload: int | str) -> None:
        """Somebody was told something."""
        self._notes.append(Note(self._event(), self._times[-1], kind, payload))

    def trace(self) -> BlockTrace | Failure:
        """The whole."""
        if self._bytes > RECORDED_BYTES_MAX:
            return Failure(f"{self._bytes} bytes were written; at most {RECORDED_BYTES_MAX} are recorded of one run")
        unfinished = [Flush(start, -1) for start in self._under_way.values()]
        return replace(
            self._blank,
            base=self._base,
            first_seq=self._first_seq,
            seq=self._seq,
            writes=tuple(self._writes),
            flushes=tuple(sorted((*self._flushes, *unfinished), key=lambda flush: flush.start)),
            notes=tuple(self._notes),
            times=tuple(self._times),
        )

    def _event(self) -> int:
        seq = self._seq
        self._seq = seq + 1
        self._times.append(time.monotonic())
        return seq


class DeviceServer:
    """See the module."""

    def __init__(self, adopted: Adopted) -> None:
        private, sync_seconds = adopted.arguments
        self._adopted = adopted
        self._private = Path(private)
        self._device_bytes = 0
        self._sync_seconds = float(sync_seconds)
        self._connection = Connection(self._private / DEVICE, source="durakv-block", root_type=stat.S_IFREG)
        self._content: dict[int, bytes] = {}
        self._record: Record | None = None
        self._delayed: deque[tuple[float, int]] = deque()
        self._poll = select.poll()
        self._poll.register(self._connection.fd, select.POLLIN)
        self._answers: Mapping[int, Callable[[Request], None]] = {
            Opcode.READ: self._read,
            Opcode.WRITE: self._write,
            Opcode.FSYNC: self._flush,
            Opcode.GETATTR: self._getattr,
            Opcode.OPEN: self._open,
            Opcode.RELEASE: self._nothing,
            Opcode.FLUSH: self._nothing,
        }

    def run(self) -> None:
        """Serve until the starter hangs up or ends; then what is mounted goes, while it is still served."""
        try:
            with suppress(Unmounted):
                self._serve_starter()
                self._serve_last()
        finally:
            self._connection.close()
        # After a failure of this process the directory, and in it what this process says of it, is left to the starter.
        clear(self._private)

    def _serve_starter(self) -> None:
        adopted = self._adopted
        ends = (adopted.control.fileno(), adopted.starter_fd)
        for fd in (*ends, adopted.words.fileno()):
            self._poll.register(fd, select.POLLIN)
        while True:
            ready = {fd for fd, _ in self._serve(None)}
            if adopted.words.fileno() in ready:
                self._hear()
            if adopted.control.fileno() in ready:
                try:
                    self._obey()
                except (EOFError, OSError):  # it hung up, or ended while it was answered
                    break
            elif adopted.starter_fd in ready:
                break
        for fd in (*ends, adopted.words.fileno()):
            self._poll.unregister(fd)

    def _serve_last(self) -> None:
        """Unmounting writes, and waits for what it writes: another process does it, and this one answers."""
        unmounting = os.fork()
        if unmounting == 0:
            try:
                detach(self._private / MOUNT)
            finally:
                os._exit(0)
        deadline = time.monotonic() + _LAST_SECONDS
        while os.waitpid(unmounting, os.WNOHANG) == (0, 0) and time.monotonic() < deadline:
            self._serve(0.001)

    def _serve(self, seconds: float | None) -> list[tuple[int, int]]:
        """Answer what the kernel asks, once there is something; returns what else is ready."""
        if self._delayed:
            left = max(self._delayed[0][0] - time.monotonic(), 0.0)
            seconds = left if seconds is None else min(seconds, left)
        ready = self._poll.poll(None if seconds is None else seconds * 1000)
        while self._delayed and self._delayed[0][0] <= time.monotonic():
            self._end_flush(self._delayed.popleft()[1])
        while (request := self._connection.read()) is not None:
            # What was told before this request was made is in the socket by now.
            self._hear()
            answer = self._answers.get(request.opcode)
            if answer is not None:
                answer(request)
            elif request.opcode not in UNANSWERED:
                self._connection.fail(request.unique, ENOSYS)
        return ready

    # --- the starter --------------------------------------------------------------------------------------------------

    def _hear(self) -> None:
        while True:
            try:
                word = self._adopted.words.recv(WORD_BYTES_MAX)
            except BlockingIOError:
                return
            if not word:
                return
            kind, payload = _WORD.decode(word)
            if self._record is not None:
                self._record.note(kind, payload)

    def _obey(self) -> None:
        message = receive(self._adopted.control)
        self._hear()
        match message:
            case ("begin", BlockTrace() as blank):
                self._device_bytes = blank.device_bytes
                self._content = dict(blank.base)
                self._record = Record(blank, self._content)
                answer: object = None
            case ("settle",) if self._record is not None:
                self._record.settle()
                answer = None
            case ("stop",) if self._record is not None:
                answer = self._record.trace()
                self._record = None
            case _:
                answer = Failure(f"the device was asked for {message!r} at the wrong time")
        send(self._adopted.control, answer)

    # --- the kernel ---------------------------------------------------------------------------------------------------

    def _read(self, request: Request) -> None:
        _, offset, size, *_ = READ_IN.unpack_from(request.body)
        end = min(offset + size, self._device_bytes)
        first, content = offset // BLOCK_BYTES, self._content
        blocks = [content.get(block, NO_DATA) for block in range(first, -(-end // BLOCK_BYTES))]
        if offset % BLOCK_BYTES == 0 and end % BLOCK_BYTES == 0:
            self._connection.reply(request.unique, b"".join(blocks))
        else:
            begin = first * BLOCK_BYTES
            self._connection.reply(request.unique, b"".join(blocks)[offset - begin : end - begin])

    def _write(self, request: Request) -> None:
        _, offset, size, *_ = WRITE_IN.unpack_from(request.body)
        data = bytes(request.body[WRITE_IN.size : WRITE_IN.size + size])
        if len(data) != size or offset % SECTOR_BYTES or size % SECTOR_BYTES:
            self._connection.fail(request.unique, EINVAL)
            return
        if offset + size > self._device_bytes:
            self._connection.fail(request.unique, ENOSPC)
            return
        content = self._content
        for block, within, piece in pieces(offset, data):
            if len(piece) < BLOCK_BYTES:
                old = content.get(block, NO_DATA)
                piece = old[:within] + piece + old[within + len(piece) :]
            content[block] = piece
        if self._record is not None:
            self._record.write(offset, data)
        self._connection.reply(request.unique, WRITE_OUT.pack(size, 0))

    def _flush(self, request: Request) -> None:
        if self._record is not None:
            self._record.start_flush(request.unique)
        if self._record is not None and self._sync_seconds:
            self._delayed.append((time.monotonic() + self._sync_seconds, request.unique))
        else:
            self._end_flush(request.unique)

    def _end_flush(self, unique: int) -> None:
        # Before the reply: whoever waits for it may tell of it at once.
        if self._record is not None:
            self._record.end_flush(unique)
        self._connection.reply(unique)

    def _getattr(self, request: Request) -> None:
        blocks = self._device_bytes // 512
        attributes = ATTRIBUTES.pack(
            1, self._device_bytes, blocks, 0, 0, 0, 0, 0, 0, stat.S_IFREG | 0o600, 1, 0, 0, 0, BLOCK_BYTES, 0
        )
        self._connection.reply(request.unique, ATTRIBUTES_HEAD.pack(FOREVER_SECONDS, 0, 0), attributes)

    def _open(self, request: Request) -> None:
        # Without the page cache: what the loop device writes arrives as it was written, and at once.
        self._connection.reply(request.unique, OPEN_OUT.pack(0, OPEN_DIRECT_IO, 0))

    def _nothing(self, request: Request) -> None:
        self._connection.reply(request.unique)


def main() -> None:
    """Serve, unless the starter ended before this process was there."""
    try:
        adopted = Adopted()
    except (EOFError, ProcessLookupError):
        clear(Path(sys.argv[4]))
        return
    DeviceServer(adopted).run()


if __name__ == "__main__":
    main()
