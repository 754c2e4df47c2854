"""One HTML page as a file: no network, no script, nothing beside it; light or dark as its reader has it."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

_STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --soft: #667080; --line: #dde2e8; --paper: #fff; --tile: #f5f7f9;
  --good: #187a4c; --bad: #b3261e; --bar: #2f6fb3; --none: #d9dee5; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e8ee; --soft: #98a2b0; --line: #323a45; --paper: #14181e;
  --tile: #1d232b; --good: #4cc38a; --bad: #ff8a80; --bar: #6ea8e0; --none: #39424e; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 62rem;
  margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.7rem; margin: 0 0 .2rem; } h2 { font-size: 1.15rem; margin: 2.2rem 0 .4rem; }
h1.good { color: var(--good); } h1.bad { color: var(--bad); }
p, figcaption { color: var(--soft); margin: .2rem 0 .6rem; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: .7rem; margin-top: 1.2rem; }
.tile { background: var(--tile); border-radius: .5rem; padding: .7rem .9rem; }
.tile b { display: block; font-size: 1.45rem; font-variant-numeric: tabular-nums; } .tile span { color: var(--soft); }
.wide { overflow-x: auto; } table { border-collapse: collapse; width: 100%; } th, td { text-align: left;
  padding: .28rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; } th { color: var(--soft);
  font-weight: 600; } td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
.good { color: var(--good); } .bad { color: var(--bad); } code { font: 13px/1.4 ui-monospace, monospace; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(18rem, 1fr)); gap: 1rem; } figure { margin: 0; }
svg { width: 100%; height: auto; } svg text { fill: var(--soft); font: 10px system-ui, sans-serif; }
svg rect { fill: var(--bar); } svg line { stroke: var(--line); }
.meter { display: inline-block; width: 8rem; height: .6rem; background: var(--none); border-radius: .3rem; }
.meter i { display: block; height: 100%; background: var(--bar); border-radius: .3rem; }
details summary { cursor: pointer; color: var(--soft); }
"""


def page(title: str, parts: Iterable[str], *, style: str = "") -> str:
    """The page with this body, which is escaped already; ``style`` is added to the common one."""
    head = (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}{style}</style>"
    )
    body = "\n".join(parts)
    return f'<!DOCTYPE html>\n<html lang="en"><head>{head}</head><body>\n{body}\n</body></html>\n'
