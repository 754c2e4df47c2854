"""Methods on the deadlines of single fields of hashes.  Lists that they return have an item for each field."""

from __future__ import annotations

from collections.abc import Mapping

from durakv.durability import Durability
from durakv.keyspace.methods.method import method
from durakv.keyspace.requests import Request, as_it_is, chosen, given, number, request, yes


class HashDeadlineMethods:
    """Commands on when fields of a hash expire."""

    @method
    def hexpire(
        self,
        key: bytes,
        seconds: int,
        *fields: bytes,
        nx: bool = False,
        xx: bool = False,
        gt: bool = False,
        lt: bool = False,
        durability: Durability | None = None,
    ) -> Request[list[int]]:
        """Let fields expire after some seconds; return 1 for each that will, 2 for one that is gone at once.

        0 for one that was refused, -2 for one that is absent.

        ``nx``: only if it has none; ``xx``: only if it has one; ``gt``, ``lt``: only if the new one is later, earlier.
        """
        words = number(seconds), *chosen(nx=nx, xx=xx, gt=gt, lt=lt), *_counted(fields)
        return request(as_it_is, b"HEXPIRE", key, *words, durability=durability)

    @method
    def hpexpire(
        self,
        key: bytes,
        milliseconds: int,
        *fields: bytes,
        nx: bool = False,
        xx: bool = False,
        gt: bool = False,
        lt: bool = False,
        durability: Durability | None = None,
    ) -> Request[list[int]]:
        """As ``hexpire``, in milliseconds."""
        words = number(milliseconds), *chosen(nx=nx, xx=xx, gt=gt, lt=lt), *_counted(fields)
        return request(as_it_is, b"HPEXPIRE", key, *words, durability=durability)

    @method
    def hexpireat(
        self,
        key: bytes,
        when: int,
        *fields: bytes,
        nx: bool = False,
        xx: bool = False,
        gt: bool = False,
        lt: bool = False,
        durability: Durability | None = None,
    ) -> Request[list[int]]:
        """As ``hexpire``, at a Unix time in seconds."""
        words = number(when), *chosen(nx=nx, xx=xx, gt=gt, lt=lt), *_counted(fields)
        return request(as_it_is, b"HEXPIREAT", key, *words, durability=durability)

    @method
    def hpexpireat(
        self,
        key: bytes,
        when_ms: int,
        *fields: bytes,
        nx: bool = False,
        xx: bool = False,
        gt: bool = False,
        lt: bool = False,
        durability: Durability | None = None,
    ) -> Request[list[int]]:
        """As ``hexpire``, at a Unix time in milliseconds."""
        words = number(when_ms), *chosen(nx=nx, xx=xx, gt=gt, lt=lt), *_counted(fields)
        return request(as_it_is, b"HPEXPIREAT", key, *words, durability=durability)

    @method
    def httl(self, key: bytes, *fields: bytes, durability: Durability | None = None) -> Request[list[int]]:
        """Seconds left, rounded up; -1 if a field has no deadline, -2 if it is absent."""
        return request(as_it_is, b"HTTL", key, *_counted(fields), durability=durability)

    @method
    def hpttl(self, key: bytes, *fields: bytes, durability: Durability | None = None) -> Request[list[int]]:
        """As ``httl``, in milliseconds."""
        return request(as_it_is, b"HPTTL", key, *_counted(fields), durability=durability)

    @method
    def hexpiretime(self, key: bytes, *fields: bytes, durability: Durability | None = None) -> Request[list[int]]:
        """The Unix times in seconds, rounded up, at which fields expire; -1 and -2 as ``httl``."""
        return request(as_it_is, b"HEXPIRETIME", key, *_counted(fields), durability=durability)

    @method
    def hpexpiretime(self, key: bytes, *fields: bytes, durability: Durability | None = None) -> Request[list[int]]:
        """As ``hexpiretime``, in milliseconds."""
        return request(as_it_is, b"HPEXPIRETIME", key, *_counted(fields), durability=durability)

    @method
    def hpersist(self, key: bytes, *fields: bytes, durability: Durability | None = None) -> Request[list[int]]:
        """Let fields live for ever; return 1 for each that had a deadline, -1 if it had none, -2 if it is absent."""
        return request(as_it_is, b"HPERSIST", key, *_counted(fields), durability=durability)

    # --- values and deadlines at once -----------------------------------------------------------------------------

    @method
    def hgetdel(self, key: bytes, *fields: bytes, durability: Durability | None = None) -> Request[list[bytes | None]]:
        """Delete fields and return what they held."""
        return request(as_it_is, b"HGETDEL", key, *_counted(fields), durability=durability)

    @method
    def hgetex(
        self,
        key: bytes,
        *fields: bytes,
        persist: bool = False,
        ex: int | None = None,
        px: int | None = None,
        exat: int | None = None,
        pxat: int | None = None,
        durability: Durability | None = None,
    ) -> Request[list[bytes | None]]:
        """Return what fields hold, and change when they expire."""
        words = *chosen(persist=persist), *given(ex=ex, px=px, exat=exat, pxat=pxat), *_counted(fields)
        return request(as_it_is, b"HGETEX", key, *words, durability=durability)

    @method
    def hsetex(
        self,
        key: bytes,
        fields: Mapping[bytes, bytes],
        *,
        fnx: bool = False,
        fxx: bool = False,
        keepttl: bool = False,
        ex: int | None = None,
        px: int | None = None,
        exat: int | None = None,
        pxat: int | None = None,
        durability: Durability | None = None,
    ) -> Request[bool]:
        """Set fields and when they expire, without an option never; return whether they were set, all or none.

        ``fnx``: only if none is there; ``fxx``: only if all are; ``keepttl`` leaves their deadlines.
        """
        words = chosen(fnx=fnx, fxx=fxx, keepttl=keepttl) + given(ex=ex, px=px, exat=exat, pxat=pxat)
        words += b"FIELDS", number(len(fields))
        for field, value in fields.items():
            words += field, value
        return request(yes, b"HSETEX", key, *words, durability=durability)


def _counted(fields: tuple[bytes, ...]) -> list[bytes]:
    return [b"FIELDS", number(len(fields)), *fields]
