"""Runs of plain commands, decoded column by column: the larger part of most logs.

A *plain* command has three words, such as SET key value; none of them holds a CRLF or is long.  Frames of one plain
command each, and the payload of a batch of them, fall into the same number of pieces a command when they are cut at
their CRLFs.  So whole windows are cut in one C call, and every field is checked for all frames at once.

Nothing here says that bytes are wrong.  A run ends before the first frame that does not fit, and what that is, an
ordinary frame of another form or damage, is for ``FrameDecoder`` and ``decode_batch`` to say.
"""

from __future__ import annotations

import sys
from array import array
from binascii import unhexlify
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from operator import eq, itemgetter, le
from typing import Any

import msgspec

from durakv_formats.checksum import crc32c
from durakv_formats.compiled import plain_columns, plain_run
from durakv_formats.frame import HEADER_BYTES, FrameDecoder
from durakv_formats.limits import SEQ_MAX

WINDOW_BYTES = 64 << 10
"""How much is cut at a time, at most; it also bounds the pieces that hostile bytes can make of it."""

_WINDOW_BYTES_MIN = 8 << 10
_TRY_BYTES_MIN = 1 << 10

BATCH_BYTES_MAX = 512 << 10
"""Larger batches are not cut whole."""

RUN_COMMANDS_MIN = 8
"""Shorter runs are not worth it."""

_PIECES = 8
"""Of a frame: its header, ``*3``, and each word behind its length."""
_WAIT_FRAMES_MIN = 32
_WAIT_FRAMES_MAX = 4096

_CRLF = b"\r\n"
_CACHED = 2048
_LINES = tuple(b"$%d" % size for size in range(_CACHED))
_SIZES = tuple(len(line) + size + 4 for size, line in enumerate(_LINES))
"""How many bytes a word of so many bytes takes, its length line included."""
_line_of = _LINES.__getitem__

_CHECKED = itemgetter(slice(84))
_DIGITS_TO_ZERO = bytes(ord("0") if byte in b"0123456789abcdef" else byte for byte in range(256))
_FILLING = b"0" * 15
"""Before a header it makes a 64-bit number of the version."""
_SHAPE = _FILLING + b"#DKV0 %016d %08d %08d %016d %016d %08d %08d" % (0, 0, 0, 0, 0, 0, 0)
_BATCH_BEGIN = b"*1\r\n$5\r\nMULTI\r\n*3\r\n"
_AFTER_BATCH = [b"*1", b"$4", b"EXEC", b""]


class Run(msgspec.Struct, frozen=True, gc=False):
    """Plain commands that follow each other in the log, as columns."""

    seq: int
    """The number of the last one."""
    synced_seq: int
    """The highest promise of their frames."""
    names: list[bytes]
    keys: list[bytes]
    values: list[bytes]
    start: int
    """Where the first frame begins."""
    ends: Sequence[int]
    """Where the frame of each ends, counted from the start; a single number if one frame holds them all."""

    @property
    def end(self) -> int:
        """Where the last frame ends."""
        return self.start + self.ends[-1]

    def batches(self) -> Iterator[tuple[Sequence[tuple[bytes, bytes, bytes]], int]]:
        """The commands of each frame, and where it ends."""
        commands = zip(self.names, self.keys, self.values, strict=True)
        if len(self.ends) == 1:
            yield list(commands), self.end
        else:
            for command, end in zip(commands, self.ends, strict=True):
                yield (command,), self.start + end


class RunDecoder:
    """Takes runs from where a decoder of frames stands.

    What is cut and is no run was cut in vain, so it cuts less, and then less often, where runs are short.
    """

    __slots__ = ("_decoder", "_identity", "_segment", "_skip", "_wait", "_window_bytes")

    def __init__(self, decoder: FrameDecoder, identity: int, segment: int) -> None:
        self._decoder = decoder
        self._identity = identity
        self._segment = segment
        self._window_bytes = WINDOW_BYTES
        self._skip = 0
        self._wait = _WAIT_FRAMES_MIN

    def take(self, seq: int) -> Run | None:
        """The frames at hand whose first is number ``seq``, as far as they are a run; None says nothing at all."""
        if self._skip:
            self._skip -= 1
            return None
        data = self._decoder.at_hand(self._window_bytes)
        if len(data) < _TRY_BYTES_MIN:
            return None
        run = decode_frames(data, self._decoder.offset, identity=self._identity, segment=self._segment, seq=seq)
        used = 0 if run is None else run.ends[-1]
        if 2 * used >= len(data):
            self._wait = _WAIT_FRAMES_MIN
            if 4 * used >= 3 * self._window_bytes:
                self._window_bytes = min(2 * self._window_bytes, WINDOW_BYTES)
        elif self._window_bytes > _WINDOW_BYTES_MIN:
            self._window_bytes //= 2
        else:
            self._skip = self._wait
            self._wait = min(2 * self._wait, _WAIT_FRAMES_MAX)
        if run is not None:
            self._decoder.pass_frames(run.end)
        return run


def decode_frames(data: bytes, offset: int, *, identity: int, segment: int, seq: int) -> Run | None:
    """The run of frames that ``data`` begins with, the first of them number ``seq``; None if it is too short.

    ``offset`` is where ``data`` stands in the file.
    """
    if plain_run is not None:
        names, keys, values, places, promise = plain_run(data, identity, segment, seq)
        count = len(keys)
        frame_ends = array("I", places)
        return (
            Run(seq + count - 1, promise, names, keys, values, offset, frame_ends)
            if count >= RUN_COMMANDS_MIN
            else None
        )
    parts = data.split(_CRLF)
    count = _whole_commands(parts, 0, _PIECES, (len(parts) - 1) // _PIECES)
    if count < RUN_COMMANDS_MIN:
        return None
    stop = _PIECES * count
    heads, names, keys, values = parts[0:stop:8], parts[3:stop:8], parts[5:stop:8], parts[7:stop:8]
    versions, seqs, counts, lengths, promises, identities, segments, checksums = _columns(heads)
    count = len(seqs)
    for column, wanted in ((versions, 1), (counts, 1), (identities, identity), (segments, segment)):
        count = min(count, _agreeing(column, array(column.typecode, [wanted]) * len(column)))
    count = _agreeing(seqs[:count], array("Q", range(seq, seq + count)))
    count = _agreeing(lengths[:count], array("I", _payload_sizes(names, keys, values)[:count]))
    if promises and max(promises) > seq:
        count = min(count, _leading(map(le, promises, seqs)))
    ends = list(accumulate(map(HEADER_BYTES.__add__, lengths[:count])))
    payloads = [data[start + HEADER_BYTES : end] for start, end in zip([0, *ends], ends, strict=False)]
    count = _agreeing(checksums[:count], array("I", map(crc32c, payloads, map(crc32c, map(_CHECKED, heads)))))
    if count < RUN_COMMANDS_MIN or seq + count - 1 > SEQ_MAX:
        return None
    return Run(
        seq=seq + count - 1,
        synced_seq=max(promises[:count]),
        names=names[:count],
        keys=keys[:count],
        values=values[:count],
        start=offset,
        ends=array("I", ends[:count]),
    )


def decode_plain_batch(payload: bytes, count: int) -> tuple[list[bytes], list[bytes], list[bytes]] | None:
    """The words of a batch of plain commands, column by column; None if it is none, or not what a batch should be."""
    if count < RUN_COMMANDS_MIN or len(payload) > BATCH_BYTES_MAX or not payload.startswith(_BATCH_BEGIN):
        return None
    if plain_columns is not None:
        return plain_columns(payload, count)
    parts = payload.split(_CRLF)
    stop = 3 + 7 * count
    if parts[stop:] != _AFTER_BATCH or _whole_commands(parts, 2, 7, count) < count:
        return None
    return parts[5:stop:7], parts[7:stop:7], parts[9:stop:7]


def _whole_commands(parts: list[bytes], first: int, stride: int, count: int) -> int:
    """How many times, up to ``count``, a plain command stands at ``parts[first + 1]`` and every ``stride`` on."""
    stop = first + stride * count + 1
    count = _agreeing(parts[first + 1 : stop : stride], [b"*3"] * count)
    for word in (3, 5, 7):
        lines, words = parts[first + word - 1 : stop : stride], parts[first + word : stop : stride]
        count = min(count, _agreeing_lines(lines, words))
    return count


def _agreeing_lines(lines: list[bytes], words: list[bytes]) -> int:
    """How many of the length lines, from the first on, are those of the words behind them."""
    if words and words.count(words[0]) == len(words) and len(words[0]) < _CACHED:
        return _agreeing(lines, [_LINES[len(words[0])]] * len(words))  # the names, mostly
    try:
        return _agreeing(lines, list(map(_line_of, map(len, words))))
    except IndexError:  # a word is long, and the run ends before it
        return _agreeing(lines, [b"" if len(word) >= _CACHED else _LINES[len(word)] for word in words])


def _columns(heads: list[bytes]) -> Sequence[array[int]]:
    """The numbers of the headers that have a header's form, up to the first that has not, column by column."""
    text = _FILLING + _FILLING.join(heads)
    if text.translate(_DIGITS_TO_ZERO) != _SHAPE * len(heads):
        count = _leading((_FILLING + head).translate(_DIGITS_TO_ZERO) == _SHAPE for head in heads)
        text = text[: len(_SHAPE) * count]
    # With its filling a header is six 64-bit numbers, three of them made of two shorter ones.
    longs = array("Q", unhexlify(text.translate(None, b" #DKV")))
    if sys.byteorder == "little":
        longs.byteswap()
    shorts = array("I", longs.tobytes())
    first, second = (1, 0) if sys.byteorder == "little" else (0, 1)
    return (
        *(longs[0::6], longs[1::6], shorts[4 + first :: 12], shorts[4 + second :: 12]),
        *(longs[3::6], longs[4::6], shorts[10 + first :: 12], shorts[10 + second :: 12]),
    )


def _payload_sizes(names: list[bytes], keys: list[bytes], values: list[bytes]) -> list[int]:
    """How many bytes each command takes."""
    sizes, array_bytes = _SIZES, len(b"*3\r\n")
    of_keys_and_values = zip(map(len, keys), map(len, values), strict=True)
    if names.count(names[0]) == len(names):
        rest = array_bytes + sizes[len(names[0])]
        return [rest + sizes[key] + sizes[value] for key, value in of_keys_and_values]
    rests = [array_bytes + sizes[len(name)] for name in names]
    return [rest + sizes[key] + sizes[value] for rest, (key, value) in zip(rests, of_keys_and_values, strict=True)]


def _agreeing(column: Sequence[Any], wanted: Sequence[Any]) -> int:
    """How many items, from the first on, are as wanted."""
    return len(column) if column == wanted else _leading(map(eq, column, wanted))


def _leading(agrees: Iterable[bool]) -> int:
    """How many times it is so before it is not."""
    count = 0
    for agreed in agrees:
        if not agreed:
            break
        count += 1
    return count
