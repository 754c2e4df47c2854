"""The promise: what another thread does between the look and the change of a method is seen before the change is made.

Method: a codec stands for the other thread: it is called between the two, without any lock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import durakv


class Meddling(durakv.TextCodec):
    """A codec that lets somebody else write, once, when a certain text goes through it."""

    def __init__(self) -> None:
        self.text = ""
        self.meddle: Callable[[], None] | None = None

    def when(self, text: str, meddle: Callable[[], None]) -> None:
        self.text, self.meddle = text, meddle

    def encode(self, value: str, /) -> bytes:
        self._pass(value)
        return super().encode(value)

    def decode(self, data: bytes, /) -> str:
        value = super().decode(data)
        self._pass(value)
        return value

    def _pass(self, value: str) -> None:
        meddle = self.meddle
        if value == self.text and meddle is not None:
            self.meddle = None
            meddle()


@pytest.fixture
def codec() -> Meddling:
    return Meddling()


@pytest.fixture
def shared(codec: Meddling, tmp_path: Path) -> Iterator[durakv.DurableDict[str, str]]:
    with durakv.DurableDict(tmp_path / "d", value=codec, fsync="no") as d:
        d.update({"a": "1", "b": "2"})
        yield d


def test_a_value_that_is_replaced_while_it_is_popped_is_not_lost(
    shared: durakv.DurableDict[str, str], codec: Meddling
) -> None:
    codec.when("1", lambda: shared.put("a", "new"))
    assert shared.pop("a") == "new"
    assert dict(shared.items()) == {"b": "2"}


def test_a_value_that_is_taken_while_it_is_popped_is_not_returned_too(
    shared: durakv.DurableDict[str, str], codec: Meddling
) -> None:
    codec.when("1", lambda: shared.__delitem__("a"))
    with pytest.raises(KeyError):
        shared.pop("a")


def test_what_is_added_while_the_last_item_is_popped_is_the_last(
    shared: durakv.DurableDict[str, str], codec: Meddling
) -> None:
    codec.when("2", lambda: shared.put("c", "3"))
    assert shared.popitem() == ("c", "3")
    assert list(shared) == ["a", "b"]


def test_a_default_gives_way_to_what_was_set_meanwhile(shared: durakv.DurableDict[str, str], codec: Meddling) -> None:
    codec.when("default", lambda: shared.put("c", "first"))
    assert shared.setdefault("c", "default") == "first"
    assert shared["c"] == "first"


def test_a_value_is_looked_for_among_those_of_one_moment(shared: durakv.DurableDict[str, str], codec: Meddling) -> None:
    codec.when("1", shared.clear)
    assert "2" in shared.values()
    assert "2" not in shared.values()
