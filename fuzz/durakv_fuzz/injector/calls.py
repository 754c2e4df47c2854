"""A system call as it is counted: which file of the directory, how many bytes, by whom.

Paths and lengths are read out of the caller's memory while it waits.  Another of its threads may change them before
the kernel reads them again: fine for a test, no protection against anybody.  Paths are taken as ours: of a program in
another root or mount namespace they mean something else.
"""

from __future__ import annotations

import contextlib
import os
import struct
from dataclasses import dataclass
from pathlib import Path

from durakv_fuzz.injector import numbers
from durakv_fuzz.injector.processes import GONE, PATH_BYTES_MAX, path_of, read_memory, read_string
from durakv_fuzz.injector.seccomp import Notification
from durakv_fuzz.roles import without_numbers

_AT_FDCWD = -100
_VECTOR = struct.Struct("=QQ")
_VECTORS_MAX = 1024
"""As the kernel's ``UIO_MAXIOV``."""
_PROT_WRITE = 2
_MAPS_LINE_MAX = 2 * PATH_BYTES_MAX


@dataclass(frozen=True, slots=True)
class Call:
    """A call that a thread is about to make."""

    index: int
    """Which of all counted calls of the run, from 1."""

    name: str

    path: str
    """Within the directory; ``.`` for itself, empty for ``sync``; of a rename or link, where it comes from."""

    to: str = ""
    """Where a rename or link goes to.  Either end outside the directory is an absolute path."""

    size: int = 0
    """Bytes, where the call has a number of bytes; the new size of a truncation."""

    thread: int = 0

    stack: tuple[str, ...] = ()
    """Where in the program, innermost first, if stacks were asked for."""

    @property
    def role(self) -> str:
        """The same for all calls of that name on files whose names differ in numbers only."""
        return " ".join(filter(None, (self.name, without_numbers(self.path), without_numbers(self.to))))

    def __str__(self) -> str:
        places = " -> ".join(filter(None, (self.path, self.to)))
        return f"call {self.index}: {self.name}({places}{f', {self.size} bytes' if self.size else ''})"


class Scope:
    """The directory whose files count."""

    def __init__(self, directory: Path) -> None:
        """It has to exist; it is known by its real path."""
        self._root = os.path.realpath(directory)
        self._device = os.stat(self._root).st_dev

    def call(self, name: str, notification: Notification, index: int) -> Call | None:
        """The call, if it counts: if it is about something in the directory, or about everything."""
        thread, arguments = notification.thread, notification.arguments
        if name == "sync":
            return Call(index, name, "", thread=thread)
        if name == "syncfs":
            return Call(index, name, "", thread=thread) if self._same_device(thread, arguments[0]) else None
        if name == "mmap" and not arguments[2] & _PROT_WRITE:
            return None
        if name in numbers.PATHS:
            places = [self._named(thread, arguments, *where) for where in numbers.PATHS[name]]
        elif name == "msync":
            places = [self._within(_mapped_at(thread, arguments[0]))]
        else:
            places = [self._within(path_of(thread, f"fd/{arguments[numbers.DESCRIPTORS[name]] & 0xFFFFFFFF}"))]
        if all(not place or place.startswith("/") for place in places):
            return None
        return Call(index, name, places[0], places[1] if len(places) > 1 else "", _size(name, notification), thread)

    def _named(self, thread: int, arguments: tuple[int, ...], directory: int | None, path: int) -> str:
        name = read_string(thread, arguments[path])
        if not name.startswith("/"):
            descriptor = _AT_FDCWD if directory is None else _signed(arguments[directory])
            base = path_of(thread, "cwd" if descriptor == _AT_FDCWD else f"fd/{descriptor}")
            if not base:
                return ""
            name = f"{base}/{name}" if name else base
        head, _, last = os.path.normpath(name).rpartition("/")
        # What holds it may be reached by a symbolic link; the link itself is what an unlink or a rename is about.
        return self._within(f"{os.path.realpath(head)}/{last}".replace("//", "/"))

    def _within(self, path: str) -> str:
        if path == self._root:
            return "."
        return path.removeprefix(self._root.rstrip("/") + "/")

    def _same_device(self, thread: int, descriptor: int) -> bool:
        try:
            return os.stat(f"/proc/{thread}/fd/{descriptor & 0xFFFFFFFF}").st_dev == self._device
        except GONE:
            return False


def vectors(notification: Notification) -> list[tuple[int, int]]:
    """Address and length of each part of a vectored write."""
    count = min(notification.arguments[2], _VECTORS_MAX)
    data = read_memory(notification.thread, notification.arguments[1], count * _VECTOR.size)
    return list(_VECTOR.iter_unpack(data[: len(data) - len(data) % _VECTOR.size]))


def _size(name: str, notification: Notification) -> int:
    if name in numbers.VECTORS:
        return sum(length for _, length in vectors(notification))
    return notification.arguments[numbers.SIZES[name]] if name in numbers.SIZES else 0


def _signed(argument: int) -> int:
    """A descriptor as the kernel takes it: the lower four bytes, with a sign."""
    low = argument & 0xFFFFFFFF
    return low - (1 << 32) if low >> 31 else low


def _mapped_at(thread: int, address: int) -> str:
    """The file that is mapped there, if any."""
    with contextlib.suppress(*GONE), open(f"/proc/{thread}/maps", errors="surrogateescape") as lines:
        while line := lines.readline(_MAPS_LINE_MAX):
            fields = line.rstrip("\n").split(None, 5)
            first, _, last = fields[0].partition("-")
            if int(first, 16) <= address < int(last, 16):
                return fields[5].removesuffix(" (deleted)") if len(fields) > 5 else ""
    return ""
