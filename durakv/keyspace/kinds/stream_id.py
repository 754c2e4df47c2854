"""The ids of stream entries as callers write them: ``ms-seq``, or ``ms`` alone, where the rest is understood."""

from __future__ import annotations

import re

from durakv.errors import CommandError
from durakv.keyspace.kinds.by_id import Id

NUMBER_MAX = (1 << 64) - 1
ID_MIN: Id = (0, 0)
ID_MAX: Id = (NUMBER_MAX, NUMBER_MAX)

_TEXT_MAX = 127
_LOOSE_NUMBER = re.compile(rb"[ \t-\r]*([+-]?)([0-9]+)")


def invalid_id() -> CommandError:
    """Something else than an id."""
    return CommandError("ERR Invalid stream ID specified as stream command argument")


def format_id(id_: Id) -> bytes:
    """The id as it is written."""
    return b"%d-%d" % id_


def parse_id(text: bytes, missing_seq: int = 0) -> Id:
    """The id; one that is ``ms`` alone has this sequence number."""
    if len(text) > _TEXT_MAX:
        raise invalid_id()
    ms, separator, seq = text.partition(b"\0")[0].partition(b"-")
    return _number(ms), _number(seq) if separator else missing_seq


def parse_bound(text: bytes, missing_seq: int) -> Id:
    """``parse_id``, and ``-`` and ``+`` for the lowest and the highest of all."""
    bare = text.partition(b"\0")[0]
    if len(text) <= _TEXT_MAX and bare in (b"-", b"+"):
        return ID_MIN if bare == b"-" else ID_MAX
    return parse_id(text, missing_seq)


def parse_start(text: bytes) -> Id:
    """Where an interval begins; after ``(`` the id itself is not in it."""
    if len(text) < 2 or not text.startswith(b"("):
        return parse_bound(text, 0)
    id_ = parse_id(text[1:])
    if id_ == ID_MAX:
        raise CommandError("ERR invalid start ID for the interval")
    return next_id(id_)


def parse_end(text: bytes) -> Id:
    """Where an interval ends; after ``(`` the id itself is not in it."""
    if len(text) < 2 or not text.startswith(b"("):
        return parse_bound(text, NUMBER_MAX)
    ms, seq = parse_id(text[1:], NUMBER_MAX)
    if (ms, seq) == ID_MIN:
        raise CommandError("ERR invalid end ID for the interval")
    return (ms, seq - 1) if seq else (ms - 1, NUMBER_MAX)


def next_id(id_: Id) -> Id:
    """The lowest id above this one, which is not the highest of all."""
    ms, seq = id_
    return (ms, seq + 1) if seq < NUMBER_MAX else (ms + 1, 0)


def _number(text: bytes) -> int:
    """One half of an id.  What is not written in the usual way is read as C's strtoull reads it."""
    match = _LOOSE_NUMBER.fullmatch(text)
    if match is None or len(text) > _TEXT_MAX:
        raise invalid_id()
    sign, digits = match.groups()
    number = int(digits)
    if number > NUMBER_MAX or (0 < number <= 1 << 63 and text == b"-%d" % number):
        raise invalid_id()
    return -number % (NUMBER_MAX + 1) if sign == b"-" else number
