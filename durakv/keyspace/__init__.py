"""The Redis-like keyspace: one state machine on the engine, with no door of its own."""
