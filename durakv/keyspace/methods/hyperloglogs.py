"""Methods on HyperLogLogs: about how many different elements were added, in 12 KiB at most."""

from __future__ import annotations

from durakv.durability import Durability
from durakv.keyspace.methods.method import method
from durakv.keyspace.requests import Request, as_it_is, nothing, request, yes


class HyperLogLogMethods:
    """Commands on HyperLogLogs."""

    @method
    def pfadd(self, key: bytes, *elements: bytes, durability: Durability | None = None) -> Request[bool]:
        """Add elements; return whether anything has changed, if only that the key is there now."""
        return request(yes, b"PFADD", key, *elements, durability=durability)

    @method
    def pfcount(self, *keys: bytes, durability: Durability | None = None) -> Request[int]:
        """About how many different elements were added to any of the keys."""
        return request(as_it_is, b"PFCOUNT", *keys, durability=durability)

    @method
    def pfmerge(self, destination: bytes, *sources: bytes, durability: Durability | None = None) -> Request[None]:
        """Add to a key all that was added to others."""
        return request(nothing, b"PFMERGE", destination, *sources, durability=durability)
