"""A campaign's summary as one HTML file: no network, no script, nothing beside it.

The headline says what was found, the tiles how much was tried, and the rest is for those who ask on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from pathlib import Path

from durakv_fuzz.call_sites import CallSites
from durakv_fuzz.campaign import DECAY, Summary, Windows
from durakv_fuzz.coverage import Phase
from durakv_fuzz.model import Model
from durakv_fuzz.mutants import Hunt
from durakv_fuzz.page import page
from durakv_fuzz.report_facts import Facts, age_bars


def write_html(
    summary: Summary, path: Path, *, hunts: Sequence[Hunt] | None = None, known: CallSites | None = None
) -> None:
    """Write the report; ``hunts`` adds the score of the mutants."""
    path.write_text(render_html(summary, hunts=hunts, known=known), encoding="utf-8")


def render_html(summary: Summary, *, hunts: Sequence[Hunt] | None = None, known: CallSites | None = None) -> str:
    """The report as text."""
    facts = Facts(summary, known)
    parts = [
        *_headline(facts, hunts),
        *_failures(summary),
        *_matrix(summary),
        *_policies(summary),
        *_plots(summary),
        *_kinds(facts),
        *_sites(facts),
        *_pairs(facts),
        *(_mutants(hunts) if hunts is not None else ()),
    ]
    return page(f"durakv crash campaign, seed {summary.seed}", parts)


def _headline(facts: Facts, hunts: Sequence[Hunt] | None) -> Iterator[str]:
    summary = facts.summary
    count = len(summary.failures)
    if count:
        verdicts = ", ".join(f"{number} × {verdict}" for verdict, number in sorted(summary.verdicts.items()))
        yield f'<h1 class="bad">{count} broken promise{"s" if count > 1 else ""}: {escape(verdicts)}</h1>'
    elif not summary.checks:
        yield '<h1 class="bad">Nothing was judged</h1>'
    else:
        yield '<h1 class="good">Every promise was kept</h1>'
    yield (
        f"<p>The engine recovered {summary.checks:,} crashes of {summary.runs:,} random programs, and an oracle that "
        f"knows only what callers were told judged each. Seed {summary.seed}, {summary.seconds:,.1f} s.</p>"
    )
    coverage = summary.coverage
    tiles = [
        (f"{len(summary.distinct):,}", "distinct crash states"),
        (f"{facts.states_per_second:,.0f}", "states a second"),
        (f"{summary.runs:,}", "runs"),
        (f"{facts.phases_covered} of {facts.phases_known}", "crash points at call sites"),
        (f"{len(coverage.tried)} of {len(coverage.possible)}", "pairs: first lost, second kept"),
    ]
    if hunts is not None:
        found = sum(hunt.failure is not None for hunt in hunts)
        tiles.append((f"{found} of {len(hunts)}", "planted bugs found"))
    yield '<div class="tiles">'
    for figure, what in tiles:
        yield f'<div class="tile"><b>{escape(figure)}</b><span>{escape(what)}</span></div>'
    yield "</div>"


def _failures(summary: Summary) -> Iterator[str]:
    if summary.failures:
        yield "<h2>What was broken</h2>"
        rows = [
            (str(failure.violation.verdict), failure.violation.reason, f"run {failure.run}, {failure.stage}")
            for failure in summary.failures
        ]
        yield _table(("verdict", "why", "where"), rows)


def _matrix(summary: Summary) -> Iterator[str]:
    yield "<h2>Verdicts by policy and model</h2>"
    yield "<p>Crashes that were judged, and how many of them broke a promise.</p>"
    models = [model for model in (*map(str, Model), DECAY) if any(key[1] == model for key in summary.judged)]
    broken = Counter(
        (str(failure.case.setup.policy), DECAY if failure.case.damage is not None else str(life.crash.model))
        for failure in summary.failures
        for life in failure.case.lives[-1:]
    )
    rows: list[tuple[str, ...]] = []
    for policy in sorted({policy for policy, _ in summary.judged}, reverse=True):
        cells = [
            f"{summary.judged[policy, model]:,}" + (f", {count} broken" if (count := broken[policy, model]) else "")
            for model in models
        ]
        rows.append((policy or "nothing open", *cells))
    yield _table(("policy at the crash", *models), rows)


def _policies(summary: Summary) -> Iterator[str]:
    yield "<h2>What crashes cost</h2>"
    yield (
        "<p>Batches acknowledged as written that a crash took. A process crash may take none under any policy, a power "
        "loss none that was acknowledged as synced; the oracle judges that by itself, this is what the rest costs. "
        "Runs whose disk failed besides are left out.</p>"
    )
    rows = [
        (policy, kind, windows.crashes, windows.lossy, windows.lost_max, _longest(windows))
        for (policy, kind), windows in sorted(summary.windows.items())
    ]
    yield _table(("policy", "crash", "crashes", "with a loss", "most batches lost", "oldest lost"), rows)
    stages = [(stage, count) for stage, count in sorted(summary.stages.items())]
    yield f"<details><summary>Where the crashes were</summary>{_table(('stage', 'judged'), stages)}</details>"


def _longest(windows: Windows) -> str:
    return f"{max(windows.seconds):.2f} s" if windows.seconds else "–"


def _plots(summary: Summary) -> Iterator[str]:
    yield "<h2>Loss window</h2><p>The age in seconds of the oldest acknowledged batch that a power loss took.</p>"
    yield '<div class="plots">'
    for (policy, kind), windows in sorted(summary.windows.items()):
        if kind == "power loss":
            share = windows.lossy / windows.crashes if windows.crashes else 0.0
            caption = f"{windows.crashes:,} power losses, {share:.1%} of them lost something"
            yield f"<figure><strong>{escape(policy)}</strong>{_bars(age_bars(windows.seconds))}"
            yield f"<figcaption>{escape(caption)}</figcaption></figure>"
    yield "</div>"


def _bars(bars: Sequence[tuple[str, int]]) -> str:
    """A bar chart; the tallest bar is as high as the plot."""
    width, height, step = 360, 150, 360 / len(bars)
    most = max(1, *(count for _, count in bars))
    parts = [f'<line x1="0" y1="{height - 24}" x2="{width}" y2="{height - 24}"/>']
    for index, (label, count) in enumerate(bars):
        tall = (height - 44) * count / most
        left = index * step
        middle = left + step / 2
        parts.append(
            f'<rect x="{left + 3:.1f}" y="{height - 24 - tall:.1f}" width="{step - 6:.1f}" height="{tall:.1f}" rx="2"/>'
        )
        if count:
            parts.append(f'<text x="{middle:.1f}" y="{height - 28 - tall:.1f}" text-anchor="middle">{count}</text>')
        parts.append(f'<text x="{middle:.1f}" y="{height - 8}" text-anchor="middle">{escape(label)}</text>')
    spoken = escape("; ".join(f"{label}: {count}" for label, count in bars), quote=True)
    return f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{spoken}">{"".join(parts)}</svg>'


def _kinds(facts: Facts) -> Iterator[str]:
    yield "<h2>Calls to the disk</h2>"
    yield "<p>Calls told apart by file and call site; whole: crashed before, inside and after.</p>"
    rows: list[str] = []
    for kind, (whole, seen) in sorted(facts.summary.coverage.by_kind().items()):
        part = f'<span class="meter"><i style="width:{100 * whole / seen:.0f}%"></i></span> {whole} of {seen}'
        rows.append(f"<tr><td><code>{escape(kind)}</code></td><td>{part}</td></tr>")
    yield f'<div class="wide"><table><tr><th>call</th><th>whole</th></tr>{"".join(rows)}</table></div>'


def _sites(facts: Facts) -> Iterator[str]:
    missing, reached = facts.missing, facts.summary.coverage.by_site()
    yield "<h2>Call sites</h2>"
    if missing:
        yield f"<p>{len(missing)} of {len(facts.sites.sites)} call sites in the source lack something:</p>"
        rows = [
            (key, reached.get(key, (0, Phase.NONE))[0], str(lack), facts.sites.excuse(key))
            for key, lack in missing.items()
        ]
        yield _table(("call site", "calls", "not yet a crash point", "because"), rows, code=True)
    else:
        yield f"<p>All {len(facts.sites.sites)} call sites in the source were crashed before, inside and after.</p>"
    if unlisted := facts.summary.coverage.unlisted(facts.sites):
        yield "<p>Reached, but not found in the source:</p>"
        yield _table(("call site", "calls"), [(key, reached[key][0]) for key in sorted(unlisted)], code=True)
    whole = [(key, *reached[key]) for key in sorted(reached) if key not in missing]
    table = _table(
        ("call site", "calls", "crashed"), [(key, calls, str(phases)) for key, calls, phases in whole], code=True
    )
    yield f"<details><summary>The other {len(whole)}</summary>{table}</details>"


def _pairs(facts: Facts) -> Iterator[str]:
    yield "<h2>Pairs</h2>"
    yield (
        "<p>Two changes whose fates were open at the same time: a disk might take the second and lose the first. "
        f"{len(facts.untried)} such pairs have not been tried.</p>"
    )
    if facts.untried:
        table = _table(("lost", "kept, though later"), facts.untried, code=True)
        yield f"<details><summary>Which</summary>{table}</details>"


def _mutants(hunts: Sequence[Hunt]) -> Iterator[str]:
    yield "<h2>Planted bugs</h2><p>The engine, broken on purpose: the same campaign has to find each.</p>"
    rows: list[tuple[str | int, ...]] = []
    for hunt in sorted(hunts, key=lambda hunt: hunt.failure is not None):
        found = str(hunt.failure.violation.verdict) if hunt.failure is not None else "not found"
        mutant = hunt.mutant
        rows.append((mutant.name, mutant.what, mutant.stands_for, found, hunt.states, f"{hunt.seconds:.1f} s"))
    yield _table(("bug", "what is wrong", "as in", "found as", "states", "time"), rows)


def _table(heads: Sequence[str], rows: Iterable[Sequence[str | int]], *, code: bool = False) -> str:
    """A table; numbers to the right, everything escaped; ``code``: the first column is."""
    body: list[str] = []
    columns: set[int] = set()
    for row in rows:
        cells: list[str] = []
        for index, value in enumerate(row):
            if isinstance(value, int):
                columns.add(index)
                cells.append(f'<td class="n">{value:,}</td>')
            else:
                text = escape(value)
                cells.append(f"<td>{f'<code>{text}</code>' if code and not index else text}</td>")
        body.append(f"<tr>{''.join(cells)}</tr>")
    top = "".join(_head(head, right=index in columns) for index, head in enumerate(heads))
    return f'<div class="wide"><table><tr>{top}</tr>{"".join(body)}</table></div>'


def _head(text: str, *, right: bool) -> str:
    return f'<th class="n">{escape(text)}</th>' if right else f"<th>{escape(text)}</th>"
