"""Random commands on fields that expire; a server must be of Redis 8 or later to know them all."""

from __future__ import annotations

from tests.keyspace.traffic import MILLISECONDS, SECONDS, Makers, Traffic, Words

FIELDS = [b"f", b"g", b"h", b"", b"\x00\xff", b"7"]
CONDITIONS = [b"NX", b"XX", b"gt", b"LT"]
WHENS = [b"-1", b"0", b"x", b"70368744177663", b"70368744177664", b"9223372036854775807", b"-9223372036854775808"]
COUNTS = [b"0", b"1", b"2", b"-1", b"x", b"2147483647", b"2147483648", b"9223372036854775808", b""]


def hash_deadlines(traffic: Traffic) -> Makers:
    key, pick, chance = traffic.key, traffic.pick, traffic.chance

    def name() -> bytes:
        return pick(FIELDS)

    def counted(words: Words, width: int = 1) -> Words:
        number = b"%d" % (len(words) // width) if chance(0.95) else pick(COUNTS)
        return [b"fields" if chance(0.1) else b"FIELDS", number, *words]

    def fields() -> Words:
        return counted([name() for _ in range(traffic.random.randrange(1, 5))])

    def pairs() -> Words:
        return [word for _ in range(traffic.random.randrange(1, 4)) for word in (name(), traffic.value())]

    def when(unit: bytes) -> bytes:
        if chance(0.1):
            return pick(WHENS)
        return pick({b"EXAT": SECONDS, b"PXAT": MILLISECONDS}.get(unit) or [traffic.far()])

    def odd(words: Words) -> Words:
        if chance(0.04):
            words.insert(
                traffic.random.randrange(2, len(words) + 1),
                pick([b"FIELDS", b"NX", b"PX", b"FNX", b"KEEPTTL", b"a\nb"]),
            )
        return words

    def hexpire() -> Words:
        unit = pick([b"EX", b"PX", b"EXAT", b"PXAT"])
        conditions = [pick(CONDITIONS) for _ in range(traffic.random.choice([0, 0, 0, 1, 1, 2]))]
        words = [*fields(), *conditions] if chance(0.2) else [*conditions, *fields()]
        names = {b"EX": b"HEXPIRE", b"PX": b"HPEXPIRE", b"EXAT": b"HEXPIREAT", b"PXAT": b"HPEXPIREAT"}
        return odd([names[unit], key(), when(unit), *words])

    def span(word: bytes) -> Words:
        if chance(0.2):
            return []
        unit = pick([b"EX", b"PX", b"EXAT", b"PXAT", word, word])
        words = [unit] if unit == word else [unit, when(unit)]
        return [*words, *span(word)] if chance(0.05) else words

    def hgetex() -> Words:
        words = span(b"PERSIST")
        return odd([b"HGETEX", key(), *([*fields(), *words] if chance(0.1) else [*words, *fields()])])

    def hsetex() -> Words:
        words = [pick([b"FNX", b"fxx"]) for _ in range(traffic.random.choice([0, 0, 0, 1, 1, 1, 2]))]
        words += span(b"KEEPTTL")
        held = counted(pairs(), 2)
        return odd([b"HSETEX", key(), *([*held, *words] if chance(0.1) else [*words, *held])])

    return [
        (2, lambda: [b"SET", key(), traffic.value()]),
        (12, lambda: [b"HSET", key(), *pairs()]),
        (3, lambda: [b"HSETNX", key(), name(), traffic.value()]),
        (3, lambda: [b"HDEL", key(), name(), name()]),
        (3, lambda: [b"HINCRBY", key(), name(), traffic.integer()]),
        (2, lambda: [b"HINCRBYFLOAT", key(), name(), traffic.float()]),
        (4, lambda: [pick([b"HGETALL", b"HLEN"]), key()]),
        (20, hexpire),
        (8, lambda: odd([pick([b"HTTL", b"HPTTL", b"HEXPIRETIME", b"HPEXPIRETIME"]), key(), *fields()])),
        (6, lambda: odd([b"HPERSIST", key(), *fields()])),
        (5, lambda: odd([b"HGETDEL", key(), *fields()])),
        (12, hgetex),
        (16, hsetex),
    ]
