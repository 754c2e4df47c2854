"""What an import can take: a file or stream, a directory, a running server; all come as groups of commands.

Files and streams come the same each time, so that an interrupted import can go on in the middle.  A directory or a
server may hold something else the next time: ``is_snapshot``.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import BinaryIO

from durakv.cli.keys import Key, keys_of
from durakv.cli.loading import load_keyspace
from durakv.cli.output import progress
from durakv.cli.places import existing_place
from durakv.cli.rdb_source import Joined, KeyGroups, copied, rdb_groups
from durakv.cli.streams import CommandStream, Group
from durakv.cli.sync_source import synchronized
from durakv.client.redis_url import is_url, parse_url
from durakv.clock import SystemClock
from durakv.stock_base import MAGIC_BYTES, is_rdb


@dataclass(slots=True)
class Source:
    """What is to be taken."""

    name: str
    groups: Iterator[Group]
    size: int = 0
    """How many bytes it comes from; 0 if that is not known."""
    is_snapshot: bool = False
    """Whether it may hold something else the next time; it consists of whole keys then."""
    was_cut: bool = False
    """Whether something stood behind it that did not count."""


@contextmanager
def opened(text: str, *, quiet: bool, timeout: float) -> Generator[Source]:
    """The source that is meant; what cannot be taken at all is refused here, and nothing was done yet."""
    now_ms = SystemClock().time_ms()
    if is_url(text):
        url = parse_url(text)
        with progress("copy", quiet=quiet) as bar, synchronized(url, timeout, bar) as (file, size):
            yield _begun(Source(url.name, rdb_groups(file, url.name, now_ms, url.database), size, is_snapshot=True))
    elif text != "-" and os.path.isdir(text):
        yield _directory(text, now_ms, quiet=quiet)
    elif text == "-":
        with _grouped(sys.stdin.buffer, "standard input", now_ms) as source:
            yield _begun(source)
    else:
        with open(text, "rb") as file, _grouped(file, text, now_ms) as source:
            yield _begun(source)


def _begun(source: Source) -> Source:
    first = next(source.groups, None)
    source.groups = chain([] if first is None else [first], source.groups)
    return source


def _directory(path: str, now_ms: int, *, quiet: bool) -> Source:
    filesystem = existing_place(path)
    keyspace, report = load_keyspace(filesystem, quiet=quiet)
    groups = _key_groups(keys_of(keyspace, now_ms))
    return Source(filesystem.describe(), groups, is_snapshot=True, was_cut=report.cut is not None)


def _key_groups(keys: Iterator[Key]) -> Iterator[Group]:
    grouped = KeyGroups()
    for offset, (database, key, value, deadline) in enumerate(keys, start=1):
        yield grouped.group(database, key, value, deadline, offset)


@contextmanager
def _grouped(source: BinaryIO, name: str, now_ms: int) -> Generator[Source]:
    size = _size(source)
    magic = source.read(MAGIC_BYTES)
    whole = Joined(magic, source)
    if not is_rdb(magic):
        yield Source(name, iter(CommandStream(whole, name)), size)
    elif source.seekable():
        yield Source(name, rdb_groups(source, name, now_ms), size)
    else:
        with copied(whole) as file:
            yield Source(name, rdb_groups(file, name, now_ms), size)


def _size(source: BinaryIO) -> int:
    try:
        status = os.fstat(source.fileno())
    except (OSError, ValueError):
        return 0
    return status.st_size if stat.S_ISREG(status.st_mode) else 0
