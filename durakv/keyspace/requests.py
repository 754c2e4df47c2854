"""Requests: the arguments of a command checked and encoded, and the way back from its reply to a Python value.

Keys and values are ``bytes``; text is refused rather than encoded in silence.  Numbers may be numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeAlias, TypeVar

import msgspec

from durakv.durability import Durability
from durakv.errors import Limit
from durakv.machine import Command
from durakv_formats.limits import BULK_BYTES_MAX, COMMAND_ARGUMENTS_MAX

T = TypeVar("T")

Argument: TypeAlias = bytes | int | float


class Request(msgspec.Struct, Generic[T], frozen=True):
    """A command, what turns its reply into the caller's value, and the level that the caller named."""

    command: Command
    convert: Callable[[Any], T]
    durability: Durability | None


def request(convert: Callable[[Any], T], *words: bytes, durability: Durability | None) -> Request[T]:
    """A request of these words; keys and values as they came, so what is not ``bytes`` is refused."""
    for word in words:
        if not isinstance(word, bytes):
            raise TypeError(f"keys and values are bytes, not {type(word).__name__}")
    return Request(encode(words), convert, durability)


def encode(arguments: Iterable[Argument]) -> Command:
    """The arguments as byte strings; raises TypeError or Limit for what is none, before anything is logged."""
    command = tuple([argument if type(argument) is bytes else number(argument) for argument in arguments])
    if len(command) > COMMAND_ARGUMENTS_MAX:
        raise Limit(f"a command of {len(command)} arguments; {COMMAND_ARGUMENTS_MAX} are allowed")
    for argument in command:
        if len(argument) > BULK_BYTES_MAX:
            raise Limit(f"an argument of {len(argument)} bytes; {BULK_BYTES_MAX} are allowed")
    return command


# --- words of a command -----------------------------------------------------------------------------------------------


def number(argument: object) -> bytes:
    """A number as Redis reads it; bytes are left as they are, and anything else is a TypeError."""
    if isinstance(argument, bytes):
        return bytes(argument)
    if isinstance(argument, int) and not isinstance(argument, bool):
        return b"%d" % argument
    if isinstance(argument, float):
        return repr(argument).encode()
    hint = "; encode it first" if isinstance(argument, str) else ""
    raise TypeError(f"keys and values are bytes, numbers int or float, not {type(argument).__name__}{hint}")


def keyword(name: str) -> bytes:
    """A choice that is named by a string, such as ``"before"``; Redis refuses one that does not exist."""
    if not isinstance(name, str):
        raise TypeError(f"a choice is named by a str, not {type(name).__name__}")
    return name.upper().encode()


def chosen(**options: bool) -> list[bytes]:
    """The names of the options that are wanted."""
    return [name.upper().encode() for name, wanted in options.items() if wanted]


def given(**options: Argument | None) -> list[bytes]:
    """The names of the options that have an argument, each with it."""
    pairs = [(name.upper().encode(), number(argument)) for name, argument in options.items() if argument is not None]
    return [word for pair in pairs for word in pair]


# --- from replies to values -------------------------------------------------------------------------------------------


def as_it_is(reply: Any) -> Any:
    """The reply itself."""
    return reply


def nothing(_reply: Any) -> None:
    """None, for a command that answers OK or fails."""


def yes(reply: Any) -> bool:
    """Whether the answer is neither nil nor 0."""
    return reply is not None and reply != 0


def maybe(reply: Any) -> bytes | None:
    """What was found, or None."""
    return None if reply is None else bytes(reply)


def elements(reply: Any) -> list[bytes]:
    """All of them; none if the key was absent."""
    return [] if reply is None else reply


def members(reply: Any) -> set[bytes]:
    """All of them, in no order."""
    return set(reply)
