"""Damages logs, streams of commands and whole directories at random and reads them: whatever comes, it is read, or
refused by name, in bounded memory and time; and no frame whose bytes were changed is ever replayed.

    python -m tests.log.mutate [--inputs 1000000] [--seed 1]
"""

from __future__ import annotations

import argparse
import io
import logging
import random
import re
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable

from durakv import BaseFormat, Corruption, FsyncPolicy, Options, UnsupportedVersion
from durakv.cli.streams import CommandStream
from durakv.clock import ManualClock
from durakv.engine import Engine
from durakv.errors import CommandError
from durakv.keyspace import Keyspace
from durakv.log.reader import read_runs, read_segment
from durakv_formats.errors import FormatError
from durakv_formats.frame import encode_frame
from durakv_formats.manifest import decode_manifest
from durakv_formats.rdb import Entry, Kind, RdbWriter
from durakv_formats.resp import CommandDecoder, decode_batch, encode_batch, encode_command
from durakv_fuzz.disk import SimulatedDisk
from durakv_fuzz.image import Image
from tests.keyspace.world import Dump, dump
from tests.log.told import told
from tests.support import FRAME_IDENTITY, IDENTITY, drain

SECONDS_MAX = 10.0
"""For one input, all of them a few KiB long; more is a hang."""
SEGMENT = "appendonly.aof.1.incr.aof"
MANIFEST = "appendonly.aof.manifest"

# --- what is damaged --------------------------------------------------------------------------------------------------

Commands = list[list[bytes]]

BATCHES: list[Commands] = [
    [[b"SET", b"a", b"1"]],
    [[b"SET", b"b", b"\r\n#DKV1 *1\r\n$4\r\nPING\r\n"], [b"INCRBY", b"a", b"2"]],
    [[b"SELECT", b"3"], [b"RPUSH", b"l", *(b"%d" % number for number in range(40))], [b"SELECT", b"0"]],
    [[b"SET", b"large", b"x" * 700]],
    [[b"DEL", b"b"]],
    [[b"HSET", b"h", b"f", b"", b"g", b"\0" * 20]],
]
STOCK_LOG = b"".join(
    (
        encode_command([b"SELECT", b"0"]),
        b"#TS:1700000000\r\n",
        *(encode_batch(batch) for batch in BATCHES),
        b"#TS:1700000001\r\n",
        encode_command([b"SET", b"last", b"1"]),
    )
)
FRAMES = [encode_frame(b"", seq=0, count=0, synced_seq=0, identity=FRAME_IDENTITY, segment=1)]
for _batch in BATCHES:
    _last = sum(map(len, BATCHES[: len(FRAMES)]))
    FRAMES.append(
        encode_frame(
            encode_batch(_batch),
            seq=_last,
            count=len(_batch),
            synced_seq=_last - len(_batch),
            identity=FRAME_IDENTITY,
            segment=1,
        )
    )
OUR_LOG = b"".join(FRAMES)
FOREIGN = encode_command([b"SET", b"theirs", b"1"]) + b"#TS:1700000002\r\n" + encode_batch(BATCHES[1])
LOGS = [OUR_LOG, OUR_LOG + bytes(300), OUR_LOG + FOREIGN, STOCK_LOG]
OURS = LOGS[:3]
PLAIN: list[Commands] = [
    *([[b"SET", b"k%d" % number, b"v" * (number % 7)]] for number in range(20)),
    [[b"SET", b"k%d" % number, b"batch"] for number in range(12)],
]
PLAIN_LOG = FRAMES[0] + b"".join(
    encode_frame(
        encode_batch(batch),
        seq=number + len(batch),
        count=len(batch),
        synced_seq=max(0, number - 3),
        identity=FRAME_IDENTITY,
        segment=1,
    )
    for number, batch in enumerate(PLAIN)
)


def _stock_directory() -> dict[str, bytes]:
    writer = RdbWriter()
    entries = [Entry(0, b"k", Kind.STRING, b"v" * 90, None, 0), Entry(3, b"z", Kind.ZSET, [(b"m", 1.5)], 4 << 40, 0)]
    base = writer.begin() + b"".join(map(writer.entry, entries)) + writer.end()
    return {
        MANIFEST: (
            b"file appendonly.aof.1.base.rdb seq 1 type b\nfile appendonly.aof.1.incr.aof seq 1 type i\n"
            b"file appendonly.aof.2.incr.aof seq 2 type i\n"
        ),
        "appendonly.aof.1.base.rdb": base,
        SEGMENT: STOCK_LOG,
        "appendonly.aof.2.incr.aof": encode_command([b"SET", b"more", b"1"]),
    }


def _our_directory(base_format: BaseFormat) -> dict[str, bytes]:
    disk = SimulatedDisk(Image({}))
    engine = _open(disk, Keyspace(), base_format)
    for batch in BATCHES[:3]:
        engine.apply(batch)
    engine.rewrite()
    for batch in BATCHES[3:]:
        engine.apply(batch)
    engine.close()
    return dict(disk.image().files)


def _open(disk: SimulatedDisk, keyspace: Keyspace, base_format: BaseFormat = BaseFormat.DKV) -> Engine:
    options = Options(
        fsync=FsyncPolicy.NO, segment_bytes=4096, rewrite_percentage=0, base_format=base_format, active_expiry=False
    )
    return Engine(
        None,
        keyspace,
        options=options,
        filesystem=disk,
        clock=ManualClock(),
        background=False,
        entropy=lambda size: IDENTITY[:size],
    )


MANIFESTS = [_our_directory(BaseFormat.DKV)[MANIFEST], _stock_directory()[MANIFEST]]

# --- how --------------------------------------------------------------------------------------------------------------

LIES = (
    *(b"*%d\r\n" % (1 << power) for power in (0, 7, 20, 31, 63, 64)),
    *(b"$%d\r\n" % ((1 << power) - 1) for power in (1, 8, 20, 29, 32, 63, 64)),
    *(b"$-1\r\n", b"*-1\r\n", b"*0\r\n", b"$01\r\n", b"$+1\r\n", b"*1048576\r\n$0\r\n\r\n", b"*1\r\n" * 60, b":1\r\n"),
    *(b"#\n" * 40, b"#TS:1\r\n", b"#DKV1 ", b"#DKV2 ", b"#" * 1100, b"\r\n", b"*1\r\n$4\r\nEXEC\r\n", bytes(64)),
    *(b" seq 4294967296", b" seq 18446744073709551616", b" dkv-last 9223372036854775807", b" type b\n", b"file "),
)


LENGTH_LINE = re.compile(rb"[*$][0-9]+\r\n")


def mutate(data: bytes, others: list[bytes], source: random.Random) -> bytes:
    """A few changes: bits, lengths that lie, pieces that are gone, there twice, zero, or from elsewhere."""
    changed = bytearray(data)
    for _ in range(source.choice((1, 1, 1, 2, 3, 4))):
        at = source.randrange(len(changed) + 1)
        size = source.choice((1, 2, 8, 40, 94, 200))
        way = source.randrange(11)
        if way == 0 and at < len(changed):
            changed[at] ^= 1 << source.randrange(8)
        elif way == 1:
            changed[at : at + source.randint(0, 5)] = source.choice(LIES)
        elif way == 2:
            del changed[at : at + source.randint(1, size)]
        elif way == 3:
            changed[at:at] = changed[at : at + source.randint(1, size)]
        elif way == 4:
            changed[at : at + size] = bytes(len(changed[at : at + size]))
        elif way == 5:
            del changed[at:]
        elif way == 6:
            changed += source.randbytes(source.randint(1, size))
        elif way == 7:
            changed[at:at] = source.choice(FRAMES)
        elif way in (8, 9) and (line := LENGTH_LINE.search(changed, at)) is not None:
            changed[line.start() : line.end()] = source.choice(LIES)
        else:
            other = source.choice(others)
            start = source.randrange(len(other) + 1)
            changed[at:] = other[start:] if source.random() < 0.5 else other[start : start + size]
    return bytes(changed)


# --- what comes of it -------------------------------------------------------------------------------------------------


def damaged_log(source: random.Random) -> str:
    """A segment, as recovery reads it under a manifest of ours or a stock server's."""
    log = source.choice(LOGS)
    data = mutate(log, LOGS, source)
    identity = None if log is STOCK_LOG or source.random() < 0.2 else FRAME_IDENTITY
    disk = SimulatedDisk(Image({SEGMENT: data}))
    try:
        records, end = drain(read_segment(disk.open(SEGMENT), identity=identity, number=1, prior=0))
    except UnsupportedVersion:
        return "segment: UnsupportedVersion"
    framed = end.commands - end.foreign_commands
    expected = iter(BATCHES)
    for record in records:
        if framed <= 0:
            break
        framed -= len(record.commands)
        if record.commands != next(expected, None):
            raise AssertionError(f"a frame was replayed that never was: {record.commands!r:.200}")
    if not end.offset <= end.size == len(data):
        raise AssertionError(f"the end {end.offset} is no place in the file of {end.size} bytes")
    return f"segment: {end.kind}{', torn' if end.foreign_torn else ''}"


def damaged_run(source: random.Random) -> str:
    """A segment of plain commands; read in runs it is what it is batch by batch."""
    data = mutate(PLAIN_LOG, LOGS, source)
    found, end = told(read_runs, data, 1, FRAME_IDENTITY)
    if (found, end) != told(read_segment, data, 1, FRAME_IDENTITY):
        raise AssertionError(f"read in runs it is something else: {end!r:.300}")
    return f"run: {'UnsupportedVersion' if isinstance(end, str) else end.kind}"


def damaged_commands(source: random.Random) -> str:
    """Plain commands, as they arrive in pieces; how they are cut must not matter."""
    data = mutate(STOCK_LOG.replace(b"#TS:1700000000\r\n", b""), LOGS, source)
    outcomes = {_commands(data, 1 << 20), _commands(data, source.choice((1, 3, 64, 1000)))}
    if len(outcomes) > 1:
        raise AssertionError(f"the pieces matter: {outcomes!r:.300}")
    return f"commands: {outcomes.pop()[1]}"


def _commands(data: bytes, piece: int) -> tuple[int, str, int]:
    decoder = CommandDecoder()
    count = 0
    try:
        for start in range(0, len(data), piece):
            decoder.feed(data[start : start + piece])
            while decoder.next_command() is not None:
                count += 1
    except FormatError as error:
        return count, type(error).__name__, decoder.offset
    return count, "read", decoder.offset


def damaged_payload(source: random.Random) -> str:
    """What a frame with a right checksum may hold all the same; of each batch there is one form."""
    batch = source.choice(BATCHES)
    data = mutate(encode_batch(batch), LOGS, source)
    try:
        decoded = decode_batch(data, source.choice((len(batch), len(batch), 1, 2, 3)))
    except FormatError as error:
        return f"payload: {type(error).__name__}"
    if encode_batch(decoded) != data:
        raise AssertionError(f"a payload has two forms: {data!r:.200}")
    return "payload: read"


def damaged_manifest(source: random.Random) -> str:
    """A manifest alone; one of ours is read as it was or not at all."""
    ours, theirs = MANIFESTS
    written = source.choice(MANIFESTS)
    try:
        manifest = decode_manifest(mutate(written, [ours, theirs, STOCK_LOG], source))
    except FormatError as error:
        return f"manifest: {type(error).__name__}"
    if manifest.identity is not None and manifest != decode_manifest(ours):
        raise AssertionError(f"another manifest of ours was read: {manifest!r:.300}")
    return f"manifest: read as {'ours' if manifest.identity is not None else 'of a stock server'}"


def damaged_stream(source: random.Random) -> str:
    """What ``durakv import`` reads."""
    data = mutate(source.choice(LOGS), LOGS, source)
    try:
        for group in CommandStream(io.BytesIO(data), "a stream"):
            if not 0 < group.offset <= len(data):
                raise AssertionError(f"a group ends at {group.offset}")
    except (Corruption, UnsupportedVersion, CommandError) as error:
        return f"stream: {type(error).__name__}"
    return "stream: read"


class Directories:
    """Directories of which one file is damaged, and what they held before."""

    def __init__(self) -> None:
        self._directories = [_stock_directory(), _our_directory(BaseFormat.DKV), _our_directory(BaseFormat.RDB)]
        self._contents = [self.contents_of(files)[0] for files in self._directories]

    def __call__(self, source: random.Random) -> str:
        """Open one; what was promised comes back or is refused, and a second open finds what the first one found."""
        which = source.randrange(3)
        is_ours = which > 0
        files = dict(self._directories[which])
        name = source.choice(sorted(name for name in files if name != "durakv.lock"))
        files[name] = mutate(files[name], [*LOGS, *files.values()], source)
        label = f"{'our' if is_ours else 'stock'} directory"
        try:
            contents, foreign, left = self.contents_of(files)
        except (Corruption, UnsupportedVersion) as error:
            return f"{label}: {type(error).__name__}"
        if is_ours and not foreign and contents != self._contents[which]:
            raise AssertionError(f"{name} of ours was damaged, and other contents were taken for the promised ones")
        if self.contents_of(left)[0] != contents:
            raise AssertionError("the second open found something else")
        return f"{label}: opened"

    @staticmethod
    def contents_of(files: dict[str, bytes]) -> tuple[Dump, int, dict[str, bytes]]:
        """What an open finds, how much of it came from a stock server's commands, and the files that it leaves."""
        disk = SimulatedDisk(Image(files))
        keyspace = Keyspace()
        engine = _open(disk, keyspace)
        foreign = engine.report.foreign_commands
        engine.close()
        return dump(keyspace), foreign, dict(disk.image().files)


def explore(inputs: int, seed: int) -> Counter[str]:
    """How many came to what; raises AssertionError at what must not be, with the number of the input."""
    ended: Counter[str] = Counter()
    directories = Directories()
    kinds: list[Callable[[random.Random], str]] = [
        *(damaged_log, damaged_run, damaged_log, damaged_commands, damaged_stream, damaged_payload, damaged_manifest)
    ]
    for number in range(inputs):
        source = random.Random(f"{seed}:{number}")
        kind = directories if number % 20 == 19 else kinds[number % len(kinds)]
        started = time.perf_counter()
        try:
            ended[kind(source)] += 1
        except Exception as failure:
            raise AssertionError(f"input {number} of seed {seed}: {failure!r}") from failure
        if time.perf_counter() - started > SECONDS_MAX:
            raise AssertionError(f"input {number} of seed {seed} took more than {SECONDS_MAX} s")
    return ended


def memory_bytes() -> int:
    """The most memory that this process ever had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def main() -> int:
    """Run it and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    logging.getLogger("durakv").setLevel(logging.ERROR)  # what an open has cut is told as a warning
    explore(100, options.seed)
    before, started = memory_bytes(), time.monotonic()
    ended = explore(options.inputs, options.seed)
    seconds, grown = time.monotonic() - started, memory_bytes() - before
    sys.stdout.write(f"{options.inputs:,} damaged inputs in {seconds:.0f} s, memory grew by {grown / 2**20:.1f} MiB\n")
    for name, count in sorted(ended.items()):
        sys.stdout.write(f"{count:10,}  {name}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
