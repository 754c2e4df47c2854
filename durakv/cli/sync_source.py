"""A running server as a source: be its replica for one full synchronization, and leave.

    REPLCONF capa eof       ->  +OK
    REPLCONF rdb-only 1     ->  +OK, or an error of servers before 7.0, which send their stream of commands behind it
    REPLCONF version 9.1.0  ->  +OK of Valkey, which else takes us for old and does not send deadlines of fields; or an
                                error of others
    PSYNC ? -1              ->  +FULLRESYNC id offset
                                $<length> CRLF, the RDB file         or
                                $EOF:<40 bytes> CRLF, the RDB file, the same 40 bytes

Empty lines in front of any of these are signs of life.  What comes is the state of one moment, copied to a temporary
file, which is then taken as any RDB file is: verified first.  What the server accepts afterwards is not in it.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import BinaryIO

from durakv.cli.output import Progress
from durakv.client.redis_client import RedisClient, Refusal, connected
from durakv.client.redis_url import ServerUrl

_MARK_BYTES = 40
_VALKEY_VERSION = b"9.1.0"
"""The latest whose files are read here."""
_REMEDY = (
    "allow the user +psync, +replconf and +ping, or, where nobody may be a replica, import a file: "
    "what BGSAVE or the service's own backup writes"
)


@contextmanager
def synchronized(url: ServerUrl, timeout: float, progress: Progress | None) -> Generator[tuple[BinaryIO, int]]:
    """What a server holds, as an RDB file that is gone afterwards, and its size."""
    with tempfile.TemporaryFile() as copy:
        with connected(url, timeout) as client:
            head = _asked(client)
            size = 0
            for part in _ended_by(client, head[5:]) if head.startswith(b"$EOF:") else _of_length(client, int(head[1:])):
                copy.write(part)
                size += len(part)
                if progress is not None:
                    progress(size, 0)
        copy.flush()
        yield copy, size


def _asked(client: RedisClient) -> bytes:
    """Ask for everything; the line in front of the file."""
    answer = client.run(b"REPLCONF", b"capa", b"eof")
    if isinstance(answer, Refusal):
        raise client.failure(f"it takes no replica: {answer.message}; {_REMEDY}")
    client.run(b"REPLCONF", b"rdb-only", b"1")
    client.run(b"REPLCONF", b"version", _VALKEY_VERSION)
    client.send((b"PSYNC", b"?", b"-1"))
    answer = _line(client)
    if not answer.startswith(b"+FULLRESYNC"):
        words = answer.decode(errors="backslashreplace")
        if answer.startswith((b"-NOMASTERLINK", b"-LOADING")):
            raise client.failure(f"it cannot be copied yet: {words[1:]}; start again later")
        raise client.failure(f"it takes no replica: {words[1:]}; {_REMEDY}")
    head = _line(client)
    if head.startswith(b"-"):
        raise client.failure(f"it could not make the copy: {head[1:].decode(errors='backslashreplace')}")
    if not re.fullmatch(rb"\$([0-9]{1,15}|EOF:.{40})", head, re.DOTALL):
        raise client.failure(f"it sends its data in a form that is not known here: {head[:16]!r}")
    return head


def _line(client: RedisClient) -> bytes:
    while not (line := client.line()):
        pass
    return line


def _of_length(client: RedisClient, size: int) -> Iterator[bytes]:
    while size:
        part = client.some()[:size]
        size -= len(part)
        yield part


def _ended_by(client: RedisClient, mark: bytes) -> Iterator[bytes]:
    """Everything up to the mark, which may come in two parts."""
    kept = b""
    while True:
        kept += client.some()
        end = kept.find(mark)
        if end >= 0:
            yield kept[:end]
            return
        yield kept[: 1 - _MARK_BYTES]
        kept = kept[1 - _MARK_BYTES :]
