"""Carry out a repair plan, as the owner of the directory (specs/06-repair.md).

A torn tail is cut without a question, as an open would do, but the original stays beside the store.  Damage to what
was promised is left alone unless the caller accepts the loss by name.

    copy        what will change or go, beside the store, under names that begin with ``broken-``
    settle      one manifest swap: the kept prefix, and a segment that only retires the numbers behind it
    tidy        trim what was cut, remove what was taken out

The order makes every crash harmless.  The copies are synced and named before the manifest is swapped; until the swap
nothing that counts has changed, and after it only debris is left, which the next open removes.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection

from durakv.directory import MANIFEST_NAME, seal, take_lock
from durakv.errors import Corruption, DirectoryError, DiskFull
from durakv.recovery import Recovered
from durakv.repair_plan import Remedy, RepairPlan, plan_repair
from durakv.storage.filesystem import Filesystem
from durakv.takeover import settle, tidy
from durakv.verification import KEPT_PREFIX, Severity
from durakv.verify import Progress
from durakv_formats.frame import HEADER_BYTES

_CHUNK_BYTES = 1 << 20
_COPY_TEMPORARY = "temp-appendonly.aof.kept"


def repair(
    filesystem: Filesystem,
    *,
    discard_after_damage: bool = False,
    entropy: Callable[[int], bytes] = os.urandom,
    progress: Progress | None = None,
) -> RepairPlan:
    """Repair the directory, and return what was done.

    When it returns, the result survives a power loss, and everything that was changed or taken out is beside it under
    a name that begins with ``broken-``.  Raises, before anything is written, Corruption if promised data is damaged
    and ``discard_after_damage`` is false (the message tells what would be lost), DirectoryError if no prefix can be
    proven, Locked, and DiskFull if there is no room for the copies; ``OSError`` at any time.
    """
    lock = take_lock(filesystem)
    try:
        plan = plan_repair(filesystem, entropy=entropy, progress=progress)
        if plan.remedy is Remedy.NOTHING:
            return plan
        if plan.remedy is Remedy.IMPOSSIBLE or plan.found is None:
            raise DirectoryError(f"{plan.reason}; {plan.advice}")
        if plan.remedy is Remedy.DISCARD and not discard_after_damage:
            raise _refusal(plan)
        _keep_copies(filesystem, plan)
        _settle(filesystem, plan.found, plan.left_out)
        return plan
    finally:
        lock.release()


def _refusal(plan: RepairPlan) -> Corruption:
    damage = plan.verification.first(Severity.CORRUPTION)
    assert damage is not None, "only damage asks for a choice"
    return Corruption(
        damage.name,
        damage.offset,
        damage.reason,
        f"A repair would keep everything up to number {plan.keep_seq} and lose {plan.loss}. Restore the directory "
        "from a copy, or accept that loss: discard_after_damage=True, on the command line --discard-after-damage",
    )


def _keep_copies(filesystem: Filesystem, plan: RepairPlan) -> None:
    """Copy whatever will change or go; when it returns, the copies survive a power loss."""
    there = filesystem.list()
    names = [name for name in (MANIFEST_NAME, *plan.cut, *plan.left_out) if name in there]
    size = sum(_size(filesystem, name) for name in names)
    free = filesystem.free_bytes()
    if size > free:
        raise DiskFull(
            f"{filesystem.describe()}: the originals take {size} bytes to be kept beside the store, and {free} are "
            "free; free some space and repeat the repair"
        )
    earlier = [re.fullmatch(rf"{KEPT_PREFIX}.+-([0-9]{{1,9}})", name) for name in there]
    number = 1 + max((int(match[1]) for match in earlier if match is not None), default=0)
    if _COPY_TEMPORARY in there:
        filesystem.remove(_COPY_TEMPORARY)
    for name in names:
        _copy(filesystem, name, f"{KEPT_PREFIX}{name}-{number}")
    filesystem.sync_directory()


def _copy(filesystem: Filesystem, name: str, target: str) -> None:
    """A whole, synced copy, or none: it gets its name last."""
    source = filesystem.open(name)
    try:
        copy = filesystem.create(_COPY_TEMPORARY)
        try:
            size = source.size()
            copy.truncate(size)
            for offset in range(0, size, _CHUNK_BYTES):
                data = source.read_at(_CHUNK_BYTES, offset)
                if data.strip(b"\0"):
                    copy.write_at(data, offset)
            copy.sync()
        finally:
            copy.close()
    finally:
        source.close()
    filesystem.rename(_COPY_TEMPORARY, target)


def _size(filesystem: Filesystem, name: str) -> int:
    file = filesystem.open(name)
    try:
        return file.size()
    finally:
        file.close()


def _settle(filesystem: Filesystem, found: Recovered, left_out: Collection[str]) -> None:
    """Make what is kept the truth, in the way an open does, and close the directory cleanly."""
    directory, segment = settle(filesystem, found, HEADER_BYTES)
    segment.file.close()
    directory.swap(
        lambda manifest: seal(manifest, segment.name, last=found.seq_max, size=HEADER_BYTES), synced_seq=found.seq_max
    )
    gone = [name for name in found.debris if name in left_out]
    for name in gone:
        filesystem.remove(name)
    if gone:
        filesystem.sync_directory()
    found.debris = [name for name in found.debris if name not in left_out]
    tidy(filesystem, found)
