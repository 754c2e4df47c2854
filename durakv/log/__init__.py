"""The log: append-only segments of checksummed frames."""
