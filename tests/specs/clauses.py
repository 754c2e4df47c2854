"""The clauses of ``specs/``: which there are, what holds each, and where they are cited.

    - **M1** ...    or    | **C1** Prefix | ...        its name in bold at the beginning of a line defines a clause
    ## Held by                                         the table of a page: clause, tests, properties of a model

``python -m tests.specs.clauses`` lists every clause with the number of its tests, and what is wrong; its exit code says
whether anything is.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec

ROOT = Path(__file__).parents[2]

HEADINGS = ("Promised", "Assumed", "Given up", "Rejected", "Held by")

_PAGES = "specs/[0-9][0-9]-*.md"
_SOURCES = ("*.py", "*.c", "*.md", "*.tla")
_PLACES = ("durakv", "formats", "fuzz", "tests", "docs", "specs", ".")
"""Where clauses are cited; of the root itself only the pages."""

_DEFINED = re.compile(r"^(?:- |\| )\*\*([A-Z][0-9]{1,2})\b")
_ROW = re.compile(r"^\| ([A-Z][0-9]{1,2}) \|(.*)\|(.*)\|$")
_CITED = re.compile(r"\b[CF][0-9]{1,2}\b")
_CITED_IN_BRACKETS = re.compile(r"\(([A-Z][0-9]{1,2}(?:(?:, | and | to |-)[A-Z][0-9]{1,2})*)\)")
_PROPERTY = re.compile(r"^(\w+)\s*==", re.MULTILINE)
_OF_A_CLAUSE = re.compile(r"([A-Z][0-9]{1,2})(?:_\w+)?")
"""How a property of a model is named that holds a clause: ``C7`` or ``C7_FailStop``."""


class Clause(msgspec.Struct, frozen=True):
    """A promise with a name."""

    name: str
    page: str
    line: int


class Holding(msgspec.Struct, frozen=True):
    """What a page says holds a clause: tests as ``path`` or ``path::function``, and properties of a model."""

    name: str
    page: str
    line: int
    tests: tuple[str, ...]
    properties: tuple[str, ...]


class Page(msgspec.Struct, frozen=True):
    """What is read of one page."""

    name: str
    headings: tuple[str, ...]
    clauses: tuple[Clause, ...]
    holdings: tuple[Holding, ...]


def read_page(path: Path) -> Page:
    """The clauses of a page and its table of what holds them."""
    headings: list[str] = []
    clauses: list[Clause] = []
    holdings: list[Holding] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("## "):
            headings.append(line.removeprefix("## ").strip())
        elif (defined := _DEFINED.match(line)) is not None:
            clauses.append(Clause(defined[1], path.name, number))
        elif headings and headings[-1] == "Held by" and (row := _ROW.match(line)) is not None:
            tests, properties = (tuple(re.findall(r"`([^`]+)`", cell)) for cell in (row[2], row[3]))
            holdings.append(Holding(row[1], path.name, number, tests, properties))
    return Page(path.name, tuple(headings), tuple(clauses), tuple(holdings))


def read_pages(root: Path) -> list[Page]:
    """All numbered pages."""
    return [read_page(path) for path in sorted(root.glob(_PAGES))]


def problems(root: Path) -> list[str]:
    """What is wrong with the clauses of a tree, a line each; nothing if every clause is held and every name is good."""
    pages = read_pages(root)
    known = {clause.name for page in pages for clause in page.clauses}
    return [
        *_headings_missing(pages),
        *_named_twice(pages),
        *_not_held(pages),
        *_tests_missing(root, pages),
        *_properties_missing(root, pages),
        *_properties_not_named(root, pages),
        *_citations_of_nothing(root, known),
    ]


def _headings_missing(pages: list[Page]) -> Iterator[str]:
    for page in pages:
        for heading in HEADINGS:
            count = page.headings.count(heading)
            if count != 1:
                yield f"specs/{page.name}: the heading '## {heading}' stands there {count} times instead of once"


def _named_twice(pages: list[Page]) -> Iterator[str]:
    count = Counter(clause.name for page in pages for clause in page.clauses)
    for page in pages:
        for clause in page.clauses:
            if count[clause.name] > 1:
                yield f"specs/{page.name}:{clause.line}: {clause.name} is defined {count[clause.name]} times"


def _not_held(pages: list[Page]) -> Iterator[str]:
    for page in pages:
        rows = Counter(holding.name for holding in page.holdings)
        held = {holding.name for holding in page.holdings if holding.tests}
        here = {clause.name for clause in page.clauses}
        for clause in page.clauses:
            if clause.name not in held:
                yield f"specs/{page.name}:{clause.line}: no test holds {clause.name}"
        for holding in page.holdings:
            if holding.name not in here:
                yield f"specs/{page.name}:{holding.line}: {holding.name} is held, but is no clause of this page"
            elif rows[holding.name] > 1:
                yield f"specs/{page.name}:{holding.line}: {holding.name} has {rows[holding.name]} rows"


def _tests_missing(root: Path, pages: list[Page]) -> Iterator[str]:
    functions: dict[str, frozenset[str]] = {}
    for page in pages:
        for holding in page.holdings:
            for test in holding.tests:
                path, _, name = test.partition("::")
                if path not in functions:
                    functions[path] = _test_functions(root / path)
                if not functions[path]:
                    yield f"specs/{page.name}:{holding.line}: {path} is no file with tests"
                elif name and name not in functions[path]:
                    yield f"specs/{page.name}:{holding.line}: there is no test {name} in {path}"


def _test_functions(path: Path) -> frozenset[str]:
    """The tests of a file as pytest would collect them, without running anything."""
    if not (path.is_file() and path.name.startswith("test_") and path.suffix == ".py"):
        return frozenset()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return frozenset(
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    )


def _properties(root: Path) -> set[str]:
    """What the models define."""
    models = (path.read_text(encoding="utf-8") for path in root.glob("specs/models/*.tla"))
    return {name for model in models for name in _PROPERTY.findall(model)}


def _properties_missing(root: Path, pages: list[Page]) -> Iterator[str]:
    defined = _properties(root)
    for page in pages:
        for holding in page.holdings:
            for name in holding.properties:
                if name not in defined:
                    yield f"specs/{page.name}:{holding.line}: no model in specs/models defines {name}"


def _properties_not_named(root: Path, pages: list[Page]) -> Iterator[str]:
    named = {(holding.name, name) for page in pages for holding in page.holdings for name in holding.properties}
    for name in sorted(_properties(root)):
        of = _OF_A_CLAUSE.fullmatch(name)
        if of is not None and (of[1], name) not in named:
            yield f"specs/models: {name} holds {of[1]}, but does not stand in the row of {of[1]}"


def _citations_of_nothing(root: Path, known: set[str]) -> Iterator[str]:
    for path in _sources(root):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            names = set(_CITED.findall(line))
            for list_of_names in _CITED_IN_BRACKETS.findall(line):
                names.update(re.findall(r"[A-Z][0-9]{1,2}", list_of_names))
            for name in sorted(names - known):
                yield f"{path.relative_to(root)}:{number}: {name} is cited, and is no clause"


def _sources(root: Path) -> Iterator[Path]:
    for place in _PLACES:
        for pattern in _SOURCES:
            yield from sorted((root / place).glob(pattern) if place == "." else (root / place).rglob(pattern))


def main(root: Path = ROOT) -> int:
    """List the clauses and what is wrong; return the exit code."""
    out = sys.stdout.write
    for page in read_pages(root):
        held = {holding.name: holding for holding in page.holdings}
        for clause in page.clauses:
            row = held.get(clause.name)
            tests, properties = (len(row.tests), " ".join(row.properties)) if row else (0, "")
            out(f"{clause.name:4} {page.name:20} {tests:3} tests  {properties}".rstrip() + "\n")
    found = problems(root)
    out("".join(f"{problem}\n" for problem in found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
