"""The promise: every clause of the specifications has a test that holds it, under a name that exists, and whoever cites
a clause cites one that there is.

Method: the pages of this tree are read and have nothing wrong with them; small trees with one mistake each are found
out by that mistake.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.specs.clauses import ROOT, main, problems, read_pages

PAGE = """# 1. A page

## Promised

- **C1** Nothing is lost.
- **M2** Nothing is found
  that nobody lost.

## Assumed

- Nothing.

## Given up

- Nothing.

## Rejected

- *Nothing.*

## Held by

| clause | tests | model |
|---|---|---|
| C1 | `tests/room/test_loss.py` | `C1` |
| M2 | `tests/room/test_loss.py::test_nothing_is_lost`, `tests/room/test_loss.py::test_later` | |
"""
TESTS = '"""The promise (C1, M2)."""\n\ndef test_nothing_is_lost() -> None: ...\nasync def test_later() -> None: ...\n'
MODEL = "---- MODULE m ----\nC1 == TRUE\n====\n"


def tree(root: Path, *, page: str = PAGE, tests: str = TESTS, model: str = MODEL) -> Path:
    for name, text in (("specs/01-a.md", page), ("tests/room/test_loss.py", tests), ("specs/models/m.tla", model)):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_every_clause_of_this_tree_is_held_and_every_name_is_good() -> None:
    assert problems(ROOT) == []


def test_the_contract_and_the_fault_model_have_their_clauses() -> None:
    names = [clause.name for page in read_pages(ROOT) for clause in page.clauses]
    assert {f"C{number}" for number in range(1, 15)} < set(names)
    assert {f"F{number}" for number in range(1, 8)} < set(names)
    assert len(read_pages(ROOT)) >= 10


def test_a_tree_without_a_mistake_has_nothing_wrong(tmp_path: Path) -> None:
    assert problems(tree(tmp_path)) == []
    assert main(tmp_path) == 0


NOBODY = f"M{3}"  # not as one word: this file is searched for citations, too

MISTAKES = {
    "no test": (
        {"page": PAGE.replace("`tests/room/test_loss.py` | `C1`", "| `C1`")},
        "specs/01-a.md:5: no test holds C1",
    ),
    "no row": (
        {"page": PAGE.replace("| C1 | `tests/room/test_loss.py` | `C1` |\n", "")},
        "specs/01-a.md:5: no test holds C1",
    ),
    "two rows": (
        {"page": PAGE + "| C1 | `tests/room/test_loss.py` | |\n"},
        "specs/01-a.md:25: C1 has 2 rows",
    ),
    "a row of no clause": (
        {"page": PAGE + f"| {NOBODY} | `tests/room/test_loss.py` | |\n"},
        f"specs/01-a.md:27: {NOBODY} is held, but is no clause of this page",
    ),
    "twice": (
        {"page": PAGE.replace("- **M2** Nothing is found", "- **C1** Nothing is found")},
        "specs/01-a.md:6: C1 is defined 2 times",
    ),
    "a file that is not there": (
        {"page": PAGE.replace("`tests/room/test_loss.py` |", "`tests/room/test_gone.py` |")},
        "specs/01-a.md:25: tests/room/test_gone.py is no file with tests",
    ),
    "a file without tests": ({"tests": "X = 1\n"}, "specs/01-a.md:25: tests/room/test_loss.py is no file with tests"),
    "a test that is not there": (
        {"page": PAGE.replace("::test_later", "::test_never")},
        "specs/01-a.md:26: there is no test test_never in tests/room/test_loss.py",
    ),
    "a property that is not there": ({"model": ""}, "specs/01-a.md:25: no model in specs/models defines C1"),
    "a property that nobody names": (
        {"model": MODEL.replace("====", f"{NOBODY}_Found == TRUE\n===="), "page": PAGE},
        f"specs/models: {NOBODY}_Found holds {NOBODY}, but does not stand in the row of {NOBODY}",
    ),
    "a heading that is not there": (
        {"page": PAGE.replace("## Given up", "## Lost")},
        "specs/01-a.md: the heading '## Given up' stands there 0 times instead of once",
    ),
    "a citation of nothing": (
        {"tests": TESTS.replace("(C1, M2)", f"(C1, {NOBODY})")},
        f"tests/room/test_loss.py:1: {NOBODY} is cited, and is no clause",
    ),
    "a citation of nothing without brackets": (
        {"tests": TESTS.replace("(C1, M2)", f"of C{9}")},
        f"tests/room/test_loss.py:1: C{9} is cited, and is no clause",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_told_with_its_place(mistake: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changed, expected = MISTAKES[mistake]
    assert expected in problems(tree(tmp_path, **changed))
    assert main(tmp_path) == 1
    assert expected in capsys.readouterr().out.splitlines()
