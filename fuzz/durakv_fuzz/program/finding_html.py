"""One broken promise as a part of a page: on which kind of disk, the witness, and the calls around the crash."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from html import escape

from durakv_fuzz.program.seen import SeenFinding, TimelineRow

ABOUT_TIERS = {
    "killed": "SIGKILL only: everything handed to the kernel survives",
    "ordered": "a power cut on a journalling file system, as a model: changes of names survive in order",
    "posix": "a power cut where only fsync orders anything, as a model: the worst that POSIX allows",
    "ext4": "a real ext4 on a device that lost sectors that were not flushed",
    "xfs": "a real XFS on such a device",
    "btrfs": "a real btrfs on such a device",
}
ABOUT_FATES = {
    "settled": "no crash could take it any more: something had synced it",
    "kept": "it could have been lost, and was not",
    "torn": "a part of it survived",
    "lost": "the crash took it",
    "unnamed": "written to a file that no name leads to after the crash",
}
STYLE = """
.badge { display: inline-block; padding: 0 .55rem; border-radius: .8rem; font-weight: 600; font-size: .85rem;
  color: var(--paper); background: var(--soft); }
.badge.killed, .badge.ext4, .badge.xfs, .badge.btrfs { background: var(--bad); } .badge.ordered { background: #b06000; }
@media (prefers-color-scheme: dark) { .badge.ordered { background: #f0a848; } }
details.finding { border: 1px solid var(--line); border-radius: .5rem; padding: .5rem .9rem; margin: .7rem 0; }
details.finding > summary { color: var(--ink); } details.finding > summary b { margin: 0 .3rem; }
p.witness { color: var(--ink); font-size: 1.05rem; margin: .7rem 0 .3rem; } p.witness code { font-size: .95rem; }
dl.roles { margin: .2rem 0 .7rem;
  color: var(--soft); } dl.roles dt { float: left; clear: left; margin-right: .6rem; } dl.roles dd { margin: 0; }
code, .timeline td { overflow-wrap: anywhere; }
.timeline td { padding: .12rem .6rem; } .timeline td.what { font: 13px/1.5 ui-monospace, monospace; }
.timeline td.by, .timeline td.n, .timeline td.fate { white-space: nowrap; }
.timeline tr.barrier td.what { font-weight: 700; border-left: 3px solid var(--bar); }
.timeline tr.note td, .timeline tr.gap td { color: var(--soft); font-style: italic; }
.timeline tr.crash td { border-top: 2px solid var(--bad); border-bottom: 2px solid var(--bad); color: var(--bad);
  font-weight: 700; text-align: center; }
.timeline tr.later td { color: var(--soft); } .timeline tr.later td.what { text-decoration: line-through; }
.timeline tr.settled td.fate { color: var(--soft); } .timeline tr.kept td.fate { color: var(--good); }
.timeline tr.torn td, .timeline tr.lost td { background: color-mix(in srgb, var(--bad) 13%, transparent); }
.timeline tr.torn td.fate, .timeline tr.lost td.fate { color: var(--bad); font-weight: 700; }
.timeline tr.unnamed td.fate { color: var(--bad); }
"""
_WITNESS = re.compile(r"(?P<first>.*) was lost(?: though (?P<later>.*), which came later, survived)?", re.DOTALL)
_LIVES = {"recovery": "crashed again in its recovery", "second": "crashed again after going on"}


def when(finding: SeenFinding) -> str:
    """Beside the kind of disk: whether the store was being made, and in which life it was crashed."""
    making = "" if finding.prepared else "while the store was made"
    return ", ".join(filter(None, [making, _LIVES.get(finding.life, "")]))


def finding_parts(finding: SeenFinding, *, is_open: bool) -> Iterator[str]:
    """The part of the page; ``is_open`` shows it at once."""
    tier = escape(finding.tier)
    words = f"({when(finding)}) " if when(finding) else ""
    yield f'<details class="finding"{" open" if is_open else ""}><summary>'
    yield f'<span class="badge {tier}" title="{escape(ABOUT_TIERS.get(finding.tier, ""))}">{tier}</span>'
    yield f"<b>{escape(finding.verdict)}</b>{escape(words + finding.reason)}</summary>"
    if finding.witness:
        yield f'<p class="witness">{_witness(finding.witness)}</p>'
    if finding.settled_by:
        yield f"<p>{escape(finding.settled_by[0].upper() + finding.settled_by[1:])}.</p>"
    if finding.roles:
        rows = (f"<dt><code>{escape(path)}</code></dt><dd>{escape(role)}</dd>" for path, role in finding.roles.items())
        yield f'<dl class="roles">{"".join(rows)}</dl>'
    story = f"<pre>{escape(chr(10).join(finding.story))}</pre>"
    if finding.timeline:
        yield from _timeline(finding.timeline)
        yield f"<details><summary>What the crash decided</summary>{story}</details>"
    else:
        yield story
    if finding.artefact:
        yield f"<p>Again: <code>durakv fuzz replay {escape(finding.artefact)}</code></p>"
    yield "</details>"


def _witness(text: str) -> str:
    match = _WITNESS.fullmatch(text)
    if match is None:
        return escape(text)
    first = f"<code>{escape(match['first'])}</code> was lost"
    later = match["later"]
    return f"{first} though <code>{escape(later)}</code>, which came later, survived." if later else f"{first}."


def _timeline(rows: Sequence[TimelineRow]) -> Iterator[str]:
    """The columns that say nothing, or the same everywhere, are left out."""
    tasks = {row.task for row in rows if row.task}
    has_tasks, has_sites = len(tasks) > 1, any(row.site for row in rows)
    heads = ["#", "call", "", *(["by"] if has_tasks else []), *(["from"] if has_sites else [])]
    head = "".join(f'<th class="n">{word}</th>' if word == "#" else f"<th>{word}</th>" for word in heads)
    yield f'<div class="wide"><table class="timeline"><tr>{head}</tr>'
    for row in rows:
        if row.kind == "crash":
            yield f'<tr class="crash"><td colspan="{len(heads)}">{escape(row.what)}, before event {row.seq}</td></tr>'
            continue
        cells = [f'<td class="n">{_numbers(row)}</td>', f'<td class="what">{escape(row.what)}</td>']
        cells.append(f'<td class="fate">{"did not come" if row.kind == "later" else escape(row.fate)}</td>')
        cells += [f'<td class="by">{escape(row.task)}</td>'] if has_tasks else []
        cells += [f"<td><code>{escape(row.site)}</code></td>"] if has_sites else []
        fate = row.fate.rpartition(", ")[2].replace("under way", "")
        yield f'<tr class="{escape(f"{row.kind} {fate}".strip())}">{"".join(cells)}</tr>'
    yield "</table></div>"


def _numbers(row: TimelineRow) -> str:
    """Of a barrier where it began and where it returned: it covers what returned before the first."""
    if row.seq < 0 or row.kind in ("note", "gap"):
        return ""
    if row.kind == "barrier":
        return f"{row.seq}–{row.end}" if row.end >= 0 else f"{row.seq}–"
    return str(row.seq)
