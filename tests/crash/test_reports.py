"""The promise: a report says what was found, whatever the words are, and needs nothing but itself.

Method: parse what was written, with summaries of real campaigns and with texts made to break out of it.
"""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

from durakv_fuzz.campaign import Failure, Summary, run
from durakv_fuzz.lives import Case
from durakv_fuzz.mutants import MUTANTS, Hunt
from durakv_fuzz.oracle import Verdict, Violation
from durakv_fuzz.report_facts import Facts, age_bars
from durakv_fuzz.report_files import write_json, write_junit
from durakv_fuzz.report_html import render_html, write_html
from durakv_fuzz.script import Setup

EVIL = "</table><script>alert('x' & \"y\")</script> \0 \ud800"[:-2]
VOID = {"meta"}


class Page(HTMLParser):
    """Collects tags and text, and fails for tags that do not match or that lead elsewhere."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.text = ""
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        assert not {"src", "href"} & {name for name, _ in attrs}, "the report leads elsewhere"
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.text += data


@pytest.fixture(scope="module")
def good() -> Summary:
    return run(1, runs=6)


@pytest.fixture
def broken() -> Summary:
    failure = Failure(Violation(Verdict.LOST_ACKED, EVIL), Case(Setup(), ()), 4, EVIL)
    return Summary(1, runs=1, checks=1, failures=[failure])


def hunts() -> list[Hunt]:
    first, second = list(MUTANTS.values())[:2]
    found = Failure(Violation(Verdict.GAP, "why"), Case(Setup(), ()), 0, "first life")
    return [Hunt(first, found, 1, 20, 0.5), Hunt(second, None, 9, 2000, 3.0)]


def test_a_page_says_that_every_promise_was_kept_and_by_what_figures(good: Summary) -> None:
    page = Page(render_html(good, hunts=hunts()))
    assert "Every promise was kept" in page.text
    facts = Facts(good)
    for figure in (
        f"{len(good.distinct):,}",
        f"{good.checks:,} crashes of {good.runs}",
        f"{facts.phases_covered} of {facts.phases_known}",
        f"{len(good.coverage.tried)} of {len(good.coverage.possible)}",
        "1 of 2",
        "not found",
    ):
        assert figure in page.text
    for key in facts.missing:
        assert key in page.text
    assert "svg" in page.tags


def test_a_page_says_what_was_broken_and_escapes_it(broken: Summary) -> None:
    page = Page(render_html(broken))
    assert "1 broken promise: 1 × LOST_ACKED" in page.text
    assert "alert('x' & \"y\")" in page.text
    assert "script" not in page.tags


def test_a_campaign_that_judged_nothing_proves_nothing() -> None:
    assert "Nothing was judged" in Page(render_html(Summary(1))).text


def test_json_holds_the_figures(good: Summary, tmp_path: Path) -> None:
    write_json(good, tmp_path / "report.json", hunts=hunts())
    words = json.loads((tmp_path / "report.json").read_text("utf-8"))
    assert (words["states"], words["judged"], words["failures"]) == (len(good.distinct), good.checks, [])
    assert sum(windows["crashes"] for windows in words["windows"]) == sum(w.crashes for w in good.windows.values())
    assert [mutant["found"] for mutant in words["mutants"]] == ["GAP", None]
    assert words["crash_points"]["known"] == Facts(good).phases_known


def test_junit_counts_what_failed(broken: Summary, good: Summary, tmp_path: Path) -> None:
    broken.windows = good.windows
    write_junit(broken, tmp_path / "report.xml", hunts=hunts())
    suite = ElementTree.parse(tmp_path / "report.xml").getroot()
    assert int(suite.get("tests", "")) == len(suite) == len(good.windows) + 3
    assert int(suite.get("failures", "")) == 2
    message = suite.find("testcase/failure[@type='LOST_ACKED']")
    assert message is not None
    assert "<script>" in message.get("message", "")


def test_the_files_are_written_in_place(good: Summary, tmp_path: Path) -> None:
    write_html(good, tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text("utf-8") == render_html(good)


def test_every_age_falls_into_one_bar() -> None:
    ages = [0.0, 0.001, 0.3, 1.0, 1.01, 5.0, 5.1, 90.0]
    assert sum(count for _, count in age_bars(ages)) == len(ages)
    assert age_bars(ages)[-1] == (">5", 2)
