"""The engine and the keyspace for asyncio."""

from durakv.aio.engine import AsyncEngine

__all__ = ["AsyncEngine"]
