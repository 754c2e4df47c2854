"""The compiled twin of the log's codecs, where it was built; the package works the same without it, only slower.

It does the plain case of each function and returns None for everything else, so that the way written in Python decides
what is an error and says so.  Here ``None`` stands for a twin that is not there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

Frames = list[tuple[int, int, int, int, list[list[bytes]]]]
"""Of each frame: number, count, promise, the offset behind it, commands."""

Columns = tuple[list[bytes], list[bytes], list[bytes], bytes, int]
"""Of a run of frames: names, keys, values, where each ends (32-bit numbers), the highest promise."""

plain_batch: Callable[[Sequence[Sequence[bytes]]], bytes | None] | None
plain_frame: Callable[[bytes, int, int, int, int, int], bytes | None] | None
plain_frames: Callable[[bytes, int, int, int, int], Frames] | None
plain_run: Callable[[bytes, int, int, int], Columns] | None
plain_columns: Callable[[bytes, int], tuple[list[bytes], list[bytes], list[bytes]] | None] | None
put_all: Callable[[list[Any], int, list[bytes], list[Any]], int] | None
"""Puts values into the dictionaries of their keys' slots; how many, for it stops where there is no dictionary."""

count_bytes: Callable[[dict[Any, Any]], int | None] | None
"""Of a dictionary: how many bytes keys and values have together; None if any is no byte string."""

put_batch: Callable[[list[Any], int, Sequence[Sequence[bytes]]], bool] | None
"""``put_all`` of a batch whose commands are all SETs of three words; else it does nothing, and returns False."""

try:
    from durakv_formats import _speed

    plain_batch, plain_frame, plain_frames = _speed.encode_batch, _speed.encode_frame, _speed.decode_frames
    plain_run, plain_columns = _speed.decode_run, _speed.decode_columns
    put_all, put_batch, count_bytes = _speed.put_all, _speed.put_batch, _speed.count_bytes
except (ImportError, AttributeError):
    # An attribute is missing where the source was updated in place and the twin was not built anew.
    plain_batch = plain_frame = plain_frames = plain_run = plain_columns = put_all = put_batch = count_bytes = None

COMPILED = plain_batch is not None
"""Whether the twin is there."""
