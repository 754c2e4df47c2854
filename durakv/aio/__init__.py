"""The engine and the keyspace for asyncio: the same log, the same promises, awaited."""

from durakv.aio.database import AsyncBatch, AsyncDatabase, open
from durakv.aio.engine import AsyncEngine

__all__ = ["AsyncBatch", "AsyncDatabase", "AsyncEngine", "open"]
