"""Files of ours that the manifest does not name, and what they prove.

What a crash leaves unnamed is worth nothing: a segment made ahead of need, a base not yet published, files that a
rewrite has replaced.  None of them holds a batch that comes after the last one the manifest leads to, because a segment
takes its first batch only once a durable manifest names it.  One that does hold such a batch is no debris: the manifest
is from an earlier time (F6), and to follow it would lose what is there, and then remove it.
"""

from __future__ import annotations

import re

from durakv.directory import MANIFEST_NAME, debris, frame_identity
from durakv.errors import Corruption
from durakv.log.reader import CHUNK_BYTES
from durakv.storage.filesystem import Filesystem
from durakv_formats.errors import FormatError
from durakv_formats.frame import FrameDecoder
from durakv_formats.manifest import Manifest

_SEGMENT = re.compile(r"appendonly\.aof\.([1-9][0-9]{0,8})\.incr\.aof")
_REMEDY = "Restore the newest manifest; `durakv repair` shows what the files prove without one"


def refuse_outdated(filesystem: Filesystem, manifest: Manifest, last: int) -> None:
    """Raise Corruption if an unnamed segment goes on behind ``last``, the last number the manifest leads to."""
    if manifest.identity is None:
        return  # a stock server's manifest drops our segments without removing them
    identity = frame_identity(manifest)
    for name in debris(filesystem, manifest):
        match = _SEGMENT.fullmatch(name)
        if match is None:
            continue
        seq = _first_batch(filesystem, name, identity, int(match[1]))
        if seq > last:
            raise Corruption(
                MANIFEST_NAME,
                0,
                f"it leads to number {last}, but {name}, which it does not name, holds number {seq}: "
                "the manifest is an older one",
                _REMEDY,
            )


def _first_batch(filesystem: Filesystem, name: str, identity: int, number: int) -> int:
    """The number of the first batch that a segment of this directory holds; 0 if there is none."""
    decoder = FrameDecoder(identity, number)
    file = filesystem.open(name)
    try:
        position = 0
        while data := file.read_at(CHUNK_BYTES, position):
            position += len(data)
            decoder.feed(data)
            while (frame := decoder.next_frame()) is not None:
                if not frame.is_opening:
                    return frame.seq
    except FormatError:
        return 0  # it was being made, or is another directory's
    finally:
        file.close()
    return 0
