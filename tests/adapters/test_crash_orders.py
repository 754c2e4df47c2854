"""The promise: no answer of the tutorial's service is ever taken back, by a kill or by a loss of power, and the books
agree after any crash.

Method: a bounded run of what ``tests/adapters/crash_orders.py`` does without bounds; and services that are broken on
purpose, which must be found.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from tests.hosts import host
from tests.orders_path import ORDERS

for name in ("fastapi", "httpx", "uvicorn"):
    host(name)

from durakv_fuzz.service import Service, Violation, explore  # noqa: E402
from tests.adapters.crash_orders import check, drive  # noqa: E402

STATES = 400
KILLS = 5


def kill(folder: Path, kills: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(folder / "kill.py"), "--kills", str(kills)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A copy of the service, to be broken."""
    return Path(shutil.copytree(ORDERS, tmp_path / "orders"))


def breaks(file: Path, right: str, wrong: str) -> None:
    source = file.read_text(encoding="utf-8")
    assert source.count(right) == 1, f"{right!r} is not in {file.name} any more"
    file.write_text(source.replace(right, wrong), encoding="utf-8")


def test_no_loss_of_power_takes_back_an_answer_of_the_service() -> None:
    assert explore(Service(drive, check), states=STATES).states >= STATES


def test_an_answer_before_the_fsync_is_found() -> None:
    with pytest.raises(Violation, match="answered, and lost"):
        explore(Service(partial(drive, fsync="no"), check), states=STATES)


def test_no_kill_takes_back_an_answer_of_the_service() -> None:
    ran = kill(ORDERS, KILLS)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert f"\n{KILLS} kills, " in ran.stdout
    assert ran.stdout.endswith(" payments acknowledged, 0 lost or there twice\n")


def test_a_service_that_forgets_is_found_by_the_first_kill(broken: Path) -> None:
    breaks(broken / "service.py", "AsyncEngine.open(directory,", 'AsyncEngine.open(f"{directory}/{uuid.uuid4()}",')
    ran = kill(broken, 2)
    assert ran.returncode == 1, ran.stdout + ran.stderr
    assert "\n1 kills, " in ran.stdout
    assert ", 0 lost or there twice" not in ran.stdout
