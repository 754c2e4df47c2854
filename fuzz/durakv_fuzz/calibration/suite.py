"""The litmus workloads, by what they ask about: data, sizes, names, replacing, and order between files."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from durakv_fuzz.calibration.calls import (
    append,
    make,
    opened,
    overwrite,
    store,
    store_directly,
    sync_path,
    sync_range,
    write_at,
)
from durakv_fuzz.calibration.litmus import Litmus
from durakv_fuzz.trace import PAGE_BYTES, SECTOR_BYTES

Mark = Callable[[str], None]


def _text(word: str, size: int) -> bytes:
    """Bytes that say where they belong, so that no part of a version looks like another one or another place."""
    return b"".join(b"%b%05d." % (word.encode(), number) for number in range(size // (len(word) + 6) + 1))[:size]


OLD = _text("old", 1000)
TAIL = _text("tail", 500)
LONGER = OLD + TAIL
NEW = _text("new", 1200)
TWO_SECTORS = _text("before", 2 * SECTOR_BYTES)
TWO_SECTORS_NEW = _text("after", 2 * SECTOR_BYTES)
PAGE = _text("before", PAGE_BYTES)
NEARLY_PAGE = PAGE[: PAGE_BYTES - 200]
PAGE_NEW = _text("after", PAGE_BYTES)
PAGES = _text("before", 2 * PAGE_BYTES)
SECTOR_NEW = _text("after", SECTOR_BYTES)
ZEROS = bytes(PAGE_BYTES)

SUITE: dict[str, Litmus] = {}
"""By name, in the order of the page."""


def _litmus(
    name: str,
    question: str,
    *,
    final: str,
    watched: tuple[str, ...] = ("a",),
    prepared: Mapping[str, bytes] | None = None,
    versions: Mapping[str, bytes] | None = None,
    middle: tuple[str, ...] = (),
) -> Callable[[Callable[[Path, Mark], None]], Callable[[Path, Mark], None]]:
    def register(run: Callable[[Path, Mark], None]) -> Callable[[Path, Mark], None]:
        SUITE[name] = Litmus(
            name,
            question,
            {"a": OLD} if prepared is None else prepared,
            {"old": OLD, "new": NEW} if versions is None else versions,
            watched,
            final,
            run,
            middle,
        )
        return run

    return register


# --- data: writes into a file ---------------------------------------------------------------------------------------

_SECTORS = {"old": TWO_SECTORS, "new": TWO_SECTORS_NEW}


@_litmus(
    "overwrite", "Are two sectors of one write kept or lost together?",
    prepared={"a": TWO_SECTORS}, versions=_SECTORS, final="new",
)  # fmt: skip
def _(directory: Path, mark: Mark) -> None:
    overwrite(directory / "a", TWO_SECTORS_NEW, 0)


@_litmus(
    "overwrite, fdatasync", "Does fdatasync keep an overwrite?",
    prepared={"a": TWO_SECTORS}, versions=_SECTORS, final="new",
)  # fmt: skip
def _(directory: Path, mark: Mark) -> None:
    overwrite(directory / "a", TWO_SECTORS_NEW, 0, sync=os.fdatasync)


@_litmus(
    "overwrite, other descriptor synced", "Does fsync of one descriptor cover what another one wrote?",
    prepared={"a": TWO_SECTORS}, versions=_SECTORS, final="new",
)  # fmt: skip
def _(directory: Path, mark: Mark) -> None:
    with opened(directory / "a", os.O_WRONLY) as descriptor:
        write_at(descriptor, TWO_SECTORS_NEW, 0)
        sync_path(directory / "a")


@_litmus(
    "two pages, in order", "Is the second of two writes to one file kept only with the first?",
    prepared={"a": PAGES},
    versions={
        "old": PAGES,
        "first": SECTOR_NEW + PAGES[SECTOR_BYTES:],
        "second": PAGES[:PAGE_BYTES] + SECTOR_NEW + PAGES[PAGE_BYTES + SECTOR_BYTES :],
        "both": SECTOR_NEW + PAGES[SECTOR_BYTES:PAGE_BYTES] + SECTOR_NEW + PAGES[PAGE_BYTES + SECTOR_BYTES :],
    },
    final="both",
)  # fmt: skip
def _(directory: Path, mark: Mark) -> None:
    overwrite(directory / "a", SECTOR_NEW, 0)
    overwrite(directory / "a", SECTOR_NEW, PAGE_BYTES)


@_litmus(
    "preallocated zeros, fdatasync", "Does fdatasync keep a write into zeros that were written and synced before?",
    prepared={"a": ZEROS}, versions={"old": ZEROS, "new": OLD + ZEROS[len(OLD) :]}, final="new",
)  # fmt: skip
def _(directory: Path, mark: Mark) -> None:
    overwrite(directory / "a", OLD, 0, sync=os.fdatasync)


@_litmus(
    "fallocate, fdatasync", "Does fdatasync keep a write into space of fallocate, with its size?",
    prepared={"a": b""}, versions={"old": ZEROS, "new": OLD + ZEROS[len(OLD) :]}, final="new",
)  # fmt: skip
def _(directory: Path, mark: Mark) -> None:
    with opened(directory / "a", os.O_WRONLY) as descriptor:
        os.posix_fallocate(descriptor, 0, PAGE_BYTES)
        write_at(descriptor, OLD, 0)
        os.fdatasync(descriptor)


@_litmus(
    "mmap, msync", "Does msync keep a store into a shared mapping?",
    prepared={"a": TWO_SECTORS}, versions=_SECTORS, final="new",
)  # fmt: skip
def _(directory: Path, mark: Mark) -> None:
    store(directory / "a", TWO_SECTORS_NEW, 0)


@_litmus(
    "O_DIRECT", "Is a direct write that returned kept without a sync?",
    prepared={"a": PAGE}, versions={"old": PAGE, "new": PAGE_NEW}, final="new",
)  # fmt: skip
def _(directory: Path, mark: Mark) -> None:
    store_directly(directory / "a", PAGE_NEW, 0)


@_litmus(
    "sync_file_range", "Does sync_file_range keep an overwrite?",
    prepared={"a": TWO_SECTORS}, versions=_SECTORS, final="new",
)  # fmt: skip
def _(directory: Path, mark: Mark) -> None:
    overwrite(directory / "a", TWO_SECTORS_NEW, 0, sync=sync_range)


# --- sizes: appends and truncations ---------------------------------------------------------------------------------

_APPENDED = {"old": OLD, "new": LONGER}


@_litmus("append", "Is an append kept without a sync, and never as zeros?", versions=_APPENDED, final="new")
def _(directory: Path, mark: Mark) -> None:
    append(directory / "a", TAIL)


@_litmus(
    "append across pages", "Is an append of which a part lies in a new page kept as a prefix?",
    prepared={"a": NEARLY_PAGE}, versions={"old": NEARLY_PAGE, "new": NEARLY_PAGE + TAIL}, final="new",
)  # fmt: skip
def _(directory: Path, mark: Mark) -> None:
    append(directory / "a", TAIL)


@_litmus("append, fsync", "Does fsync keep an append?", versions=_APPENDED, final="new")
def _(directory: Path, mark: Mark) -> None:
    append(directory / "a", TAIL, sync=os.fsync)


@_litmus("append, fdatasync", "Does fdatasync keep an append, with its size?", versions=_APPENDED, final="new")
def _(directory: Path, mark: Mark) -> None:
    append(directory / "a", TAIL, sync=os.fdatasync)


@_litmus("append, O_DSYNC", "Is an append with O_DSYNC kept, with its size?", versions=_APPENDED, final="new")
def _(directory: Path, mark: Mark) -> None:
    append(directory / "a", TAIL, flags=os.O_DSYNC)


@_litmus(
    "append after a sync", "Is what was synced safe from the next append, and that one never zeros?",
    versions={"old": OLD, "first": LONGER, "both": LONGER + TAIL}, final="both", middle=("first synced",),
)  # fmt: skip
def _(directory: Path, mark: Mark) -> None:
    append(directory / "a", TAIL, sync=os.fsync)
    mark("first synced")
    append(directory / "a", TAIL)


@_litmus("shrink", "Is a truncation kept without a sync?", versions={"old": OLD, "new": OLD[:300]}, final="new")
def _(directory: Path, mark: Mark) -> None:
    os.truncate(directory / "a", 300)


@_litmus("shrink, fsync", "Does fsync keep a truncation?", versions={"old": OLD, "new": OLD[:300]}, final="new")
def _(directory: Path, mark: Mark) -> None:
    with opened(directory / "a", os.O_WRONLY) as descriptor:
        os.ftruncate(descriptor, 300)
        os.fsync(descriptor)


@_litmus(
    "shrink, append", "Does what was cut off stay away when the file grows again?",
    versions={"old": OLD, "cut": OLD[:300], "new": OLD[:300] + TAIL}, final="new",
)  # fmt: skip
def _(directory: Path, mark: Mark) -> None:
    os.truncate(directory / "a", 300)
    append(directory / "a", TAIL)


# --- names ----------------------------------------------------------------------------------------------------------


@_litmus("create", "Is a new file kept without a sync?", prepared={}, final="new")
def _(directory: Path, mark: Mark) -> None:
    make(directory / "a", NEW)


@_litmus("create, fsync", "Does fsync of a new file keep its name?", prepared={}, final="new")
def _(directory: Path, mark: Mark) -> None:
    make(directory / "a", NEW, sync=os.fsync)


@_litmus("create, directory synced", "Does fsync of the directory keep the file's content?", prepared={}, final="new")
def _(directory: Path, mark: Mark) -> None:
    make(directory / "a", NEW)
    sync_path(directory)


@_litmus("create, fsync, directory synced", "Do both keep a new file?", prepared={}, final="new")
def _(directory: Path, mark: Mark) -> None:
    make(directory / "a", NEW, sync=os.fsync)
    sync_path(directory)


@_litmus(
    "two files, the second synced", "Does fsync of a file cover a name that was made before it?",
    prepared={}, watched=("a", "b"), final="a=empty b=new",
)  # fmt: skip
def _(directory: Path, mark: Mark) -> None:
    make(directory / "a", b"")
    make(directory / "b", NEW, sync=os.fsync)


@_litmus(
    "two files, directory synced", "Does fsync of the directory cover every name made before?",
    prepared={}, watched=("a", "b"), final="a=empty b=empty",
)  # fmt: skip
def _(directory: Path, mark: Mark) -> None:
    make(directory / "a", b"")
    make(directory / "b", b"")
    sync_path(directory)


@_litmus(
    "new directory, file synced", "Does fsync of a file keep the new directory that it is in?",
    prepared={}, watched=("d", "d/a"), final="d=directory d/a=new",
)  # fmt: skip
def _(directory: Path, mark: Mark) -> None:
    (directory / "d").mkdir()
    make(directory / "d" / "a", NEW, sync=os.fsync)


@_litmus(
    "new directory, it is synced", "Does fsync of a new directory keep its own name?",
    prepared={}, watched=("d", "d/a"), final="d=directory d/a=new",
)  # fmt: skip
def _(directory: Path, mark: Mark) -> None:
    (directory / "d").mkdir()
    make(directory / "d" / "a", NEW, sync=os.fsync)
    sync_path(directory / "d")


@_litmus(
    "new directory, all synced", "Do fsync of the file, its directory and that one's parent keep it?",
    prepared={}, watched=("d", "d/a"), final="d=directory d/a=new",
)  # fmt: skip
def _(directory: Path, mark: Mark) -> None:
    (directory / "d").mkdir()
    make(directory / "d" / "a", NEW, sync=os.fsync)
    sync_path(directory / "d")
    sync_path(directory)


@_litmus("hard link, fsync", "Does fsync of a file keep its second name?", watched=("a", "b"), final="a=old b=old")
def _(directory: Path, mark: Mark) -> None:
    os.link(directory / "a", directory / "b")
    sync_path(directory / "b")


@_litmus(
    "symbolic link, directory synced", "Does fsync of the directory keep a link with its target?",
    prepared={}, versions={"link": b"somewhere/else"}, final="link",
)  # fmt: skip
def _(directory: Path, mark: Mark) -> None:
    (directory / "a").symlink_to("somewhere/else")
    sync_path(directory)


@_litmus("unlink, directory synced", "Does fsync of the directory keep a removal?", final="missing")
def _(directory: Path, mark: Mark) -> None:
    (directory / "a").unlink()
    sync_path(directory)


@_litmus("unlink, create, fsync", "Is a name that is removed and made anew never gone or empty?", final="new")
def _(directory: Path, mark: Mark) -> None:
    (directory / "a").unlink()
    make(directory / "a", NEW, sync=os.fsync)


# --- renames --------------------------------------------------------------------------------------------------------


@_litmus("replace by rename", "Without any sync: is it the old content or the new one?", final="new")
def _(directory: Path, mark: Mark) -> None:
    make(directory / "b", NEW)
    (directory / "b").rename(directory / "a")


@_litmus("replace by rename, fsync", "With the new file synced: is it the new content?", final="new")
def _(directory: Path, mark: Mark) -> None:
    make(directory / "b", NEW, sync=os.fsync)
    (directory / "b").rename(directory / "a")


@_litmus("replace by rename, fsync, directory synced", "With both synced: is it the new content?", final="new")
def _(directory: Path, mark: Mark) -> None:
    make(directory / "b", NEW, sync=os.fsync)
    (directory / "b").rename(directory / "a")
    sync_path(directory)


@_litmus("replace by rename, then fsync", "Does fsync of a renamed file keep the rename?", final="new")
def _(directory: Path, mark: Mark) -> None:
    make(directory / "b", NEW)
    (directory / "b").rename(directory / "a")
    sync_path(directory / "a")


@_litmus("replace by truncation", "Without any sync: is it the old content or the new one?", final="new")
def _(directory: Path, mark: Mark) -> None:
    make(directory / "a", NEW, flags=os.O_TRUNC)


@_litmus(
    "replace by truncation, fsync", "With a sync: is there the old content until there is the new one?", final="new"
)
def _(directory: Path, mark: Mark) -> None:
    make(directory / "a", NEW, flags=os.O_TRUNC, sync=os.fsync)


@_litmus(
    "rename to another directory, the new one synced", "Does fsync of the directory it went to keep a rename?",
    prepared={"d/a": OLD, "e/": b""}, watched=("d/a", "e/a"), final="d/a=missing e/a=old",
)  # fmt: skip
def _(directory: Path, mark: Mark) -> None:
    (directory / "d" / "a").rename(directory / "e" / "a")
    sync_path(directory / "e")


@_litmus(
    "rename to another directory, both synced", "Do both directories' syncs keep a rename?",
    prepared={"d/a": OLD, "e/": b""}, watched=("d/a", "e/a"), final="d/a=missing e/a=old",
)  # fmt: skip
def _(directory: Path, mark: Mark) -> None:
    (directory / "d" / "a").rename(directory / "e" / "a")
    sync_path(directory / "e")
    sync_path(directory / "d")


@_litmus(
    "rename to another directory, the old one synced", "Does fsync of the directory it left keep a rename?",
    prepared={"d/a": OLD, "e/": b""}, watched=("d/a", "e/a"), final="d/a=missing e/a=old",
)  # fmt: skip
def _(directory: Path, mark: Mark) -> None:
    (directory / "d" / "a").rename(directory / "e" / "a")
    sync_path(directory / "d")


@_litmus(
    "two renames", "Is the second of two renames kept only with the first?",
    prepared={"a": OLD, "b": NEW}, watched=("c", "d"), final="c=old d=new",
)  # fmt: skip
def _(directory: Path, mark: Mark) -> None:
    (directory / "a").rename(directory / "c")
    (directory / "b").rename(directory / "d")


# --- order between files --------------------------------------------------------------------------------------------


# Two files in doubt at once: a few bytes each are enough, and soon gone through.
_LITTLE = {"old": OLD, "new": OLD + TAIL[:10]}


@_litmus(
    "two appends", "Is an append to a second file kept only with an earlier one to the first?",
    prepared={"a": OLD, "b": OLD}, watched=("a", "b"), versions=_LITTLE, final="a=new b=new",
)  # fmt: skip
def _(directory: Path, mark: Mark) -> None:
    append(directory / "a", TAIL[:10])
    append(directory / "b", TAIL[:10])


@_litmus(
    "two appends, the second synced", "Does fsync of one file cover an earlier append to another?",
    prepared={"a": OLD, "b": OLD}, watched=("a", "b"), versions=_LITTLE, final="a=new b=new",
)  # fmt: skip
def _(directory: Path, mark: Mark) -> None:
    append(directory / "a", TAIL[:10])
    append(directory / "b", TAIL[:10], sync=os.fsync)
