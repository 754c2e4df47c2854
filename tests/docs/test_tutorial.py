"""The promise: what the tutorial shows is what is in its files, and what it prints is what they print.

Method: its code is compared with the files that it names, its programs are run in a copy of the folder, and what it
says of them is compared with what they say.  The kills are in ``tests/adapters/test_crash_orders.py``.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hosts import host

for name in ("fastapi", "uvicorn"):
    host(name)

ROOT = Path(__file__).parents[2]
ORDERS = ROOT / "docs" / "orders"
TUTORIAL = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"^(.*)\n```python\n((?:.*\n)*?)```$", TUTORIAL, re.MULTILINE)
CONSOLE = re.findall(r"^```console\n(.*?)^```$", TUTORIAL, re.DOTALL | re.MULTILINE)
FIRST_RELEASE = ("appendonly.aof.1.base.dkv", "appendonly.aof.2.incr.aof", "appendonly.aof.manifest", "durakv.lock")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A reader's copy."""
    return Path(shutil.copytree(ORDERS, tmp_path / "orders", ignore=lambda *_: ["__pycache__"]))


def run(folder: Path, *command: str, status: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, *command], cwd=folder, capture_output=True, text=True, check=False, timeout=100
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + (done.stderr if status else "")


def shown(command: str) -> str:
    """What the tutorial says that a command prints."""
    prompt = f"$ {command}\n"
    (output,) = [str(block).removeprefix(prompt) for block in CONSOLE if block.startswith(prompt)]
    return output


@pytest.mark.parametrize(("mark", "code"), PYTHON, ids=[code.strip().split("\n", 1)[0] for _, code in PYTHON])
def test_every_piece_of_code_is_a_piece_of_its_file(mark: str, code: str) -> None:
    found = re.fullmatch(r"<!-- not run: a part of (docs/orders/\w+\.py) -->", mark)
    assert found, "it does not say which file it is a part of"
    assert code in (ROOT / found[1]).read_text(encoding="utf-8")


def test_every_file_of_the_folder_is_shown_or_linked() -> None:
    files = {
        file.name for file in ORDERS.iterdir() if not file.name.startswith((".", "__")) and file.name != "client.py"
    }
    assert files == {name for name in files if f"](orders/{name})" in TUTORIAL or f"`docs/orders/{name}`" in TUTORIAL}


def test_every_clause_that_it_cites_is_there() -> None:
    contract = (ROOT / "specs/01-contract.md").read_text(encoding="utf-8")
    embedding = (ROOT / "specs/08-embedding.md").read_text(encoding="utf-8")
    cited = set(re.findall(r"\b[CE]\d+\b", TUTORIAL))
    assert {"C1", "C2", "C3", "E1"} <= cited
    assert all(f"**{clause}**" in (contract if clause[0] == "C" else embedding) for clause in cited)


def test_the_first_steps_print_what_it_says(folder: Path) -> None:
    assert run(folder, "memory.py") == shown("python memory.py")
    days = [run(folder, "durable.py") for _ in range(3)]
    assert "$ python durable.py\n".join(days) == shown("python durable.py")
    assert run(folder, "shared.py") == shown("python shared.py")


def test_the_readers_own_test_passes(folder: Path) -> None:
    told = run(folder, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--crash-states", "300", "test_orders.py")
    assert shown("pytest -q test_orders.py") in told


def test_each_mistake_is_found_as_it_says(folder: Path) -> None:
    told = run(folder, "mistakes.py").replace(f"{folder}/", "")
    verdicts = [
        line for line in shown("python mistakes.py").splitlines() if re.match(r"---|Asser|found|apply|ack", line)
    ]
    assert len(verdicts) == 10
    for line in verdicts:
        assert line.removesuffix("...") in told


def test_the_measurement_runs_and_its_table_is_the_one_that_is_shown(folder: Path) -> None:
    lines = run(folder, "measure.py", "--quick", "--directory", str(folder)).splitlines()
    header = next(line for line in lines if line.startswith("| |"))
    assert f"\n{header}\n" in TUTORIAL
    table = TUTORIAL.partition(header)[2].splitlines()[2:14]
    kinds = [tuple(cell.strip() for cell in line.split("|")[1:4]) for line in table]
    policies = ("always", "everysec", "no")
    assert kinds == [(face, n, policy) for face in ("engine", "HTTP") for n in ("1", "32") for policy in policies]
    assert sum(line.startswith(("| engine", "| HTTP")) for line in lines) == 4


def test_the_kills_that_are_shown_have_the_columns_of_the_program() -> None:
    header, *_, last = shown("python kill.py").splitlines()
    assert f'"{header}"' in (ORDERS / "kill.py").read_text(encoding="utf-8")
    assert re.fullmatch(r"20 kills, [\d,]+ orders and [\d,]+ payments acknowledged, 0 lost or there twice", last)


def test_the_command_line_reads_the_directory_and_does_not_touch_it(folder: Path) -> None:
    shutil.copytree(folder / "first_release", folder / "copy")
    told = run(folder, "-m", "durakv.cli", "verify", "copy").replace(f"{folder}/", "")
    assert told == shown("cp -r first_release copy").removeprefix("$ durakv verify copy\n")
    for command in (["rewrite", "copy"], ["export", "copy", "out.resp"]):
        assert "state machine" in run(folder, "-m", "durakv.cli", *command, status=4)
    for name in FIRST_RELEASE:
        old, now = (folder / place / "appendonlydir" / name for place in ("first_release", "copy"))
        assert old.read_bytes() == now.read_bytes()
    assert sorted(file.name for file in (folder / "copy/appendonlydir").iterdir()) == sorted(FIRST_RELEASE)


def test_the_first_release_refuses_what_this_one_wrote(folder: Path) -> None:
    shutil.copytree(folder / "first_release", folder / "data")
    log_a_cancellation = (
        "import durakv, rules; from orders import Orders; orders = Orders()\n"
        "with durakv.Engine('data', orders) as engine:\n"
        "    engine.transact(lambda: rules.cancel(orders, 'order-4', at_ms=9))\n"
    )
    run(folder, "-c", log_a_cancellation)
    orders = (folder / "orders.py").read_text(encoding="utf-8")
    assert orders.count('    Cancel: b"cancel.2",\n') == 1
    (folder / "orders.py").write_text(orders.replace('    Cancel: b"cancel.2",\n', ""), encoding="utf-8")
    told = run(folder, "-c", "import durakv; from orders import Orders; durakv.Engine('data', Orders())", status=1)
    (message,) = re.findall(r"^durakv\.errors\..*", TUTORIAL, re.MULTILINE)
    assert message in told
