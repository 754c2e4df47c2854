"""The promise: scores are combined as in Redis also where arithmetic has no answer.

Method: infinities that meet 0 or each other, with what a Redis 7.0 makes of them.
"""

from __future__ import annotations

import pytest

from tests.keyspace.world import World


@pytest.mark.parametrize(
    ("line", "score"),
    [
        (b"ZUNION 2 one two WEIGHTS inf 2", b"2"),  # 0 times infinity is 0 in a union
        (b"ZINTER 2 one two WEIGHTS inf 2", b"2"),  # and so it is in the first source of an intersection
        (b"ZINTER 2 one two WEIGHTS 2 inf", b"inf"),
        (b"ZINTER 2 two one WEIGHTS 2 inf", b"0"),  # but in any other the sum is no number, and that is 0
        (b"ZINTER 2 two one WEIGHTS 2 inf AGGREGATE MIN", b"2"),
        (b"ZINTER 2 two one WEIGHTS 2 inf AGGREGATE MAX", b"2"),
        (b"ZUNION 2 two top WEIGHTS -inf 1", b"0"),  # opposite infinities
    ],
)
def test_what_is_no_number_is_what_it_is_in_redis(line: bytes, score: bytes) -> None:
    world = World()
    for key, value in ((b"one", b"0"), (b"two", b"1"), (b"top", b"inf")):
        world.run(b"ZADD", key, value, b"m")
    assert world.run(*line.split(), b"WITHSCORES") == [b"m", score]
