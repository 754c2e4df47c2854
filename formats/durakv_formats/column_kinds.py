"""The numbers of the kinds of columns, for those who name kinds and read no columns."""

from __future__ import annotations

KIND_STRING = 0
KIND_HASH = 1
KIND_LIST = 2
KIND_SET = 3
KIND_ZSET = 4
KIND_STREAM = 5
KIND_MORE = 128
"""Added to the kind of a container: further pieces of it."""
KIND_EXPIRY = 255
