"""Keys and values to write, made before the clock runs.

Keys are of ``KEY_BYTES`` and come in random order out of a key space; values have the wanted size and bytes that do
not compress.  A key never gets the value that it has: SQLite, for one, sees that nothing changes, and then has nothing
to sync.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from itertools import cycle, islice

from durakv.bench.store import Pair

KEY_BYTES = 16
VALUE_BYTES = 100
KEY_SPACE = 100_000
PAIRS_MAX = 65_536
"""How many keys a turn goes over at most."""

_PAIRS_BYTES_MAX = 64 << 20
"""What a store that keeps them all has to hold; of large values there are fewer pairs."""
_VALUES_BYTES_MAX = 16 << 20
_VALUES_MIN, _VALUES_MAX = 4, 1024
"""How many different values there are; four are the least for two turns of two passes."""


def key(index: int) -> bytes:
    """The key with this number: as good as random, and of no other number."""
    # An odd factor permutes the numbers of 64 bits.
    return b"%016x" % (index * 0x9E3779B97F4A7C15 & 0xFFFFFFFFFFFFFFFF)


class Pairs:
    """Keys and values of one size, for any number of turns."""

    def __init__(self, value_bytes: int, key_space: int = KEY_SPACE, seed: int = 1) -> None:
        source = random.Random(seed)
        count = min(key_space, PAIRS_MAX, max(1, _PAIRS_BYTES_MAX // value_bytes))
        self._keys = [key(index) for index in source.sample(range(key_space), count)]
        different = max(_VALUES_MIN, min(_VALUES_MAX, _VALUES_BYTES_MAX // value_bytes))
        self._values = [source.randbytes(value_bytes) for _ in range(different)]
        self._turn = 0

    def fresh(self) -> list[Pair]:
        """What to write in one turn, in this order, again and again.

        It goes over the keys twice.  Neither time a key gets the value of the other, nor one of the turn before.
        """
        passes = (2 * self._turn, 2 * self._turn + 1)
        self._turn += 1
        return [pair for shift in passes for pair in zip(self._keys, self._from(shift), strict=False)]

    def _from(self, shift: int) -> Iterator[bytes]:
        return islice(cycle(self._values), shift % len(self._values), None)


def groups(all_pairs: Sequence[Pair], width: int) -> list[Sequence[Pair]]:
    """The pairs in groups of ``width``; a group larger than all of them repeats some."""
    if width >= len(all_pairs):
        times = -(-width // len(all_pairs))
        return [(list(all_pairs) * times)[:width]]
    return [all_pairs[start : start + width] for start in range(0, len(all_pairs) - width + 1, width)]
