"""Files of ours that the manifest does not name, and what they prove.

What a crash leaves unnamed is worth nothing: a segment made ahead of need, a base not yet published, files that a
rewrite has replaced.  None of them goes beyond the last number the manifest leads to: a segment takes its first batch
only once a durable manifest names it, and a base is made of sealed segments.  One that does is no debris: the manifest
is from an earlier time (F6), and to follow it would lose what is there, and then remove it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from durakv.directory import MANIFEST_NAME, debris, frame_identity
from durakv.errors import Corruption, UnsupportedVersion
from durakv.log.reader import CHUNK_BYTES
from durakv.storage.filesystem import Filesystem
from durakv_formats.errors import FormatError
from durakv_formats.frame import FrameDecoder
from durakv_formats.manifest import Manifest

if TYPE_CHECKING:
    from durakv.snapshot.codec import BaseCodec

_SEGMENT = re.compile(r"appendonly\.aof\.([1-9][0-9]{0,8})\.incr\.aof")
_BASE = re.compile(r"appendonly\.aof\.[1-9][0-9]{0,8}\.base\.dkv")
_REMEDY = "Restore the newest manifest; `durakv repair` shows what the files prove without one"


def refuse_outdated(filesystem: Filesystem, manifest: Manifest, last: int, codec: BaseCodec | None = None) -> int:
    """Raise Corruption if an unnamed file goes beyond ``last``, the last number the manifest leads to.

    Returns the highest number that such a segment was opened at, or 0.  One without batches may be followed by an open
    that knows nothing of it, but the numbers before its first one may have been told to somebody.
    """
    opened = 0
    if manifest.identity is None:
        return opened  # a stock server's manifest drops our segments without removing them
    for name in debris(filesystem, manifest):
        if (match := _SEGMENT.fullmatch(name)) is not None:
            opening, seq = _first_numbers(filesystem, name, frame_identity(manifest), int(match[1]))
            opened = max(opened, opening)
        elif _BASE.fullmatch(name) is not None:
            seq = _base_end(filesystem, name, manifest.identity, codec)
        else:
            continue
        if seq > last:
            raise Corruption(
                MANIFEST_NAME,
                0,
                f"it leads to number {last}, but {name}, which it does not name, holds number {seq}: "
                "the manifest is an older one",
                _REMEDY,
            )
    return opened


def _first_numbers(filesystem: Filesystem, name: str, identity: int, number: int) -> tuple[int, int]:
    """The number a segment of this directory was opened at and that of its first batch; 0 for what is not there."""
    opened = 0
    decoder = FrameDecoder(identity, number)
    file = filesystem.open(name)
    try:
        position = 0
        while data := file.read_at(CHUNK_BYTES, position):
            position += len(data)
            decoder.feed(data)
            while (frame := decoder.next_frame()) is not None:
                if not frame.is_opening:
                    return opened, frame.seq
                opened = frame.seq
    except FormatError:
        pass  # behind what was read it was being made, or all of it is another directory's
    finally:
        file.close()
    return opened, 0


def _base_end(filesystem: Filesystem, name: str, identity: bytes, codec: BaseCodec | None) -> int:
    """The last number that a base of this directory says it holds; 0 if it is none."""
    from durakv.snapshot.reader import newer_base, read_base  # not above: nearly always there is no such file

    try:
        with read_base(filesystem, name, codec) as reader:
            header = reader.header
    except UnsupportedVersion:
        newer = newer_base(filesystem, name)
        if newer is None:
            return 0
        header = newer
    except Corruption:
        return 0  # it was being written
    return header.seq if header.identity == identity else 0
