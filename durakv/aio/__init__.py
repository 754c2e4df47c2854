"""The engine and the keyspace for asyncio."""
