"""Random commands on each kind of container, and now and then on a key that holds something else."""

from __future__ import annotations

from tests.keyspace.family_streams import streams
from tests.keyspace.traffic import Family, Makers, Traffic, Words

FIELDS = [b"f", b"g", b"h", b"", b"\x00\xff", b"long" * 30, b"7"]


def _hashes(traffic: Traffic) -> Makers:
    def key() -> bytes:
        return traffic.key()

    def field() -> bytes:
        return traffic.pick(FIELDS)

    def fields() -> Words:
        return [field() for _ in range(traffic.random.randrange(1, 5))]

    def pairs() -> Words:
        return [word for name in fields() for word in (name, traffic.value())]

    return [
        (2, lambda: [b"SET", key(), traffic.value()]),
        (10, lambda: [traffic.pick([b"HSET", b"HSET", b"HMSET"]), key(), *pairs()]),
        (1, lambda: [b"HSET", key(), *pairs(), field()]),
        (4, lambda: [b"HSETNX", key(), field(), traffic.value()]),
        (4, lambda: [b"HGET", key(), field()]),
        (4, lambda: [b"HMGET", key(), *fields()]),
        (6, lambda: [traffic.pick([b"HGETALL", b"HKEYS", b"HVALS", b"HLEN"]), key()]),
        (4, lambda: [traffic.pick([b"HSTRLEN", b"HEXISTS"]), key(), field()]),
        (8, lambda: [b"HDEL", key(), *fields()]),
        (8, lambda: [b"HINCRBY", key(), field(), traffic.integer()]),
        (8, lambda: [b"HINCRBYFLOAT", key(), field(), traffic.float()]),
        (4, lambda: scan(traffic, b"HSCAN")),
        (3, lambda: randoms(traffic, b"HRANDFIELD", b"WITHVALUES")),
    ]


def scan(traffic: Traffic, name: bytes) -> Words:
    words = [name, traffic.key(), traffic.pick([b"0", b"0", b"0", b"x"])]
    if traffic.chance(0.5):
        words += [b"MATCH", traffic.pick([b"*", b"f*", b"?", b"*1"])]
    if traffic.chance(0.5):
        words += [b"count", traffic.pick([b"10", b"1000", b"0", b"x"])]
    if traffic.chance(0.1):
        words.append(traffic.pick([b"what", b""]))
    return words


def randoms(traffic: Traffic, name: bytes, word: bytes) -> Words:
    words = [name, traffic.key()]
    if traffic.chance(0.8):
        words.append(traffic.pick([b"0", b"1", b"100", b"-3", b"x", b"-9223372036854775808", b"9223372036854775807"]))
    if word and traffic.chance(0.4):
        words.append(traffic.pick([word, word, word.lower(), b"what"]))
    return words


FAMILIES: dict[str, Family | None] = {"strings": None, "hashes": _hashes, "streams": streams}
"""By kind of value."""
