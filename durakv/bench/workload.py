"""Keys and values to write, made before the clock runs.

Keys are of ``KEY_BYTES`` and come in random order out of a key space; values have the wanted size and bytes that do
not compress.  The same seed gives the same pairs, so every store gets the same.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from durakv.bench.store import Pair

KEY_BYTES = 16
VALUE_BYTES = 100
KEY_SPACE = 100_000
PAIRS_MAX = 65_536
"""How many pairs are made at most; a loop that needs more begins again."""

_PAIRS_BYTES_MAX = 64 << 20
"""What a store that keeps them all has to hold; of large values there are fewer pairs."""
_VALUES_BYTES_MAX = 16 << 20
_VALUES = 1024
"""How many different values there are at most."""


def key(index: int) -> bytes:
    """The key with this number: as good as random, and of no other number."""
    # An odd factor permutes the numbers of 64 bits.
    return b"%016x" % (index * 0x9E3779B97F4A7C15 & 0xFFFFFFFFFFFFFFFF)


def pairs(value_bytes: int, key_space: int = KEY_SPACE, seed: int = 1) -> list[Pair]:
    """Pairs to write in this order, again and again."""
    source = random.Random(seed)
    values = [source.randbytes(value_bytes) for _ in range(max(2, min(_VALUES, _VALUES_BYTES_MAX // value_bytes)))]
    count = min(key_space, PAIRS_MAX, max(1, _PAIRS_BYTES_MAX // value_bytes))
    indexes = source.sample(range(key_space), count)
    return [(key(index), values[number % len(values)]) for number, index in enumerate(indexes)]


def groups(all_pairs: Sequence[Pair], width: int) -> list[Sequence[Pair]]:
    """The pairs in groups of ``width``; a group larger than all of them repeats some."""
    if width >= len(all_pairs):
        times = -(-width // len(all_pairs))
        return [(list(all_pairs) * times)[:width]]
    return [all_pairs[start : start + width] for start in range(0, len(all_pairs) - width + 1, width)]
