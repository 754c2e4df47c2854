"""Small data directories in memory and on disk, and what a bad one may come to: refused by name, or harmless."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from durakv.clock import ManualClock
from durakv.directory import LOCK_NAME
from durakv.errors import Corruption, DurakvError, UnsupportedVersion
from durakv.recovery import recover
from durakv.report import RecoveryReport
from durakv_fuzz.disk import SimulatedDisk
from durakv_fuzz.image import Image
from tests.support import Journal, open_engine, put

Files = dict[str, bytes]


def closed_directory() -> tuple[Files, list[int]]:
    """Base, sealed segments, clean close: every byte of it is promised."""
    disk = SimulatedDisk()
    opened = open_engine(disk)
    for number in range(1, 4):
        opened.engine.apply(put(number))
    opened.engine.rewrite()
    for number in range(4, 7):
        opened.engine.apply(put(number))
    opened.engine.close()
    opened = open_engine(disk)
    opened.engine.apply([*put(7), *put(8)])
    opened.engine.close()
    return files_of(disk), list(range(1, 9))


def abandoned_directory() -> tuple[Files, list[int], int]:
    """A sealed segment and an open one whose owner died; also the last number that is promised."""
    disk = SimulatedDisk()
    opened = open_engine(disk)
    opened.engine.apply(put(1))
    opened.engine.close()
    opened = open_engine(disk)
    for number in range(2, 6):
        opened.engine.apply(put(number))
    promised = 4  # the frame of number 5 says that 4 was synced
    return files_of(disk), list(range(1, 6)), promised


def files_of(disk: SimulatedDisk) -> Files:
    return {name: data for name, data in disk.image().files.items() if name != LOCK_NAME}


class Outcome(NamedTuple):
    """What reading a directory came to."""

    refusal: DurakvError | None
    commands: list[int]
    report: RecoveryReport | None


def read(files: Mapping[str, bytes]) -> Outcome:
    """Recover from the files, without becoming their owner."""
    journal = Journal()
    try:
        found = recover(
            SimulatedDisk(Image(dict(files))), journal, clock=ManualClock(), entropy=lambda size: bytes(size)
        )
    except (Corruption, UnsupportedVersion) as refusal:
        return Outcome(refusal, [], None)
    return Outcome(None, [int(command[1]) for command in journal.commands], found.report)


def opened_and_untouched(files: Mapping[str, bytes]) -> DurakvError | None:
    """Open the files as an owner; return the refusal, after which every file must be as it was."""
    disk = SimulatedDisk(Image(dict(files)))
    refused: DurakvError | None = None
    try:
        open_engine(disk)
    except (Corruption, UnsupportedVersion) as refusal:
        refused = refusal
    assert refused is None or files_of(disk) == dict(files), f"refused ({refused}), but not left as it was"
    return refused


def digest(directory: Path) -> str:
    """Every name, type, size and byte below a directory, but for the lock, which is not part of the data."""
    total = hashlib.sha256()
    for path in sorted(directory.rglob("*")):
        if path.name == LOCK_NAME:
            continue
        total.update(os.fsencode(path.relative_to(directory)) + b"\0")
        if path.is_symlink():
            total.update(os.fsencode(os.readlink(path)))
        elif path.is_file():
            total.update(path.read_bytes())
        total.update(b"\0")
    return total.hexdigest()


def assert_told(refusal: DurakvError, *words: str) -> None:
    """A refusal names what is wrong and what to do, in one line."""
    text = str(refusal)
    assert "\n" not in text
    for word in words:
        assert word in text, f"{word!r} is not in {text!r}"
    if isinstance(refusal, Corruption):
        assert refusal.name in text
        assert f"byte {refusal.offset}" in text
        assert refusal.reason in text
        assert refusal.remedy, f"no remedy in {text!r}"
