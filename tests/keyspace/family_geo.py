"""Random commands on places; each member has a few of its own, so that no two are equally far from anywhere."""

from __future__ import annotations

import random

from tests.keyspace.traffic import Makers, Traffic, Words

MEMBERS = [b"m%d" % number for number in range(40)] + [b"", b"\x00\xff", b"7"]
UNITS = [b"m", b"km", b"KM", b"ft", b"mi"]
OUTSIDE = [(b"181", b"0"), (b"0", b"86"), (b"-inf", b"0"), (b"x", b"0"), (b"0", b""), (b"nan", b"1"), (b"-180.1", b"1")]
SCORES = [b"1.5", b"-1", b"inf", b"-inf", b"18014398509481985", b"1e30", b"3479099956230698", b"-1e30", b"0"]


def _places() -> dict[bytes, list[tuple[bytes, bytes]]]:
    """By member: one near the middle of the map, one near the date line, one in the far north, one anywhere."""
    chance = random.Random(1)
    places: dict[bytes, list[tuple[bytes, bytes]]] = {}
    for member in MEMBERS:
        degrees = [
            (chance.uniform(-1, 1), chance.uniform(-1, 1)),
            (chance.choice([-1, 1]) * chance.uniform(178, 179.9), chance.uniform(-10, 10)),
            (chance.uniform(-170, 170), chance.uniform(60, 75)),
            (chance.uniform(-179, 179), chance.uniform(-80, 80)),
        ]
        places[member] = [(b"%.*f" % (chance.choice([2, 3, 9, 17]), x), b"%.15f" % y) for x, y in degrees]
    return places


PLACES = _places()


def places(traffic: Traffic) -> Makers:
    key, pick, chance = traffic.key, traffic.pick, traffic.chance

    def member() -> bytes:
        return pick(MEMBERS) if chance(0.97) else traffic.value()

    def place() -> Words:
        return [*traffic.random.choice(OUTSIDE if chance(0.03) else PLACES[pick(MEMBERS)])]

    def geoadd() -> Words:
        words = [
            b"GEOADD",
            key(),
            *(pick([b"NX", b"xx", b"CH"]) for _ in range(traffic.random.choice([0, 0, 0, 1, 2]))),
        ]
        for _ in range(traffic.random.randrange(1, 6)):
            name = pick(MEMBERS)
            words += [*(place() if chance(0.02) else traffic.random.choice(PLACES[name])), name]
        return words

    def length() -> bytes:
        if chance(0.05):
            return pick([b"-1", b"x", b"nan", b"", b"1e5000"])
        return b"%.3f" % 10 ** traffic.random.uniform(0, 6)

    def unit() -> bytes:
        return pick([b"yd", b"", b"metre"]) if chance(0.03) else pick(UNITS)

    def options(*others: bytes) -> Words:
        words: Words = []
        for option in (b"ASC", b"desc", b"WITHCOORD", b"WITHDIST", b"withhash", *others):
            if chance(0.25):
                words.append(option)
        if chance(0.3):
            words += [b"COUNT", pick([b"1", b"2", b"5", b"100"]) if chance(0.9) else traffic.integer()]
        if chance(0.03):
            words.append(pick([b"what", b"COUNT", b"STOREDIST", b"BYBOX"]))
        return words

    def stores() -> Words:
        words = options()[:2] if chance(0.1) else []
        words += [pick([b"STORE", b"storedist"]), key()]
        return [*words, b"COUNT", pick([b"1", b"3"])] if chance(0.3) else words

    def area() -> Words:
        center = [b"FROMMEMBER", member()] if chance(0.5) else [b"FROMLONLAT", *place()]
        shape = [b"BYRADIUS", length(), unit()] if chance(0.5) else [b"ByBox", length(), length(), unit()]
        words = [*shape, *center] if chance(0.3) else [*center, *shape]
        if chance(0.05):
            words += traffic.random.choice([center, shape, [b"FROMMEMBER", member()], [b"BYRADIUS", b"1", b"m"]])
        return words[2:] if chance(0.03) else words

    def georadius(suffix: bytes, extra: Words) -> Words:
        if chance(0.5):
            return [b"GEORADIUS" + suffix, key(), *place(), length(), unit(), *extra]
        return [b"GEORADIUSBYMEMBER" + suffix, key(), member(), length(), unit(), *extra]

    return [
        (2, lambda: [b"SET", key(), traffic.value()]),
        (2, lambda: [b"ZADD", key(), pick(SCORES), b"odd", b"3479099956230698", b"m1"]),
        (25, geoadd),
        (3, lambda: [b"ZREM", key(), member(), member()]),
        (5, lambda: [b"GEOPOS", key(), member(), member(), b"odd"]),
        (5, lambda: [b"GEOHASH", key(), member(), member(), b"odd"]),
        (5, lambda: [b"GEODIST", key(), member(), pick([member(), b"odd"]), *([unit()] if chance(0.5) else [])]),
        (14, lambda: [b"GEOSEARCH", key(), *area(), *options()]),
        (4, lambda: [b"GEOSEARCH", key(), *area(), b"COUNT", pick([b"1", b"2", b"50"]), b"ANY"]),
        (6, lambda: [b"GEOSEARCHSTORE", key(), key(), *area(), *([b"STOREDIST"] if chance(0.4) else [])]),
        (1, lambda: [b"GEOSEARCHSTORE", key(), key(), *area(), *options(b"STOREDIST")]),
        (6, lambda: georadius(pick([b"", b"_RO"]), options())),
        (6, lambda: georadius(b"", stores())),
        (1, lambda: georadius(b"_RO", stores())),
    ]
