"""The promise: every command survives being written and read, and nothing but a command is ever read as one.

Method: a slow reader written from the page alone is the judge.  The decoder is fed whole, byte by byte and with bytes
to spare; its input is what the encoder makes, what remains of that after damage, and plain noise.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durakv_formats import CommandDecoder, FormatError, LimitError, decode_batch, encode_batch, encode_command
from durakv_formats.limits import (
    BATCH_COMMANDS_MAX,
    BULK_BYTES_MAX,
    COMMAND_ARGUMENTS_MAX,
    COMMAND_BYTES_MAX,
    COMMAND_BYTES_MIN,
)

word = st.one_of(
    st.binary(max_size=12), st.lists(st.sampled_from([b"\r\n", b"$1", b"*", b"\r", b"\n", b"a"])).map(b"".join)
)
command = st.lists(word, min_size=1, max_size=9)
batch = st.lists(command, min_size=1, max_size=9)
noise = st.lists(
    st.sampled_from(
        [b"*", b"$", b"1", b"2", b"3", b"0", b"-1", b"\r\n", b"\r\n", b"\r", b"\n", b"a", b"ab", b"\0", b"+OK"]
    )
).map(b"".join)


class NotACommand(Exception):
    """The judge's verdict."""


def judge(data: bytes, at: int) -> tuple[list[bytes], int] | None:
    """The command at ``at`` and its end, None if it is not whole; straight from the page."""

    def length(mark: bytes, at: int) -> tuple[int, int] | None:
        line, found, _ = data[at : at + 14].partition(b"\r\n")
        if line and line[:1] != mark:
            raise NotACommand
        if not found:
            if len(data) - at >= 14:
                raise NotACommand
            return None
        if not line[1:].isdigit() or str(int(line[1:])).encode() != line[1:]:
            raise NotACommand
        return int(line[1:]), at + len(line) + 2

    head = length(b"*", at)
    if head is None:
        return None
    argc, at = head
    if not 1 <= argc <= COMMAND_ARGUMENTS_MAX:
        raise NotACommand
    words: list[bytes] = []
    while len(words) < argc:
        bulk = length(b"$", at)
        if bulk is None:
            return None
        size, at = bulk
        if size > BULK_BYTES_MAX:
            raise NotACommand
        if len(data) < at + size + 2:
            return None
        if data[at + size : at + size + 2] != b"\r\n":
            raise NotACommand
        words.append(data[at : at + size])
        at += size + 2
    return words, at


def judge_all(data: bytes) -> tuple[list[tuple[list[bytes], int]], bool]:
    """All commands with their ends, and whether the reading ended in an error."""
    found: list[tuple[list[bytes], int]] = []
    at = 0
    try:
        while (next_one := judge(data, at)) is not None:
            found.append(next_one)
            at = next_one[1]
    except NotACommand:
        return found, True
    return found, False


def read_all(data: bytes, step: int) -> tuple[list[tuple[list[bytes], int]], bool]:
    """As ``judge_all``, by the decoder, fed ``step`` bytes at a time."""
    decoder = CommandDecoder()
    found: list[tuple[list[bytes], int]] = []
    try:
        for start in range(0, len(data), step):
            decoder.feed(data[start : start + step])
            while (next_one := decoder.next_command()) is not None:
                found.append((next_one, decoder.offset))
    except FormatError as caught:
        failure = caught
    else:
        return found, False
    end = found[-1][1] if found else 0
    assert decoder.offset == end, "the offset is the end of the last whole command"
    assert end <= failure.offset <= len(data)
    with pytest.raises(FormatError) as again:
        decoder.next_command()
    assert str(again.value) == str(failure), "an error stays"
    return found, True


def plainly(command: Sequence[bytes]) -> bytes:
    return b"*%d\r\n" % len(command) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in command)


@given(batch)
def test_every_batch_survives(commands: list[list[bytes]]) -> None:
    payload = encode_batch(commands)
    if len(commands) == 1:
        assert payload == plainly(commands[0])
    else:
        assert payload == b"".join(map(plainly, [[b"MULTI"], *commands, [b"EXEC"]]))
    assert decode_batch(payload, len(commands)) == commands


@given(batch, st.integers(1, 40))
def test_commands_are_read_in_pieces_of_any_size(commands: list[list[bytes]], step: int) -> None:
    data = b"".join(map(plainly, commands))
    expected = judge_all(data)
    assert [words for words, _ in expected[0]] == commands
    for size in (len(data), 1, step):
        assert read_all(data, size) == expected


@given(st.lists(st.one_of(command, st.sampled_from([b"#\n", b"#TS:1\r\n", b"# a\r\nb\r\n"]))), st.integers(1, 60))
def test_what_is_no_command_can_be_skipped_between_commands(parts: list[list[bytes] | bytes], step: int) -> None:
    data = b"".join(part if isinstance(part, bytes) else encode_command(part) for part in parts)
    pieces = [data[at : at + step] for at in range(0, len(data), step)]
    decoder = CommandDecoder()
    position = 0
    for part in parts:
        if isinstance(part, bytes):
            while not decoder.skip(len(part)):
                decoder.feed(pieces.pop(0))
            position += len(part)
        else:
            while (read := decoder.next_command()) is None:
                decoder.feed(pieces.pop(0))
            assert read == part
            position += len(encode_command(part))
            assert not decoder.skip(1 << 30)
        assert decoder.offset == position


@given(command, st.data())
def test_a_part_of_a_command_is_no_command(words: list[bytes], data: st.DataObject) -> None:
    whole = plainly(words)
    cut = data.draw(st.integers(0, len(whole) - 1))
    decoder = CommandDecoder(1000)
    decoder.feed(whole + whole[:cut])
    assert decoder.next_command() == words
    assert decoder.next_command() is None
    assert decoder.offset == 1000 + len(whole)
    decoder.feed(whole[cut:])
    assert decoder.next_command() == words
    assert decoder.offset == 1000 + 2 * len(whole)


@given(st.one_of(st.binary(), noise), st.integers(1, 20))
def test_noise_is_read_as_the_page_says(data: bytes, step: int) -> None:
    expected = judge_all(data)
    assert read_all(data, len(data) or 1) == expected
    assert read_all(data, step) == expected


@given(batch, st.data())
def test_damage_is_read_as_the_page_says(commands: list[list[bytes]], data: st.DataObject) -> None:
    damaged = bytearray(b"".join(map(plainly, commands)))
    place = data.draw(st.integers(0, len(damaged) - 1))
    damaged[place : place + data.draw(st.integers(0, 3))] = data.draw(noise)
    expected = judge_all(bytes(damaged))
    assert read_all(bytes(damaged), len(damaged) or 1) == expected
    assert read_all(bytes(damaged), 7) == expected


@given(st.one_of(st.binary(), noise), st.integers(-1, 5))
def test_a_payload_is_either_exact_or_refused(payload: bytes, count: int) -> None:
    try:
        commands = decode_batch(payload, count)
    except FormatError:
        return
    assert len(commands) == count
    assert encode_batch(commands) == payload


@given(batch, st.data())
def test_a_damaged_payload_is_either_exact_or_refused(commands: list[list[bytes]], data: st.DataObject) -> None:
    payload = bytearray(encode_batch(commands))
    place = data.draw(st.integers(0, len(payload)))
    payload[place : place + data.draw(st.integers(0, 3))] = data.draw(noise)
    try:
        decoded = decode_batch(bytes(payload), len(commands))
    except FormatError:
        return
    assert encode_batch(decoded) == payload


@pytest.mark.parametrize("size", [0, 1, 2046, 2047, 2048, 2049, 32 << 10, (32 << 10) + 1, 200_000])
def test_values_of_every_size_survive(size: int) -> None:
    for value in (b"x" * size, (b"\r\n" * size)[:size]):
        commands = [[b"SET", b"key", value], [b"DEL", b"key"], [b"APPEND", b"key", value, value]]
        assert decode_batch(encode_batch(commands), 3) == commands
        assert decode_batch(encode_command(commands[0]), 1) == commands[:1]
        data = b"".join(map(plainly, commands))
        assert b"".join(map(encode_command, commands)) == data
        for step in (len(data), 1000):
            assert [words for words, _ in read_all(data, step)[0]] == commands


@pytest.mark.parametrize("count", [1, 7, 8, 9, 15, 16, 17, 2047, 2048, 5000])
def test_commands_of_every_length_survive(count: int) -> None:
    words = [b"%d" % index for index in range(count)]
    assert encode_command(words) == plainly(words)
    assert decode_batch(plainly(words), 1) == [words]
    assert decode_batch(encode_batch([words, words]), 2) == [words, words]


def test_many_commands_pass_through_many_windows() -> None:
    commands = [[b"SET", b"key:%d" % index, b"v" * (index % 97)] for index in range(5000)]
    commands[1234][2] = b"a\r\nb"
    assert decode_batch(encode_batch(commands), len(commands)) == commands
    data = b"".join(map(plainly, commands))
    for step in (len(data), 65536, 8191):
        found, failed = read_all(data, step)
        assert not failed
        assert [words for words, _ in found] == commands
        assert found[-1][1] == len(data)


@pytest.mark.parametrize(
    "data",
    [
        b"+OK\r\n",
        b"PING\r\n",
        b"\0",
        b"*0\r\n",
        b"*-1\r\n",
        b"*01\r\n$1\r\na\r\n",
        b"*+1\r\n$1\r\na\r\n",
        b"* 1\r\n$1\r\na\r\n",
        b"*1_0\r\n",
        b"*1\n$1\na\n           ",
        b"*\r\n",
        b"*1\r\n$-1\r\n",
        b"*1\r\n$01\r\na\r\n",
        b"*1\r\n+OK\r\n",
        b"*1\r\n:1\r\n",
        b"*1\r\n*1\r\n$1\r\na\r\n",
        b"*1\r\n=7\r\ntxt:abc\r\n",
        b"*1\r\n(123\r\n",
        b"*1\r\n_\r\n",
        b"*1\r\n$2\r\nabXX",
        b"*1\r\n$2\r\nabc\r\n",
        b"*1\r\n$3\r\nab\r\n\r\n",
        b"*1048577\r\n",
        b"*4294967295\r\n",
        b"*99999999999999999999\r\n",
        b"*1\r\n$536870913\r\n",
        b"*2\r\n$1\r\na\r\n>1\r\n",
    ],
)
def test_only_arrays_of_byte_strings_are_commands(data: bytes) -> None:
    assert read_all(data, len(data)) == ([], True)
    assert read_all(data, 1) == ([], True)
    with pytest.raises(FormatError):
        decode_batch(data, 1)


@pytest.mark.parametrize(
    ("payload", "count"),
    [
        (b"", 1),
        (b"", 2),
        (b"*1\r\n$1\r\na\r\n", 0),
        (b"*1\r\n$1\r\na\r\n", -1),
        (b"*1\r\n$1\r\na\r\n", 2),
        (b"*1\r\n$1\r\na\r\n", BATCH_COMMANDS_MAX + 1),
        (b"*1\r\n$1\r\na\r\n*1\r\n$1\r\na\r\n", 1),
        (b"*1\r\n$1\r\na\r\n*1\r\n$1\r\na\r\n", 2),
        (b"*1\r\n$1\r\na\r\n*", 1),
        (b"*1\r\n$1\r\na", 1),
        (encode_batch([[b"a"], [b"b"]]), 1),
        (encode_batch([[b"a"], [b"b"]]), 3),
        (encode_batch([[b"a"], [b"b"]])[:-14], 2),
        (encode_batch([[b"a"], [b"b"]]) + b"\r\n", 2),
        (encode_batch([[b"a"], [b"b"]]).replace(b"MULTI", b"multi"), 2),
        (encode_batch([[b"a"], [b"b"]]).replace(b"EXEC", b"exec"), 2),
    ],
)
def test_a_payload_that_is_not_its_batch_is_refused(payload: bytes, count: int) -> None:
    with pytest.raises(FormatError):
        decode_batch(payload, count)


def test_a_single_command_named_multi_is_an_ordinary_command_of_a_frame() -> None:
    assert decode_batch(encode_batch([[b"MULTI"]]), 1) == [[b"MULTI"]]
    assert decode_batch(encode_batch([[b"EXEC"], [b"MULTI"]]), 2) == [[b"EXEC"], [b"MULTI"]]


class Long(Sequence[bytes]):
    """A command of any length that takes no memory."""

    def __init__(self, length: int, word: bytes) -> None:
        self.length = length
        self.word = word

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> bytes:  # type: ignore[override]
        if index >= self.length:
            raise IndexError
        return self.word


def test_what_could_not_be_read_again_is_not_written() -> None:
    for words in (
        [],
        Long(COMMAND_ARGUMENTS_MAX + 1, b""),
        [bytes(BULK_BYTES_MAX + 1)],
        Long(COMMAND_BYTES_MAX // 100_000, bytes(100_000)),
    ):
        with pytest.raises(LimitError):
            encode_command(words)
    with pytest.raises(LimitError):
        encode_batch([])
    with pytest.raises(LimitError):
        encode_batch([[b"a"]] * (BATCH_COMMANDS_MAX + 1))


def test_no_command_is_shorter_than_the_limit_says() -> None:
    assert len(encode_command([b""])) == COMMAND_BYTES_MIN


@pytest.mark.parametrize(
    "data",
    [
        b"*1048576\r\n",
        b"*1048576\r\n$536870912\r\n",
        b"*1\r\n$536870912\r\n" + b"\r\n" * 10_000,
        b"\r\n" * 100_000,
        b"*1\r\n$1\r\na\r\n" + b"*1048576\r\n" + b"$0\r\n\r\n" * 1000,
    ],
)
def test_a_length_that_is_only_claimed_costs_no_memory(data: bytes) -> None:
    tracemalloc.start()
    try:
        assert len(read_all(data, len(data))[0]) <= 1
        with pytest.raises(FormatError):
            decode_batch(data, 1)
        with pytest.raises(FormatError):
            decode_batch(data, 1000)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 << 20


def test_a_large_command_in_small_pieces_is_read_in_linear_time() -> None:
    data = plainly([b"RPUSH", b"list", *([b"x" * 10] * 20_000)]) + plainly([b"SET", b"k", b"v" * 300_000])
    decoder = CommandDecoder()
    lengths: list[int] = []
    for start in range(0, len(data), 17):
        decoder.feed(data[start : start + 17])
        if (words := decoder.next_command()) is not None:
            lengths.append(len(words))
    assert lengths == [20_002, 3]
    assert decoder.offset == len(data)
