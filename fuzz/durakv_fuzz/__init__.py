"""The crash laboratory."""
