"""The survey as a page: what many programs promise, and what was seen after a power cut."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby

from durakv_fuzz.program.finding_html import when
from durakv_fuzz.program.oracle import Verdict
from durakv_fuzz.program.seen import TIERS, Report, Seen, SeenFinding
from durakv_fuzz.program.subject import Promise

CONTROLS = frozenset(
    {
        ("file", "fsync+rename+dirsync"),
        ("lmdb", "sync"),
        ("rocksdb", "sync"),
        ("sqlite", "delete+extra"),
        ("sqlite", "wal+full"),
    }
)
"""Settings that sync whatever they acknowledge, on stores made beforehand, and are known to do it right: chosen before
anything was seen, so that a laboratory which convicts everybody is noticed."""

_REAL = ("ext4", "xfs", "btrfs")
_PROMISED = {
    Promise.ALWAYS: "what was acknowledged survives",
    Promise.WINDOW: "what was acknowledged longer ago than its window survives, and the rest as a prefix",
    Promise.PREFIX: "a prefix of what was written survives, with at least what a sync made durable",
    Promise.SYNCED: "what a sync made durable survives",
    Promise.NONE: "nothing; what is seen is told, and breaks no promise",
}
_HEAD = """\
# What programs keep after a power cut

`durakv fuzz survey --write docs/survey.md` writes this page ([how it is done](crash-testing.md)): each program did some
work on a disk that remembers everything, and was started again on states that a power cut may have left. A store was
asked to keep numbered values; what it had acknowledged was compared with what it showed.

How to read it:

- **A verdict is about one version with one setting**, both named below, and about small workloads: clean means that
  nothing was found in so many states, not that nothing is there.
- **The kind of disk decides.** `killed` is SIGKILL alone. `ordered` and `posix` are models of a disk ([the fault
  model](../specs/02-fault-model.md)): a journalling file system that keeps changes of names in order, and the worst
  that POSIX allows, where a file may even show what a removed one held. What is seen under `posix` only may never
  happen on the file system that you have. `ext4`, `xfs` and `btrfs` are the real ones, on a device that lost sectors
  which were not flushed.
- **Documented is not broken.** Many settings trade durability for speed and say so; what their documents say is quoted
  beside what was seen. Only a verdict against a promise is **bold**. Where nothing is promised, what was seen is told
  without a judgement and not gone into, and so are acknowledged writes that a promise lets go.
- **Controls** (⚖) sync whatever they acknowledge and are known to do it right. If one of them is not clean on a real
  file system, suspect this laboratory first.

| cell | meaning |
|---|---|
| 120 | every promise was kept in all of so many states |
| 120, loss 14 | likewise; in 14 of them acknowledged writes were gone, as the promise lets them |
| LOST_ACKED 3 / 120 | what was acknowledged, and covered by the promise, was gone |
| GAP | a later write was there, and an earlier one not |
| CORRUPT | a value was there that nobody wrote |
| NO_START | it did not start |
| REPAIRABLE | it started after its makers' repair tool was used |
| HANG | it gave no answer in time |
| – | not tried |
"""


def render_survey(report: Report) -> str:
    """The page in Markdown."""
    return "\n".join(_lines(report)).rstrip() + "\n"


def _lines(report: Report) -> Iterator[str]:
    run = [seen for seen in report.seen if not seen.missing]
    yield _HEAD
    yield "| promised | what that means |"
    yield "|---|---|"
    yield from (f"| {promise} | {words} |" for promise, words in _PROMISED.items())
    yield ""
    states = sum(seen.states for seen in run)
    seconds = sum(sum(seen.seconds.values()) for seen in run)
    yield (
        f"Measured {report.date[:10]} on {report.machine}: {len(run)} programs with a setting, "
        f"{states:,} states in {seconds:,.0f} s.{_controls(run)}"
    )
    yield ""
    programs = [(name, list(group)) for name, group in groupby(run, key=lambda seen: seen.program)]
    yield from _overview(programs)
    if absent := [seen for seen in report.seen if seen.missing]:
        yield "Not run on this machine:"
        yield ""
        for reason, group in groupby(absent, key=lambda seen: (seen.program, seen.missing)):
            yield f"- {reason[0]} ({', '.join(seen.setting for seen in group)}): {_cut(reason[1])}"
        yield ""
    for name, settings in programs:
        yield from _program(name, settings)


def _controls(run: Sequence[Seen]) -> str:
    controls = [seen for seen in run if (seen.program, seen.setting) in CONTROLS]
    if not controls:
        return ""
    broken = [f"{seen.program} {seen.setting} ({', '.join(_broken_on(seen))})" for seen in controls if seen.is_broken]
    clean = f" {len(controls) - len(broken)} of {len(controls)} controls were clean"
    return f"{clean}; not clean: {', '.join(broken)}." if broken else f"{clean}."


def _broken_on(seen: Seen) -> list[str]:
    return [tier for tier in TIERS if seen.promise != Promise.NONE and seen.worst(tier) not in (None, Verdict.KEPT)]


def _overview(programs: Sequence[tuple[str, Sequence[Seen]]]) -> Iterator[str]:
    yield (
        "How many settings of each program kept what they promise; each other one is counted once, where it says most: "
        "SIGKILL was enough, a real file system, the `ordered` model, or the `posix` model only."
    )
    yield ""
    yield "| program | version | settings | kept | killed | real | ordered | posix only | nothing promised |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for name, settings in programs:
        counts = Counter(_class(seen) for seen in settings)
        words = [str(counts[kind] or "") for kind in ("kept", "killed", "real", "ordered", "posix", "none")]
        version = ", ".join(
            dict.fromkeys(f"{of} {number}" for seen in settings for of, number in seen.versions.items())
        )
        yield f"| [{name}](#{name}) | {_cell_text(version)} | {len(settings)} | {' | '.join(words)} |"
    yield ""


def _class(seen: Seen) -> str:
    """Of the kinds of disk on which a promise was broken, the one that says most."""
    if seen.promise == Promise.NONE:
        return "none"
    broken = _broken_on(seen)
    if "killed" in broken:
        return "killed"
    if any(tier in broken for tier in _REAL):
        return "real"
    return "ordered" if "ordered" in broken else "posix" if broken else "kept"


def _program(name: str, settings: Sequence[Seen]) -> Iterator[str]:
    tiers = [tier for tier in TIERS if any(seen.verdicts.get(tier) for seen in settings)]
    yield f"## {name}"
    yield ""
    yield f"| setting | promised | {' | '.join(tiers)} |"
    yield "|" + "---|" * (2 + len(tiers))
    for seen in settings:
        mark = " ⚖" if (seen.program, seen.setting) in CONTROLS else ""
        cells = [f"{seen.setting or 'default'}{mark}", seen.promise, *(_cell(seen, tier) for tier in tiers)]
        yield f"| {' | '.join(cells)} |"
    yield ""
    yield from _untried(settings)
    yield "What is documented:"
    yield ""
    for (promise, documented), group in _by_documents(settings):
        yield f"- {', '.join(f'`{setting}`' for setting in group)} ({promise}): {documented}"
    yield ""
    told = [line for seen in settings if seen.promise != Promise.NONE for line in _findings(seen)]
    if told:
        yield "What was seen against a promise, one of each kind:"
        yield ""
        yield from told
        yield ""


def _by_documents(settings: Sequence[Seen]) -> list[tuple[tuple[str, str], list[str]]]:
    groups: dict[tuple[str, str], list[str]] = {}
    for seen in settings:
        groups.setdefault((seen.promise, seen.documented), []).append(seen.setting or "default")
    return list(groups.items())


def _untried(settings: Sequence[Seen]) -> Iterator[str]:
    reasons: dict[str, list[str]] = {}
    for seen in settings:
        for tier, reason in seen.skipped.items():
            if tier not in reasons.setdefault(reason, []):
                reasons[reason].append(tier)
    for reason, tiers in reasons.items():
        yield f"Not tried on {', '.join(tiers)}: {reason}."
        yield ""


def _cell(seen: Seen, tier: str) -> str:
    counts = seen.verdicts.get(tier)
    if not counts:
        return "–"
    total = sum(counts.values())
    bad = ", ".join(f"{verdict} {count:,}" for verdict, count in sorted(counts.items()) if verdict != Verdict.KEPT)
    if not bad:
        lossy, _ = seen.losses.get(tier, (0, 0))
        return f"{total:,}, loss {lossy:,}" if lossy else f"{total:,}"
    return f"{bad} / {total:,}" if seen.promise == Promise.NONE else f"**{bad}** / {total:,}"


def _findings(seen: Seen) -> Iterator[str]:
    told: set[tuple[str, str, bool]] = set()
    for finding in sorted(seen.findings, key=lambda finding: TIERS.index(finding.tier)):
        kind = (finding.verdict, finding.tier, finding.prepared)
        if kind not in told:
            told.add(kind)
            yield from _finding(seen, finding)


def _finding(seen: Seen, finding: SeenFinding) -> Iterator[str]:
    where = ", ".join(filter(None, [finding.tier, when(finding)]))
    yield f"- `{seen.setting or 'default'}`, {finding.verdict} ({where}): {_cut(finding.reason)}"
    if finding.witness:
        yield f"  <br>{_cut(finding.witness)}."


def _cut(text: str, most: int = 200) -> str:
    """In one line, as plain text, and not too long."""
    line = " ".join(text.split())
    line = line if len(line) <= most else f"{line[:most]}..."
    return "".join(f"\\{letter}" if letter in "\\`*_<>[]|" else letter for letter in line)


def _cell_text(text: str) -> str:
    return text.replace("|", "\\|")
