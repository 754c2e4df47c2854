"""The promise: whatever bytes a log, a stream or a directory is made of, it is read, or refused by name, in bounded
memory and time; no changed frame is replayed; and what one open has accepted, the next one reads again.

Method: random damage, the same for the same seed; ``mutate`` says what must not come of it.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from durakv.log.reader import read_segment
from durakv_formats.limits import STOCK_ANNOTATION_BYTES_MAX
from durakv_formats.resp import encode_command
from durakv_fuzz.disk import SimulatedDisk
from durakv_fuzz.image import Image
from tests.log.mutate import MANIFEST, SEGMENT, Directories, explore, memory_bytes
from tests.support import drain

STOCK_MANIFEST = b"file appendonly.aof.1.incr.aof seq 1 type i\n"


@pytest.mark.parametrize("seed", [1, 2])
def test_damage_is_read_or_refused_by_name(seed: int) -> None:
    explore(200, seed)
    before = memory_bytes()
    ended = explore(6000, seed)
    assert memory_bytes() - before < 64 << 20
    assert len(ended) > 15, "every reader is to come to several ends"


def test_comments_of_nobody_are_read_again_once_the_directory_is_ours() -> None:
    log = encode_command([b"SET", b"a", b"1"]) + b"#HDR:of a later server\n" + encode_command([b"SET", b"b", b"2"])
    contents, foreign, left = Directories.contents_of({MANIFEST: STOCK_MANIFEST, SEGMENT: log})
    assert (len(contents[0]), foreign) == (2, 2)
    assert b"DKVM" in left[MANIFEST]
    assert Directories.contents_of(left)[0] == contents


def test_a_log_with_the_time_between_its_commands_is_not_read_over_and_over(monkeypatch: pytest.MonkeyPatch) -> None:
    command = encode_command([b"SET", b"k", b"v"])
    log = (b"#TS:1700000000\r\n" + command) * 20_000
    file = SimulatedDisk(Image({SEGMENT: log})).open(SEGMENT)
    read_bytes = 0

    def counting(size: int, offset: int, read: Callable[[int, int], bytes] = file.read_at) -> bytes:
        nonlocal read_bytes
        data = read(size, offset)
        read_bytes += len(data)
        return data

    monkeypatch.setattr(file, "read_at", counting)
    records, end = drain(read_segment(file, identity=None, number=1, prior=0))
    assert (len(records), end.offset) == (20_000, len(log))
    lines = 20_000 * STOCK_ANNOTATION_BYTES_MAX  # each comment is looked at by itself
    assert read_bytes <= 2 * len(log) + lines, "a new decoder behind every comment reads some 256 KiB anew for each"
