"""Answers drawn by Hypothesis, which then shrinks them.  Apart, so that nothing else needs Hypothesis."""

from __future__ import annotations

from hypothesis import strategies as st


class Drawn:
    """A chooser inside a Hypothesis test: ``crash_image(trace, seq, Drawn(data))``."""

    def __init__(self, data: st.DataObject) -> None:
        self._data = data

    def __call__(self, count: int, label: str, /) -> int:
        return self._data.draw(st.integers(0, count - 1), label=label)
