"""Circles and boxes on the earth, which is a ball here, as large as it is in Redis."""

from __future__ import annotations

from math import asin, cos, degrees, pi, radians, sin, sqrt

import msgspec

from durakv.keyspace.geohash import LONGITUDE_MAX, Place, covering

EARTH_RADIUS = 6372797.560856
"""In metres, as are all lengths here."""

_POLE = 90.0
_MARGIN = 1e-9
"""So much wider, in degrees, are the cells' bounds than the area: computing them rounds."""


def distance(one: Place, other: Place) -> float:
    """The way between two places."""
    half_width = sin(radians(other[0] - one[0]) / 2)
    half_height = sin((radians(other[1]) - radians(one[1])) / 2)
    product = cos(radians(one[1])) * cos(radians(other[1]))
    return 2 * EARTH_RADIUS * asin(min(1.0, sqrt(half_height * half_height + product * half_width * half_width)))


class Circle(msgspec.Struct, frozen=True):
    """All places within a distance."""

    center: Place
    radius: float

    def distance_to(self, place: Place) -> float | None:
        """How far the place is from the center; None if it is outside."""
        length = distance(self.center, place)
        return length if length <= self.radius else None

    def ranges(self) -> list[tuple[int, int]]:
        """Ranges of scores that hold whatever is inside."""
        return _ranges(self.center, self.radius, self.radius)


class Box(msgspec.Struct, frozen=True):
    """All places that are not too far to the north or south, nor, along their own latitude, to the east or west."""

    center: Place
    width: float
    height: float

    def distance_to(self, place: Place) -> float | None:
        """How far the place is from the center; None if it is outside."""
        longitude, latitude = self.center
        if distance((longitude, place[1]), place) > self.width / 2:
            return None
        if distance((longitude, latitude), (longitude, place[1])) > self.height / 2:
            return None
        return distance(self.center, place)

    def ranges(self) -> list[tuple[int, int]]:
        """Ranges of scores that hold whatever is inside."""
        return _ranges(self.center, self.width / 2, self.height / 2)


def _ranges(center: Place, half_width: float, half_height: float) -> list[tuple[int, int]]:
    """The cells around a box, and so around a circle as wide: this is no wider, at its latitudes farthest from the
    equator."""
    longitude, latitude = center
    up = degrees(half_height / EARTH_RADIUS) + _MARGIN
    return covering(_spans(longitude, _reach(half_width, abs(latitude) + up)), latitude - up, latitude + up)


def _reach(width: float, latitude: float) -> float:
    """How many degrees of longitude so many metres can be, up to this latitude."""
    sine = sin(min(width / EARTH_RADIUS, pi) / 2)
    if latitude >= _POLE or sine >= cos(radians(latitude)):
        return LONGITUDE_MAX
    return 2 * degrees(asin(sine / cos(radians(latitude)))) + _MARGIN


def _spans(longitude: float, reach: float) -> list[tuple[float, float]]:
    """The longitudes within reach, in one piece or two."""
    west, east = longitude - reach, longitude + reach
    if reach >= LONGITUDE_MAX:
        return [(-LONGITUDE_MAX, LONGITUDE_MAX)]
    if west <= -LONGITUDE_MAX:
        return [(-LONGITUDE_MAX, east), (west + 2 * LONGITUDE_MAX, LONGITUDE_MAX)]
    if east >= LONGITUDE_MAX:
        return [(-LONGITUDE_MAX, east - 2 * LONGITUDE_MAX), (west, LONGITUDE_MAX)]
    return [(west, east)]
