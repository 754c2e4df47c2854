"""Each litmus does what it says, and has words for whatever a crash may leave.

Method: perform all of them on a plain directory, without any crash; and describe contents made by hand.
"""

from __future__ import annotations

from errno import EINVAL
from pathlib import Path

import pytest

from durakv_fuzz.calibration.litmus import Litmus, describe
from durakv_fuzz.calibration.suite import SUITE
from durakv_fuzz.tree import EMPTY, Tree

OLD, NEW = b"o" * 1000, b"n" * 1200
VERSIONS = {"old": OLD, "new": NEW}


@pytest.mark.parametrize("litmus", SUITE.values(), ids=SUITE)
def test_without_a_crash_a_litmus_ends_as_it_says_and_makes_its_marks(litmus: Litmus, tmp_path: Path) -> None:
    litmus.prepare(tmp_path)
    before = litmus.observe(Tree.load(tmp_path))
    marks: list[str] = []
    try:
        litmus.perform(tmp_path, marks.append)
    except OSError as failure:
        if litmus.name == "O_DIRECT" and failure.errno == EINVAL:
            pytest.skip(f"no direct writes where tests keep their files: {failure}")
        raise
    assert ("started", *marks) == litmus.steps
    assert litmus.observe(Tree.load(tmp_path)) == litmus.final
    assert before != litmus.final, "it changes nothing that is watched"


@pytest.mark.parametrize("litmus", SUITE.values(), ids=SUITE)
def test_the_outcomes_before_and_after_are_made_of_versions_and_nothing_foreign(litmus: Litmus, tmp_path: Path) -> None:
    litmus.prepare(tmp_path)
    words = f"{litmus.observe(Tree.load(tmp_path))} {litmus.final}"
    assert not {"foreign", "zeros", "part"} & set(words.replace("=", " ").split())
    assert len({*litmus.versions.values()}) == len(litmus.versions)


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"", "empty"),
        (OLD, "old"),
        (NEW, "new"),
        (NEW[:700], "part of new"),
        (bytes(100), "zeros"),
        (OLD[:512] + bytes(488), "old+zeros"),
        (NEW[:512] + OLD[512:], "new+old"),
        (OLD[:512] + bytes(512) + NEW[1024:], "mixed old/new/zeros"),
        (NEW[:512] + OLD[512:800] + NEW[800:], "mixed old/new"),
        (OLD[:512] + b"?" + OLD[513:], "foreign"),
        (OLD + b"!" * 300, "foreign"),
    ],
)
def test_contents_have_words(data: bytes, word: str) -> None:
    assert describe(data, VERSIONS) == word


def test_of_an_append_what_both_versions_have_is_the_old_one() -> None:
    versions = {"old": OLD, "new": OLD + NEW}
    assert describe(OLD + bytes(10), versions) == "old+zeros"
    assert describe(OLD + NEW[:10], versions) == "part of new"
    assert describe(OLD + NEW[:10] + bytes(10), versions) == "new+zeros"


def test_what_is_not_there_is_missing_and_several_paths_are_told_with_their_names() -> None:
    assert SUITE["append"].observe(EMPTY) == "missing"
    assert SUITE["two appends"].observe(EMPTY) == "a=missing b=missing"
