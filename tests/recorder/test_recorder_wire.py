"""The promise: no length that the kernel gives is believed before it was checked, and an old kernel is named.

Method: requests made by hand, right and wrong.
"""

from __future__ import annotations

import pytest

from durakv_fuzz.recorder.wire import (
    HEADER,
    INIT_IN,
    WANTED,
    WRITE_BYTES_MAX,
    InitFlag,
    ProtocolError,
    answer_init,
    directory_entry,
    names_of,
    request_of,
)


def request(body: bytes, *, length: int | None = None, extensions: int = 0) -> memoryview:
    total = HEADER.size + len(body) if length is None else length
    return memoryview(HEADER.pack(total, 1, 77, 5, 1000, 100, 4321, extensions, 0) + body)


def test_a_request_is_taken_apart() -> None:
    data = request(b"name\0" + bytes(8), extensions=1)
    found = request_of(data, len(data))
    assert (found.opcode, found.unique, found.node, found.uid, found.gid, found.pid) == (1, 77, 5, 1000, 100, 4321)
    assert names_of(found.body, 0) == [b"name"]


@pytest.mark.parametrize(("length", "extensions"), [(39, 0), (60, 0), (1 << 31, 0), (45, 1), (45, 0xFFFF)])
def test_a_length_that_does_not_fit_is_refused(length: int, extensions: int) -> None:
    data = request(b"name\0", length=length, extensions=extensions)
    with pytest.raises(ProtocolError, match="came as 45"):
        request_of(data, len(data))


def test_less_than_a_head_is_refused() -> None:
    with pytest.raises(ProtocolError, match="head"):
        request_of(request(b""), 39)


def test_names_that_are_missing_are_refused() -> None:
    assert names_of(memoryview(b"....one\0two\0"), 4, 2) == [b"one", b"two"]
    for body in (b"", b"one", b"one\0two"):
        with pytest.raises(ProtocolError, match="due"):
            names_of(memoryview(body), 0, 2)


@pytest.mark.parametrize(("major", "minor"), [(7, 30), (6, 40), (8, 0)])
def test_a_kernel_of_another_protocol_is_refused_by_its_number(major: int, minor: int) -> None:
    with pytest.raises(ProtocolError, match=f"{major}.{minor}"):
        answer_init(memoryview(INIT_IN.pack(major, minor, 0, 0)), WANTED)


@pytest.mark.parametrize(("minor", "spoken"), [(31, 31), (38, 38), (40, 40), (45, 40)])
def test_the_smaller_version_is_spoken_and_only_what_is_offered_is_taken(minor: int, spoken: int) -> None:
    offered = InitFlag.BIG_WRITES | InitFlag.MAX_PAGES | 1 << 16  # the last is the write-back cache
    reply = answer_init(memoryview(INIT_IN.pack(7, minor, 4096, offered)), WANTED)
    assert len(reply) == 64
    words = memoryview(reply).cast("I")
    assert (words[0], words[1], words[2], words[3]) == (7, spoken, 4096, InitFlag.BIG_WRITES | InitFlag.MAX_PAGES)
    assert words[5] == WRITE_BYTES_MAX


def test_lines_of_a_directory_are_padded_to_eight_bytes() -> None:
    for size in range(1, 20):
        line = directory_entry(5, 6, b"n" * size, 8)
        assert len(line) % 8 == 0
        assert line[24:].rstrip(b"\0") == b"n" * size
