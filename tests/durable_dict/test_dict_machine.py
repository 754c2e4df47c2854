"""The promise: whatever is done to a durable dict, it holds what a dict would hold, in the same order, also after a
restart, a rewrite, or the death of its process.

Method: Hypothesis draws what is done, to it and to a dict.
"""

from __future__ import annotations

from collections.abc import Callable

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

import durakv
from durakv.clock import ManualClock
from durakv_fuzz.disk import SimulatedDisk
from tests.support import died

KEYS = st.sampled_from(["", "a", "b", "c", "é", "\0", "items"])
VALUES = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(max_size=5) | st.lists(st.integers(0, 9))
)
PAIRS = st.dictionaries(KEYS, VALUES, max_size=4)
ABSENT = object()


def outcome(call: Callable[[], object]) -> object:
    """What it returns, or that there was no such key."""
    try:
        return call()
    except KeyError:
        return KeyError


class Same(RuleBasedStateMachine):
    """A durable dict and a dict."""

    @initialize(fsync=st.sampled_from(list(durakv.FsyncPolicy)))
    def begin(self, fsync: durakv.FsyncPolicy) -> None:
        self.fsync = fsync
        self.disk = SimulatedDisk()
        self.model: dict[str, object] = {}
        self.open()

    def open(self) -> None:
        self.database = durakv.open(
            None,
            filesystem=self.disk,
            clock=ManualClock(),
            background=False,
            fsync=self.fsync,
            options=durakv.Options(segment_bytes=4096),
        )
        self.dict: durakv.DurableDict[str, object] = durakv.DurableDict.over(
            self.database, prefix=b"d:", value=durakv.MsgpackCodec()
        )

    @rule(key=KEYS, value=VALUES)
    def set_one(self, key: str, value: object) -> None:
        self.dict[key] = self.model[key] = value

    @rule(key=KEYS)
    def delete(self, key: str) -> None:
        assert outcome(lambda: self.dict.__delitem__(key)) == outcome(lambda: self.model.__delitem__(key))

    @rule(key=KEYS)
    def pop(self, key: str) -> None:
        assert outcome(lambda: self.dict.pop(key)) == outcome(lambda: self.model.pop(key))

    @rule(key=KEYS)
    def pop_or_nothing(self, key: str) -> None:
        assert self.dict.pop(key, ABSENT) == self.model.pop(key, ABSENT)

    @rule()
    def popitem(self) -> None:
        assert outcome(self.dict.popitem) == outcome(self.model.popitem)

    @rule(key=KEYS, value=VALUES)
    def setdefault(self, key: str, value: object) -> None:
        assert self.dict.setdefault(key, value) == self.model.setdefault(key, value)

    @rule(pairs=PAIRS)
    def update(self, pairs: dict[str, object]) -> None:
        self.dict.update(pairs)
        self.model.update(pairs)

    @rule()
    def clear(self) -> None:
        self.dict.clear()
        self.model.clear()

    @rule(changes=st.lists(st.tuples(KEYS, st.just(ABSENT) | VALUES), max_size=6))
    def batch(self, changes: list[tuple[str, object]]) -> None:
        wanted = dict(self.model)

        def do(target: dict[str, object]) -> None:
            for key, value in changes:
                if value is ABSENT:
                    del target[key]
                else:
                    target[key] = value

        def store() -> None:
            with self.dict.batch() as batch:
                do(batch)  # type: ignore[arg-type]

        fails = outcome(lambda: do(wanted)) is KeyError
        assert (outcome(store) is KeyError) == fails
        if not fails:
            self.model = wanted

    @rule()
    def rewrite(self) -> None:
        self.database.rewrite()

    @rule()
    def restart(self) -> None:
        self.database.close()
        self.open()

    @rule()
    def die(self) -> None:
        self.disk = died(self.disk)
        self.open()

    @invariant()
    def holds_the_same(self) -> None:
        if hasattr(self, "model"):
            assert list(self.dict.items()) == list(self.model.items())
            assert list(self.dict) == list(self.model)
            assert (len(self.dict), self.dict == self.model) == (len(self.model), True)


TestSame = Same.TestCase
TestSame.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
