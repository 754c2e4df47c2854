"""Methods on streams: entries of fields in the order of their ids, and groups of consumers that read them.

Fields are a dict.  Of a field that an entry has twice, which ``execute`` can add, it shows the last value; ``execute``
returns both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from durakv.durability import Durability
from durakv.keyspace.methods.claims import Entries, Ids, IdScan, Scan, claiming, claiming_by_scan
from durakv.keyspace.methods.method import method
from durakv.keyspace.requests import Request, as_it_is, chosen, elements, given, nothing, number, request, yes


class PendingSummary(NamedTuple):
    """What is pending in a group: how many entries, the lowest and the highest id, how many with each consumer."""

    pending: int
    min: bytes | None
    max: bytes | None
    consumers: dict[bytes, int]


class PendingEntry(NamedTuple):
    """An entry that was delivered and is not acknowledged; how many milliseconds ago, and how often."""

    message_id: bytes
    consumer: bytes
    time_since_delivered: int
    times_delivered: int


class StreamMethods:
    """Commands on streams.  A stream whose last entry goes stays.

    Nobody waits for entries: what reads returns at once.
    """

    @method
    def xadd(
        self,
        key: bytes,
        fields: Mapping[bytes, bytes],
        *,
        id: bytes = b"*",
        nomkstream: bool = False,
        maxlen: int | None = None,
        minid: bytes | None = None,
        approximate: bool = True,
        limit: int | None = None,
        durability: Durability | None = None,
    ) -> Request[bytes | None]:
        """Add an entry and return its id; None if there is no stream and ``nomkstream`` forbids a new one.

        By default the id is made from the time.  See ``xtrim`` for the rest.
        """
        words = [*chosen(nomkstream=nomkstream), *_trim(maxlen, minid, approximate, limit), id]
        for field, value in fields.items():
            words += field, value
        return request(as_it_is, b"XADD", key, *words, durability=durability)

    @method
    def xtrim(
        self,
        key: bytes,
        *,
        maxlen: int | None = None,
        minid: bytes | None = None,
        approximate: bool = True,
        limit: int | None = None,
        durability: Durability | None = None,
    ) -> Request[int]:
        """Remove the first entries, until ``maxlen`` are left or none is below ``minid``; return how many.

        ``approximate``: in whole hundreds, so up to 99 more may be left, and ``limit`` entries at most, by default
        10,000; 0: no limit.
        """
        words = _trim(maxlen, minid, approximate, limit)
        return request(as_it_is, b"XTRIM", key, *words, durability=durability)

    @method
    def xdel(self, key: bytes, *ids: bytes, durability: Durability | None = None) -> Request[int]:
        """Delete entries; return how many were there."""
        return request(as_it_is, b"XDEL", key, *ids, durability=durability)

    @method
    def xlen(self, key: bytes, *, durability: Durability | None = None) -> Request[int]:
        """How many entries there are."""
        return request(as_it_is, b"XLEN", key, durability=durability)

    # --- reading --------------------------------------------------------------------------------------------------

    @method
    def xrange(
        self,
        key: bytes,
        start: bytes = b"-",
        end: bytes = b"+",
        *,
        count: int | None = None,
        durability: Durability | None = None,
    ) -> Request[Entries]:
        """The entries from one id to another, so many at most; a ``b"("`` before an id leaves it out."""
        return request(_entries, b"XRANGE", key, start, end, *given(count=count), durability=durability)

    @method
    def xrevrange(
        self,
        key: bytes,
        end: bytes = b"+",
        start: bytes = b"-",
        *,
        count: int | None = None,
        durability: Durability | None = None,
    ) -> Request[Entries]:
        """As ``xrange``, from the last to the first."""
        return request(_entries, b"XREVRANGE", key, end, start, *given(count=count), durability=durability)

    @method
    def xread(
        self, streams: Mapping[bytes, bytes], *, count: int | None = None, durability: Durability | None = None
    ) -> Request[dict[bytes, Entries]]:
        """The entries behind an id in each of some streams, so many of each at most; no stream without any."""
        return request(_streams, b"XREAD", *given(count=count), *_reads(streams), durability=durability)

    # --- groups ---------------------------------------------------------------------------------------------------

    @method
    def xgroup_create(
        self,
        key: bytes,
        group: bytes,
        id: bytes = b"$",
        *,
        mkstream: bool = False,
        entries_read: int | None = None,
        durability: Durability | None = None,
    ) -> Request[None]:
        """Create a group that reads what is behind an id, by default the last one; CommandError if it is there.

        ``mkstream`` creates the stream too, without which its absence is a CommandError.
        """
        words = [id, *chosen(mkstream=mkstream), *given(entriesread=entries_read)]
        return request(nothing, b"XGROUP", b"CREATE", key, group, *words, durability=durability)

    @method
    def xgroup_setid(
        self,
        key: bytes,
        group: bytes,
        id: bytes,
        *,
        entries_read: int | None = None,
        durability: Durability | None = None,
    ) -> Request[None]:
        """Let a group go on behind another id."""
        words = given(entriesread=entries_read)
        return request(nothing, b"XGROUP", b"SETID", key, group, id, *words, durability=durability)

    @method
    def xgroup_destroy(self, key: bytes, group: bytes, *, durability: Durability | None = None) -> Request[bool]:
        """Delete a group with all that is pending; return whether it was there."""
        return request(yes, b"XGROUP", b"DESTROY", key, group, durability=durability)

    @method
    def xgroup_createconsumer(
        self, key: bytes, group: bytes, consumer: bytes, *, durability: Durability | None = None
    ) -> Request[bool]:
        """Create a consumer, as its first read does; return whether it is new."""
        return request(yes, b"XGROUP", b"CREATECONSUMER", key, group, consumer, durability=durability)

    @method
    def xgroup_delconsumer(
        self, key: bytes, group: bytes, consumer: bytes, *, durability: Durability | None = None
    ) -> Request[int]:
        """Delete a consumer; return how many entries were pending with it, which nobody has then."""
        return request(as_it_is, b"XGROUP", b"DELCONSUMER", key, group, consumer, durability=durability)

    @method
    def xreadgroup(
        self,
        group: bytes,
        consumer: bytes,
        streams: Mapping[bytes, bytes],
        *,
        count: int | None = None,
        noack: bool = False,
        durability: Durability | None = None,
    ) -> Request[dict[bytes, Entries]]:
        """Deliver to a consumer what its group has not read of some streams, for the id ``b">"``.

        For another id: what is pending with the consumer behind it; what is gone from the stream has no fields.
        ``noack``: what is delivered is not pending.
        """
        words = [*given(count=count), *chosen(noack=noack), *_reads(streams)]
        return request(_streams, b"XREADGROUP", b"GROUP", group, consumer, *words, durability=durability)

    @method
    def xack(self, key: bytes, group: bytes, *ids: bytes, durability: Durability | None = None) -> Request[int]:
        """Acknowledge entries; return how many were pending."""
        return request(as_it_is, b"XACK", key, group, *ids, durability=durability)

    # --- pending --------------------------------------------------------------------------------------------------

    @method
    def xpending(self, key: bytes, group: bytes, *, durability: Durability | None = None) -> Request[PendingSummary]:
        """A summary of what is pending in a group; consumers with nothing pending are left out."""
        return request(_summary, b"XPENDING", key, group, durability=durability)

    @method
    def xpending_range(
        self,
        key: bytes,
        group: bytes,
        start: bytes,
        end: bytes,
        count: int,
        *,
        consumer: bytes | None = None,
        idle: int | None = None,
        durability: Durability | None = None,
    ) -> Request[list[PendingEntry]]:
        """What is pending from one id to another, so many entries at most.

        Only with a ``consumer``, if there is one; only what was delivered ``idle`` milliseconds ago, or earlier.
        """
        words = [*given(idle=idle), start, end, number(count)]
        if consumer is not None:
            words.append(consumer)
        return request(_pending, b"XPENDING", key, group, *words, durability=durability)

    @claiming
    def xclaim(
        self,
        key: bytes,
        group: bytes,
        consumer: bytes,
        min_idle_time: int,
        ids: Iterable[bytes],
        *,
        idle: int | None = None,
        time: int | None = None,
        retrycount: int | None = None,
        force: bool = False,
        justid: bool = False,
        durability: Durability | None = None,
    ) -> Request[Entries] | Request[Ids]:
        """Deliver to a consumer what was pending for ``min_idle_time`` milliseconds; return it.

        ``idle``, ``time``: delivered so many milliseconds ago, or at that Unix time in milliseconds; ``retrycount``:
        so often.  ``force``: even if it was not pending.  ``justid``: return ids, and count no delivery.
        """
        words = [number(min_idle_time), *ids, *given(idle=idle, time=time, retrycount=retrycount), *chosen(force=force)]
        if justid:
            return request(elements, b"XCLAIM", key, group, consumer, *words, b"JUSTID", durability=durability)
        return request(_entries, b"XCLAIM", key, group, consumer, *words, durability=durability)

    @claiming_by_scan
    def xautoclaim(
        self,
        key: bytes,
        group: bytes,
        consumer: bytes,
        min_idle_time: int,
        start_id: bytes = b"0-0",
        *,
        count: int | None = None,
        justid: bool = False,
        durability: Durability | None = None,
    ) -> Request[Scan] | Request[IdScan]:
        """One step of ``xclaim`` over all that is pending, from an id on; by default a hundred entries at most.

        Returns the id to go on from, ``b"0-0"`` after the last; the entries, or with ``justid`` their ids; and the ids
        of what is gone from the stream and so no longer pending.
        """
        words = [number(min_idle_time), start_id, *given(count=count)]
        if justid:
            return request(tuple, b"XAUTOCLAIM", key, group, consumer, *words, b"JUSTID", durability=durability)
        return request(_scan, b"XAUTOCLAIM", key, group, consumer, *words, durability=durability)


# --- arguments --------------------------------------------------------------------------------------------------------


def _trim(maxlen: int | None, minid: bytes | None, approximate: bool, limit: int | None) -> list[bytes]:
    words: list[bytes] = []
    for name, threshold in ((b"MAXLEN", maxlen), (b"MINID", minid)):
        if threshold is not None:
            words += name, b"~" if approximate else b"=", number(threshold)
    return words + given(limit=limit)


def _reads(streams: Mapping[bytes, bytes]) -> list[bytes]:
    return [b"STREAMS", *streams.keys(), *streams.values()]


# --- values -----------------------------------------------------------------------------------------------------------


def _items(reply: Any) -> list[Any]:
    return [] if reply is None else reply


def _entries(reply: Any) -> Entries:
    return [(id_, _fields(words)) for id_, words in _items(reply)]


def _fields(reply: Any) -> dict[bytes, bytes]:
    words = _items(reply)
    return dict(zip(words[::2], words[1::2], strict=True))


def _streams(reply: Any) -> dict[bytes, Entries]:
    return {key: _entries(entries) for key, entries in _items(reply)}


def _summary(reply: Any) -> PendingSummary:
    pending, lowest, highest, consumers = reply
    return PendingSummary(pending, lowest, highest, {name: int(count) for name, count in _items(consumers)})


def _pending(reply: Any) -> list[PendingEntry]:
    return [PendingEntry(*words) for words in reply]


def _scan(reply: Any) -> Scan:
    following, entries, gone = reply
    return following, _entries(entries), gone
