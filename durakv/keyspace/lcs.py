"""LCS: the longest common subsequence of two strings, and of several the one that Redis finds.

A row of the usual table differs from its left neighbours by 0 or 1, so that it is kept as one large integer: bit j is
0 where the subsequence grows.  A row follows from the one above in four operations on whole integers (Crochemore and
others, 2001), and a walk back through the table needs nothing but these bits.
"""

from __future__ import annotations

from collections.abc import Iterator

from durakv.errors import CommandError
from durakv.keyspace.command import Call, CommandSpec
from durakv.keyspace.integers import parse_integer
from durakv.keyspace.replies import Reply, syntax_error
from durakv.machine import Command
from durakv_formats.limits import BULK_BYTES_MAX

_CELL_BYTES = 4
"""What a server takes for a cell of the table.  We take a bit, but refuse what it refuses."""


def lcs(call: Call, command: Command) -> Reply:
    """LCS key key [LEN | IDX] [MINMATCHLEN n] [WITHMATCHLEN]: the subsequence, its length, or where it is."""
    try:
        one, other = (call.find_string(key) or b"" for key in command[1:3])
    except CommandError as error:
        raise CommandError("ERR The specified keys must contain string values") from error
    wants_length = wants_places = with_lengths = False
    length_min = 0
    words = iter(command[3:])
    for word in words:
        match word.upper():
            case b"LEN":
                wants_length = True
            case b"IDX":
                wants_places = True
            case b"WITHMATCHLEN":
                with_lengths = True
            case b"MINMATCHLEN":
                text = next(words, None)
                if text is None:
                    raise syntax_error()
                length_min = parse_integer(text)
            case _:
                raise syntax_error()
    if wants_length and wants_places:
        raise CommandError("ERR If you want both the length and indexes, please just use IDX.")
    if (len(one) + 1) * (len(other) + 1) * _CELL_BYTES > BULK_BYTES_MAX:
        raise CommandError("ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len")
    if wants_length:
        row = _end(other)
        for row in _rows(one, other):  # noqa: B007
            pass
        return len(other) - row.bit_count()
    matches = list(_matches(one, other))
    if not wants_places:
        return b"".join(one[start : start + size] for start, _, size in reversed(matches))
    places: list[Reply] = []
    for start, other_start, size in matches:
        if size >= length_min:
            place: list[Reply] = [[start, start + size - 1], [other_start, other_start + size - 1]]
            places.append([*place, size] if with_lengths else place)
    return [b"matches", places, b"len", sum(size for _, _, size in matches)]


def _end(other: bytes) -> int:
    return (1 << len(other)) - 1


def _rows(one: bytes, other: bytes) -> Iterator[int]:
    """A row for each byte of the first string."""
    ones = row = _end(other)
    backwards = other[::-1]
    places: dict[int, int] = {}
    for byte in one:
        if byte not in places:
            digits = bytearray(b"0" * 256)
            digits[byte] = ord("1")
            places[byte] = int(backwards.translate(digits) or b"0", 2)
        found = row & places[byte]
        row = ((row + found) | (row - found)) & ones
        yield row


def _matches(one: bytes, other: bytes) -> Iterator[tuple[int, int, int]]:
    """Where stretches of the subsequence are in both strings, and their lengths; the last one first."""
    rows = list(_rows(one, other))
    i, j, size = len(one), len(other), 0
    while i and j:
        if one[i - 1] == other[j - 1]:
            i, j, size = i - 1, j - 1, size + 1
            continue
        if size:
            yield i, j, size
            size = 0
        if rows[i - 1] >> (j - 1) & 1:
            j -= 1
        else:
            i -= 1
    if size:
        yield i, j, size


COMMANDS = (CommandSpec(b"lcs", -3, lcs, writes=False, keys=(1, 2, 1)),)
