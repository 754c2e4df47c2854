"""The promise: a file in memory is its bytes, whatever is shared, cut, punched or left as a hole.

Method: the same random changes to it and to a plain ``bytearray``.
"""

from __future__ import annotations

import random

import pytest

from durakv_fuzz.recorder.memory import CHUNK_BYTES, FileMemory

PLACES = [0, 1, 4096, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 2 * CHUNK_BYTES, 5 * CHUNK_BYTES + 17]


@pytest.mark.parametrize("seed", range(20))
def test_it_is_a_bytearray(seed: int) -> None:
    generator = random.Random(seed)
    base = generator.randbytes(generator.choice((0, 10, CHUNK_BYTES, 3 * CHUNK_BYTES + 5)))
    memory, plain, stored = FileMemory(base), bytearray(base), len(base)
    for _ in range(60):
        what, place = generator.randrange(4), generator.choice(PLACES)
        size = generator.choice((1, 100, 4096, CHUNK_BYTES, 2 * CHUNK_BYTES))
        if what == 0:
            data = generator.randbytes(size)
            plain.extend(bytes(max(0, place - len(plain))))
            plain[place : place + size] = data
            stored += memory.write(place, data)
        elif what == 1:
            del plain[place:]
            plain.extend(bytes(place - len(plain)))
            stored += memory.truncate(place)
        elif what == 2:
            end = min(place + size, len(plain))
            held, grown = memory.zero(place, size)
            stored += grown
            touched = bytearray(plain)
            for begin, count in held:
                assert place <= begin
                assert begin + count <= end
                touched[begin : begin + count] = bytes(count)
            if place < end:
                plain[place:end] = bytes(end - place)
            assert touched == plain, "a range that is no hole was not told of"
        assert memory.read(place, size) == plain[place : place + size]
        assert memory.whole() == plain
        assert memory.size == len(plain)
        assert memory.stored == stored >= 0


def test_what_was_not_changed_is_the_same_object() -> None:
    base = bytes(100)
    memory = FileMemory(base)
    assert memory.whole() is base
    memory.write(0, b"x")
    assert memory.whole() == b"x" + bytes(99)
    assert base == bytes(100)


def test_a_hole_takes_nothing() -> None:
    memory = FileMemory()
    memory.truncate(1 << 40)
    memory.write(1 << 39, b"x")
    assert memory.stored <= CHUNK_BYTES
    assert memory.read((1 << 39) - 1, 3) == b"\0x\0"
    held, _ = memory.zero(0, 1 << 40)
    assert [begin // CHUNK_BYTES for begin, _ in held] == [(1 << 39) // CHUNK_BYTES]
    assert memory.stored == 0
