"""A campaign's summary for machines: JSON for those who compare, JUnit for those who show tests."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from durakv_fuzz.call_sites import CallSites
from durakv_fuzz.campaign import Summary
from durakv_fuzz.mutants import Hunt
from durakv_fuzz.report_facts import Facts

FORMAT = "durakv-report"
VERSION = 1


def write_json(
    summary: Summary, path: Path, *, hunts: Sequence[Hunt] | None = None, known: CallSites | None = None
) -> None:
    """Everything the report knows."""
    path.write_text(json.dumps(as_words(summary, hunts=hunts, known=known), indent=1) + "\n", encoding="utf-8")


def as_words(
    summary: Summary, *, hunts: Sequence[Hunt] | None = None, known: CallSites | None = None
) -> dict[str, Any]:
    """The same, as plain data."""
    facts = Facts(summary, known)
    words: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "seed": summary.seed,
        "runs": summary.runs,
        "states": len(summary.distinct),
        "judged": summary.checks,
        "seconds": summary.seconds,
        "states_per_second": facts.states_per_second,
        "stages": dict(summary.stages),
        "windows": [
            {
                "policy": policy,
                "crash": kind,
                "crashes": windows.crashes,
                "lossy": windows.lossy,
                "lost_max": windows.lost_max,
                "seconds": windows.seconds,
            }
            for (policy, kind), windows in sorted(summary.windows.items())
        ],
        "by_policy_and_model": [
            {"policy": policy, "model": model, "count": count}
            for (policy, model), count in sorted(summary.judged.items())
        ],
        "failures": [
            {
                "verdict": failure.violation.verdict,
                "reason": failure.violation.reason,
                "run": failure.run,
                "stage": failure.stage,
                "case": json.loads(failure.case.dump()),
            }
            for failure in summary.failures
        ],
        "crash_points": {
            "covered": facts.phases_covered,
            "known": facts.phases_known,
            "missing": {key: str(lack) for key, lack in facts.missing.items()},
            "excuses": {key: excuse for key in facts.missing if (excuse := facts.sites.excuse(key))},
            "by_kind": {kind: list(counts) for kind, counts in sorted(summary.coverage.by_kind().items())},
        },
        "pairs": {
            "tried": len(summary.coverage.tried),
            "possible": len(summary.coverage.possible),
            "untried": [list(pair) for pair in facts.untried],
        },
        "coverage": summary.coverage.dump(),
    }
    if hunts is not None:
        words["mutants"] = [
            {
                "name": hunt.mutant.name,
                "what": hunt.mutant.what,
                "stands_for": hunt.mutant.stands_for,
                "found": hunt.failure.violation.verdict if hunt.failure is not None else None,
                "states": hunt.states,
                "seconds": hunt.seconds,
            }
            for hunt in hunts
        ]
    return words


def write_junit(summary: Summary, path: Path, *, hunts: Sequence[Hunt] | None = None) -> None:
    """One test case for each policy and kind of crash, one for each violation, and one for each mutant."""
    suite = ElementTree.Element("testsuite", name="durakv fuzz", time=f"{summary.seconds:.3f}")
    for (policy, kind), windows in sorted(summary.windows.items()):
        case = _case(suite, "crashes", f"{policy}, {kind}")
        ElementTree.SubElement(case, "system-out").text = f"{windows.crashes} crashes, {windows.lossy} with loss"
    for failure in summary.failures:
        case = _case(suite, "violations", f"run {failure.run}, {failure.stage}")
        violation = failure.violation
        message = ElementTree.SubElement(case, "failure", type=str(violation.verdict), message=_xml(violation.reason))
        message.text = _xml(failure.case.dump())
    for hunt in hunts or ():
        case = _case(suite, "mutants", hunt.mutant.name)
        if hunt.failure is None:
            what = f"{hunt.mutant.what}: not found in {hunt.states} states"
            ElementTree.SubElement(case, "failure", type="NOT_FOUND", message=_xml(what))
    suite.set("tests", str(len(suite)))
    suite.set("failures", str(len(suite.findall("testcase/failure"))))
    ElementTree.indent(suite)
    ElementTree.ElementTree(suite).write(path, encoding="utf-8", xml_declaration=True)


def _case(suite: ElementTree.Element, group: str, name: str) -> ElementTree.Element:
    return ElementTree.SubElement(suite, "testcase", classname=f"durakv_fuzz.{group}", name=_xml(name))


def _xml(text: str) -> str:
    """Characters that XML cannot hold at all, not even escaped, as Python writes them."""
    return "".join(
        character if character in "\t\n" or (character >= " " and character.isprintable()) else ascii(character)[1:-1]
        for character in text
    )
