"""Random commands on each kind of container, and now and then on a key that holds something else."""

from __future__ import annotations

from tests.keyspace.traffic import Family, Makers, Traffic, Words

FIELDS = [b"f", b"g", b"h", b"", b"\x00\xff", b"long" * 30, b"7"]
ELEMENTS = [b"a", b"b", b"c", b"d", b"1", b"2", b"", b"\x00"]


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


def _lists(traffic: Traffic) -> Makers:
    key, pick = traffic.key, traffic.pick

    def element() -> bytes:
        return pick(ELEMENTS) if traffic.chance(0.9) else traffic.value()

    def elements() -> Words:
        return [element() for _ in range(traffic.random.randrange(1, 6))]

    def count() -> bytes:
        return pick([b"0", b"1", b"2", b"3", b"100"]) if traffic.chance(0.8) else traffic.integer()

    def some(*words: bytes) -> Words:
        return [*words, count()] if traffic.chance(0.5) else [*words]

    def side() -> bytes:
        return pick([b"LEFT", b"RIGHT", b"left", b"RIGHT", b"MIDDLE"])

    def lpos() -> Words:
        words = [b"LPOS", key(), element()]
        for name in (b"RANK", b"COUNT", b"maxlen"):
            if traffic.chance(0.4):
                words += [name, pick([b"-1", b"-2", b"2"]) if traffic.chance(0.4) else count()]
        return words

    def lmpop() -> Words:
        keys = traffic.keys()
        number = b"%d" % len(keys) if traffic.chance(0.9) else count()
        words = [b"LMPOP", number, *keys, side()]
        return [*words, b"COUNT", count()] if traffic.chance(0.5) else words

    return [
        (2, lambda: [b"SET", key(), traffic.value()]),
        (10, lambda: [pick([b"LPUSH", b"RPUSH"]), key(), *elements()]),
        (4, lambda: [pick([b"LPUSHX", b"RPUSHX"]), key(), *elements()]),
        (6, lambda: some(pick([b"LPOP", b"RPOP"]), key())),
        (3, lambda: [b"LLEN", key()]),
        (4, lambda: [b"LINDEX", key(), traffic.index()]),
        (5, lambda: [b"LRANGE", key(), traffic.index(), traffic.index()]),
        (4, lambda: [b"LSET", key(), traffic.index(), element()]),
        (4, lambda: [b"LTRIM", key(), traffic.index(), traffic.index()]),
        (4, lambda: [b"LREM", key(), traffic.index(), element()]),
        (5, lambda: [b"LINSERT", key(), pick([b"BEFORE", b"after", b"in"]), element(), element()]),
        (5, lpos),
        (5, lambda: [b"LMOVE", key(), key(), side(), side()]),
        (4, lambda: [b"RPOPLPUSH", key(), key()]),
        (4, lmpop),
    ]


def _sets(traffic: Traffic) -> Makers:
    key, pick = traffic.key, traffic.pick

    def members() -> Words:
        return [
            pick(ELEMENTS) if traffic.chance(0.9) else traffic.value() for _ in range(traffic.random.randrange(1, 6))
        ]

    def counted(name: bytes) -> Words:
        keys = traffic.keys()
        words = [name, b"%d" % len(keys) if traffic.chance(0.9) else traffic.integer(), *keys]
        return [*words, b"LIMIT", pick([b"0", b"1", b"2", b"-1", b"x"])] if traffic.chance(0.5) else words

    return [
        (2, lambda: [b"SET", key(), traffic.value()]),
        (12, lambda: [b"SADD", key(), *members()]),
        (6, lambda: [b"SREM", key(), *members()]),
        (4, lambda: [pick([b"SISMEMBER", b"SMISMEMBER"]), key(), *members()]),
        (4, lambda: [pick([b"SCARD", b"SMEMBERS"]), key()]),
        (3, lambda: randoms(traffic, b"SRANDMEMBER", b"")),
        (3, lambda: [b"SPOP", key(), pick([b"1000", b"0", b"-1", b"x"])]),
        (4, lambda: [b"SMOVE", key(), key(), pick(ELEMENTS)]),
        (6, lambda: [pick([b"SUNION", b"SINTER", b"SDIFF"]), *traffic.keys()]),
        (6, lambda: [pick([b"SUNIONSTORE", b"SINTERSTORE", b"SDIFFSTORE"]), key(), *traffic.keys()]),
        (4, lambda: counted(b"SINTERCARD")),
        (3, lambda: scan(traffic, b"SSCAN")),
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


FAMILIES: dict[str, Family | None] = {"strings": None, "hashes": _hashes, "lists": _lists, "sets": _sets}
"""By kind of value."""
