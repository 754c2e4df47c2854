"""The system calls that can change a file: their numbers, and which of their arguments say what.

Two machines are known, x86_64 and aarch64; both are little-endian with words of eight bytes.  Calls of 32-bit programs
are not looked at, and neither is what goes through io_uring or a shared mapping: no call is made there.
"""

from __future__ import annotations

import platform

ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"""machine -> what the kernel calls it in a filter's data."""

SECCOMP = {"x86_64": 317, "aarch64": 277}
"""machine -> the number of ``seccomp`` itself, for which libc has no function."""

_NUMBERS: dict[str, dict[str, int]] = {
    "x86_64": {
        "write": 1,
        "open": 2,
        "close": 3,
        "mmap": 9,
        "pwrite64": 18,
        "writev": 20,
        "msync": 26,
        "sendfile": 40,
        "fsync": 74,
        "fdatasync": 75,
        "truncate": 76,
        "ftruncate": 77,
        "rename": 82,
        "mkdir": 83,
        "rmdir": 84,
        "creat": 85,
        "link": 86,
        "unlink": 87,
        "symlink": 88,
        "sync": 162,
        "openat": 257,
        "mkdirat": 258,
        "unlinkat": 263,
        "renameat": 264,
        "linkat": 265,
        "symlinkat": 266,
        "sync_file_range": 277,
        "fallocate": 285,
        "pwritev": 296,
        "syncfs": 306,
        "renameat2": 316,
        "copy_file_range": 326,
        "pwritev2": 328,
        "openat2": 437,
    },
    "aarch64": {
        "mkdirat": 34,
        "unlinkat": 35,
        "symlinkat": 36,
        "linkat": 37,
        "renameat": 38,
        "truncate": 45,
        "ftruncate": 46,
        "fallocate": 47,
        "openat": 56,
        "close": 57,
        "write": 64,
        "writev": 66,
        "pwrite64": 68,
        "pwritev": 70,
        "sendfile": 71,
        "sync": 81,
        "fsync": 82,
        "fdatasync": 83,
        "sync_file_range": 84,
        "mmap": 222,
        "msync": 227,
        "syncfs": 267,
        "renameat2": 276,
        "copy_file_range": 285,
        "pwritev2": 287,
        "openat2": 437,
    },
}

DESCRIPTORS = {
    "write": 0,
    "pwrite64": 0,
    "writev": 0,
    "pwritev": 0,
    "pwritev2": 0,
    "sendfile": 0,
    "copy_file_range": 2,
    "fsync": 0,
    "fdatasync": 0,
    "sync_file_range": 0,
    "syncfs": 0,
    "ftruncate": 0,
    "fallocate": 0,
    "close": 0,
    "mmap": 4,
}
"""Call -> the argument that is a descriptor of what it changes."""

PATHS: dict[str, tuple[tuple[int | None, int], ...]] = {
    "open": ((None, 0),),
    "creat": ((None, 0),),
    "truncate": ((None, 0),),
    "mkdir": ((None, 0),),
    "rmdir": ((None, 0),),
    "unlink": ((None, 0),),
    "rename": ((None, 0), (None, 1)),
    "link": ((None, 0), (None, 1)),
    "symlink": ((None, 1),),
    "openat": ((0, 1),),
    "openat2": ((0, 1),),
    "mkdirat": ((0, 1),),
    "unlinkat": ((0, 1),),
    "renameat": ((0, 1), (2, 3)),
    "renameat2": ((0, 1), (2, 3)),
    "linkat": ((0, 1), (2, 3)),
    "symlinkat": ((1, 2),),
}
"""Call -> its paths, each with the argument of the directory that it is relative to, if it has one."""

SIZES = {
    "write": 2,
    "pwrite64": 2,
    "sendfile": 3,
    "copy_file_range": 4,
    "truncate": 1,
    "ftruncate": 1,
    "fallocate": 3,
    "msync": 1,
    "mmap": 1,
}
"""Call -> the argument that is a number of bytes."""

FLAGS = {"open": 1, "openat": 2, "mmap": 3}
"""Call -> its flags.  An open that only reads, and a mapping that is not shared, never stop."""

WRITES = frozenset({"write", "pwrite64", "writev", "pwritev", "pwritev2"})
VECTORS = frozenset({"writev", "pwritev", "pwritev2"})
SYNCS = frozenset({"fsync", "fdatasync", "sync_file_range", "msync", "sync", "syncfs"})
"""All that may promise durability, though ``sync_file_range`` promises little."""

IF_ASKED = frozenset({"close", "mmap"})
"""Calls that change nothing by themselves: they are stopped only for somebody who names them."""

KNOWN = frozenset(name for numbers in _NUMBERS.values() for name in numbers)
CHANGES = KNOWN - IF_ASKED
"""What is stopped unless something else is asked for."""


def numbers_of(calls: frozenset[str]) -> dict[str, int]:
    """The numbers that this machine has for these calls; a machine lacks those that it has a newer form of.

    Raises ``ValueError`` for a name that is known nowhere.
    """
    if unknown := calls - KNOWN:
        raise ValueError(
            f"not calls that can be stopped: {', '.join(sorted(unknown))}; known: {', '.join(sorted(KNOWN))}"
        )
    return {name: number for name, number in _NUMBERS.get(platform.machine(), {}).items() if name in calls}
