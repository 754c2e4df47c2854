"""Blocks in RDB files of ours: every so often a fact that says how long the part before it is, and its checksum.

    FA "durakv-block" "<number> <database> <bytes> <crc32c>"

The part begins behind the last such fact, or with the file, and its last byte is the FA.  The database is the one that
is selected there.  Stock servers pass over facts that they do not know; a reader of ours learns at once that a part is
whole, and after damage it goes on behind the next block, which it could not find otherwise.
"""

from __future__ import annotations

import re

import msgspec

FACT_PREFIX = b"durakv-"
"""How the name of every fact of ours begins; stock servers write none, and drop them when they rewrite a file."""
BLOCK_KEY = FACT_PREFIX + b"block"
BLOCK_BYTES = 1 << 20
"""A block ends with the key that makes it as long as this."""

MARK = b"\xfa" + bytes((len(BLOCK_KEY),)) + BLOCK_KEY
"""What stands at the end of every block."""

_TEXT = re.compile(rb"([0-9]{1,18}) ([0-9]{1,9}) ([0-9]{1,18}) ([0-9a-f]{8})")


class Mark(msgspec.Struct, frozen=True):
    """What stands behind a block."""

    number: int
    database: int
    size: int
    crc32c: int

    def encode(self) -> bytes:
        """As a fact has it."""
        return b"%d %d %d %08x" % (self.number, self.database, self.size, self.crc32c)


def decode_mark(text: bytes) -> Mark | None:
    """The mark, or None for anything else."""
    match = _TEXT.fullmatch(text)
    return None if match is None else Mark(int(match[1]), int(match[2]), int(match[3]), int(match[4], 16))
