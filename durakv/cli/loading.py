"""Loading a directory's keyspace without opening it for writing: nothing is cut, sealed or created."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Generator

from durakv.cli.output import progress, tell
from durakv.clock import SystemClock
from durakv.directory import LOCK_NAME, MANIFEST_NAME, read_manifest, take_lock
from durakv.errors import DirectoryError
from durakv.keyspace.machine import Keyspace
from durakv.recovery import recover
from durakv.report import RecoveryReport
from durakv.storage.filesystem import Filesystem

_NOT_WRITABLE = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


def load_keyspace(filesystem: Filesystem, *, quiet: bool, until: int | None = None) -> tuple[Keyspace, RecoveryReport]:
    """The state that an open would recover, and what it would tell; or that of an earlier time, see ``recover``.

    Raises Locked if the directory has an owner at work, and what an open raises.
    """
    keyspace = Keyspace()
    with _owned(filesystem), progress("load", quiet=quiet) as bar:
        found = recover(filesystem, keyspace, clock=SystemClock(), entropy=os.urandom, progress=bar, until=until)
    if found.report.created:
        raise DirectoryError(f"{filesystem.describe()} holds no {MANIFEST_NAME}, so there is nothing to load")
    for line in found.report.lines():
        tell(line)
    return keyspace, found.report


@contextlib.contextmanager
def _owned(filesystem: Filesystem) -> Generator[None, None, None]:
    """Keep owners out while the block reads.

    Where nobody can write there is nobody to keep out.  A stock server's directory that no durakv ever opened is left
    as it is, without a lock, which stock servers do not look at.
    """
    if LOCK_NAME not in filesystem.list():
        manifest = read_manifest(filesystem)
        if manifest is not None and manifest.foreign:
            yield
            return
    try:
        lock = take_lock(filesystem)
    except OSError as error:
        if error.errno not in _NOT_WRITABLE:
            raise
        yield
        return
    try:
        yield
    finally:
        lock.release()
