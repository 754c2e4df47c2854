"""``durakv verify FILE`` and ``durakv repair FILE``: single files of stock servers, and of ours.

An append-only file is read as an import would read it.  Where that fails, it is read on where commands begin that are
known and stand at the beginning of a line; which database is selected there nobody knows any more.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import chain

from durakv.cli import exits
from durakv.cli.output import size as told_size
from durakv.cli.streams import CommandStream, Readable
from durakv.errors import CommandError, Corruption, UnsupportedVersion
from durakv.keyspace.table import look_up
from durakv.salvage import Stretch, Worth, entries_of, survey_rdb
from durakv.stock_base import MAGIC_BYTES, is_rdb
from durakv.storage.filesystem import File, Filesystem
from durakv.storage.posix import PosixFilesystem
from durakv.storage.replace import atomic_replace
from durakv_formats.errors import FormatError, UnsupportedVersionError
from durakv_formats.rdb import Header, RdbWriter, Target, read_rdb

_WINDOW_BYTES = 1 << 20
_PIECE_BYTES = 1 << 20
_BEGINNING = re.compile(rb"\*[1-9][0-9]{0,6}\r\n\$[1-9][0-9]{0,2}\r\n([A-Za-z.]{2,40})\r\n")
_TORN = "the stream ends inside"
_INSIDE = "EXEC where none can be"


@dataclass(slots=True)
class Survey:
    """What a file holds."""

    path: str
    size: int
    is_rdb: bool
    stretches: list[Stretch]

    @property
    def lost(self) -> list[Stretch]:
        """The parts of which nothing can be made."""
        return [stretch for stretch in self.stretches if stretch.worth is Worth.LOST]

    @property
    def is_torn(self) -> bool:
        """Whether all that is wrong is an append-only file's unfinished end."""
        return self.is_sound and [stretch.reason.startswith(_TORN) for stretch in self.lost] == [True]

    @property
    def is_whole(self) -> bool:
        """Whether nothing is lost, and nothing reads that a checksum speaks against."""
        return self.is_sound and not self.lost

    @property
    def is_sound(self) -> bool:
        """Whether no key stands in a part that a checksum speaks against, or that none covers."""
        return not any(stretch.holds == "keys" and stretch.worth is Worth.READABLE for stretch in self.stretches)

    def kept(self, *, keep_readable: bool) -> list[Stretch]:
        """The stretches that a repair keeps: those before the first damage, or all that can be read."""
        if keep_readable:
            return [stretch for stretch in self.stretches if stretch.worth is not Worth.LOST]
        kept: list[Stretch] = []
        for stretch in self.stretches:
            if stretch.worth is Worth.LOST or (stretch.holds == "keys" and stretch.worth is not Worth.PROVEN):
                break
            kept.append(stretch)
        return kept

    def lines(self) -> list[str]:
        """The survey for people."""
        lines: list[str] = []
        for stretch in self.stretches:
            content = f"{stretch.count} {stretch.holds}" if stretch.worth is not Worth.LOST else stretch.reason
            why = f" ({stretch.reason})" if stretch.reason and stretch.worth is not Worth.LOST else ""
            lines.append(f"{stretch.worth:10} bytes {stretch.start} to {stretch.end}: {content}{why}")
        return lines

    def as_json(self) -> dict[str, object]:
        """The survey for programs."""
        return {
            "file": self.path,
            "bytes": self.size,
            "format": "rdb" if self.is_rdb else "aof",
            "whole": self.is_whole,
            "torn": self.is_torn,
            "stretches": [asdict(stretch) for stretch in self.stretches],
        }

    def exit_code(self) -> int:
        """As that of ``durakv verify``."""
        return exits.OK if self.is_whole else exits.TOLD if self.is_torn else exits.CORRUPTION


def survey(path: str) -> Survey:
    """Read a file from end to end, and write nothing."""
    filesystem, name = _place(path)
    file = filesystem.open(name)
    try:
        size = file.size()
        if is_rdb(file.read_at(MAGIC_BYTES, 0)):
            stretches = _rdb_stretches(file, size, name)
            end = stretches[-1].end
            return Survey(path, size, True, [*stretches, *_joined(_log_stretches(file, end, size, name))])
        return Survey(path, size, False, _joined(_log_stretches(file, 0, size, name)))
    finally:
        file.close()


def repair(path: str, found: Survey, *, keep_readable: bool) -> str:
    """Make the file what can be kept of it; return the name under which the original stays beside it."""
    filesystem, name = _place(path)
    folder = os.path.dirname(os.path.abspath(path))
    number = 1
    while os.path.exists(os.path.join(folder, f"broken-{name}-{number}")):
        number += 1
    original = f"broken-{name}-{number}"
    os.link(os.path.join(folder, name), os.path.join(folder, original))
    filesystem.sync_directory()
    file = filesystem.open(name)
    try:
        kept = found.kept(keep_readable=keep_readable)
        keys = [stretch for stretch in kept if stretch.holds == "keys"]
        commands = [stretch for stretch in kept if stretch.holds == "commands"]
        parts = chain(_rdb_parts(file, keys) if found.is_rdb else (), _log_parts(file, commands))
        atomic_replace(filesystem, name, f".{name}.durakv-{os.getpid()}", parts)
    finally:
        file.close()
    return original


def loss(found: Survey, kept: Iterable[Stretch]) -> str:
    """What a repair would lose, in words."""
    left = [stretch for stretch in found.stretches if stretch not in [*kept]]
    bytes_lost = sum(stretch.end - stretch.start for stretch in left)
    readable = [
        f"{sum(stretch.count for stretch in left if stretch.holds == what)} {what}"
        for what in ("keys", "commands")
        if any(stretch.holds == what for stretch in found.stretches)
    ]
    return f"{told_size(bytes_lost)}, in which {' and '.join(readable)} can still be read"


def _place(path: str) -> tuple[Filesystem, str]:
    folder, name = os.path.split(os.path.abspath(path))
    return PosixFilesystem(folder), name


# --- RDB files --------------------------------------------------------------------------------------------------------


def _rdb_stretches(file: File, size: int, name: str) -> list[Stretch]:
    try:
        return survey_rdb(file, size)
    except UnsupportedVersionError as error:
        raise UnsupportedVersion(name, error.version, "Use a version that knows it") from error
    except FormatError as error:
        return [Stretch(0, size, Worth.LOST, reason=error.reason)]


def _rdb_parts(file: File, kept: list[Stretch]) -> Iterator[bytes]:
    header = next(read_rdb(lambda size: file.read_at(size, 0)))
    assert isinstance(header, Header), "it comes first"
    writer = RdbWriter(_target(header))
    yield writer.begin()
    for stretch in kept:
        yield from map(writer.entry, entries_of(file, stretch))
    yield writer.end()


def _target(header: Header) -> Target:
    """The servers that could load the file as it was."""
    if header.is_valkey:
        return Target.VALKEY_9
    targets = {9: Target.ANY, 10: Target.REDIS_7_0, 11: Target.REDIS_7_2}
    return targets.get(max(9, header.version), Target.REDIS_7_4)


# --- append-only files ------------------------------------------------------------------------------------------------


class _From:
    """A file from a place on."""

    def __init__(self, file: File, position: int) -> None:
        self._file = file
        self._position = position

    def read(self, size: int, /) -> bytes:
        """See :class:`~durakv.cli.streams.Readable`."""
        data = self._file.read_at(size, self._position)
        self._position += len(data)
        return data


def _log_stretches(file: File, position: int, size: int, name: str) -> Iterator[Stretch]:
    first = position
    while position < size:
        good, bad, count, reason = _read_on(_From(file, position), name)
        good, bad = position + good, position + bad
        if not reason:
            yield Stretch(position, size, Worth.READABLE, count, "commands")
            return
        if _INSIDE in reason and position > first:
            good, count = position, 0  # the rest of a transaction whose beginning is lost
        if count:
            yield Stretch(position, good, Worth.READABLE, count, "commands")
        position = _next_beginning(file, bad + 1, size, name)
        yield Stretch(good, position, Worth.LOST, holds="commands", reason=reason)


def _joined(stretches: Iterable[Stretch]) -> list[Stretch]:
    """The stretches, with those that are lost one behind the other as one."""
    joined: list[Stretch] = []
    for stretch in stretches:
        if joined and stretch.worth is joined[-1].worth is Worth.LOST:
            joined[-1].end = stretch.end
        else:
            joined.append(stretch)
    return joined


def _read_on(source: Readable, name: str) -> tuple[int, int, int, str]:
    """Up to where a stream of commands is whole, where it is bad, how many commands there are, and what is wrong."""
    good = count = 0
    stream = CommandStream(source, name)
    try:
        for group in stream:
            good = group.offset
            count += len(group.commands)
    except Corruption as error:
        return good, max(good, error.offset), count, error.reason
    except (CommandError, UnsupportedVersion) as error:
        return good, max(good, stream.offset), count, str(error)
    return good, good, count, ""


def _next_beginning(file: File, position: int, size: int, name: str) -> int:
    """Where commands begin again that can be read; the end of the file if nowhere."""
    while position < size:
        window = file.read_at(_WINDOW_BYTES, position - 1)
        for match in _BEGINNING.finditer(window):
            place = position - 1 + match.start()
            if look_up(match[1]) is not None or match[1].upper() in (b"MULTI", b"SELECT"):
                _, _, count, reason = _read_on(_From(file, place), name)
                if count or not reason:
                    return place
        position += max(1, len(window) - 128)
    return size


def _log_parts(file: File, kept: list[Stretch]) -> Iterator[bytes]:
    for stretch in kept:
        for start in range(stretch.start, stretch.end, _PIECE_BYTES):
            yield file.read_at(min(_PIECE_BYTES, stretch.end - start), start)
