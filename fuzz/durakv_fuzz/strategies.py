"""Hypothesis strategies: programs for the engine, and crashes.  Apart, so that nothing else needs Hypothesis.

    @given(st.data(), programs())
    def test_no_crash_breaks_a_promise(data, program):
        recording = Recording.first(*program)
        crash = data.draw(crashes(recording))
        assert recording.judge(crash, witness(recording.image(crash), recording.setup)).violation is None

What fails is then shrunk by Hypothesis.  ``campaign`` explores the same programs and crashes many times faster.
"""

from __future__ import annotations

from typing import Protocol, TypeVar

from hypothesis import strategies as st

from durakv_fuzz.choose import Recording as Recorder
from durakv_fuzz.lives import Crash, Recording
from durakv_fuzz.model import Model, crash_image
from durakv_fuzz.script import Script, Setup
from durakv_fuzz.workload import EVERYTHING, Alphabet, draw_script, draw_setup

T = TypeVar("T")


class Draw(Protocol):
    """What draws: ``data.draw``, or what a composite strategy is given."""

    def __call__(self, strategy: st.SearchStrategy[T], label: object = None) -> T:
        """An example of the strategy."""
        ...


class Drawn:
    """A chooser inside a Hypothesis test: ``crash_image(trace, seq, Drawn(data.draw))``."""

    def __init__(self, draw: Draw) -> None:
        self._draw = draw

    def __call__(self, count: int, label: str, /) -> int:
        return self._draw(st.integers(0, count - 1), label)


@st.composite
def setups(draw: st.DrawFn) -> Setup:
    """How an engine is opened: machine, policy, sizes of segments and buffers."""
    return draw_setup(Drawn(draw), identity=0)


@st.composite
def programs(
    draw: st.DrawFn, alphabet: Alphabet = EVERYTHING, *, least: int = 1, most: int = 12
) -> tuple[Setup, Script]:
    """An engine, and what is asked of it: batches, levels, policies, rewrites, reopens, writers, failing calls."""
    return draw(setups()), draw_script(Drawn(draw), alphabet, least=least, most=most)


@st.composite
def crashes(draw: st.DrawFn, recording: Recording) -> Crash:
    """A crash of a recorded life: any point, any kind, and any answer to what is open then."""
    model = draw(st.sampled_from(Model))
    timeline = recording.timeline
    points = timeline.kill_points() if model is Model.PROCESS_CRASH else timeline.power_points()
    crash_seq = draw(st.sampled_from(points))
    recorder = Recorder(Drawn(draw))
    crash_image(timeline, crash_seq, recorder, model=model)
    return Crash(crash_seq, model, tuple(recorder.answers))
