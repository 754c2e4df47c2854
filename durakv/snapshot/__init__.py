"""Snapshots: versioned images of the state, written and read block by block."""
