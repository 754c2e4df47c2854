"""The promise (C8, C11, F6): no flipped bit, wherever it is, is ever read as data; a file that lost its end is known.

Method: every bit of every file of small directories, one at a time, and every length of every file.  A directory that
was closed promises each of its bytes, so everything must be refused by name.  In one whose owner died, only what is
above every promise may be cut, and told; a flip in the zeros behind it is harmless.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from durakv.directory import MANIFEST_NAME
from durakv.verification import Severity
from durakv.verify import verify
from durakv_fuzz.disk import SimulatedDisk
from durakv_fuzz.image import Image
from tests.badinput.places import (
    Files,
    abandoned_directory,
    assert_told,
    closed_directory,
    opened_and_untouched,
    read,
)

OPEN_SEGMENT = "appendonly.aof.2.incr.aof"


def flips(files: Files, name: str, bits: range = range(8)) -> Iterator[tuple[int, Files]]:
    data = files[name]
    for offset in range(len(data)):
        for bit in bits:
            yield offset, {**files, name: data[:offset] + bytes([data[offset] ^ 1 << bit]) + data[offset + 1 :]}


CLOSED, CLOSED_COMMANDS = closed_directory()


def test_the_directories_are_what_the_tests_take_them_for() -> None:
    outcome = read(CLOSED)
    assert outcome.commands[-5:] == CLOSED_COMMANDS[-5:], "what precedes them is in the base"
    assert sorted(name.rpartition(".")[2] for name in CLOSED) == ["aof", "aof", "dkv", "manifest"]
    files, commands, promised = abandoned_directory()
    outcome = read(files)
    assert outcome.commands == commands
    assert outcome.report is not None
    assert not outcome.report.clean
    assert files[OPEN_SEGMENT].endswith(bytes(100)), "preallocated space is left"
    assert promised == commands[-2]


@pytest.mark.parametrize("name", sorted(CLOSED))
def test_no_flipped_bit_of_a_closed_directory_is_accepted(name: str) -> None:
    for offset, files in flips(CLOSED, name):
        outcome = read(files)
        assert outcome.refusal is not None, f"a flip in byte {offset} was not noticed"
        assert_told(outcome.refusal, name if name != MANIFEST_NAME else "")


@pytest.mark.parametrize("name", sorted(CLOSED))
def test_an_open_leaves_a_flipped_bit_as_it_was(name: str) -> None:
    for offset, files in flips(CLOSED, name, range(1)):
        if offset % 7 == 0:
            assert opened_and_untouched(files) is not None


@pytest.mark.parametrize("name", sorted(CLOSED))
def test_verify_finds_every_flipped_byte(name: str) -> None:
    for offset, files in flips(CLOSED, name, range(3, 4)):
        verification = verify(SimulatedDisk(Image(files)))
        assert verification.severity >= Severity.UNCHECKED, f"a flip in byte {offset} was not found"


def test_a_flipped_bit_above_every_promise_is_cut_and_told_and_one_below_refused() -> None:
    files, commands, promised = abandoned_directory()
    data = files[OPEN_SEGMENT]
    end = len(data.rstrip(b"\0"))
    last = data.rindex(b"#DKV1 ")
    cut = refused = 0
    for offset, flipped in flips({**files, OPEN_SEGMENT: data[: end + 40]}, OPEN_SEGMENT):
        outcome = read(flipped)
        if offset < last:
            assert outcome.refusal is not None, f"a flip in byte {offset}, below a promise, was not noticed"
            assert_told(outcome.refusal, OPEN_SEGMENT)
            refused += 1
        elif outcome.refusal is not None:
            # The version digit of the last frame may come to say that a newer version wrote it.
            assert data[offset : offset + 1] == b"1"
            assert "version" in str(outcome.refusal)
        else:
            assert outcome.report is not None
            assert outcome.report.cut is not None, f"a flip in byte {offset} was passed over in silence"
            assert outcome.commands == (commands if offset >= end else commands[:promised])
            cut += 1
    assert cut
    assert refused


@pytest.mark.parametrize("name", [MANIFEST_NAME, "appendonly.aof.1.incr.aof"])
def test_no_flipped_bit_of_what_an_open_segment_stands_on_is_accepted(name: str) -> None:
    files, _, _ = abandoned_directory()
    for offset, flipped in flips(files, name):
        assert read(flipped).refusal is not None, f"a flip in byte {offset} was not noticed"


@pytest.mark.parametrize("name", sorted(CLOSED))
def test_a_file_of_any_other_length_is_refused(name: str) -> None:
    data = CLOSED[name]
    for length in range(len(data)):
        outcome = read({**CLOSED, name: data[:length]})
        assert outcome.refusal is not None, f"{name} cut to {length} bytes was not noticed"
        assert_told(outcome.refusal)
    assert opened_and_untouched({**CLOSED, name: b""}) is not None
    assert opened_and_untouched({**CLOSED, name: data[:-1]}) is not None


def test_a_promise_tells_a_cut_open_segment_from_a_torn_one() -> None:
    files, commands, promised = abandoned_directory()
    data = files[OPEN_SEGMENT]
    last = data.rindex(b"#DKV1 ")
    for length in range(len(data.rstrip(b"\0")) + 1):
        outcome = read({**files, OPEN_SEGMENT: data[:length]})
        if length < data.index(b"#DKV1 ", 1):
            assert outcome.refusal is not None, "number 1 was sealed, and the opening frame was durable"
            continue
        if outcome.refusal is None:
            assert outcome.commands == commands[: len(outcome.commands)]
            assert len(outcome.commands) >= (promised if length >= last else 1)
