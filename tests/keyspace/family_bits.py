"""Random commands on bitmaps and HyperLogLogs, which are strings; among them, some that are neither."""

from __future__ import annotations

from durakv.keyspace.hyperloglog import DENSE_BYTES, EMPTY
from tests.keyspace.traffic import INTEGERS, NO_INTEGERS, Makers, Traffic, Words

BIT_OFFSETS = [*(b"%d" % offset for offset in (0, 1, 2, 5, 7, 8, 9, 15, 16, 31, 63, 64, 100, 799, 2400)), b"1000000"]
NO_BIT_OFFSETS = [b"-1", b"4294967296", b"9223372036854775807", b"#1", b"#", b"x", b"", b"01", b"1.0"]
INDEXES = [*(b"%d" % index for index in (0, 1, 2, 4, 7, 8, 13, 39, 299, -1, -2, -3, -8, -9, -40, -1000)), *INTEGERS[5:]]
TYPES = [b"u8", b"i8", b"u1", b"i1", b"u63", b"i64", b"i5", b"u13", b"i32", b"i63"]
NO_TYPES = [b"u64", b"i65", b"u0", b"x8", b"u", b"", b"8", b"u-1", b"I8", b"u08"]
PATTERNS = [b"\xff" * 5, b"\x00" * 300 + b"\x10", b"\xff" * 300 + b"\xfe\xff", b"\x0f", bytes(range(256)), b"\xff"]

_SPARSE = EMPTY[:-2]
_DENSE = b"HYLL" + bytes(DENSE_BYTES - 4)
HYPERLOGLOGS = [
    *(
        EMPTY,
        EMPTY[:15] + b"\x80" + EMPTY[16:],
        _SPARSE + b"\x7e\xff\x3f\x3f\x3f\x3f",
        _SPARSE + b"\x00" * 5 + b"\x7f\xfa",
    ),
    *(_DENSE, _DENSE[:15] + b"\x80" + _DENSE[16:], _DENSE[:15] + b"\x80" + b"\x7c\x29\x51" * 4096),
    # Neighbours to be joined and runs to be split; a few more and it is dense.
    _SPARSE[:15] + b"\x80" + b"\x83\x84\x87\x80" * 735 + b"\x63\x49",
]
NO_HYPERLOGLOGS = [
    *(b"HYLL", b"HYLL" + b"\x02" * 20, b"HYLL" + bytes(12), b"hyll" + EMPTY[4:], _DENSE[:-1], _DENSE + b"\x00"),
    # Too few registers, or too many; the last ones may be met by a command that answers without looking at all of them.
    *(_SPARSE, _SPARSE[:15] + b"\x80", EMPTY[:15] + b"\x80" + EMPTY[16:] + b"\x00", EMPTY + b"\x80"),
    # Registers that no element can have.
    *(_DENSE[:15] + b"\x80" + b"\xff" * 12288, _DENSE[:15] + b"\x80" + b"\xf3\x3c\xcf" * 4096),
]


def bitmaps(traffic: Traffic) -> Makers:
    key, pick = traffic.key, traffic.pick

    def offset() -> bytes:
        return pick(NO_BIT_OFFSETS) if traffic.chance(0.1) else pick(BIT_OFFSETS)

    def index() -> bytes:
        return pick(NO_INTEGERS) if traffic.chance(0.05) else pick(INDEXES)

    def bit() -> bytes:
        return pick([b"2", b"-1", b"x", b"", b"01"]) if traffic.chance(0.1) else pick([b"0", b"1"])

    def unit() -> Words:
        return [pick([b"BYTE", b"BIT", b"bit", b"Byte"])] if traffic.chance(0.9) else [pick([b"BITS", b""])]

    def bitcount() -> Words:
        form = traffic.random.choice([[], [index()], [index(), index()], [index(), index(), *unit()]])
        return [b"BITCOUNT", key(), *form]

    def bitpos() -> Words:
        form = traffic.random.choice([[], [index()], [index(), index()], [index(), index(), *unit()]])
        return [b"BITPOS", key(), bit(), *form]

    def bitop() -> Words:
        name = pick([b"AND", b"OR", b"XOR", b"NOT", b"xor", b"Not", b"NAND", b""])
        return [b"BITOP", name, key(), *([key()] if name.upper() == b"NOT" and traffic.chance(0.8) else traffic.keys())]

    def lcs() -> Words:
        words = [b"LCS", key(), key()]
        for option in ([b"LEN"], [b"IDX"], [b"WITHMATCHLEN"], [b"MINMATCHLEN", index()], [b"what"], [b"MINMATCHLEN"]):
            if traffic.chance(0.03 if option in ([b"what"], [b"MINMATCHLEN"]) else 0.3):
                words += option
        return words

    return [
        (6, lambda: [b"SET", key(), pick(PATTERNS)]),
        (3, lambda: [b"SET", key(), traffic.value()]),
        (2, lambda: [b"HSET", key(), b"f", b"v"]),
        (2, lambda: [b"GET", key()]),
        (12, lambda: [b"SETBIT", key(), offset(), bit()]),
        (4, lambda: [b"GETBIT", key(), offset()]),
        (8, bitcount),
        (12, bitpos),
        (8, bitop),
        (20, lambda: _bitfield(traffic)),
        (5, lcs),
    ]


def _bitfield(traffic: Traffic) -> Words:
    name = traffic.pick([b"BITFIELD", b"BITFIELD", b"BITFIELD", b"BITFIELD_RO"])
    words = [name, traffic.key()]
    fails = False
    for _ in range(traffic.random.randrange(5)):
        kind = traffic.pick(NO_TYPES) if traffic.chance(0.03) else traffic.pick(TYPES)
        offset = traffic.pick(BIT_OFFSETS[:-1]) if traffic.chance(0.6) else b"#%d" % traffic.random.randrange(9)
        if traffic.chance(0.03):
            offset = traffic.pick([choice for choice in NO_BIT_OFFSETS if choice != b"#1"])
        number = traffic.integer() if traffic.chance(0.7) else b"%d" % traffic.random.randrange(-300, 300)
        if name == b"BITFIELD_RO" and traffic.chance(0.8):
            words += [b"GET", kind, offset]
            continue
        overflow = traffic.pick(
            [b"WRAP", b"SAT", b"FAIL", b"sat", b"fail", *([b"what"] if traffic.chance(0.1) else [])]
        )
        options = ([b"GET", kind, offset], [b"SET", kind, offset, number], [b"incrby", kind, offset, number])
        if traffic.chance(0.4):
            words += [b"OVERFLOW", overflow]
            fails = fails or overflow.upper() == b"FAIL"
        words += traffic.random.choice(options)
    if fails:
        # A server does not log a command of which all writes failed, though it made the string longer.
        words += [b"OVERFLOW", b"WRAP", b"SET", b"u1", b"0", b"1"]
    return words


def hyperloglogs(traffic: Traffic) -> Makers:
    key, pick = traffic.key, traffic.pick

    def element() -> bytes:
        return traffic.value() if traffic.chance(0.1) else b"%d" % traffic.random.randrange(100_000)

    def some() -> Words:
        return [element() for _ in range(traffic.random.randrange(4))]

    def many() -> Words:
        return [element() for _ in range(traffic.random.randrange(1500))]

    return [
        (1, lambda: [b"SET", key(), pick(HYPERLOGLOGS)]),
        (1, lambda: [b"SET", key(), pick(NO_HYPERLOGLOGS)]),
        (1, lambda: [b"SET", key(), traffic.value()]),
        (1, lambda: [b"HSET", key(), b"f", b"v"]),
        (6, lambda: [b"GET", key()]),
        (20, lambda: [b"PFADD", key(), *some()]),
        (2, lambda: [b"PFADD", key(), *many()]),
        (12, lambda: [b"PFCOUNT", key()]),
        (4, lambda: [b"PFCOUNT", *traffic.keys()]),
        (8, lambda: [b"PFMERGE", *traffic.keys()]),
    ]
