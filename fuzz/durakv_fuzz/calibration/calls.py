"""The few calls that litmus workloads are made of, each straight to the operating system."""

from __future__ import annotations

import ctypes
import mmap
import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

_SYNC_FILE_RANGE_ALL = 0b111  # wait before, write, wait after


@contextmanager
def opened(path: Path, flags: int) -> Generator[int]:
    """A descriptor, closed at the end."""
    descriptor = os.open(path, flags, 0o644)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def write_at(descriptor: int, data: bytes, offset: int) -> None:
    """In one call; raises ``OSError`` if it was cut short, because then another thing would be measured."""
    count = os.pwrite(descriptor, data, offset)
    if count != len(data):
        raise OSError(f"only {count} of {len(data)} bytes were written at {offset}")


def make(path: Path, data: bytes, *, sync: Callable[[int], None] | None = None, flags: int = os.O_EXCL) -> None:
    """Create a file with this content."""
    with opened(path, os.O_WRONLY | os.O_CREAT | flags) as descriptor:
        if data:
            write_at(descriptor, data, 0)
        if sync:
            sync(descriptor)


def overwrite(
    path: Path, data: bytes, offset: int, *, sync: Callable[[int], None] | None = None, flags: int = 0
) -> None:
    """Write into a file that is there."""
    with opened(path, os.O_WRONLY | flags) as descriptor:
        write_at(descriptor, data, offset)
        if sync:
            sync(descriptor)


def append(path: Path, data: bytes, *, sync: Callable[[int], None] | None = None, flags: int = 0) -> None:
    """Write behind a file's end."""
    overwrite(path, data, path.stat().st_size, sync=sync, flags=flags)


def sync_path(path: Path) -> None:
    """Open a file or directory only to sync it."""
    with opened(path, os.O_RDONLY) as descriptor:
        os.fsync(descriptor)


def sync_range(descriptor: int) -> None:
    """``sync_file_range`` over the whole file, waiting for the writes."""
    library = ctypes.CDLL(None, use_errno=True)
    call = library.sync_file_range
    call.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)
    if call(descriptor, 0, 0, _SYNC_FILE_RANGE_ALL):
        raise OSError(ctypes.get_errno(), "sync_file_range failed")


def store(path: Path, data: bytes, offset: int) -> None:
    """Write through a shared mapping, and ``msync`` it."""
    with opened(path, os.O_RDWR) as descriptor, mmap.mmap(descriptor, 0) as mapping:
        mapping[offset : offset + len(data)] = data
        mapping.flush()


def store_directly(path: Path, data: bytes, offset: int) -> None:
    """Write whole pages past the page cache (``O_DIRECT``), from memory that is aligned as that wants it."""
    with mmap.mmap(-1, len(data)) as aligned, opened(path, os.O_WRONLY | os.O_DIRECT) as descriptor:
        aligned[:] = data
        if os.pwrite(descriptor, aligned, offset) != len(data):
            raise OSError(f"{path}: a direct write was cut short")


def sync_filesystem(directory: Path) -> None:
    """``syncfs``: have the kernel write back whatever is dirty, as it does in time anyway."""
    library = ctypes.CDLL(None, use_errno=True)
    with opened(directory, os.O_RDONLY) as descriptor:
        if library.syncfs(descriptor):
            raise OSError(ctypes.get_errno(), f"{directory}: syncfs failed")
