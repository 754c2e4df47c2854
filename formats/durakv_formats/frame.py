"""Log record framing, version 1.  The layout is specified in formats/log-v1.md.

    frame := "#DKV1 " seq:16 " " count:8 " " length:8 " " synced_seq:16 " " identity:16 " " segment:8 " " crc:8 CRLF
             payload[length]                                              numbers in lower-case hex, fixed width

The checksum covers the 84 bytes before itself and the payload: a flipped bit in ``length`` must never be trusted to
find the next record.  A stock server takes the header for a comment, and the payload for what it is.
"""

from __future__ import annotations

import re
from binascii import unhexlify
from collections.abc import Iterator
from functools import lru_cache
from struct import Struct

import msgspec

from durakv_formats.checksum import crc32c
from durakv_formats.compiled import plain_frame
from durakv_formats.errors import FormatError, LimitError, UnsupportedVersionError
from durakv_formats.intake import Intake
from durakv_formats.limits import (
    BATCH_BYTES_MAX,
    BATCH_COMMANDS_MAX,
    COMMAND_BYTES_MIN,
    SEGMENT_NUMBER_MAX,
    SEQ_MAX,
    STOCK_ANNOTATION_BYTES_MAX,
)

HEADER_BYTES = 94
"""The size of a frame's header, its line end included."""

_PREFIX = b"#DKV1 "
_CHECKED_BYTES = 84
_SHAPE = b"#DKV0 %016d %08d %08d %016d %016d %08d %08d\r\n" % (0, 0, 0, 0, 0, 0, 0)
_DIGITS_TO_ZERO = bytes(ord("0") if byte in b"0123456789abcdef" else byte for byte in range(256))
_VERSION = re.compile(rb"#DKV([0-9]{1,9})[ \r\n]")
_FIELDS = Struct(">QIIQQII")
_COUNT_MAX = (1 << 32) - 1


class FrameError(FormatError):
    """No frame begins at ``offset``.

    ``kind`` says what is there instead: ``"zeros"`` (a NUL: space that was never written, or lost), ``"foreign"`` (an
    unframed command: a stock server was here) or ``"bad"`` (anything else).
    """

    def __init__(self, offset: int, reason: str, kind: str) -> None:
        super().__init__(offset, reason)
        self.args = (offset, reason, kind)
        self.kind = kind


class Frame(msgspec.Struct, frozen=True, gc=False):
    """One batch as it stands in the log, or the opening of a segment.

    ``seq`` is the number of the last command, ``count`` how many there are.  An opening frame has no payload, and its
    ``count`` numbers up to ``seq`` are retired: they belong to no command.
    """

    seq: int
    count: int
    synced_seq: int
    identity: int
    segment: int
    payload: bytes

    @property
    def first_seq(self) -> int:
        """The number of the first command (or of the first retired number)."""
        return self.seq - self.count + 1

    @property
    def is_opening(self) -> bool:
        """Whether this is the line that a segment begins with."""
        return not self.payload


def encode_frame(payload: bytes, *, seq: int, count: int, synced_seq: int, identity: int, segment: int) -> bytes:
    """The frame of one batch; with an empty payload, the opening frame of a segment.

    Raises LimitError if a number does not fit, or if the frame would be refused when it is read.
    """
    if plain_frame is not None:
        plain = plain_frame(payload, seq, count, synced_seq, identity, segment)
        if plain is not None:
            return plain
    length = len(payload)
    head = b"#DKV1 %016x %08x %08x %016x %016x %08x " % (seq, count, length, synced_seq, identity, segment)
    if (
        len(head) != _CHECKED_BYTES
        or identity < 0
        or not 0 <= segment <= SEGMENT_NUMBER_MAX
        or not _is_plausible(seq, count, length, synced_seq)
    ):
        raise LimitError(0, f"no frame can have {seq=} {count=} {length=} {synced_seq=} {identity=:#x} {segment=}")
    return b"%b%08x\r\n%b" % (head, crc32c(payload, crc32c(head)), payload)


class FrameDecoder:
    """Reads the frames of one segment from bytes that are fed in pieces of any size.

    ``next_frame()`` returns the next frame, or None when more bytes are needed.  It raises FrameError, again and
    again, when no frame begins here.  ``identity`` and ``segment`` are what every frame must carry; None accepts any.
    Comment lines of other programs between frames are passed over.
    """

    __slots__ = ("_identity", "_intake", "_segment", "offset")

    def __init__(self, identity: int | None, segment: int | None, offset: int = 0) -> None:
        self._identity = identity
        self._segment = segment
        self._intake = Intake(offset)
        self.offset = offset
        """The end of the last good frame, counted from the start of what was fed, plus the start offset."""

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        """Take more bytes."""
        self._intake.feed(data)

    def next_frame(self) -> Frame | None:
        """The next frame, or None: more bytes, please."""
        intake = self._intake
        data, at = intake.data, intake.at
        # Whether the next frame is at hand is seen here; the calls cost a tenth of a replay.
        while not data.startswith(_PREFIX, at) or len(data) - at < HEADER_BYTES:
            ready = intake.need(HEADER_BYTES) and intake.data.startswith(_PREFIX, intake.at)
            if not ready and not self._pass_comment():
                return None
            data, at = intake.data, intake.at
        head = data[at : at + HEADER_BYTES]
        if head.translate(_DIGITS_TO_ZERO) != _SHAPE:
            raise FrameError(intake.position, "a frame header that is none", "bad")
        fields = unhexlify(head[len(_PREFIX) : -2].replace(b" ", b""))
        seq, count, length, synced_seq, identity, segment, crc = _FIELDS.unpack(fields)
        # These two are compared before the checksum: a whole frame of another place is as bad as a torn one (C11).
        if identity != self._identity and self._identity is not None:
            raise FrameError(intake.position, f"a frame of another directory (identity {identity:016x})", "bad")
        if segment != self._segment and self._segment is not None:
            raise FrameError(intake.position, f"a frame of another segment (number {segment})", "bad")
        if length > BATCH_BYTES_MAX:
            raise FrameError(intake.position, f"a frame of {length} bytes", "bad")
        if len(data) - at < HEADER_BYTES + length:
            if not intake.need(HEADER_BYTES + length):
                return None
            data, at = intake.data, intake.at
        end = at + HEADER_BYTES + length
        payload = data[at + HEADER_BYTES : end]
        if crc32c(payload, crc32c(head[:_CHECKED_BYTES])) != crc:
            raise FrameError(intake.position, "a frame whose checksum does not match", "bad")
        # Nearly every frame is a batch of one command, which needs no call.
        plain = count == 1 <= seq <= SEQ_MAX and synced_seq <= seq and length >= COMMAND_BYTES_MIN
        if not plain and not _is_plausible(seq, count, length, synced_seq):
            raise FrameError(intake.position, f"a frame with {seq=} {count=} {length=} {synced_seq=}", "bad")
        intake.at = end
        self.offset = intake.position
        return Frame(seq, count, synced_seq, identity, segment, payload)

    def at_hand(self, size_max: int) -> bytes:
        """The bytes that come next, without taking them: as many as are there and whole, up to so many."""
        intake = self._intake
        return intake.data[intake.at : intake.at + size_max]

    def pass_frames(self, offset: int) -> None:
        """Go on at this offset; everything before it was seen by ``at_hand`` and is good frames."""
        self._intake.at += offset - self._intake.position
        self.offset = offset

    def _pass_comment(self) -> bool:
        """Pass over one comment line, or return False when more bytes are needed; raise if no line may begin so."""
        intake = self._intake
        held = intake.need_any(STOCK_ANNOTATION_BYTES_MAX)
        data, at = intake.data, intake.at
        first = data[at : at + 1]
        if not first:
            return False
        if first == b"\0":
            raise FrameError(intake.position, "zeros", "zeros")
        if first == b"*":
            raise FrameError(intake.position, "a command outside any frame", "foreign")
        if first != b"#":
            raise FrameError(intake.position, f"{first!r} where a frame was expected", "bad")
        version = _VERSION.match(data, at)
        if version is not None and version[1] != b"1":
            raise UnsupportedVersionError(intake.position, f"log frame {version[1].decode()}")
        if held < HEADER_BYTES and data.startswith(_PREFIX[:4], at):
            return False
        end = data.find(b"\n", at, at + STOCK_ANNOTATION_BYTES_MAX) + 1
        if not end:
            if held < STOCK_ANNOTATION_BYTES_MAX:
                return False
            raise FrameError(intake.position, "a comment line that does not end", "bad")
        # A header with a flipped bit in its first letters looks like somebody else's comment.  Nobody's comment has
        # exactly its size and may therefore be passed over.
        if version is not None or end - at == HEADER_BYTES:
            raise FrameError(intake.position, "a frame header that is none", "bad")
        intake.at = end
        return True


def find_frames(data: bytes, *, identity: int, segment: int, start: int = 0) -> Iterator[tuple[int, Frame]]:
    """Every whole frame of this segment in ``data`` from ``start`` on, with its offset, whatever lies between.

    It is how the evidence after a damaged place is collected (C8): a frame found here was written, and so was all
    that its ``synced_seq`` promises.
    """
    wanted = _header_of(identity, segment)
    view = memoryview(data)
    while (match := wanted.search(data, start)) is not None:
        at = match.start()
        start = at + 1
        length = int(data[at + 32 : at + 40], 16)
        if length > len(data) - at - HEADER_BYTES:
            continue
        decoder = FrameDecoder(identity, segment, at)
        decoder.feed(view[at : at + HEADER_BYTES + length])
        try:
            frame = decoder.next_frame()
        except FrameError:
            continue
        if frame is not None:
            yield at, frame
            start = decoder.offset


@lru_cache(maxsize=64)
def _header_of(identity: int, segment: int) -> re.Pattern[bytes]:
    """What frames of a segment begin with.  Most false starts (a frame's text inside a value) end there."""
    return re.compile(
        rb"#DKV1(?: [0-9a-f]{16})(?: [0-9a-f]{8}){2}(?: [0-9a-f]{16}) %016x %08x [0-9a-f]{8}\r\n" % (identity, segment)
    )


def _is_plausible(seq: int, count: int, length: int, synced_seq: int) -> bool:
    """What is true of every frame: checked before one is written, and again after its checksum was found right."""
    if not (0 <= count <= seq <= SEQ_MAX and 0 <= synced_seq <= seq):
        return False
    if not length:
        return count <= _COUNT_MAX
    return 1 <= count <= length // COMMAND_BYTES_MIN and count <= BATCH_COMMANDS_MAX and length <= BATCH_BYTES_MAX
