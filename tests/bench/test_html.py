"""The promise: one page that needs nothing beside it, names every case, and shows what must be known first.

Method: write a made-up run, whole and with parts missing, and read it with an HTML parser.
"""

from __future__ import annotations

import functools
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest

from durakv.bench import html, tables
from durakv.bench.results import Report
from tests.bench import made_up

VOID = {"meta", "br", "hr", "img"}


class Reader(HTMLParser):
    """Checks that what is opened is closed, and keeps the text and the attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        assert tag not in {"script", "link", "iframe", "img", "object"}
        self.addresses += [value or "" for name, value in attrs if name in {"href", "src", "xlink:href"}]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@functools.cache
def whole_page() -> str:
    return html.render(made_up.report())


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    return reader


def test_the_page_is_whole_and_loads_nothing(tmp_path: Path) -> None:
    html.write(made_up.report(), tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    reader = read(page)
    assert all(address.startswith("#") for address in reader.addresses)
    assert "http://" not in page
    assert "https://" not in page
    assert "@import" not in page
    assert page.count("<svg") == 6


def test_every_case_and_everything_else_is_named() -> None:
    report = made_up.report()
    text = "\n".join(read(whole_page()).texts)
    for case in report.cases:
        assert f"{case.store} {case.setting}" in text
        assert tables.load_name(case, sizes=False) in text
    for verdict in report.verdicts:
        assert verdict.name in text
    for said in (*report.left_out, *report.disk.warnings, report.command, *report.machine.versions):
        assert said in text
    for raw in report.disk.raw:
        assert raw.name in text


def test_warnings_stand_above_every_figure() -> None:
    page = whole_page()
    assert page.index(made_up.WARNING) < page.index("<svg") < page.index("<table")


def test_the_page_is_the_same_each_time() -> None:
    assert html.render(made_up.report()) == whole_page()


@pytest.mark.parametrize("part", ["cases", "losses"])
def test_a_part_that_is_missing_is_left_out(part: str) -> None:
    page = html.render(msgspec.structs.replace(made_up.report(), **{part: ()}))
    read(page)
    assert len(page) < len(whole_page())


def test_nothing_measured_is_a_page_too() -> None:
    read(html.render(bare()))


def test_text_of_the_run_is_never_markup() -> None:
    evil = '<script>alert("&amp;")</script>'
    report = made_up.report()
    report = msgspec.structs.replace(
        report,
        command=evil,
        disk=msgspec.structs.replace(report.disk, warnings=(evil,), device=evil, directory=evil),
        machine=msgspec.structs.replace(report.machine, versions={evil: evil}),
        cases=tuple(msgspec.structs.replace(case, setting=evil, note=evil) for case in report.cases[1:3]),
        losses=tuple(msgspec.structs.replace(one, setting=evil, method=evil) for one in report.losses[:2]),
        verdicts=tuple(msgspec.structs.replace(one, name=evil, note=evil) for one in report.verdicts),
        left_out=(evil,),
    )
    page = html.render(report)
    read(page)
    assert "<script" not in page
    assert unescape(page).count(evil) >= 12


def bare() -> Report:
    nothing = made_up.report()
    return msgspec.structs.replace(
        nothing,
        cases=(),
        losses=(),
        interferences=(),
        recoveries=(),
        verdicts=(),
        left_out=(),
        disk=msgspec.structs.replace(nothing.disk, raw=(), warnings=()),
    )
