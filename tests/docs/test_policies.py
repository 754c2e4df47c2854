"""The promise: the figures and the picture on the page about policies are those of the run that is kept beside it.

Method: table and picture are made again from docs/pictures/policies.json and compared.  Of the picture the words are
compared, all figures among them, since another matplotlib may set them elsewhere.
"""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import msgspec
import pytest

from durakv.bench import results
from durakv.durability import FsyncPolicy
from tests.bench.made_up import report as made_up_report

SCRIPT = Path(__file__).parents[2] / "docs/pictures/policies.py"


@pytest.fixture(scope="module")
def policies() -> ModuleType:
    spec = importlib.util.spec_from_file_location("policies", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["policies"] = module  # its structs look themselves up there
    spec.loader.exec_module(module)
    return module


def test_the_page_has_the_figures_of_the_run(policies: ModuleType) -> None:
    page = policies.PAGE.read_text(encoding="utf-8")
    assert policies.written(page, policies.read()) == page


def test_the_picture_has_the_figures_of_the_run(policies: ModuleType) -> None:
    kept = policies.SVG.read_text(encoding="utf-8")
    assert words(kept) == words(policies.svg(policies.read()))
    assert len(words(kept)) > 10


def test_a_changed_figure_changes_both(policies: ModuleType) -> None:
    run = policies.read()
    first = run.policies[0]
    faster = msgspec.structs.replace(first.one, writes_per_second=first.one.writes_per_second + 12345)
    changed = msgspec.structs.replace(run, policies=(msgspec.structs.replace(first, one=faster), *run.policies[1:]))
    page = policies.PAGE.read_text(encoding="utf-8")
    assert policies.written(page, changed) != page
    assert words(policies.svg(changed)) != words(policies.svg(run))


def test_the_run_crashed_every_policy_and_broke_no_promise(policies: ModuleType) -> None:
    run = policies.read()
    assert [of.policy for of in run.policies] == list(FsyncPolicy)
    for of in run.policies:
        for crashes in (of.killed, of.cut):
            assert crashes.crashes > 0
            assert crashes.acknowledged > 0
            assert crashes.promised_seconds is None or crashes.oldest_seconds_max <= crashes.promised_seconds
        assert of.killed.lost_max == 0
    assert run.policies[0].cut.lost_max == 0


def test_a_report_without_what_the_page_needs_is_refused_by_name(policies: ModuleType) -> None:
    with pytest.raises(SystemExit, match="always with threads 1"):
        policies.figures(msgspec.structs.replace(made_up_report(), cases=()))
    assert results.VERSION == 1


def words(svg: str) -> list[str]:
    """The text of a drawing."""
    return sorted(re.findall(r"<text[^>]*>([^<]+)</text>", svg))
