"""Stands for the parts of the bench room that a test does not want to run: peers, loss windows, verdicts, reports."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from durakv.bench.results import Disk, Loss, Report, Verdict
from durakv.bench.store import Missing, Setting


class Rooms:
    """What ``room`` leads to instead; keeps what it was asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.settings: list[Setting] = []
        self.missing: list[Missing] = [Missing("LMDB", "it is not installed")]
        self.externals: list[Any] = []
        self.losses: Callable[[Path], list[Loss]] = lambda directory: []
        self.told: list[str] = []
        self._rooms: dict[str, Any] = {
            "peers": SimpleNamespace(
                settings=lambda directory: (self.settings, self.missing),
                external=lambda directory, value_bytes: self.externals,
                against=lambda url: self.settings,
            ),
            "loss": SimpleNamespace(measure_losses=self._measure_losses),
            "targets": SimpleNamespace(verdicts=self._verdicts),
            "terminal": SimpleNamespace(render=self._render),
            "compare": SimpleNamespace(render=self._compare),
            "csv_file": SimpleNamespace(write=self._write),
            "html": SimpleNamespace(write=self._write),
        }
        for module in ("durakv.bench.field.room", "durakv.bench.run.room", "durakv.cli.bench.room"):
            monkeypatch.setattr(module, self._rooms.__getitem__)

    def _measure_losses(
        self, directory: Path, *, disk: Disk, seconds: float, seed: int, progress: Callable[[str], None]
    ) -> tuple[list[Loss], list[str]]:
        progress("SIGKILL")
        return self.losses(directory), ["power cuts: not in this test"]

    @staticmethod
    def _verdicts(report: Report) -> tuple[Verdict, ...]:
        return (Verdict(name="cases", measured=float(len(report.cases)), wanted=1.0, at_least=True),)

    def _render(self, report: Report, console: Any) -> None:
        console.print(f"{len(report.cases)} cases")

    def _compare(self, before: Report, after: Report, console: Any) -> None:
        console.print(f"{len(before.cases)} and {len(after.cases)} cases")

    def _write(self, report: Report, path: Path) -> None:
        path.write_text(f"{len(report.cases)} cases")
