"""From what the user typed to a data directory."""

from __future__ import annotations

import os

from durakv.directory import APPEND_DIRECTORY, MANIFEST_NAME
from durakv.errors import DirectoryError
from durakv.storage.posix import PosixFilesystem


def place_of(path: str) -> str:
    """The directory with the files: the path's ``appendonlydir``, or the path itself if it is one."""
    inside = os.path.join(path, APPEND_DIRECTORY)
    itself = os.path.basename(os.path.abspath(path)) == APPEND_DIRECTORY
    if not os.path.isdir(inside) and (itself or os.path.exists(os.path.join(path, MANIFEST_NAME))):
        return path
    return inside


def existing_place(path: str) -> PosixFilesystem:
    """The data directory of a command that creates none; DirectoryError if it is not there."""
    filesystem = PosixFilesystem(place_of(path))
    if not filesystem.exists_root():
        raise DirectoryError(f"{filesystem.describe()} does not exist; name the path that was given to durakv.open")
    return filesystem
