from collections.abc import Callable
from threading import Lock
from typing import Literal

from durakv.commit import Commit
from durakv.durability import Durability, FsyncPolicy
from durakv.keyspace.machine import Keyspace
from durakv.keyspace.store import SlotStore
from durakv.log.segment import Segment
from durakv.machine import Batch
from durakv.runner import Runner
from durakv.storage.posix_file import PosixFile
from durakv.work import Claimed

SHAPE: int

class Lane:
    """Plain SETs in one call; both methods return None if they changed nothing."""

    def __new__(
        cls,
        runner: Runner,
        commit: Commit,
        keyspace: Keyspace,
        store: SlotStore,
        segment: type[Segment],
        file: type[PosixFile],
        lock: Lock,
        take_over: Callable[[Runner, Claimed], None],
        encode: Callable[[Batch], bytes],
        always: FsyncPolicy,
        everysec: FsyncPolicy,
        written: Durability,
        synced: Durability,
        sync_age: float,
        stall: float,
        pending_max: int,
        /,
    ) -> Lane: ...
    def put(self, key: bytes, value: bytes, durability: Durability | None, /) -> Literal[True] | int | None:
        """Write it at its level, and return True; or append it, and return its number, to be waited for."""

    def append(self, key: bytes, value: bytes, durability: Durability | None, /) -> int | None:
        """Write or append it, and return its number, to be waited for."""
