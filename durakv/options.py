"""Everything about an engine that could stand in a configuration file.  Sizes in bytes, times in seconds."""

from __future__ import annotations

from enum import StrEnum

import msgspec
from msgspec.structs import force_setattr

from durakv.durability import FsyncPolicy
from durakv.errors import Limit

SEGMENT_BYTES_MIN = 4096
SEGMENT_BYTES_MAX = 1 << 31
PENDING_BYTES_MIN = 1024


class BaseFormat(StrEnum):
    """The format of bases."""

    DKV = "dkv"
    """Ours: checksummed block by block, merged with the log by a process of its own."""

    RDB = "rdb"
    """That of stock servers, from Redis 7.0 on."""


class Load(StrEnum):
    """When an open reads the base."""

    EAGER = "eager"
    """All of it, before it returns: whatever is damaged refuses the open."""

    LAZY = "lazy"
    """Slot by slot, when one is first needed and in the background: the open takes milliseconds whatever there is.
    Damage is found later, by whoever needs the slot; from then on no writes are taken."""


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How an engine behaves; see each field.  Values are checked when the options are made.

    ``msgspec.structs.replace(options, fsync=...)`` makes changed ones.
    """

    fsync: FsyncPolicy = FsyncPolicy.EVERYSEC
    """When the log is synced by itself; may be changed at run time."""

    segment_bytes: int = 16 << 20
    """The size to which log segments are preallocated; that of an open is smaller, so that it need not wait for it."""

    pending_bytes_max: int = 1 << 20
    """Applied bytes that may wait in memory before the submitter itself writes them."""

    stall_seconds: float = 1.0
    """Under ``everysec`` a writer waits once the fsync under way has lasted this long (C4)."""

    rewrite_percentage: int = 100
    """Rewrite by itself when the log has grown by this percentage of the base; 0 never does."""

    rewrite_bytes_min: int = 64 << 20
    """Do not rewrite by itself while base and log together are smaller than this."""

    rewrite_segments_max: int = 128
    """Rewrite by itself when there are more log segments than this, whatever their size; 0 never does."""

    rewrite_memory_bytes: int = 64 << 20
    """How much of the sealed log a merge holds at once; a larger log is merged in several passes."""

    base_format: BaseFormat = BaseFormat.DKV
    """What rewrites make.  After a clean close a directory with an RDB base can be opened by a stock server; but a base
    in our own format is made without stopping writers for the copy of all keys that an RDB file is made from."""

    load: Load = Load.EAGER
    """Whether an open reads the base before it returns.  ``LAZY`` is for bases in our own format and machines that can
    (the keyspace can); others are read eagerly, and the report says which it was."""

    active_expiry: bool = True
    """Whether expired keys are also deleted in the background, and not only when they are met."""

    def __post_init__(self) -> None:
        force_setattr(self, "fsync", parse_policy(self.fsync))
        try:
            force_setattr(self, "load", Load(self.load))
        except ValueError:
            raise Limit(f"load={self.load!r}: choose 'eager' or 'lazy'") from None
        try:
            force_setattr(self, "base_format", BaseFormat(self.base_format))
        except ValueError:
            raise Limit(f"base_format={self.base_format!r}: choose 'dkv' or 'rdb'") from None
        _check("segment_bytes", self.segment_bytes, SEGMENT_BYTES_MIN, SEGMENT_BYTES_MAX)
        _check("pending_bytes_max", self.pending_bytes_max, PENDING_BYTES_MIN, 1 << 30)
        _check("rewrite_percentage", self.rewrite_percentage, 0, 1_000_000)
        _check("rewrite_bytes_min", self.rewrite_bytes_min, 0, 1 << 62)
        _check("rewrite_segments_max", self.rewrite_segments_max, 0, 1_000_000)
        _check("rewrite_memory_bytes", self.rewrite_memory_bytes, 1024, 1 << 62)
        if not self.stall_seconds > 0:
            raise Limit(f"stall_seconds={self.stall_seconds!r}: it must be more than 0")


def parse_policy(policy: FsyncPolicy | str) -> FsyncPolicy:
    """The policy of that name; raises Limit for any other word."""
    try:
        return FsyncPolicy(policy)
    except ValueError:
        raise Limit(f"fsync={policy!r}: choose 'always', 'everysec' or 'no'") from None


def _check(name: str, value: int, least: int, most: int) -> None:
    if not isinstance(value, int) or not least <= value <= most:
        raise Limit(f"{name}={value!r}: it must be a whole number from {least} to {most}")
