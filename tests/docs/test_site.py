"""The promise: the site is built without a warning, no link in it is broken, and its reference leaves out no name.

Method: Sphinx builds it into a temporary folder, with warnings as errors; its pages are parsed, and its inventory is
compared with what can be imported.  It is one test, because the build is most of it.  Without Sphinx it is skipped, or
fails if DURAKV_REQUIRE_HOSTS is set.
"""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys
import zlib
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

import durakv
from durakv.aio import AsyncDatabase, AsyncEngine
from tests.docs.pages import PAGES, ROOT, name
from tests.hosts import host

PACKAGES = (
    "durakv",
    "durakv.adapters.huey",
    "durakv.adapters.langgraph",
    "durakv.adapters.prometheus",
    "durakv.adapters.scrapy",
    "durakv.aio",
    "durakv.testing",
    "durakv_formats",
    "durakv_formats.rdb",
    "durakv_fuzz.conformance",
    "durakv_fuzz.embedder",
    "durakv_fuzz.injector",
    "durakv_fuzz.service",
)
"""Everything in their ``__all__`` is public."""
FACADES = (durakv.Database, AsyncDatabase, durakv.Engine, AsyncEngine)
ELSEWHERE = {
    "durakv_fuzz.conformance.check_filesystem": "durakv.check_filesystem",
    "durakv_fuzz.conformance.check_state_machine": "durakv.check_state_machine",
    "durakv_fuzz.service.BadSubject": "durakv_fuzz.embedder.BadSubject",
}
"""Names that are documented under another one."""
COMMANDS = {"durakv-bench-run", "durakv-fuzz-program", "durakv-verify"}
"""Sections of the command line's page; that there are all of them is seen by the others."""


class Html(HTMLParser):
    """The anchors of a page, and where its links lead."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: set[str] = set()
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for key, value in attrs:
            if value and key in ("id", "name"):
                self.ids.add(value)
            elif value and key in ("href", "src"):
                self.links.add(value)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_site_is_built_without_a_warning_and_lacks_nothing(tmp_path: Path) -> None:
    for module in ("sphinx", "furo", "myst_parser", "huey", "langgraph", "scrapy"):
        host(module)
    site = tmp_path / "site"
    build = ["-W", "--keep-going", "-q", "-b", "html", "-d", str(tmp_path / "doctrees"), str(ROOT / "docs"), str(site)]
    build += ["-D", "toc_object_entries=0"]  # the list of methods beside a page, which is half of the time
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", *build], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    problems = [*missing_pages(site), *broken_links(site), *missing_names(site), *missing_commands(site)]
    assert not problems, "\n".join(problems)


def missing_pages(site: Path) -> Iterator[str]:
    """Every page of the repository is there, and the root leads to the first."""
    for page in PAGES:
        if page != ROOT / "docs/README.md" and not (site / name(page)).with_suffix(".html").exists():
            yield f"{name(page)} is not in the site"
    if not (site / "index.html").exists():
        yield "the site has no beginning"


def broken_links(site: Path) -> Iterator[str]:
    """Links inside of the site lead to a file that is there, and to an anchor that is in it."""
    pages = {page: Html(page) for page in site.rglob("*.html") if "_static" not in page.parts}
    for page, html in pages.items():
        for link in html.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            if not target.exists():
                yield f"{page.relative_to(site)}: {link} leads nowhere"
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].ids:
                yield f"{page.relative_to(site)}: {link} leads to no place on that page"


def missing_names(site: Path) -> Iterator[str]:
    """Every public name, and every public method of the facades and engines, is in the inventory."""
    known = inventory(site)
    for package in PACKAGES:
        for each in importlib.import_module(package).__all__:
            public = f"{package}.{each}"
            if ELSEWHERE.get(public, public) not in known:
                yield f"{public} is not in the reference"
    for facade in FACADES:
        home = "durakv.aio" if facade.__name__.startswith("Async") else "durakv"
        for method, value in inspect.getmembers(facade):
            public = f"{home}.{facade.__name__}.{method}"
            if not method.startswith("_") and (callable(value) or isinstance(value, property)) and public not in known:
                yield f"{public} is not in the reference"


def missing_commands(site: Path) -> Iterator[str]:
    """The page of the command line was made from it."""
    for command in COMMANDS - Html(site / "docs/reference/command-line.html").ids:
        yield f"there is no section {command}"


def inventory(site: Path) -> set[str]:
    """The Python names that other sites can link to."""
    data = (site / "objects.inv").read_bytes()
    body = zlib.decompress(data.split(b"\n", 4)[4]).decode()
    return {line.split(" ", 1)[0] for line in body.splitlines() if line.split(" ", 2)[1].startswith("py:")}


def test_the_list_of_pages_for_github_names_every_page() -> None:
    listed = (ROOT / "docs/README.md").read_text(encoding="utf-8")
    for page in PAGES:
        inside = page.is_relative_to(ROOT / "docs") and not page.is_relative_to(ROOT / "docs/reference")
        if inside and page.name not in ("README.md", "index.md"):
            assert f"]({page.relative_to(ROOT / 'docs')})" in listed, f"{name(page)} is not in docs/README.md"


def test_a_broken_link_is_seen(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text('<p id="here"><a href="#here"></a><a href="#there"></a><a href="b.html#c"></a>')
    (tmp_path / "b.html").write_text('<a href="a.html#here"></a><a href="a.html#there"></a><img src="c.svg">')
    assert sorted(broken_links(tmp_path)) == [
        "a.html: #there leads to no place on that page",
        "a.html: b.html#c leads to no place on that page",
        "b.html: a.html#there leads to no place on that page",
        "b.html: c.svg leads nowhere",
    ]
