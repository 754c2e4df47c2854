"""The Redis-like keyspace: one state machine on the engine, without any private door."""

from durakv.keyspace.machine import Keyspace
from durakv.keyspace.replies import OK, Reply, Status
from durakv.keyspace.table import decide

__all__ = ["OK", "Keyspace", "Reply", "Status", "decide"]
