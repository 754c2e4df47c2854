"""Damages RDB files at random and reads them: whatever comes, it is read or refused by name, in bounded memory.

    python tests/rdb/mutate.py [--count 1000000] [--seed 1] FILE...

The checksum at the end is made right again for half of them, because nothing behind it would be tried otherwise.
"""

from __future__ import annotations

import argparse
import io
import random
import resource
import struct
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from durakv_formats.errors import FormatError
from durakv_formats.rdb import End, crc64, read_rdb

LENGTHS = (
    b"\x80\xff\xff\xff\xff",
    b"\x81" + b"\xff" * 8,
    b"\x7f\xff",
    b"\x00",
    b"\xc3",
    b"\xff",
    b"\xfe\xff\xff\xff\x7f",
)


def mutate(data: bytes, source: random.Random) -> bytes:
    """A few changes: bytes, lengths that lie, pieces that are gone, there twice, or from elsewhere."""
    changed = bytearray(data)
    for _ in range(source.randint(1, 4)):
        at = source.randrange(len(changed))
        way = source.randrange(6)
        if way == 0:
            changed[at] ^= 1 << source.randrange(8)
        elif way == 1:
            changed[at] = source.randrange(256)
        elif way == 2:
            changed[at : at + source.randint(0, 5)] = source.choice(LENGTHS)
        elif way == 3:
            del changed[at : at + source.randint(1, 40)]
        elif way == 4:
            changed[at:at] = changed[at : at + source.randint(1, 40)]
        else:
            other = source.randrange(len(changed))
            changed[at : at + 8] = changed[other : other + 8]
        if not changed:
            return b""
    if source.random() < 0.5 and len(changed) > 8:
        changed[-8:] = struct.pack("<Q", crc64(bytes(changed[:-8])))
    return bytes(changed)


def outcome(data: bytes) -> str:
    """``read``, or the name of the error; any other exception than a format's own is let out."""
    try:
        for record in read_rdb(io.BytesIO(data).read):
            if isinstance(record, End):
                return "read"
    except FormatError as failure:
        if not 0 <= failure.offset <= len(data):
            raise AssertionError(f"{failure} is about no place in the file") from failure
        return type(failure).__name__
    raise AssertionError("a file without an end was taken for whole")


def explore(files: Sequence[bytes], count: int, seed: int) -> Counter[str]:
    """How many ended how."""
    source = random.Random(seed)
    return Counter(outcome(mutate(source.choice(files), source)) for _ in range(count))


def main() -> int:
    """Run it and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    files = [path.read_bytes() for path in options.files]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.monotonic()
    ended = explore(files, options.count, options.seed)
    seconds = time.monotonic() - started
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    sys.stdout.write(f"{options.count:,} damaged files in {seconds:.0f} s, memory grew by {grown / 1024:.1f} MiB\n")
    for name, number in ended.most_common():
        sys.stdout.write(f"{number:10,}  {name}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
