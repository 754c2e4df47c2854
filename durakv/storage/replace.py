"""Replace a file's content so that a crash leaves the old content or the new, never a mixture, never neither.

    write the temporary file, sync it, rename it over the name, sync the directory

Without the first sync the name could lead to an empty file; without the second the replacement could be taken back
after its caller was told that it is done.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

from durakv.storage.filesystem import Filesystem


def atomic_replace(filesystem: Filesystem, name: str, temporary: str, data: bytes | Iterable[bytes]) -> None:
    """Make ``data``, whole or in parts, the whole content of ``name``, by way of the name ``temporary``.

    When it returns, the new content survives a power loss.  When it raises, the name leads to the old content or to
    the new, and only a later successful replacement settles which.  A stale temporary file is replaced.
    """
    with contextlib.suppress(FileNotFoundError):
        filesystem.remove(temporary)
    try:
        file = filesystem.create(temporary)
        try:
            offset = 0
            for part in (data,) if isinstance(data, bytes) else data:
                file.write_at(part, offset)
                offset += len(part)
            file.sync()
        finally:
            file.close()
        filesystem.rename(temporary, name)
        filesystem.sync_directory()
    except BaseException:
        # Tidiness only: the next open removes it as debris.  The first failure is the one to report.
        with contextlib.suppress(OSError):
            filesystem.remove(temporary)
        raise
