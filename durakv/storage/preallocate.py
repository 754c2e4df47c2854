"""Create a file whose space is really there: full of zeros, synced, and its name durable.

Zeros are written rather than reserved (``fallocate``): a reserved extent is converted by the first write into it,
which costs a commit of the file system's journal with every sync.  Afterwards a write into the space changes no
metadata, cannot run out of room, and a data sync is all it needs.
"""

from __future__ import annotations

import contextlib

from durakv.storage.filesystem import File, Filesystem

_CHUNK_BYTES = 1 << 20


def create_zeroed(filesystem: Filesystem, name: str, size: int) -> File:
    """Return a new file of ``size`` zeros, open for writing; it and its name survive a power loss.

    When it raises (a full disk, most likely), the file is closed and removed again, as far as the disk lets us.
    ``FileExistsError`` if the name is taken; nothing is touched then.
    """
    file = filesystem.create(name)
    try:
        zeros = memoryview(bytes(min(size, _CHUNK_BYTES)))
        for offset in range(0, size, _CHUNK_BYTES):
            file.write_at(zeros[: size - offset], offset)
            # Chunk by chunk: one sync of it all would keep the disk from the log's own syncs for tens of milliseconds.
            file.sync()
        filesystem.sync_directory()
    except BaseException:
        with contextlib.suppress(OSError):
            file.close()
        with contextlib.suppress(OSError):
            filesystem.remove(name)
        raise
    return file
