"""The compiled twin of the log's codecs, where it was built; the package works the same without it, only slower.

It does the plain case of each function and returns None for everything else, so that the way written in Python decides
what is an error and says so.  Here ``None`` stands for a twin that is not there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

Frames = list[tuple[int, int, int, int, list[list[bytes]]]]
"""Of each frame: number, count, promise, the offset behind it, commands."""

plain_batch: Callable[[Sequence[Sequence[bytes]]], bytes | None] | None
plain_frame: Callable[[bytes, int, int, int, int, int], bytes | None] | None
plain_frames: Callable[[bytes, int, int, int, int], Frames] | None

try:
    from durakv_formats import _speed
except ImportError:
    plain_batch = plain_frame = plain_frames = None
else:
    plain_batch, plain_frame, plain_frames = _speed.encode_batch, _speed.encode_frame, _speed.decode_frames

COMPILED = plain_batch is not None
"""Whether the twin is there."""
