"""The commands on places: sorted sets whose scores are geohashes.

A search goes through the members in a few cells that cover its area, and measures.  So it costs what is near, and finds
exactly what is inside, poles and the date line included.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import msgspec

from durakv.errors import CommandError
from durakv.keyspace import geohash
from durakv.keyspace.command import Call, CommandSpec
from durakv.keyspace.geo_areas import Box, Circle, distance
from durakv.keyspace.geohash import LATITUDE_MAX, LONGITUDE_MAX, Place
from durakv.keyspace.integers import parse_integer
from durakv.keyspace.kinds.zset import SortedSet
from durakv.keyspace.replies import Reply, printable, syntax_error
from durakv.keyspace.scores import parse_score
from durakv.keyspace.zsets import find_scores, store_scores, zadd
from durakv.machine import Command

_UNITS = {b"M": 1.0, b"KM": 1000.0, b"FT": 0.3048, b"MI": 1609.34}
_DECIMALS = 17

Found: TypeAlias = tuple[float, float, bytes]
"""A member that a search found: its distance in metres, its score, itself."""


def geoadd(call: Call, command: Command) -> Reply:
    """GEOADD key [NX | XX] [CH] longitude latitude member ...: becomes ZADD."""
    place = 2
    while place < len(command) and command[place].upper() in (b"NX", b"XX", b"CH"):
        place += 1
    options = {word.upper() for word in command[2:place]}
    words = command[place:]
    if len(words) % 3 or options >= {b"NX", b"XX"}:
        raise syntax_error()
    pairs = [
        word
        for index in range(0, len(words), 3)
        for word in (b"%d" % geohash.encode(_parse_place(words[index : index + 2])), words[index + 2])
    ]
    return zadd(call, (command[0], command[1], *options, *pairs))


def geopos(call: Call, command: Command) -> Reply:
    """GEOPOS key member ...: longitudes and latitudes."""
    scores = find_scores(call, command[1])
    return [None if (score := scores.get(member)) is None else _place_reply(score) for member in command[2:]]


def geohash_(call: Call, command: Command) -> Reply:
    """GEOHASH key member ...: in the form of geohash.org."""
    scores = find_scores(call, command[1])
    return [
        None if (score := scores.get(member)) is None else geohash.letters(geohash.decode(score))
        for member in command[2:]
    ]


def geodist(call: Call, command: Command) -> Reply:
    """GEODIST key member member [M | KM | FT | MI]"""
    unit = _parse_unit(command[4]) if len(command) == 5 else 1.0
    if len(command) > 5:
        raise syntax_error()
    scores = find_scores(call, command[1])
    one, other = scores.get(command[2]), scores.get(command[3])
    if one is None or other is None:
        return None
    return b"%.4f" % (distance(geohash.decode(one), geohash.decode(other)) / unit)


# --- searching --------------------------------------------------------------------------------------------------------


class _Search(msgspec.Struct):
    """What a search is for."""

    value: SortedSet | None
    destination: bytes | None = None
    center: Place = (0.0, 0.0)
    center_word: bytes = b""
    radius: float = 0.0
    box: tuple[float, float] | None = None
    shape_word: bytes = b""
    unit: float = 1.0
    words: frozenset[bytes] = frozenset()
    """Which of WITHCOORD, WITHDIST, WITHHASH and ANY were said."""
    order: bytes = b""
    count: int = 0
    stores_distances: bool = False

    def found(self) -> list[Found]:
        """The members inside, sorted and as many as are wanted."""
        found: list[Found] = []
        any_will_do = b"ANY" in self.words
        for one in self._inside():
            found.append(one)
            if any_will_do and len(found) == self.count:
                break
        if self.order or (self.count and not any_will_do):
            found.sort(key=lambda one: one[0], reverse=self.order == b"DESC")
        return found[: self.count or None]

    def _inside(self) -> Iterator[Found]:
        if self.value is None:
            return
        area = Circle(self.center, self.radius) if self.box is None else Box(self.center, *self.box)
        for low, high in area.ranges():
            start, stop = (self.value.order.bisect_left((float(score), b"")) for score in (low, high))
            for score, member in self.value.order.islice(start, stop):
                length = area.distance_to(geohash.decode(score))
                if length is not None:
                    yield length, score, member

    def reply(self, found: list[Found]) -> Reply:
        """The members, each with what else is wanted of it."""
        if not self.words - {b"ANY"}:
            return [member for _, _, member in found]
        return [self._details(*one) for one in found]

    def _details(self, length: float, score: float, member: bytes) -> Reply:
        details: list[Reply] = [member]
        if b"WITHDIST" in self.words:
            details.append(b"%.4f" % (length / self.unit))
        if b"WITHHASH" in self.words:
            details.append(int(score))
        if b"WITHCOORD" in self.words:
            details.append(_place_reply(score))
        return details


def geosearch(call: Call, command: Command) -> Reply:
    """GEOSEARCH key (FROMMEMBER member | FROMLONLAT longitude latitude) (BYRADIUS radius unit | BYBOX width height
    unit) [ASC | DESC] [COUNT n [ANY]] [WITHCOORD] [WITHDIST] [WITHHASH]"""
    return _answer(call, command, _Search(call.find_container(command[1], SortedSet)), 2)


def geosearchstore(call: Call, command: Command) -> Reply:
    """GEOSEARCHSTORE destination key ... [STOREDIST]: how many were found; their scores are places, or distances."""
    return _answer(call, command, _Search(call.find_container(command[2], SortedSet), command[1]), 3)


def georadius(call: Call, command: Command) -> Reply:
    """GEORADIUS key longitude latitude radius unit [...] [STORE key | STOREDIST key], GEORADIUS_RO without these"""
    search = _Search(call.find_container(command[1], SortedSet))
    search.center = _parse_place(command[2:4])
    _parse_radius(search, command[4:6])
    return _answer(call, command, search, 6)


def georadiusbymember(call: Call, command: Command) -> Reply:
    """GEORADIUSBYMEMBER key member radius unit [...] [STORE key | STOREDIST key], GEORADIUSBYMEMBER_RO without these"""
    search = _Search(call.find_container(command[1], SortedSet))
    if search.value is not None:
        search.center = _place_of(search.value, command[2])
        _parse_radius(search, command[3:5])
    return _answer(call, command, search, 5)


def _answer(call: Call, command: Command, search: _Search, place: int) -> Reply:
    _parse_options(call, command, search, place)
    found = search.found()
    if search.destination is None:
        return search.reply(found)
    scores = {member: length / search.unit if search.stores_distances else score for length, score, member in found}
    return store_scores(call, search.destination, scores)


# --- arguments --------------------------------------------------------------------------------------------------------

_WORDS = frozenset({b"WITHCOORD", b"WITHDIST", b"WITHHASH", b"ANY"})


def _parse_options(call: Call, command: Command, search: _Search, place: int) -> None:
    """What stands behind a place in the command; refuses what is missing or does not go together."""
    is_search = call.name.startswith(b"geosearch")
    stores = call.name in (b"georadius", b"georadiusbymember")
    rest = list(command[place:])
    while rest:
        option = rest.pop(0).upper()
        if option in _WORDS:
            search.words |= {option}
        elif option in (b"ASC", b"DESC"):
            search.order = option
        elif option == b"COUNT" and rest:
            search.count = parse_integer(rest.pop(0))
            if search.count <= 0:
                raise CommandError("ERR COUNT must be > 0")
        elif stores and option in (b"STORE", b"STOREDIST") and rest:
            search.destination, search.stores_distances = rest.pop(0), option == b"STOREDIST"
        elif call.name == b"geosearchstore" and option == b"STOREDIST":
            search.stores_distances = True
        elif not (is_search and _parse_area(search, option, rest)):
            raise syntax_error()
    if search.destination is not None and search.words - {b"ANY"}:
        subject = "GEOSEARCHSTORE" if is_search else "STORE option in GEORADIUS"
        raise CommandError(f"ERR {subject} is not compatible with WITHDIST, WITHHASH and WITHCOORD options")
    if is_search and not search.center_word:
        raise CommandError(f"ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for {printable(command[0])}")
    if is_search and not search.shape_word:
        raise CommandError(f"ERR exactly one of BYRADIUS and BYBOX can be specified for {printable(command[0])}")
    if b"ANY" in search.words and not search.count:
        raise CommandError("ERR the ANY argument requires COUNT argument")


def _parse_area(search: _Search, option: bytes, rest: list[bytes]) -> bool:
    """An option of GEOSEARCH that says where; False if it is none, lacks its arguments or excludes an earlier one."""
    if option == b"FROMMEMBER" and rest and search.center_word in (b"", option):
        search.center_word = option
        member = rest.pop(0)
        if search.value is not None:
            search.center = _place_of(search.value, member)
    elif option == b"FROMLONLAT" and len(rest) >= 2 and search.center_word in (b"", option):
        search.center_word = option
        search.center = _parse_place([rest.pop(0), rest.pop(0)])
    elif option == b"BYRADIUS" and len(rest) >= 2 and search.shape_word in (b"", option):
        search.shape_word = option
        _parse_radius(search, [rest.pop(0), rest.pop(0)])
    elif option == b"BYBOX" and len(rest) >= 3 and search.shape_word in (b"", option):
        search.shape_word = option
        width = parse_score(rest.pop(0), "need numeric width")
        height = parse_score(rest.pop(0), "need numeric height")
        if width < 0 or height < 0:
            raise CommandError("ERR height or width cannot be negative")
        search.unit = _parse_unit(rest.pop(0))
        search.box = width * search.unit, height * search.unit
    else:
        return False
    return True


def _parse_place(words: Command) -> Place:
    longitude, latitude = map(parse_score, words)
    if abs(longitude) > LONGITUDE_MAX or abs(latitude) > LATITUDE_MAX:
        raise CommandError(f"ERR invalid longitude,latitude pair {longitude:f},{latitude:f}")
    return longitude, latitude


def _parse_radius(search: _Search, words: Command) -> None:
    radius = parse_score(words[0], "need numeric radius")
    if radius < 0:
        raise CommandError("ERR radius cannot be negative")
    search.unit = _parse_unit(words[1])
    search.radius = radius * search.unit


def _parse_unit(word: bytes) -> float:
    unit = _UNITS.get(word.upper())
    if unit is None:
        raise CommandError("ERR unsupported unit provided. please use M, KM, FT, MI")
    return unit


def _place_of(value: SortedSet, member: bytes) -> Place:
    score = value.scores.get(member)
    if score is None:
        raise CommandError("ERR could not decode requested zset member")
    return geohash.decode(score)


def _place_reply(score: float) -> list[Reply]:
    return [(b"%.*f" % (_DECIMALS, degree)).rstrip(b"0").rstrip(b".") for degree in geohash.decode(score)]


COMMANDS = (
    CommandSpec(b"geoadd", -5, geoadd, writes=True),
    CommandSpec(b"geopos", -2, geopos, writes=False),
    CommandSpec(b"geohash", -2, geohash_, writes=False),
    CommandSpec(b"geodist", -4, geodist, writes=False),
    CommandSpec(b"geosearch", -7, geosearch, writes=False),
    CommandSpec(b"geosearchstore", -8, geosearchstore, writes=True, keys=(1, 2, 1)),
    CommandSpec(b"georadius", -6, georadius, writes=True, reaches_further=True),
    CommandSpec(b"georadius_ro", -6, georadius, writes=False),
    CommandSpec(b"georadiusbymember", -5, georadiusbymember, writes=True, reaches_further=True),
    CommandSpec(b"georadiusbymember_ro", -5, georadiusbymember, writes=False),
)
