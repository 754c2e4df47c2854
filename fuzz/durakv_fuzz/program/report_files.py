"""What was seen, in the three forms that others read: JSON, JUnit, and one HTML page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from xml.etree import ElementTree

from durakv_fuzz.page import page
from durakv_fuzz.program.finding_html import ABOUT_FATES, ABOUT_TIERS, STYLE, finding_parts
from durakv_fuzz.program.oracle import Verdict
from durakv_fuzz.program.seen import TIERS, Report, Seen
from durakv_fuzz.program.subject import Promise

REPORT_NAMES = ("programs.html", "programs.json", "programs.xml")

_OPEN_MAX = 3
"""Of more programs than that, no crash is shown before somebody asks."""
_STYLE = """
body { max-width: 74rem; } td.cell span { display: block; white-space: nowrap; }
blockquote { margin: .3rem 0; padding-left: .8rem; border-left: 3px solid var(--line); color: var(--soft); }
pre { overflow-x: auto; background: var(--tile); padding: .6rem .8rem; border-radius: .4rem;
  font: 12.5px/1.45 ui-monospace, monospace; }
"""


def write_reports(report: Report, directory: Path) -> list[Path]:
    """Write all three into the directory, which is made."""
    directory.mkdir(parents=True, exist_ok=True)
    html, json, xml = (directory / name for name in REPORT_NAMES)
    html.write_text(render_html(report), encoding="utf-8")
    report.save(json)
    xml.write_bytes(render_junit(report))
    return [html, json, xml]


def render_junit(report: Report) -> bytes:
    """Each program on each kind of disk is a test."""
    suite = ElementTree.Element("testsuite", name="durakv fuzz program", timestamp=report.date)
    tests = failures = skipped = 0
    for seen in report.seen:
        name = f"{seen.program} {seen.setting}"
        if seen.missing:
            case = ElementTree.SubElement(suite, "testcase", classname=name, name="start")
            ElementTree.SubElement(case, "skipped", message=seen.missing)
            tests, skipped = tests + 1, skipped + 1
        for tier, reason in seen.skipped.items():
            case = ElementTree.SubElement(suite, "testcase", classname=name, name=tier)
            ElementTree.SubElement(case, "skipped", message=reason)
            tests, skipped = tests + 1, skipped + 1
        for tier in _tiers(seen):
            case = ElementTree.SubElement(suite, "testcase", classname=name, name=tier)
            tests += 1
            if seen.is_broken and seen.worst(tier) is not Verdict.KEPT:
                failures += 1
                found = [finding for finding in seen.findings if finding.tier == tier]
                failure = ElementTree.SubElement(case, "failure", message=words_of(seen, tier))
                failure.text = "\n\n".join("\n".join([finding.reason, *finding.story]) for finding in found)
    suite.set("tests", str(tests))
    suite.set("failures", str(failures))
    suite.set("skipped", str(skipped))
    return bytes(ElementTree.tostring(suite, encoding="utf-8", xml_declaration=True))


def words_of(seen: Seen, tier: str) -> str:
    """One cell: ``clean, 2,000 states`` or ``LOST_ACKED 12, NO_START 3 of 600``; empty where nothing was tried.

    Acknowledged writes that were gone although the promise was kept are told as well.
    """
    counts = seen.verdicts.get(tier)
    if not counts:
        return ""
    total = sum(counts.values())
    bad = [f"{verdict} {count:,}" for verdict, count in sorted(counts.items()) if verdict != Verdict.KEPT]
    states, most = seen.losses.get(tier, (0, 0))
    lossy = f"; {states:,} without acknowledged writes, at most {most:,}, which it allows" if states and not bad else ""
    return f"{', '.join(bad)} of {total:,}" if bad else f"clean, {total:,} states{lossy}"


def render_html(report: Report) -> str:
    """The page, as text."""
    return page("durakv: programs after a power cut", _parts(report), style=_STYLE + STYLE)


def _parts(report: Report) -> Iterator[str]:
    run = [seen for seen in report.seen if not seen.missing]
    broken = sum(seen.is_broken for seen in run)
    if not run:
        yield '<h1 class="bad">Nothing was run</h1>'
    elif broken:
        yield f'<h1 class="bad">{broken} of {len(run)} broke a promise</h1>'
    else:
        yield '<h1 class="good">Every promise was kept</h1>'
    yield f"<p>{escape(report.machine)}, {escape(report.date)}.</p>"
    states = sum(seen.states for seen in run)
    seconds = sum(sum(seen.seconds.values()) for seen in run)
    tiles = [
        (f"{states:,}", "distinct crash states"),
        (f"{states / seconds:,.0f}" if seconds else "0", "states a second"),
        (f"{len(run)}", "programs with a setting"),
        (f"{sum(seen.violations for seen in run):,}", "states that deserve a word"),
    ]
    yield '<div class="tiles">'
    for figure, what in tiles:
        yield f'<div class="tile"><b>{escape(figure)}</b><span>{escape(what)}</span></div>'
    yield "</div>"
    yield "<h2>What was seen, by kind of disk</h2>"
    tiers = [tier for tier in TIERS if any(seen.verdicts.get(tier) for seen in run)]
    yield from _table(report.seen, tiers)
    yield _terms({tier: ABOUT_TIERS[tier] for tier in tiers})
    if any(finding.timeline for seen in run for finding in seen.findings):
        yield "<h2>How to read a crash</h2>"
        yield (
            "<p>Calls are numbered in the order in which they began. A barrier, with a bar, has the numbers of its "
            "beginning and its end; it covers what had returned before it began. What became of each call:</p>"
        )
        yield _terms(ABOUT_FATES)
    for seen in report.seen:
        yield from _details(seen, is_open=len(run) <= _OPEN_MAX)


def _terms(words: Mapping[str, str]) -> str:
    return "<ul>" + "".join(f"<li><b>{word}</b>: {escape(what)}</li>" for word, what in words.items()) + "</ul>"


def _table(report: Iterable[Seen], tiers: Sequence[str]) -> Iterator[str]:
    head = "".join(f"<th>{tier}</th>" for tier in tiers)
    yield f'<div class="wide"><table><tr><th>program</th><th>setting</th><th>promise</th>{head}</tr>'
    for seen in report:
        cells = [f"<td>{escape(word)}</td>" for word in (seen.program, seen.setting, seen.promise)]
        if seen.missing:
            cells.append(f'<td colspan="{max(1, len(tiers))}">not run: {escape(seen.missing)}</td>')
        else:
            cells += (_cell(seen, tier) for tier in tiers)
        yield f"<tr>{''.join(cells)}</tr>"
    yield "</table></div>"


def _cell(seen: Seen, tier: str) -> str:
    worst = seen.worst(tier)
    if worst is None:
        return f'<td title="{escape(seen.skipped.get(tier, "not tried"))}">–</td>'
    look = "good" if worst is Verdict.KEPT else "" if seen.promise == Promise.NONE else "bad"
    if look == "good":
        lines = [f"clean, {sum(seen.verdicts[tier].values()):,} states"]
        if lossy := seen.losses.get(tier, (0, 0))[0]:
            lines.append(f"{lossy:,} with allowed loss")
    else:
        lines = words_of(seen, tier).split(", ")
    words = "".join(f"<span>{escape(line)}</span>" for line in lines)
    return f'<td class="cell {look}">{words}</td>'


def _details(seen: Seen, *, is_open: bool) -> Iterator[str]:
    if seen.missing:
        return
    yield f"<h2>{escape(seen.program)} {escape(seen.setting)}</h2>"
    yield f"<p>Promised: <b>{escape(seen.promise)}</b>.</p>"
    yield f"<blockquote>{escape(seen.documented)}</blockquote>"
    versions = "; ".join(f"{escape(name)} <code>{escape(version)}</code>" for name, version in seen.versions.items())
    lives = ", ".join(f"{count:,} of its {life} life" for life, count in sorted(seen.lives.items()))
    yield f"<p>{versions}. States: {escape(lives)}; {sum(seen.seconds.values()):,.0f} s.</p>"
    for tier, reason in seen.skipped.items():
        yield f"<p>Not tried on {escape(tier)}: {escape(reason)}.</p>"
    for index, finding in enumerate(seen.findings):
        yield from finding_parts(finding, is_open=is_open and not index)


def _tiers(seen: Seen) -> list[str]:
    return [tier for tier in TIERS if seen.verdicts.get(tier)]
