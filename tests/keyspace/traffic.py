"""Random commands for comparisons: few keys, values at the edges, every option, and some nonsense."""

from __future__ import annotations

import random
from collections.abc import Callable

KEYS = [b"a", b"b", b"c", b"key:1", b"key:2", b"", b"with space", b"\x00\xff\r\n", b"[x]*?", b"n", b"m", b"f"]
INTEGERS = [b"0", b"1", b"-1", b"7", b"100", b"9223372036854775807", b"-9223372036854775808", b"9223372036854775806"]
NO_INTEGERS = [b"9223372036854775808", b"01", b"+1", b"-0", b" 1", b"1 ", b"1.5", b"abc", b"", b"99999999999999999999"]
FLOATS = [
    *(b"3.0", b"1.5", b"-2.25", b"0.1", b"0.2", b"1e10", b"-1e-5", b"5.0e3", b"1e300", b".5", b"5.", b"0x1p3"),
    *(b"1e17", b"123456789012345678901234567890", b"0.00000000000000001", b"3.1415926535897932384626433832795"),
]
NO_FLOATS = [b"nan", b"inf", b"-inf", b"1e5000", b"abc", b"", b" 1", b"1 ", b"1e", b"0x", b"1\x00", b"1e-5000", b"--1"]
TEXTS = [b"", b"x", b"hello", b"hello world", b"\x00" * 5, b"\xff\xfe", b"y" * 300]
PATTERNS = [
    *(b"*", b"key:*", b"?", b"[a-c]", b"[^a-c]", b"k*y:[0-9]", b"\\*", b"*[", b"[", b"[^", b"[a", b"**", b"", b"*1"),
    *(b"[z-a]", b"with\\ space", b"\\[x\\]*", b"a*b", b"[]a]", b"*\\", b"[\\]]*", b"[a-]", b"*\xff*"),
]
WHENS = [b"-1", b"0", *NO_INTEGERS, b"9223372036854775807", b"-9223372036854775808"]
SECONDS = [b"4000000000", b"4000100000", b"1"]
MILLISECONDS = [b"4000000000000", b"4000100000000", b"1"]
DATABASES = [b"0", b"1", b"15", b"16", b"-1", b"x", b"99999999999"]

Words = list[bytes]
Makers = list[tuple[int, Callable[[], Words]]]
"""How often each command comes, and what makes one."""

Family = Callable[["Traffic"], Makers]
"""The commands on one kind of value."""


class Traffic:
    """An endless supply of commands, the same for the same seed."""

    def __init__(self, seed: int, family: Family | None = None) -> None:
        self.random = random.Random(seed)
        self._makers: list[tuple[int, Callable[[], Words]]] = [
            *([*family(self), *self._keys()] if family else [*self._strings(), *self._keys()]),
        ]
        self._weights = [weight for weight, _ in self._makers]

    def _strings(self) -> Makers:
        return [
            (12, self._set),
            (4, lambda: [b"GET", self.key()]),
            (3, lambda: [b"MGET", *self.keys()]),
            (3, lambda: [b"MSET", *self.pairs()]),
            (2, lambda: [b"MSETNX", *self.pairs()]),
            (2, lambda: [b"SETNX", self.key(), self.value()]),
            (2, lambda: [self.pick([b"SETEX", b"PSETEX"]), self.key(), self.when(), self.value()]),
            (2, lambda: [b"GETSET", self.key(), self.value()]),
            (2, lambda: [b"GETDEL", self.key()]),
            (4, self._getex),
            (3, lambda: [b"APPEND", self.key(), self.value()]),
            (2, lambda: [b"STRLEN", self.key()]),
            (4, lambda: [self.pick([b"GETRANGE", b"SUBSTR"]), self.key(), self.index(), self.index()]),
            (3, lambda: [b"SETRANGE", self.key(), self.index(), self.value()]),
            (6, lambda: [self.pick([b"INCR", b"DECR"]), self.key()]),
            (6, lambda: [self.pick([b"INCRBY", b"DECRBY"]), self.key(), self.integer()]),
            (6, lambda: [b"INCRBYFLOAT", self.key(), self.float()]),
        ]

    def _keys(self) -> Makers:
        return [
            (4, lambda: [self.pick([b"DEL", b"UNLINK"]), *self.keys()]),
            (3, lambda: [self.pick([b"EXISTS", b"TOUCH"]), *self.keys()]),
            (1, lambda: [b"TYPE", self.key()]),
            (10, self._expire),
            (6, lambda: [self.pick([b"TTL", b"PTTL", b"EXPIRETIME", b"PEXPIRETIME"]), self.key()]),
            (3, lambda: [b"PERSIST", self.key()]),
            (5, lambda: [self.pick([b"RENAME", b"RENAMENX"]), self.key(), self.key()]),
            (5, self._copy),
            (4, lambda: [b"MOVE", self.key(), self.pick(DATABASES)]),
            (1, lambda: [b"RANDOMKEY"]),
            (2, lambda: [b"KEYS", self.pick(PATTERNS)]),
            (2, self._scan),
            (1, lambda: [b"DBSIZE"]),
            (1, self._flush),
            (1, lambda: [self.pick([b"NOSUCH", b"get\n", b"x" * 200]), *self.keys()]),
        ]

    def command(self) -> Words:
        """Any command, sometimes with a word too many or too few, sometimes in lower case."""
        [(_, make)] = self.random.choices(self._makers, self._weights)
        words = make()
        if self.chance(0.03):
            words.append(self.value())
        if self.chance(0.03) and len(words) > 1 and words[0] != b"SPOP":  # a random member would part the two states
            words.pop()
        if self.chance(0.2):
            words[0] = words[0].lower()
        return words

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def pick(self, choices: list[bytes]) -> bytes:
        return self.random.choice(choices)

    def key(self) -> bytes:
        return self.pick(KEYS)

    def keys(self) -> Words:
        return [self.key() for _ in range(self.random.randrange(1, 4))]

    def pairs(self) -> Words:
        return [word for key in self.keys() for word in (key, self.value())]

    def integer(self) -> bytes:
        return self.pick(NO_INTEGERS) if self.chance(0.15) else self.pick(INTEGERS)

    def float(self) -> bytes:
        return self.pick(NO_FLOATS) if self.chance(0.15) else self.pick(FLOATS + INTEGERS)

    def value(self) -> bytes:
        return self.pick(self.random.choice([INTEGERS, INTEGERS, FLOATS, TEXTS, NO_INTEGERS, NO_FLOATS]))

    def index(self) -> bytes:
        return self.pick([*INTEGERS[:5], b"2", b"3", b"10", b"-3", b"-100"]) if self.chance(0.9) else self.integer()

    def when(self) -> bytes:
        return self.far() if self.chance(0.5) else self.pick(WHENS)

    def far(self) -> bytes:
        """A span in seconds or milliseconds; no two are near each other, so that it does not matter which clock of
        two that differ by seconds says which of two deadlines is the later one."""
        return b"%d" % (100_000_000 + 100_000 * self.random.randrange(100_000))

    def span(self) -> Words:
        unit = self.pick([b"EX", b"PX", b"EXAT", b"PXAT"])
        if self.chance(0.2):
            return [unit, self.pick(WHENS)]
        absolute = {b"EXAT": SECONDS[:2], b"PXAT": MILLISECONDS[:2]}
        return [self._case(unit), self.pick(absolute.get(unit, [self.far()]))]

    def _case(self, word: bytes) -> bytes:
        return word.lower() if self.chance(0.3) else word

    def _set(self) -> Words:
        words = [b"SET", self.key(), self.value()]
        if self.chance(0.4):
            words.append(self._case(self.pick([b"NX", b"XX"])))
        if self.chance(0.3):
            words.append(self._case(b"GET"))
        if self.chance(0.3):
            words.append(b"KEEPTTL")
        if self.chance(0.3):
            words += self.span()
        if self.chance(0.05):
            words.append(self.pick([b"NX", b"XX", b"EX", b"PERSIST", b"what", b""]))
        return words

    def _getex(self) -> Words:
        words = [b"GETEX", self.key()]
        if self.chance(0.6):
            words += self.span()
        if self.chance(0.3):
            words.append(self._case(b"PERSIST"))
        if self.chance(0.1):
            words += [self.pick([b"EXAT", b"PXAT"]), b"1"]
        return words

    def _expire(self) -> Words:
        name = self.pick([b"EXPIRE", b"PEXPIRE", b"EXPIREAT", b"PEXPIREAT"])
        absolute = {b"EXPIREAT": SECONDS, b"PEXPIREAT": MILLISECONDS}
        when = self.when() if self.chance(0.2) else self.pick(absolute.get(name, [self.far()]))
        options = [self._case(self.pick([b"NX", b"XX", b"GT", b"LT"])) for _ in range(self.random.randrange(3))]
        if self.chance(0.03):
            options.append(self.pick([b"YY", b"", b"a\nb"]))
        return [name, self.key(), when, *options]

    def _copy(self) -> Words:
        words = [b"COPY", self.key(), self.key()]
        if self.chance(0.4):
            words.append(self._case(b"REPLACE"))
        if self.chance(0.5):
            words += [self._case(b"DB"), self.pick(DATABASES)]
        return words

    def _scan(self) -> Words:
        words = [b"SCAN", self.pick([b"0", b"0", b"0", b"x", b"-x", b""])]
        words += [b"COUNT", b"100000" if self.chance(0.9) else self.pick([b"0", b"-1", b"x"])]
        if self.chance(0.5):
            words += [self._case(b"MATCH"), self.pick(PATTERNS)]
        if self.chance(0.3):
            words += [b"TYPE", self.pick([b"string", b"STRING", b"hash", b"nosuch"])]
        return words

    def _flush(self) -> Words:
        words = [self.pick([b"FLUSHDB", b"FLUSHDB", b"FLUSHALL"])]
        if self.chance(0.5):
            words.append(self.pick([b"ASYNC", b"sync", b"now"]))
        return words
