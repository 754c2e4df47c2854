"""Redis's glob patterns on bytes, for KEYS and SCAN MATCH.

    *      any bytes            [a-c]   one byte of a set; ranges may be written backwards
    ?      one byte             [^a]    one byte outside a set
    \\x     the byte x itself

A pattern becomes a regular expression in which every ``*`` is settled at its first match and never taken up again
(an atomic group), so no pattern takes longer than pattern times key, however many stars it has.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

_STAR, _ANY, _OPEN, _CLOSE, _NOT, _ESCAPE, _DASH = b"*?[]^\\-"


@lru_cache(maxsize=256)
def matcher(pattern: bytes) -> Callable[[bytes], object]:
    """A function whose answer is true for the keys that match."""
    if pattern == b"*":
        return _everything
    if pattern.strip(b"*") == b"":
        # Redis's matcher does not look at the pattern once the key is at its end, so only "" matches the empty key.
        return bool if pattern else _is_empty
    segments: list[bytes] = [b""]
    position = 0
    while position < len(pattern):
        if pattern[position] == _STAR:
            segments.append(b"")
            position += 1
        else:
            element, position = _element(pattern, position)
            segments[-1] += element
    first, *rest = segments
    if not rest:
        return re.compile(first, re.DOTALL).fullmatch
    *middle, last = rest
    parts = [first, *(b"(?>.*?" + segment + b")" for segment in middle if segment), b".*", last]
    return re.compile(b"".join(parts), re.DOTALL).fullmatch


def _everything(_key: bytes) -> bool:
    return True


def _is_empty(key: bytes) -> bool:
    return not key


def _element(pattern: bytes, position: int) -> tuple[bytes, int]:
    """One element that matches exactly one byte, as a regular expression, and where the next begins."""
    byte = pattern[position]
    if byte == _ANY:
        return b".", position + 1
    if byte == _OPEN:
        return _set(pattern, position + 1)
    if byte == _ESCAPE and position + 1 < len(pattern):
        position += 1
    return re.escape(pattern[position : position + 1]), position + 1


def _set(pattern: bytes, position: int) -> tuple[bytes, int]:
    """The set that begins after a bracket; one that is never closed ends with the pattern."""
    end = len(pattern)
    negated = position < end and pattern[position] == _NOT
    position += negated
    members: set[int] = set()
    while position < end and pattern[position] != _CLOSE:
        if pattern[position] == _ESCAPE and position + 1 < end:
            members.add(pattern[position + 1])
            position += 2
        elif position + 2 < end and pattern[position + 1] == _DASH:
            low, high = sorted((_signed(pattern[position]), _signed(pattern[position + 2])))
            members.update(number & 255 for number in range(low, high + 1))
            position += 3
        else:
            members.add(pattern[position])
            position += 1
    if negated:
        members = set(range(256)) - members
    body = b"".join(b"\\x%02x" % member for member in sorted(members))
    return (b"[" + body + b"]" if body else b"(?!)"), position + 1


def _signed(byte: int) -> int:
    """The byte as C's char, in which Redis compares the ends of a range."""
    return byte - 256 if byte > 127 else byte
