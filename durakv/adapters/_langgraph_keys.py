"""Names: where a thread, a checkpoint, a value and a write are in the keyspace.

    langgraph:format                         the version of all this
    langgraph:threads                        a set: every thread that has anything
    langgraph:thread:T                       a sorted set: the *members* below, which is all that the thread has
    langgraph:c:T N C                        a checkpoint
    langgraph:v:T N channel version copy     what a channel held in a version; copies are told apart by a number
    langgraph:w:T N C                        a hash: the writes that wait for the checkpoint's tasks

A member is the letter and what comes behind the thread, such as ``c N C``.  T, N, C (thread, namespace, checkpoint)
and the others are *texts*: UTF-8 with an end.  A NUL ends a text, and one inside of it is followed by FF, a byte that
UTF-8 has no use for.  So no text is the beginning of another, any text can be told from its neighbours, and encoded
texts have the order of the texts: the members of a namespace are in the order of the checkpoints.
"""

from __future__ import annotations

import re
from typing import NamedTuple

FORMAT = b"langgraph:format"
THREADS = b"langgraph:threads"

CHECKPOINT, VALUE, WRITES = b"c", b"v", b"w"

_END = re.compile(rb"\x00(?!\xff)")


def text(value: str) -> bytes:
    """A text, with its end.  Any string has one, lone surrogates included."""
    return value.encode("utf-8", "surrogatepass").replace(b"\0", b"\0\xff") + b"\0"


def texts(encoded: bytes) -> list[str]:
    """The strings that were encoded one behind the other."""
    return [part.replace(b"\0\xff", b"\0").decode("utf-8", "surrogatepass") for part in _END.split(encoded)[:-1]]


class Place(NamedTuple):
    """Where a checkpoint is."""

    thread: str
    namespace: str
    id: str

    def member(self, kind: bytes = CHECKPOINT) -> bytes:
        """What names the checkpoint, or its writes, in the thread's index."""
        return kind + text(self.namespace) + text(self.id)

    def key(self, kind: bytes = CHECKPOINT) -> bytes:
        """The key of the checkpoint, or of its writes."""
        return entry_key(self.thread, self.member(kind))


def index_key(thread: str) -> bytes:
    """The key of the thread's index."""
    return b"langgraph:thread:" + text(thread)


def entry_key(thread: str, member: bytes) -> bytes:
    """The key of what a member of the thread's index names."""
    return b"langgraph:" + member[:1] + b":" + text(thread) + member[1:]


def value_member(namespace: str, channel: str, version: str | int | float | None) -> bytes:
    """What names all copies of a channel's value in a version; ``text(number)`` behind it names one of them."""
    return VALUE + text(namespace) + text(channel) + text(_version(version))


def channel_of(member: bytes) -> str:
    """The channel whose value a member names."""
    return texts(member[1:])[1]


def place_of(thread: str, member: bytes) -> Place:
    """The checkpoint that a member names, or whose writes it names."""
    namespace, checkpoint = texts(member[1:])
    return Place(thread, namespace, checkpoint)


def checkpoints(namespace: str | None = None, before: str | None = None) -> tuple[bytes, bytes]:
    """The last and the first bound of the checkpoints in an index: all, of a namespace, or its older ones."""
    first = CHECKPOINT if namespace is None else CHECKPOINT + text(namespace)
    last = first + b"\xff" if namespace is None or before is None else first + text(before)
    return b"(" + last, b"[" + first


def _version(version: str | int | float | None) -> str:
    """Versions of different types are different, though they print alike."""
    match version:
        case None:
            return ""
        case str():
            return "s" + version
        case int() | float():
            return type(version).__name__[0] + repr(version)
    raise TypeError(f"the version of a channel is a str, int or float, not {type(version).__name__}")
