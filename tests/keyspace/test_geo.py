"""The promise: a search finds exactly what is inside its area, wherever on the earth that is.

Method: the same question to a scan over all members.  Then places at the edges of the grid, compared with a server;
random commands on the others are compared in ``test_against_redis``.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from hypothesis import example, given
from hypothesis import strategies as st

from durakv.keyspace.geo_areas import Box, Circle
from durakv.keyspace.geohash import LATITUDE_MAX, Place, decode, encode
from tests.keyspace.stock_server import stock_server
from tests.keyspace.world import World

LONGITUDES = st.one_of(st.floats(-180, 180), st.sampled_from([-180.0, 180.0, 0.0, 179.99999, -179.99999]))
LATITUDES = st.one_of(
    st.floats(-LATITUDE_MAX, LATITUDE_MAX), st.sampled_from([-LATITUDE_MAX, LATITUDE_MAX, 0.0, 85.05, -85.05])
)
PLACES = st.tuples(LONGITUDES, LATITUDES)
LENGTHS = st.one_of(st.floats(0, 3e7), st.floats(0, 1000), st.sampled_from([0.0, float("inf")]))


def scores_inside(area: Circle | Box) -> list[tuple[int, int]]:
    ranges = area.ranges()
    assert len(ranges) <= 12
    assert all(low < high for low, high in ranges)
    assert all(one[1] < other[0] for one, other in pairwise(ranges)), "in order, and apart"
    return ranges


@given(center=PLACES, width=LENGTHS, height=LENGTHS, places=st.lists(PLACES, max_size=30))
@example((0.0, 84.0), 3e6, 1e6, [(180.0, 84.0), (179.0, 85.0), (-180.0, 85.0)])
@example((180.0, 0.0), 1e5, 1e5, [(-179.9, 0.0), (180.0, 0.0), (179.9, 0.5)])
def test_the_cells_that_are_looked_at_hold_everything_inside(
    center: Place, width: float, height: float, places: list[Place]
) -> None:
    for area in (Circle(center, width), Box(center, width, height)):
        ranges = scores_inside(area)
        for place in places:
            score = encode(place)
            if area.distance_to(decode(score)) is not None:
                assert any(low <= score < high for low, high in ranges), (area, place)


@given(center=PLACES, radius=st.floats(0, 1000))
def test_a_small_area_is_a_small_part_of_the_grid(center: Place, radius: float) -> None:
    if abs(center[1]) < 80:
        assert sum(high - low for low, high in Circle(center, radius).ranges()) < 1 << 32


@given(place=PLACES)
def test_a_place_comes_back_nearly_as_it_was(place: Place) -> None:
    again = decode(encode(place))
    assert abs(again[0] - place[0]) < 360 / (1 << 26)
    assert abs(again[1] - place[1]) < 180 / (1 << 26)
    assert encode(again) == encode(place)


def test_a_search_for_some_places_is_for_the_nearest_unless_any_will_do() -> None:
    world = World()
    for latitude in range(80):
        world.run(b"GEOADD", b"g", 1, latitude, b"%d" % latitude)
    search = (b"GEOSEARCH", b"g", b"FROMLONLAT", 1, b"40.1", b"BYRADIUS", 9000, b"km", b"COUNT", 3)
    assert world.run(*search) == [b"40", b"41", b"39"]
    some = world.run(*search, b"ANY")
    assert isinstance(some, list)
    assert len(some) == 3


def test_places_across_the_date_line_and_on_the_edges_are_found() -> None:
    world = World()
    world.run(b"GEOADD", b"g", 180, 0, b"east", -180, 0, b"west", b"179.99", 0, b"near", 0, b"85.05112878", b"north")
    for center in (b"east", b"west", b"near"):
        found = world.run(b"GEOSEARCH", b"g", b"FROMMEMBER", center, b"BYRADIUS", 2, b"km")
        assert isinstance(found, list)
        assert {*found} == {b"east", b"west", b"near"}
    assert world.run(b"GEORADIUS", b"g", 0, 85, 10, b"km") == [b"north"]


def test_the_edges_of_the_grid_are_read_back_as_by_redis(tmp_path: Path) -> None:
    degrees = [b"180", b"-180", b"0", b"179.9999999", b"1e-300", b"-0.0", b"85.05112878", b"-85.05112878"]
    world = World()
    with stock_server(tmp_path) as server:
        for longitude in degrees:
            for latitude in degrees[2:]:
                for command in (
                    (b"GEOADD", b"g", longitude, latitude, longitude + b" " + latitude),
                    (b"GEOPOS", b"g", longitude + b" " + latitude),
                    (b"GEOHASH", b"g", longitude + b" " + latitude),
                    (b"ZSCORE", b"g", longitude + b" " + latitude),
                    (b"GEODIST", b"g", b"0 0", longitude + b" " + latitude),
                ):
                    if latitude != b"179.9999999":
                        assert world.run(*command) == server.run(*command), command
