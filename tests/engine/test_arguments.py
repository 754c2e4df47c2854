"""The promise: a batch that is none is refused before anything is logged, decided batches too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from durakv.engine import Engine
from tests.support import Journal


@pytest.mark.parametrize("batch", [b"SET", [b"SET"], [["SET"]], [[b"SET", bytearray(b"a")]], [[]], [[b"SET", 1]]])
def test_what_is_no_batch_is_refused_wherever_it_comes_from(tmp_path: Path, batch: Any) -> None:
    machine = Journal()
    with Engine(tmp_path / "data", machine) as engine:
        for write in (engine.submit, engine.apply):
            with pytest.raises(TypeError):
                write(batch)
        for decide in (engine.transact, engine.submit_decided):
            with pytest.raises(TypeError):
                decide(lambda: (batch, None))
        assert engine.applied_seq == 0
    assert machine.commands == []
