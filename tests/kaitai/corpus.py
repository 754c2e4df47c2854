"""Files made by our writers, drawn by lot: the same ones for the same seed."""

from __future__ import annotations

import re
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from durakv_formats import (
    Column,
    Manifest,
    ManifestFile,
    SnapshotEncoder,
    SnapshotHeader,
    encode_batch,
    encode_columns,
    encode_command,
    encode_frame,
    encode_manifest,
)

GOLDEN = Path(__file__).parents[2] / "formats" / "golden"


class Log(NamedTuple):
    """A segment, and what its frames should carry."""

    data: bytes
    identity: int
    segment: int


def golden(pattern: str) -> list[Path]:
    """The golden files of every version whose names end so."""
    return sorted(GOLDEN.glob(f"*/{pattern}"))


def golden_logs() -> list[Log]:
    """The golden segments; the identity is that of the manifest beside them."""
    logs: list[Log] = []
    for path in golden("*.incr.aof"):
        identity = re.match(rb"#DKVM1 ([0-9a-f]{16})", (path.parent / "appendonly.aof.manifest").read_bytes())
        assert identity is not None
        logs.append(Log(path.read_bytes(), int(identity[1], 16), int(path.name.split(".")[2])))
    return logs


def some_number(random: Random, bits: int) -> int:
    """A number of up to so many bits, short ones as often as long ones."""
    return random.getrandbits(random.randint(1, bits))


def some_bytes(random: Random, most: int = 40) -> bytes:
    """Bytes of any value, sometimes repeated or made of what the formats themselves use."""
    size = random.randint(0, most)
    if random.random() < 0.3:
        return b"".join(random.choices([b"\r\n", b"*1", b"$3", b"#DKV1 ", b"\0", b" ", b"B", b"E", b"7"], k=size // 3))
    return random.randbytes(size)


def _command(random: Random) -> list[bytes]:
    most = random.choice([8, 40, 40, 300])
    return [some_bytes(random, most) for _ in range(random.choice([1, 2, 3, 3, 3, 12]))]


def some_log(random: Random) -> Log:
    """Up to five frames whose numbers have nothing to do with each other; then, perhaps, what may follow frames."""
    identity, segment = some_number(random, 64), some_number(random, 32)
    parts: list[bytes] = []
    for _ in range(random.randint(0, 5)):
        if random.random() < 0.2:
            seq = some_number(random, 63)
            payload, count = b"", random.randint(0, min(seq, 2**32 - 1))
        else:
            count = random.choice([1, 1, 1, 2, 3, 17])
            payload, seq = encode_batch([_command(random) for _ in range(count)]), max(count, some_number(random, 63))
        synced_seq = min(seq, some_number(random, 63))
        if random.random() < 0.1:
            parts.append(b"#TS:%d\r\n" % some_number(random, 40))
        parts.append(
            encode_frame(payload, seq=seq, count=count, synced_seq=synced_seq, identity=identity, segment=segment)
        )
    if random.random() < 0.2:
        parts += [encode_command(_command(random)) for _ in range(random.randint(1, 4))]
    elif random.random() < 0.3:
        parts.append(bytes(random.choice([1, 5, 6, 94, 500])))
    return Log(b"".join(parts), identity, segment)


# --- snapshots --------------------------------------------------------------------------------------------------------

KINDS = (0, 255, 1, 2, 3, 4, 5, 129, 130, 131, 132, 133)


def _score(random: Random) -> float:
    return random.choice([0.0, -0.0, 1.0, float("inf"), float("-inf"), 5e-324, random.uniform(-1e9, 1e9)])


def _deadline(random: Random) -> int:
    return random.choice([-1, 1]) * some_number(random, 63)


def _stream(random: Random) -> Any:
    def word() -> int:
        return some_number(random, 63)

    def words(count: int) -> list[int]:
        return [word() for _ in range(count)]

    entries = random.choice([0, 1, 5])
    fields = [tuple(some_bytes(random, 9) for _ in range(2 * random.randint(1, 3))) for _ in range(entries)]
    groups = []
    for _ in range(random.choice([0, 0, 1, 2])):
        names = [some_bytes(random, 9) for _ in range(random.randint(0, 3))]
        count = random.randint(0, 3)
        pending = tuple(words(count) for _ in range(5))
        read = random.choice([-1, word()])
        groups.append((some_bytes(random, 9), (word(), word()), read, names, [-1 for _ in names], pending))
    return (((word(), word()), (word(), word()), word()), (words(entries), words(entries), fields), groups)


def _value(random: Random, kind: int) -> Any:
    # Fifteen and sixteen items are where MessagePack's heads change.
    size = random.choice([1, 2, 5, 15, 16])
    match kind % 128:
        case 0:
            return some_bytes(random, random.choice([40, 40, 300]))
        case 127:
            return _deadline(random)
        case 1:
            fields = {some_bytes(random): some_bytes(random) for _ in range(size)}
            mortal = {field: _deadline(random) for field in fields if random.random() < 0.5}
            return fields, random.choice([None, mortal])
        case 2:
            return [some_bytes(random) for _ in range(size)]
        case 3:
            return {some_bytes(random) for _ in range(size)}
        case 4:
            return {some_bytes(random): _score(random) for _ in range(size)}
        case _:
            return _stream(random)


def some_payload(random: Random) -> bytes:
    """Up to three columns of any kinds."""
    columns: list[Column] = []
    for kind in random.choices(KINDS, k=random.randint(0, 3)):
        keys = [some_bytes(random, 20) for _ in range(random.choice([0, 1, 1, 3]))]
        columns.append(Column(some_number(random, 31), kind, keys, [_value(random, kind) for _ in keys]))
    return encode_columns(columns)


def some_snapshot(random: Random) -> bytes:
    """Up to five blocks, of columns or of another machine's payloads; what compresses is compressed."""
    slot_count = random.choice([1, 16, 16384, random.randint(1, 16384)])
    content = random.choice(["keyspace", "keyspace", "x", "!" * 32, "other-machine~"])
    header = SnapshotHeader(
        identity=random.randbytes(16),
        seq=some_number(random, 63),
        number=some_number(random, 32),
        slot_count=slot_count,
        content=content,
        created_ms=some_number(random, 63),
    )
    encoder = SnapshotEncoder(header)
    parts = [encoder.header_bytes()]
    for slot in sorted(random.randrange(slot_count) for _ in range(random.randint(0, 5))):
        other = some_bytes(random) * random.choice([0, 1, 1, 30])
        payload = some_payload(random) if content == "keyspace" else other
        count = random.choice([2**32 - 1, *(some_number(random, 32) for _ in range(4))])
        parts.append(encoder.block(slot, payload, count))
    return b"".join((*parts, encoder.footer()))


# --- the manifest -----------------------------------------------------------------------------------------------------


def _name(random: Random, number: int) -> str:
    if random.random() < 0.6:
        return f"appendonly.aof.{number}.{random.choice(['base.dkv', 'incr.aof'])}"
    name = some_bytes(random, random.choice([10, 60])).translate(None, b"/\0")
    text = (b"\\\"'\x07" + name)[random.randint(0, 4) :].decode("utf-8", "surrogateescape")
    return "x" if text in ("", ".", "..") else text


def some_manifest(random: Random) -> bytes:
    """A base, files that wait to be removed, and up to three segments, the last of which may be open."""
    files: list[ManifestFile] = []
    seq = number = 0
    if random.random() < 0.5:
        seq, number = some_number(random, 60), random.randint(1, 2**31)
        files.append(ManifestFile(_name(random, number), number, "b", last=seq))
    if random.random() < 0.3:
        files.append(ManifestFile(_name(random, 1), random.randint(1, 2**32 - 1), "h"))
    count = random.randint(0, 3)
    for index in range(count):
        number += random.randint(1, 1000)
        first = seq + random.randint(1, 50)
        if index == count - 1 and random.random() < 0.7:
            capacity = random.choice([None, some_number(random, 63)])
            files.append(ManifestFile(_name(random, number), number, "i", first=first, capacity=capacity))
        else:
            seq = first + random.randint(-1, 100)
            size = random.choice([None, some_number(random, 63)])
            files.append(ManifestFile(_name(random, number), number, "i", first, seq, size))
    identity = random.randbytes(16)
    return encode_manifest(Manifest(identity, some_number(random, 63), some_number(random, 63), tuple(files)))
