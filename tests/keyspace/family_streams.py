"""Streams in comparisons: random commands, and what a stream holds in one form, ours and a server's.

Ids are small and few, so that they meet.  No two clocks tell the same time, so idle times are either none or those of
centuries, and times in replies are left out.
"""

from __future__ import annotations

from typing import Any

from durakv.keyspace.kinds.stream import Stream
from durakv.keyspace.kinds.stream_group import UNKNOWN
from durakv.keyspace.kinds.stream_id import format_id
from tests.keyspace.traffic import KEYS, NO_INTEGERS, Makers, Traffic, Words

GROUPS = [b"g", b"h", b"", b"\x00\xff"]
CONSUMERS = [b"c", b"d", b"", b"e\r\n"]
NO_IDS = [
    b"",
    b"x",
    b"-",
    b"+",
    b"*-1",
    b"1-",
    b"-1",
    b"1-x",
    b"1-1-1",
    b"18446744073709551616",
    b"1--1",
    b"(1",
    b"$",
    b">",
]
ODD_IDS = [b"+1-1", b"01-2", b" 2-2", b"3--01", b"18446744073709551615-18446744073709551615", b"0-0", b"0", b"1-1\x00x"]
LONG_AGO_MS = [b"0", b"1000000000000", b"1000000000001"]
IDLE_MS = [b"0", b"0", b"-5", b"100000000000", b"x"]
TIMED = frozenset({b"XPENDING", b"XINFO"})
"""Commands whose reply has times in it."""


class _Words:
    """What the commands are made of."""

    def __init__(self, traffic: Traffic) -> None:
        self.traffic = traffic
        self.pick = traffic.pick
        self.chance = traffic.chance
        self._top = 0

    def key(self) -> bytes:
        """A key, mostly one of a few, so that streams become long."""
        return self.pick(KEYS[:3]) if self.chance(0.8) else self.traffic.key()

    def id(self) -> bytes:
        """Any id, as a rule one that could be there."""
        if self.chance(0.05):
            return self.pick(NO_IDS)
        if self.chance(0.05):
            return self.pick(ODD_IDS)
        ms = self.traffic.random.randrange(max(1, self._top - 12), self._top + 2)
        return b"%d-%d" % (ms, self.traffic.random.randrange(2)) if self.chance(0.9) else b"%d" % ms

    def ids(self) -> Words:
        return [self.id() for _ in range(self.traffic.random.randrange(1, 5))]

    def new_id(self) -> bytes:
        """An id for XADD, mostly one that is high enough."""
        if self.chance(0.15):
            return self.id()
        if self.chance(0.3):
            self._top += 1
        return self.pick([b"%d-0", b"%d-1", b"%d-1", b"%d-*"]) % self._top

    def bound(self) -> bytes:
        if self.chance(0.5):
            return self.pick([b"-", b"+"])
        return (b"(" if self.chance(0.3) else b"") + self.id()

    def count(self) -> bytes:
        return self.pick([b"0", b"1", b"2", b"10", b"-1", *NO_INTEGERS[:2]])

    def group(self) -> bytes:
        return self.pick([b"g", b"g", b"h"]) if self.chance(0.9) else self.pick(GROUPS)

    def consumer(self) -> bytes:
        return self.pick(CONSUMERS)

    def fields(self) -> Words:
        words = [self.pick([b"f", b"g", b"", b"1"]) for _ in range(2 * self.traffic.random.randrange(1, 3))]
        return [*words, b"odd"] if self.chance(0.03) else words

    def maybe(self, chance: float, *words: bytes) -> Words:
        return list(words) if self.chance(chance) else []

    def trim(self) -> Words:
        strategy = self.pick([b"MAXLEN", b"minid"])
        words = [strategy, *self.maybe(0.6, self.pick([b"~", b"=", b"="]))]
        words.append(self.pick([b"0", b"1", b"3", b"5", b"100", b"-1", b"x"]) if strategy == b"MAXLEN" else self.id())
        return words + self.maybe(0.2, b"LIMIT", self.pick([b"0", b"1", b"1000", b"-1", b"x"]))

    def xadd(self) -> Words:
        words = [b"XADD", self.key(), *self.maybe(0.1, b"NOMKSTREAM")]
        if self.chance(0.15):
            words += self.trim()
        words += self.maybe(0.02, b"LIMIT", b"5")
        return [*words, self.new_id(), *self.fields()]

    def xread(self) -> Words:
        keys = [self.key() for _ in range(self.traffic.random.randrange(1, 4))]
        words = [
            b"XREAD",
            *self.maybe(0.3, b"count", self.count()),
            *self.maybe(0.05, b"BLOCK", self.pick([b"1", b"x"])),
        ]
        words += self.maybe(0.02, self.pick([b"NOACK", b"what"])) + self.maybe(0.02, b"GROUP", b"g", b"c")
        ids = [self.pick([self.id(), self.id(), b"$", b"0"]) for _ in keys]
        return [*words, b"STREAMS", *keys, *ids]

    def xreadgroup(self) -> Words:
        keys = [self.key() for _ in range(self.traffic.random.choice([1, 1, 1, 1, 2, 3]))]
        words = [b"XREADGROUP", *self.maybe(0.99, b"GROUP", self.group(), self.consumer())]
        words += self.maybe(0.4, b"COUNT", self.count()) + self.maybe(0.2, b"NOACK") + self.maybe(0.02, b"BLOCK", b"1")
        ids = [self.pick([b">", b">", b">", b"0", self.id()]) for _ in keys]
        return [*words, b"STREAMS", *keys, *ids]

    def xclaim(self) -> Words:
        words = [b"XCLAIM", self.key(), self.group(), self.consumer(), self.pick(IDLE_MS), *self.ids()]
        words += self.maybe(0.3, b"TIME", self.pick([*LONG_AGO_MS, b"-1", b"9999999999999", b"x"]))
        words += self.maybe(0.1, b"IDLE", self.pick([b"0", b"-1000000", b"x"]))
        words += self.maybe(0.2, b"RETRYCOUNT", self.pick([b"0", b"7", b"-1", b"x"])) + self.maybe(0.4, b"FORCE")
        return [*words, *self.maybe(0.3, b"justid"), *self.maybe(0.1, b"LASTID", self.id()), *self.maybe(0.02, b"what")]

    def xautoclaim(self) -> Words:
        words = [b"XAUTOCLAIM", self.key(), self.group(), self.consumer(), self.pick(IDLE_MS), self.bound()]
        return [
            *words,
            *self.maybe(0.5, b"COUNT", self.count()),
            *self.maybe(0.3, b"JUSTID"),
            *self.maybe(0.02, b"what"),
        ]

    def xpending(self) -> Words:
        words = [b"XPENDING", self.key(), self.group()]
        if self.chance(0.3):
            return words
        words += [*self.maybe(0.3, b"IDLE", self.pick(IDLE_MS)), self.bound(), self.bound(), self.count()]
        return words + self.maybe(0.3, self.consumer())

    def xgroup(self) -> Words:
        read = self.maybe(0.2, b"ENTRIESREAD", self.pick([b"0", b"3", b"-1", b"-2", b"x"]))
        at = self.pick([b"$", b"0", b"0", self.id()])
        head = self.key(), self.group()
        choices = [
            [b"SETID", *head, at, *read],
            [b"CREATECONSUMER", *head, self.consumer()],
            [b"DELCONSUMER", *head, self.consumer()],
            [self.pick([b"DESTROY", b"what", b"help", b"CREATE"]), *head],
        ]
        words = self.traffic.random.choice(choices)
        if self.chance(0.7):
            options = self.maybe(0.8, b"MKSTREAM") + read
            words = [b"CREATE", *head, at, *(options if self.chance(0.8) else options[::-1])]
        return [b"XGROUP", *words, *self.maybe(0.02, b"what")]

    def xinfo(self) -> Words:
        words = [self.pick([b"STREAM", b"stream", b"GROUPS", b"what"]), self.key()]
        if words[0] == b"STREAM":
            words += self.maybe(0.7, b"FULL", *self.maybe(0.7, b"COUNT", self.count()))
        if self.chance(0.3):
            words = [b"CONSUMERS", self.key(), self.group()]
        return [b"XINFO", *words]

    def xsetid(self) -> Words:
        # Not below what was deleted: 7.0 takes that, later servers refuse it, and so do we.
        words = [b"XSETID", self.key(), self.pick([b"x", b"-", *[b"%d-%d" % (self._top + up, up) for up in (0, 1, 1)]])]
        words += self.maybe(0.3, b"ENTRIESADDED", self.pick([b"0", b"1", b"20", b"-1", b"x"]))
        return [*words, *self.maybe(0.3, b"MAXDELETEDID", self.id())]


def streams(traffic: Traffic) -> Makers:
    """Commands on streams."""
    words = _Words(traffic)
    return [
        (1, lambda: [b"SET", words.key(), b"text"]),
        (40, words.xadd),
        (4, lambda: [b"XTRIM", words.key(), *words.trim(), *words.maybe(0.02, b"what")]),
        (5, lambda: [b"XDEL", words.key(), *words.ids()]),
        (2, lambda: [b"XLEN", words.key()]),
        (4, lambda: [b"XRANGE", words.key(), words.bound(), words.bound(), *words.maybe(0.4, b"COUNT", words.count())]),
        (
            4,
            lambda: [
                b"XREVRANGE",
                words.key(),
                words.bound(),
                words.bound(),
                *words.maybe(0.4, b"count", words.count()),
            ],
        ),
        (6, words.xread),
        (30, words.xreadgroup),
        (8, lambda: [b"XACK", words.key(), words.group(), *words.ids()]),
        (6, words.xpending),
        (12, words.xclaim),
        (8, words.xautoclaim),
        (40, words.xgroup),
        (8, words.xinfo),
        (3, words.xsetid),
    ]


# --- comparing --------------------------------------------------------------------------------------------------------


def comparable_stream(stream: Stream) -> Any:
    """What a stream of ours holds, but for what Redis does not log: when consumers were seen."""
    entries = [(format_id(id_), fields) for id_, fields in stream.entries.items()]
    groups = {
        name: (
            format_id(group.last_id),
            None if group.entries_read == UNKNOWN else group.entries_read,
            [(format_id(id_), of.consumer, of.time_ms, of.count) for id_, of in group.pending.items()],
            {consumer: of.pending for consumer, of in group.consumers.items()},
        )
        for name, group in stream.groups.items()
    }
    return "stream", format_id(stream.last_id), format_id(stream.max_deleted_id), stream.entries_added, entries, groups


def stream_of_reply(reply: Any) -> Any:
    """The same, of a server's reply to XINFO STREAM key FULL COUNT 0."""
    of = _dict(reply)
    groups = {
        group[b"name"]: (
            group[b"last-delivered-id"],
            group[b"entries-read"],
            [tuple(pending) for pending in group[b"pending"]],
            {consumer[b"name"]: consumer[b"pel-count"] for consumer in map(_dict, group[b"consumers"])},
        )
        for group in map(_dict, of[b"groups"])
    }
    entries = [(id_, tuple(fields)) for id_, fields in of[b"entries"]]
    past = of[b"last-generated-id"], of[b"max-deleted-entry-id"], of[b"entries-added"]
    return "stream", *past, entries, groups


def _dict(reply: list[Any]) -> dict[bytes, Any]:
    return dict(zip(reply[::2], reply[1::2], strict=True))


def without_times(value: Any) -> Any:
    """A stream in comparable form, or any other value, without times of delivery."""
    if not isinstance(value, tuple) or value[0] != "stream":
        return value
    groups = {
        name: (last, read, [(id_, consumer, count) for id_, consumer, _, count in pending], consumers)
        for name, (last, read, pending, consumers) in value[5].items()
    }
    return *value[:5], groups


def timeless(reply: Any, *, is_time: bool = False) -> Any:
    """A reply to one of ``TIMED`` without its times: what is named as one, or comes before the number of deliveries."""
    if not isinstance(reply, list):
        return "time" if is_time else reply
    is_delivery = len(reply) in (3, 4) and all(isinstance(number, int) for number in reply[-2:])
    return [
        timeless(part, is_time=reply[index - 1] in (b"idle", b"seen-time") or (is_delivery and index == len(reply) - 2))
        for index, part in enumerate(reply)
    ]
