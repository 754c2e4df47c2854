"""Random commands on each kind of container, and now and then on a key that holds something else."""

from __future__ import annotations

from tests.keyspace.family_bits import bitmaps, hyperloglogs
from tests.keyspace.family_geo import places
from tests.keyspace.family_hash_deadlines import hash_deadlines
from tests.keyspace.family_sort import sort
from tests.keyspace.family_streams import streams
from tests.keyspace.traffic import Family, Makers, Traffic, Words

FIELDS = [b"f", b"g", b"h", b"", b"\x00\xff", b"long" * 30, b"7"]
SCORES = [b"0", b"1", b"2", b"3", b"-1", b"1.5", b"0.1", b"1e10", b"inf", b"-inf", b"-0"]
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
        if b"-9223372036854775808" in words:  # 7.0 negates it, later ones refuse it
            words = words[:3]
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


def _zsets(traffic: Traffic) -> Makers:
    key, pick, chance = traffic.key, traffic.pick, traffic.chance

    def member() -> bytes:
        return pick(ELEMENTS)

    def score() -> bytes:
        return pick(SCORES) if chance(0.9) else traffic.float()

    def pairs() -> Words:
        return [word for _ in range(traffic.random.randrange(1, 5)) for word in (score(), member())]

    def end() -> bytes:
        return pick([b"(", b"", b""]) + pick([*SCORES, b"inf", b"-inf", b"+inf", b"x", b""])

    def ends() -> Words:
        low, high = end(), end()
        return [low, high]

    def zadd() -> Words:
        options = [
            pick([b"NX", b"XX", b"GT", b"lt", b"CH", b"INCR"]) for _ in range(traffic.random.choice([0, 0, 1, 2]))
        ]
        return [b"ZADD", key(), *options, *(pairs() if chance(0.7) else [score(), member()])]

    def limit(words: Words) -> Words:
        if chance(0.3):
            words += [b"LIMIT", traffic.index(), traffic.index()]
        if chance(0.3):
            words.append(pick([b"WITHSCORES", b"withscores", b"what"]))
        return words

    def zrange(words: Words) -> Words:
        if chance(0.4):
            words += [*ends(), b"BYSCORE"]
        else:
            words += [traffic.index(), traffic.index()]
        if chance(0.3):
            words.append(b"REV")
        return limit(words)

    def combined(words: Words) -> Words:
        keys = traffic.keys()[:2]
        words += [b"%d" % len(keys) if chance(0.9) else traffic.integer(), *keys]
        if chance(0.3):
            words += [b"WEIGHTS", *(score() for _ in keys)]
        if chance(0.3):
            words += [b"AGGREGATE", pick([b"SUM", b"min", b"MAX", b"AVG"])]
        if chance(0.3):
            words.append(b"WITHSCORES")
        if chance(0.1):
            words += [b"LIMIT", traffic.index()]
        return words

    def zmpop() -> Words:
        keys = traffic.keys()
        words = [b"ZMPOP", b"%d" % len(keys) if chance(0.9) else traffic.integer(), *keys]
        words.append(pick([b"MIN", b"max", b"MID"]))
        return [*words, b"COUNT", traffic.index()] if chance(0.5) else words

    return [
        (2, lambda: [b"SET", key(), traffic.value()]),
        (1, lambda: [b"SADD", key(), member(), member()]),
        (14, zadd),
        (4, lambda: [b"ZINCRBY", key(), score(), member()]),
        (4, lambda: [b"ZREM", key(), member(), member()]),
        (4, lambda: [pick([b"ZSCORE", b"ZMSCORE", b"ZRANK", b"ZREVRANK"]), key(), member()]),
        (2, lambda: [b"ZCARD", key()]),
        (3, lambda: [b"ZCOUNT", key(), *ends()]),
        (8, lambda: zrange([b"ZRANGE", key()])),
        (3, lambda: limit([pick([b"ZRANGEBYSCORE", b"ZREVRANGEBYSCORE"]), key(), *ends()])),
        (3, lambda: limit([b"ZREVRANGE", key(), traffic.index(), traffic.index()])),
        (2, lambda: zrange([b"ZRANGESTORE", key(), key()])),
        (2, lambda: [b"ZREMRANGEBYSCORE", key(), *ends()]),
        (2, lambda: [b"ZREMRANGEBYRANK", key(), traffic.index(), traffic.index()]),
        (3, lambda: [pick([b"ZPOPMIN", b"ZPOPMAX"]), key(), *([traffic.index()] if chance(0.6) else [])]),
        (3, zmpop),
        (3, lambda: randoms(traffic, b"ZRANDMEMBER", b"WITHSCORES")),
        (3, lambda: scan(traffic, b"ZSCAN")),
        (6, lambda: combined([pick([b"ZUNION", b"ZINTER", b"ZDIFF", b"ZINTERCARD"])])),
        (6, lambda: combined([pick([b"ZUNIONSTORE", b"ZINTERSTORE", b"ZDIFFSTORE"]), key()])),
    ]


def _lexes(traffic: Traffic) -> Makers:
    """Sorted sets whose scores are all the same: ranges by member mean something in no others."""
    key, pick, chance = traffic.key, traffic.pick, traffic.chance

    def ends() -> Words:
        return [pick([b"-", b"+", b"x", b"-x"]) if chance(0.3) else pick([b"(", b"["]) + pick(ELEMENTS) for _ in "ab"]

    def limit(words: Words) -> Words:
        return [*words, b"LIMIT", traffic.index(), traffic.index()] if chance(0.4) else words

    return [
        (10, lambda: [b"ZADD", key(), *(word for _ in range(4) for word in (b"0", pick(ELEMENTS)))]),
        (3, lambda: limit([pick([b"ZRANGEBYLEX", b"ZREVRANGEBYLEX"]), key(), *ends()])),
        (3, lambda: limit([b"ZRANGE", key(), *ends(), b"BYLEX", *([b"REV"] if chance(0.5) else [])])),
        (2, lambda: limit([b"ZRANGESTORE", key(), key(), *ends(), b"BYLEX"])),
        (2, lambda: [b"ZLEXCOUNT", key(), *ends()]),
        (2, lambda: [b"ZREMRANGEBYLEX", key(), *ends()]),
        (1, lambda: [b"ZREM", key(), pick(ELEMENTS)]),
        (1, lambda: [b"ZINCRBY", key(), b"0", pick(ELEMENTS)]),
        (1, lambda: [b"SET", key(), traffic.value()]),
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


FAMILIES: dict[str, Family | None] = {
    "strings": None,
    "hashes": _hashes,
    "lists": _lists,
    "sets": _sets,
    "zsets": _zsets,
    "lexes": _lexes,
    "bitmaps": bitmaps,
    "hyperloglogs": hyperloglogs,
    "streams": streams,
    "places": places,
    "sort": sort,
}
"""By kind of value."""

NEWER_FAMILIES: dict[str, Family] = {"hash_deadlines": hash_deadlines}
"""What a server before Redis 8 does not know."""
