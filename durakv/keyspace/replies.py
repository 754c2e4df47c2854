"""What a command answers, and Redis's own words when it is refused.

A reply is a Python value: ``bytes`` (a bulk string), ``int``, ``None`` (nil), a list of replies, or ``Status`` (a
simple string such as OK).  An error is not a reply: it is raised as ``CommandError`` or ``WrongType``.
"""

from __future__ import annotations

from typing import TypeAlias

from durakv.errors import CommandError, WrongType

Reply: TypeAlias = "bytes | int | list[Reply] | None"


class Status(bytes):
    """A simple string: equal to its bytes, but a server sends it as ``+OK`` and not as a bulk string."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"Status({bytes(self)!r})"


OK = Status(b"OK")


def printable(text: bytes) -> str:
    """Caller's bytes as a part of a message: on one line, up to a NUL as in C, and what is no UTF-8 escaped."""
    line = text.partition(b"\0")[0].replace(b"\r", b" ").replace(b"\n", b" ")
    return line.decode("utf-8", "backslashreplace")


def syntax_error() -> CommandError:
    """An option that does not exist, lacks its argument or excludes another one."""
    return CommandError("ERR syntax error")


def arity_error(name: bytes) -> CommandError:
    """Too few or too many arguments; ``name`` is in lower case."""
    return CommandError(f"ERR wrong number of arguments for '{printable(name)}' command")


def expire_time_error(name: bytes) -> CommandError:
    """A deadline that is not positive or does not fit into 64 bits of milliseconds."""
    return CommandError(f"ERR invalid expire time in '{printable(name)}' command")


def too_long_error() -> CommandError:
    """A string that would grow beyond 512 MiB."""
    return CommandError("ERR string exceeds maximum allowed size (proto-max-bulk-len)")


def no_key_error() -> CommandError:
    """A key that has to be there, and is not."""
    return CommandError("ERR no such key")


def index_range_error() -> CommandError:
    """An index beyond the ends of a list."""
    return CommandError("ERR index out of range")


def same_object_error() -> CommandError:
    """A source that is its own destination."""
    return CommandError("ERR source and destination objects are the same")


def wrong_type() -> WrongType:
    """The key holds another kind of value than the command works on."""
    return WrongType("WRONGTYPE Operation against a key holding the wrong kind of value")
