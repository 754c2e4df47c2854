"""What the disk below a directory can do, and why its figures may not be believed.

Everything else is judged by this: a store cannot commit one record faster than the raw loop does.
"""

from __future__ import annotations

import contextlib
from array import array
from pathlib import Path

from durakv.bench.latency import back_to_back, percentiles
from durakv.bench.mounts import Mount, mount_of, write_cache
from durakv.bench.raw import WAYS, RawFile, Way, record_bytes
from durakv.bench.results import Disk, RawLoop
from durakv.bench.workload import VALUE_BYTES

SYNC_US_PLAUSIBLE = 50.0
"""A flush of a disk's volatile cache takes longer than this on all hardware but memory with a battery."""

SYNC_US_POSSIBLE = 10.0
"""No device that stores anything answers faster."""

_IN_MEMORY = {"tmpfs", "ramfs", "devtmpfs"}
_LAYERED = {"overlay", "aufs", "fuse-overlayfs"}
_REMOTE = {"nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "glusterfs", "fuse.sshfs", "virtiofs", "afs", "lustre"}
_NO_BARRIER = {"nobarrier", "barrier=0"}


def probe(directory: Path, *, rounds: int = 3, seconds: float = 0.1, value_bytes: int = VALUE_BYTES) -> Disk:
    """Run every raw loop in turn, with a record of the log's size; the files are removed again."""
    latencies = [array("Q") for _ in WAYS]
    rates: list[list[float]] = [[] for _ in WAYS]
    files: dict[int, RawFile] = {}
    with contextlib.ExitStack() as stack:
        for number, way in enumerate(WAYS):
            path = directory / f"raw-{number}"
            stack.callback(path.unlink, missing_ok=True)
            with contextlib.suppress(OSError):  # this file system does not know that way: it is left out
                files[number] = file = RawFile(path, way, record_bytes(value_bytes))
                stack.callback(file.close)
        for turn in range(rounds):
            for shift in range(len(WAYS)):
                number = (turn + shift) % len(WAYS)
                if number in files:
                    start, ends = files[number].loop(seconds)
                    latencies[number].extend(back_to_back(start, ends)[1])
                    rates[number].append(len(ends) / ((ends[-1] - start) / 1e9))
    loops = tuple(_raw_loop(WAYS[number], latencies[number], rates[number]) for number in files)
    mount = mount_of(directory)
    cache = write_cache(mount)
    return Disk(
        directory=str(directory.resolve()),
        file_system=mount.kind,
        device=mount.source,
        mount_options=mount.options,
        write_cache=cache,
        raw=loops,
        warnings=warnings(mount, cache, loops[0].latency.p50_us),
    )


def warnings(mount: Mount, cache: str, sync_p50_us: float) -> tuple[str, ...]:
    """Why figures from such a disk may not hold elsewhere, or after a power loss."""
    found: list[str] = []
    if mount.kind in _IN_MEMORY:
        found.append(
            f"{mount.kind} is memory: nothing here survives a power loss, and no sync costs what a disk's does"
        )
    elif mount.kind in _LAYERED:
        found.append(
            f"{mount.kind} is a layer over another file system (a container's, most likely); measure on a volume of "
            "the disk that the data will be on"
        )
    elif mount.kind in _REMOTE:
        found.append(f"{mount.kind} is not a disk of this machine: figures are those of the network and the other side")
    elif mount.kind.startswith("fuse"):
        found.append(f"{mount.kind}: a program stands between the file system and the disk, and may sync as it likes")
    for option in sorted(_NO_BARRIER.intersection(mount.options.split(","))):
        found.append(
            f"mounted with {option}: a sync does not empty the disk's cache, so a power loss takes synced writes"
        )
    if mount.kind in _IN_MEMORY:
        return tuple(found)
    if sync_p50_us < SYNC_US_POSSIBLE:
        found.append(
            f"a synced write takes {sync_p50_us:.0f} us; no disk is that fast: something acknowledges before it stores"
        )
    elif sync_p50_us < SYNC_US_PLAUSIBLE and cache == "write back":
        found.append(
            f"a synced write takes {sync_p50_us:.0f} us although the disk has a volatile cache (write back); flushing "
            "one takes longer: the disk, or the machine that it is virtual on, may not keep its word at a power loss"
        )
    return tuple(found)


def _raw_loop(way: Way, latencies_ns: array[int], rates: list[float]) -> RawLoop:
    latency = percentiles(latencies_ns)
    assert latency is not None, "every round commits at least once"
    return RawLoop(name=way.name, commits_per_second=sorted(rates)[len(rates) // 2], latency=latency)
