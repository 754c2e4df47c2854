"""The promise: the measured directory is a real one, the measured open is lazy, and its figures belong together.

Method: a small base, opened by the child process that measures and by an eager open.
"""

from __future__ import annotations

from pathlib import Path

import pytest

import durakv
from durakv.bench.lazy_open import LOGGED_KEYS, VALUE_BYTES, build, key_of, measure

KEYS = 20_000


def test_what_is_measured_is_a_whole_directory_and_a_lazy_open(tmp_path: Path) -> None:
    directory = tmp_path / "data"
    assert build(directory, KEYS) > KEYS * (VALUE_BYTES + 16)
    found = measure(directory, KEYS)
    assert 0 < found.first_read_seconds < found.loaded_seconds
    assert found.import_seconds > 0
    assert 0 < found.cold_p50_us <= found.cold_p99_us <= found.cold_max_us
    with durakv.open(directory) as db:
        assert db.report.base_keys == db.dbsize() == KEYS
        assert db.report.commands == LOGGED_KEYS
        assert all(len(db.get(key_of(number)) or b"") == VALUE_BYTES for number in range(KEYS))


def test_a_directory_that_holds_something_is_refused(tmp_path: Path) -> None:
    with durakv.open(tmp_path) as db:
        db.set(b"k", b"v")
        db.rewrite()
    with pytest.raises(durakv.DirectoryError, match="not a new directory"):
        build(tmp_path, KEYS)
    with pytest.raises(durakv.Limit, match="at least"):
        build(tmp_path / "other", 10)
