"""What the commands on several kinds of container share: scanning their elements, and picking some at random."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection
from typing import TypeVar

import msgspec

from durakv.errors import CommandError
from durakv.keyspace.glob import matcher
from durakv.keyspace.integers import INTEGER_MAX, INTEGER_MIN, parse_integer, parse_positive
from durakv.keyspace.replies import syntax_error
from durakv.keyspace.scan import parse_cursor
from durakv.machine import Command

T = TypeVar("T")

_RANDOM_MAX = 1 << 24
"""A reply of repeated random elements is made as a whole; a longer one is refused."""


class Chosen(msgspec.Struct, frozen=True):
    """The elements that a scan returns."""

    pairs: list[tuple[bytes, bytes]]
    word: bytes


def element_scan(
    command: Command, elements: Callable[[], Collection[tuple[bytes, bytes]]], words: tuple[bytes, ...] = ()
) -> Chosen:
    """HSCAN, SSCAN and ZSCAN key cursor [MATCH pattern] [COUNT n]: a container is returned in one step.

    A step that returns everything keeps the promise that what is there all along comes at least once, and at once.
    """
    parse_cursor(command[2])
    present = elements()
    if not present:
        return Chosen([], b"")
    pattern, word = b"*", b""
    rest = iter(command[3:])
    for name in rest:
        option = name.upper()
        if option in words:
            word = option
            continue
        argument = next(rest, None)
        if argument is None:
            raise syntax_error()
        if option == b"COUNT":
            if parse_integer(argument) < 1:
                raise syntax_error()
        elif option == b"MATCH":
            pattern = argument
        else:
            raise syntax_error()
    matches = matcher(pattern)
    return Chosen([pair for pair in present if matches(pair[0])], word)


def take_keys(command: Command, place: int, refusal: str = "syntax error") -> tuple[Command, Command]:
    """The keys behind their number, which stands at ``place``, and what follows them.

    ``refusal`` is what Redis says if there are fewer.
    """
    count = parse_positive(command[place], "numkeys should be greater than 0", least=1)
    first = place + 1
    if count > len(command) - first:
        raise CommandError(f"ERR {refusal}")
    return command[first : first + count], command[first + count :]


def take_count(options: Command) -> int:
    """What ``COUNT n`` says, which is all that may be there; 1 without it."""
    if not options:
        return 1
    if options[0].upper() != b"COUNT" or len(options) == 1:
        raise syntax_error()
    count = parse_positive(options[1], "count should be greater than 0", least=1)
    if len(options) > 2:
        raise syntax_error()
    return count


def random_elements(command: Command, word: bytes, elements: Callable[[], list[T]]) -> list[T]:
    """HRANDFIELD, SRANDMEMBER and ZRANDMEMBER key count [word]: some elements, with repetitions if count is below 0."""
    if len(command) > 3 and not word:
        raise syntax_error()
    count = parse_integer(command[2])
    if count == INTEGER_MIN:
        raise CommandError(f"ERR value is out of range, value must between {-INTEGER_MAX} and {INTEGER_MAX}")
    if len(command) > 4 or (len(command) == 4 and command[3].upper() != word):
        raise syntax_error()
    if len(command) == 4 and abs(count) > INTEGER_MAX // 2:
        raise CommandError("ERR value is out of range")
    present = elements()
    if not present:
        return []
    if count >= 0:
        return random.sample(present, min(count, len(present)))
    if -count > _RANDOM_MAX:
        raise CommandError(f"ERR value is out of range, at most {_RANDOM_MAX} elements are repeated")
    return random.choices(present, k=-count)
