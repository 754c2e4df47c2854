"""Methods on the deadlines of keys, whatever these hold."""

from __future__ import annotations

from durakv.durability import Durability
from durakv.keyspace.methods.method import method
from durakv.keyspace.requests import Request, as_it_is, chosen, number, request, yes


class DeadlineMethods:
    """Commands on when a key expires."""

    @method
    def expire(
        self,
        key: bytes,
        seconds: int,
        *,
        nx: bool = False,
        xx: bool = False,
        gt: bool = False,
        lt: bool = False,
        durability: Durability | None = None,
    ) -> Request[bool]:
        """Let the key expire after some seconds; return whether the deadline was set.

        ``nx``: only if it has none; ``xx``: only if it has one; ``gt``, ``lt``: only if the new one is later, earlier.
        """
        options = chosen(nx=nx, xx=xx, gt=gt, lt=lt)
        return request(yes, b"EXPIRE", key, number(seconds), *options, durability=durability)

    @method
    def pexpire(
        self,
        key: bytes,
        milliseconds: int,
        *,
        nx: bool = False,
        xx: bool = False,
        gt: bool = False,
        lt: bool = False,
        durability: Durability | None = None,
    ) -> Request[bool]:
        """As ``expire``, in milliseconds."""
        options = chosen(nx=nx, xx=xx, gt=gt, lt=lt)
        return request(yes, b"PEXPIRE", key, number(milliseconds), *options, durability=durability)

    @method
    def expireat(
        self,
        key: bytes,
        when: int,
        *,
        nx: bool = False,
        xx: bool = False,
        gt: bool = False,
        lt: bool = False,
        durability: Durability | None = None,
    ) -> Request[bool]:
        """As ``expire``, at a Unix time in seconds."""
        options = chosen(nx=nx, xx=xx, gt=gt, lt=lt)
        return request(yes, b"EXPIREAT", key, number(when), *options, durability=durability)

    @method
    def pexpireat(
        self,
        key: bytes,
        when_ms: int,
        *,
        nx: bool = False,
        xx: bool = False,
        gt: bool = False,
        lt: bool = False,
        durability: Durability | None = None,
    ) -> Request[bool]:
        """As ``expire``, at a Unix time in milliseconds."""
        options = chosen(nx=nx, xx=xx, gt=gt, lt=lt)
        return request(yes, b"PEXPIREAT", key, number(when_ms), *options, durability=durability)

    @method
    def ttl(self, key: bytes, *, durability: Durability | None = None) -> Request[int]:
        """Seconds left; -1 if the key lives for ever, -2 if it is absent."""
        return request(as_it_is, b"TTL", key, durability=durability)

    @method
    def pttl(self, key: bytes, *, durability: Durability | None = None) -> Request[int]:
        """As ``ttl``, in milliseconds."""
        return request(as_it_is, b"PTTL", key, durability=durability)

    @method
    def expiretime(self, key: bytes, *, durability: Durability | None = None) -> Request[int]:
        """The Unix time in seconds at which the key expires; -1 and -2 as ``ttl``."""
        return request(as_it_is, b"EXPIRETIME", key, durability=durability)

    @method
    def pexpiretime(self, key: bytes, *, durability: Durability | None = None) -> Request[int]:
        """As ``expiretime``, in milliseconds."""
        return request(as_it_is, b"PEXPIRETIME", key, durability=durability)

    @method
    def persist(self, key: bytes, *, durability: Durability | None = None) -> Request[bool]:
        """Let the key live for ever; return whether it had a deadline."""
        return request(yes, b"PERSIST", key, durability=durability)
