"""The pages of the repository, and the pieces of code in them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PLACES = ("*.md", "docs/**/*.md", "specs/**/*.md", "formats/*.md", "formats/kaitai/*.md", "fuzz/*.md")
PAGES = tuple(sorted(page for place in PLACES for page in ROOT.glob(place)))

NOT_RUN = re.compile(r"<!-- not run: (\S.*) -->")
_FENCE = re.compile(r"^(?P<fence>```+)(?P<language>.*)\n(?P<text>(?:.*\n)*?)(?P=fence)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of code between two fences."""

    language: str
    text: str
    line: int
    before: str
    """The line right before it."""

    @property
    def not_run(self) -> str | None:
        """The reason why it must not be run, if it says so."""
        found = NOT_RUN.fullmatch(self.before)
        return None if found is None else found[1]


def name(page: Path) -> str:
    """The page as people call it."""
    return str(page.relative_to(ROOT))


def blocks(page: Path) -> list[Block]:
    """All pieces of code of a page, in order."""
    text = page.read_text(encoding="utf-8")
    found: list[Block] = []
    for match in _FENCE.finditer(text):
        above = text[: match.start()].splitlines()
        found.append(Block(match["language"].strip(), match["text"], len(above) + 1, above[-1] if above else ""))
    return found


def program(page: Path) -> str:
    """All of a page's Python that is to be run, as one program whose line numbers are the page's."""
    lines: list[str] = []
    for block in blocks(page):
        if block.language == "python" and block.not_run is None:
            lines += [""] * (block.line - len(lines)) + block.text.splitlines()
    return "\n".join(lines) + "\n" if lines else ""
