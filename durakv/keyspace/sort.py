"""SORT: the elements of a list, a set or a sorted set in some order, or what other keys hold that are named after them.

    SORT key BY weight_* GET # GET object_*->name       weights are strings, objects hashes; * is the element

It reads keys that it does not name, so a stored result is logged as what it came to: DEL and RPUSH.
"""

from __future__ import annotations

import msgspec

from durakv.keyspace.command import Call, CommandSpec
from durakv.keyspace.hashes import find_fields
from durakv.keyspace.integers import parse_integer
from durakv.keyspace.kinds import rebuild
from durakv.keyspace.kinds.hash import Hash
from durakv.keyspace.kinds.list import List
from durakv.keyspace.kinds.set import Set
from durakv.keyspace.kinds.zset import SortedSet
from durakv.keyspace.replies import Reply, syntax_error, wrong_type
from durakv.keyspace.scores import parse_weight
from durakv.keyspace.values import Value
from durakv.machine import Command


def sort(call: Call, command: Command) -> Reply:
    """SORT key [BY pattern] [LIMIT offset count] [GET pattern ...] [ASC | DESC] [ALPHA] [STORE key]: the elements, or
    with STORE how many there are; SORT_RO does not store."""
    query = _Query.parse(call, command)
    start, stop = query.offset, None if query.count < 0 else query.offset + query.count
    elements = query.in_order(call, call.find(command[1]))[start:stop]
    results = (
        [pattern.value(call, element) for element in elements for pattern in query.results]
        if query.results
        else elements
    )
    if query.destination is None:
        return list(results)
    stored = [result or b"" for result in results]
    if stored:
        call.effects += rebuild(query.destination, List(stored), None)
    elif call.find(query.destination) is not None:
        call.log(b"DEL", query.destination)
    return len(stored)


class _Pattern(msgspec.Struct, frozen=True):
    """Where a value is looked up for an element: ``prefix*suffix``, or a field there, or the element itself."""

    text: bytes

    @property
    def has_place(self) -> bool:
        """Whether it has a place for the element, without which nothing depends on that."""
        return b"*" in self.text

    def value(self, call: Call, element: bytes) -> bytes | None:
        """What is there; None if there is no such key or field, or another kind of value."""
        if self.text == b"#":
            return element
        prefix, place, rest = self.text.partition(b"*")
        if not place:
            return None
        suffix, arrow, name = rest.partition(b"->")
        if not name:
            value = call.find(prefix + element + suffix + arrow)
            return value if isinstance(value, bytes) else None
        key = prefix + element + suffix
        return find_fields(call, key).get(name) if isinstance(call.find(key), Hash) else None


class _Query(msgspec.Struct):
    """What is asked for."""

    by: _Pattern | None = None
    offset: int = 0
    count: int = -1
    results: list[_Pattern] = msgspec.field(default_factory=list[_Pattern])
    is_reverse: bool = False
    is_alphabetic: bool = False
    destination: bytes | None = None

    @classmethod
    def parse(cls, call: Call, command: Command) -> _Query:
        """Read the options; they may come twice, and the last one counts."""
        query = cls()
        rest = list(command[2:])
        while rest:
            option = rest.pop(0).upper()
            if option in (b"ASC", b"DESC"):
                query.is_reverse = option == b"DESC"
            elif option == b"ALPHA":
                query.is_alphabetic = True
            elif option == b"LIMIT" and len(rest) >= 2:
                query.offset, query.count = max(0, parse_integer(rest.pop(0))), parse_integer(rest.pop(0))
            elif option == b"BY" and rest:
                query.by = _Pattern(rest.pop(0))
            elif option == b"GET" and rest:
                query.results.append(_Pattern(rest.pop(0)))
            elif option == b"STORE" and rest and call.name == b"sort":
                query.destination = rest.pop(0)
            else:
                raise syntax_error()
        return query

    def in_order(self, call: Call, value: Value | None) -> list[bytes]:
        """All elements.  BY a pattern without a place leaves them as they are."""
        elements = _elements(value)
        if self.by is not None and not self.by.has_place:
            if isinstance(value, Set) and self.destination is not None:
                return sorted(
                    elements, reverse=self.is_reverse
                )  # which has no order of its own, and one must be stored
            return elements[::-1] if self.is_reverse else elements
        if self.is_alphabetic:
            return sorted(elements, key=lambda element: self._text(call, element), reverse=self.is_reverse)
        return sorted(elements, key=lambda element: self._number(call, element), reverse=self.is_reverse)

    def _text(self, call: Call, element: bytes) -> tuple[bool, bytes]:
        text = element if self.by is None else self.by.value(call, element)
        return text is not None, text or b""

    def _number(self, call: Call, element: bytes) -> tuple[float, bytes]:
        text = element if self.by is None else self.by.value(call, element)
        return 0.0 if text is None else parse_weight(text), element


def _elements(value: Value | None) -> list[bytes]:
    if value is None:
        return []
    if isinstance(value, List):
        return value.elements()
    if isinstance(value, Set):
        return list(value.members)
    if isinstance(value, SortedSet):
        return [member for _, member in value.order]
    raise wrong_type()


COMMANDS = (
    CommandSpec(b"sort", -2, sort, writes=True, reaches_further=True),
    CommandSpec(b"sort_ro", -2, sort, writes=False),
)
