"""Random sorting, by what stands in the elements or in the keys that are named after them."""

from __future__ import annotations

from tests.keyspace.traffic import KEYS, TEXTS, Makers, Traffic, Words

NUMBERS = [b"1", b"2", b"3", b"-1", b"10", b"1.5", b"-0", b"0", b"1e3", b"inf", b"-inf", b" 5", b"0x10", b"+2", b""]
NO_NUMBERS = [b"a", b"b", b"nan", b"1 ", b" ", b"1,5", b"0x", b"key:2", b"\xff"]
"""What is too large or small is not among them: for a while after it, Redis refuses proper numbers, too."""
PATTERNS = [
    b"w_*",
    b"w_*",
    b"w_*",
    b"h_*->f",
    b"h_*->g",
    b"*",
    b"w_*->",
    b"h_*->f->g",
    b"*->f",
    b"key:*",
    b"->*",
    b"**",
]
NO_PATTERNS = [b"nosort", b"", b"#", b"w_", b"->f"]


def sort(traffic: Traffic) -> Makers:
    key, pick, chance = traffic.key, traffic.pick, traffic.chance

    def element() -> bytes:
        return pick(NUMBERS) if chance(0.97) else pick(NO_NUMBERS)

    def elements() -> Words:
        return [element() for _ in range(traffic.random.randrange(1, 7))]

    def scores() -> Words:
        return [word for name in elements() for word in (pick([b"1", b"2", b"3"]), name)]

    def query(name: bytes, *, by: bytes | None = None, alpha: bool = False, store: bool = False) -> Words:
        gets = traffic.random.choice([0, 0, 1, 2])
        options: list[Words] = [[b"GET", pick([*PATTERNS, *NO_PATTERNS])] for _ in range(gets)]
        if by is not None:
            options.append([b"BY", by])
        if alpha:
            options.append([b"alpha"])
        if chance(0.4):
            options.append([pick([b"ASC", b"DESC", b"desc"])])
        if chance(0.3) and not (alpha and by is not None):
            options.append([b"LIMIT", traffic.index(), traffic.index()])
        if store:
            options.append([b"STORE", key()])
        if chance(0.03):
            options.append([pick([b"STORE", b"BY", b"what", b"LIMIT", b"GET"])])
        traffic.random.shuffle(options)
        return [name, key(), *(word for option in options for word in option)]

    def sort_by() -> Words:
        by = pick(PATTERNS)
        return query(pick([b"SORT", b"SORT_RO"]), by=by, alpha=chance(0.3))

    return [
        (2, lambda: [b"SET", pick([*KEYS, b"w_1"]), pick(TEXTS)]),
        (8, lambda: [b"SET", b"w_" + element(), element()]),
        (8, lambda: [b"HSET", b"h_" + element(), pick([b"f", b"g"]), element()]),
        (1, lambda: [b"HSET", key(), b"f", b"1"]),
        (10, lambda: [b"RPUSH", key(), *elements()]),
        (8, lambda: [b"SADD", key(), *elements()]),
        (6, lambda: [b"ZADD", key(), *scores()]),
        (12, lambda: query(pick([b"SORT", b"SORT_RO"]), alpha=chance(0.3))),
        (12, sort_by),
        (4, lambda: query(b"SORT", by=pick(NO_PATTERNS), store=True)),
        (6, lambda: query(b"SORT", by=pick(PATTERNS), store=True)),
        (6, lambda: query(b"SORT", alpha=chance(0.4), store=True)),
        (4, lambda: query(b"SORT_RO", by=pick(NO_PATTERNS))),
        (1, lambda: query(b"SORT_RO", store=True)),
    ]
