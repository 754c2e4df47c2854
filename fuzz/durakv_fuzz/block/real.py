"""The real file systems: how each is made, how it is mounted, and why it cannot be had here."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from durakv_fuzz.block import loop
from durakv_fuzz.block.trace import BLOCK_BYTES, NO_DATA
from durakv_fuzz.recorder import connection

_READ_BYTES = 1 << 20
_MKFS_SECONDS = 60.0
_CAP_SYS_ADMIN = 21


@dataclass(frozen=True, slots=True)
class RealFilesystem:
    """One of the kernel's file systems, made as its tools make it, but for what only costs time.

    Nothing is discarded and nothing is made later in the background, so that two runs do the same.
    """

    name: str
    device_bytes: int
    make: tuple[str, ...]
    """The command, without the device."""

    options: str
    """For mounting."""

    atomic: tuple[int, ...] = ()
    """Its superblocks, by 4 KiB, if they have several sectors: torn, they cannot be mounted, and no program can help.

    ext4 and btrfs take such a write for atomic, as it is on disks whose physical sectors have 4 KiB.
    """

    @property
    def program(self) -> str:
        """The program that makes it."""
        return self.make[0]


REAL: Mapping[str, RealFilesystem] = {
    filesystem.name: filesystem
    for filesystem in (
        RealFilesystem(
            "ext4",
            256 << 20,
            # Of so small a device the blocks would have 1 KiB, which no ext4 of any size in use has.
            ("mkfs.ext4", "-q", "-F", "-b", "4096", "-E", "lazy_itable_init=0,lazy_journal_init=0,nodiscard"),
            "",
            (0,),
        ),
        # Its number may be mounted already: by the recorder whose device this was.
        RealFilesystem("xfs", 512 << 20, ("mkfs.xfs", "-q", "-f", "-K"), "nouuid"),
        RealFilesystem("btrfs", 256 << 20, ("mkfs.btrfs", "-q", "-f", "-K"), "nodiscard", (16, 16 << 10)),
    )
}


class MakeError(Exception):
    """The program that makes a file system failed; the message ends with what it said."""


def real(name: str) -> RealFilesystem:
    """Raises ``ValueError`` for a name that is none of ``REAL``."""
    if name not in REAL:
        raise ValueError(f"{name!r} is none of the file systems {', '.join(REAL)}")
    return REAL[name]


def missing(filesystem: str) -> str:
    """Why nothing can be recorded on it here, in one line; empty if it can."""
    kind = real(filesystem)
    if platform.system() != "Linux":
        return "real file systems are recorded on Linux only"
    if os.geteuid() != 0:
        return "mounting a real file system needs root"
    if _program(kind.program) is None:
        return f"{kind.program} is not installed"
    return connection.unusable() or loop.unusable() or _unknown(kind.name) or _forbidden()


def made(kind: RealFilesystem) -> dict[int, bytes]:
    """An empty one, freshly made: the blocks that are not zeros.  Raises ``MakeError``."""
    program = _program(kind.program)
    if program is None:
        raise MakeError(f"{kind.program} is not installed")
    fd = os.memfd_create("durakv-block-made", os.MFD_CLOEXEC)
    try:
        os.ftruncate(fd, kind.device_bytes)
        _run([program, *kind.make[1:], f"/proc/self/fd/{fd}"], fd)
        return read_blocks(fd)
    finally:
        os.close(fd)


def read_blocks(fd: int) -> dict[int, bytes]:
    """What is not zeros in a sparse file."""
    blocks: dict[int, bytes] = {}
    size = os.fstat(fd).st_size
    begin = _next_data(fd, 0, size)
    while begin < size:
        end = os.lseek(fd, begin, os.SEEK_HOLE)
        for at in range(begin - begin % BLOCK_BYTES, end, _READ_BYTES):
            data = os.pread(fd, min(_READ_BYTES, end - at), at)
            for within in range(0, len(data), BLOCK_BYTES):
                content = data[within : within + BLOCK_BYTES].ljust(BLOCK_BYTES, b"\0")
                if content != NO_DATA:
                    blocks[(at + within) // BLOCK_BYTES] = content
        begin = _next_data(fd, end, size)
    return blocks


def _next_data(fd: int, at: int, size: int) -> int:
    try:
        return os.lseek(fd, at, os.SEEK_DATA)
    except OSError:  # ENXIO: there is none after this
        return size


def _run(command: list[str], fd: int) -> None:
    try:
        done = subprocess.run(
            command, pass_fds=(fd,), stdin=subprocess.DEVNULL, capture_output=True, timeout=_MKFS_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as failure:
        raise MakeError(f"{command[0]} took more than {_MKFS_SECONDS:g} s") from failure
    if done.returncode != 0:
        said = (done.stderr or done.stdout).decode(errors="replace").strip()[-500:]
        raise MakeError(f"{' '.join(command)} failed: {said}")


def _program(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")


def _unknown(name: str) -> str:
    """Whether the kernel has it, after it was asked to load it."""
    modprobe = _program("modprobe")
    if not _known(name) and modprobe is not None:
        subprocess.run([modprobe, "-q", name], stdin=subprocess.DEVNULL, capture_output=True, timeout=10, check=False)
    return "" if _known(name) else f"this kernel has no {name} (/proc/filesystems), and modprobe does not load it"


def _known(name: str) -> bool:
    return name in Path("/proc/filesystems").read_text(encoding="ascii").split()


def _forbidden() -> str:
    """Root in a container may lack the capability that mount asks for."""
    bounds = dict(
        line.split(":\t", 1)
        for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
        if ":\t" in line
    )
    capabilities = int(bounds.get("CapEff", "0"), 16)
    return "" if capabilities >> _CAP_SYS_ADMIN & 1 else "mounting needs CAP_SYS_ADMIN, which this root has not"
