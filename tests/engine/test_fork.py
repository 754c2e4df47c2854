"""The promise: a forked child cannot write into its parent's directory (C10).

Method: fork for real with an engine open, use it in the child, and look at what it says and at what the parent has.
"""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import pytest

import durakv


def test_a_forked_copy_refuses_and_the_parent_goes_on(tmp_path: Path) -> None:
    db = durakv.open(tmp_path / "data", fsync="always")
    db.set(b"before", b"1")
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # forking with threads is what is tested
        child = os.fork()
    if child == 0:
        said = b"nothing"
        try:
            db.set(b"from the child", b"1")
        except durakv.Closed:
            said = b"Closed"
            db.close()
        finally:
            os.write(writer, said)
            os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reader, 100) == b"Closed"
    db.set(b"after", b"1")
    with pytest.raises(durakv.Locked):
        durakv.open(tmp_path / "data")
    db.close()
    with durakv.open(tmp_path / "data") as again:
        assert sorted(again.keys()) == [b"after", b"before"]
