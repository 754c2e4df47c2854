"""Two small stores as subjects, each with the flaws that a test asks for; without any they keep every promise they can.

``LogStore`` has one file with a line for each number, ``FileStore`` a file for each number.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path

from durakv_fuzz.program.subject import Found, Plan, Promise, Teller


def sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@dataclass(slots=True, kw_only=True)
class _Store:
    flaws: frozenset[str] = frozenset()
    promise: Promise = Promise.ALWAYS
    window_seconds: float = 0.0
    name: str = "store"
    setting: str = ""
    documented: str = "here"
    plan: Plan = field(default_factory=lambda: Plan(count=6))

    def missing(self) -> str:
        return ""

    def versions(self) -> Mapping[str, str]:
        return {"store": "1"}


@dataclass(slots=True, kw_only=True)
class LogStore(_Store):
    """A log that is synced after each number before it is acknowledged; each start writes the log anew.

    Flaws: ``early`` (acknowledged before it is written), ``unsynced``, ``nameless`` (the directory is not synced),
    ``cannot begin``, ``starts never``, ``hangs`` and ``dies`` (on a log that was cut), ``recovers unsynced`` (a start
    does not wait for the disk), ``goes on unsynced`` (whoever adds to a log that has numbers does not sync it),
    ``pauses`` (syncs every third number, and takes its time).
    """

    def prepare(self, directory: Path) -> None:
        (directory / "log").touch()
        sync_directory(directory)

    def drive(self, directory: Path, numbers: range, teller: Teller) -> None:
        if "cannot begin" in self.flaws:
            raise OSError("no such luck")
        whole, _ = self._lines(directory)
        with (directory / "log").open("ab", buffering=0) as log:
            log.truncate(sum(len(line) for line in whole))
            if "nameless" not in self.flaws:
                sync_directory(directory)
            is_synced = "unsynced" not in self.flaws and not (whole and "goes on unsynced" in self.flaws)
            for number in numbers:
                teller.issued(number)
                if "early" in self.flaws:
                    teller.acked(number)
                log.write(_line(number))
                if is_synced and not ("pauses" in self.flaws and number % 3):
                    os.fsync(log.fileno())
                    if self.promise in (Promise.PREFIX, Promise.SYNCED):
                        teller.synced(number)
                if "pauses" in self.flaws:
                    time.sleep(0.01)
                if "early" not in self.flaws:
                    teller.acked(number)

    def check(self, directory: Path) -> Found:
        if "starts never" in self.flaws:
            return Found(refusal="it never does")
        whole, torn = self._lines(directory)
        if torn and "hangs" in self.flaws:
            time.sleep(60)
        if torn and "dies" in self.flaws:
            os.kill(os.getpid(), signal.SIGKILL)
        if whole:
            with (directory / "log.new").open("wb", buffering=0) as log:
                log.write(b"".join(whole))
                if "recovers unsynced" not in self.flaws:
                    os.fsync(log.fileno())
            (directory / "log.new").replace(directory / "log")
            if "recovers unsynced" not in self.flaws:
                sync_directory(directory)
        return Found(frozenset(range(len(whole))))

    def _lines(self, directory: Path) -> tuple[Sequence[bytes], bool]:
        """The numbers from 0 that are there, and whether something follows them."""
        try:
            content = (directory / "log").read_bytes()
        except FileNotFoundError:
            return [], False
        lines = content.splitlines(keepends=True)
        whole = [line for _, line in takewhile(lambda pair: pair[1] == _line(pair[0]), enumerate(lines))]
        return whole, len(whole) < len(lines)


def _line(number: int) -> bytes:
    return b"%d %s\n" % (number, b"x" * (1500 + number))


@dataclass(slots=True, kw_only=True)
class FileStore(_Store):
    """A file for each number; everything is synced with every third one, and that is told.

    Flaws: ``untrue`` (it is told, and the directory was not synced), ``empty is right`` (a number without its value
    counts), ``strange`` (finds a number that nobody wrote).
    """

    def prepare(self, directory: Path) -> None:
        sync_directory(directory)

    def drive(self, directory: Path, numbers: range, teller: Teller) -> None:
        waiting: list[Path] = []
        for number in numbers:
            path = directory / str(number)
            teller.issued(number)
            path.write_bytes(_line(number))
            teller.acked(number)
            waiting.append(path)
            if number % 3 == 2:
                for file in waiting:
                    with file.open("rb") as opened:
                        os.fsync(opened.fileno())
                waiting.clear()
                if "untrue" not in self.flaws:
                    sync_directory(directory)
                teller.synced(number)

    def check(self, directory: Path) -> Found:
        return Found(frozenset(self._numbers(directory)))

    def _numbers(self, directory: Path) -> Iterator[int]:
        for path in directory.iterdir():
            number = int(path.name)
            if path.read_bytes() == _line(number):
                yield number
        if "strange" in self.flaws:
            yield 1000
