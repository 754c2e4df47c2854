"""The promise: what is distributed is three typed packages and nothing else, and the source distribution is complete.

Method: build both, or take those that ``DURAKV_DIST`` points to, and look inside.
"""

from __future__ import annotations

import email
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import durakv

ROOT = Path(__file__).parents[2]
PACKAGES = {"durakv": ROOT / "durakv", "durakv_formats": ROOT / "formats/durakv_formats"}
PACKAGES["durakv_fuzz"] = ROOT / "fuzz/durakv_fuzz"
TREE_FOLDERS = ("durakv", "formats", "fuzz", "specs", "tests")
ELSEWHERE = re.compile(r"(?<![\w.$}])/(?:home|root|work|opt|Users)/\w|\.\./sha(?:red)\b")
"""Paths of some machine, or beside the repository: the project speaks of itself alone."""


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the source distribution."""
    if given := os.environ.get("DURAKV_DIST"):
        return Path(given)
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "--directory", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=100)
    return folder


@pytest.fixture(scope="module")
def wheel(distributions: Path) -> zipfile.ZipFile:
    (path,) = distributions.glob("*.whl")
    return zipfile.ZipFile(path)


@pytest.fixture(scope="module")
def source(distributions: Path) -> dict[str, bytes]:
    """The files of the source distribution, by their path in the tree."""
    (path,) = distributions.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        members = [member for member in archive.getmembers() if member.isfile()]
        return {m.name.partition("/")[2]: archive.extractfile(m).read() for m in members}  # type: ignore[union-attr]


def modules(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*.py")}


def test_the_wheel_holds_exactly_three_packages(wheel: zipfile.ZipFile) -> None:
    tops = {name.partition("/")[0] for name in wheel.namelist()}
    assert tops == {*PACKAGES, f"durakv-{durakv.__version__}.dist-info"}


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_is_whole_and_typed(wheel: zipfile.ZipFile, package: str) -> None:
    names = {name.partition("/")[2] for name in wheel.namelist() if name.startswith(f"{package}/")}
    assert "py.typed" in names
    assert {name for name in names if name.endswith(".py")} == modules(PACKAGES[package])


def test_the_wheel_says_what_it_is(wheel: zipfile.ZipFile) -> None:
    info = f"durakv-{durakv.__version__}.dist-info"
    metadata = email.message_from_bytes(wheel.read(f"{info}/METADATA"))
    assert metadata["Version"] == durakv.__version__
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["License-Expression"] == "Apache-2.0"
    needed = [line for line in metadata.get_all("Requires-Dist", []) if "extra ==" not in line]
    assert {re.split(r"[^\w-]", line)[0] for line in needed} == {
        "anycrc",
        "crc32c",
        "lz4",
        "msgspec",
        "sortedcontainers",
    }
    extras = {"all", "bench", "check", "cli", "docs", "fuzz", "redis8", "servers", "specs", "survey", "test"}
    extras |= {"hosts", "huey", "langgraph", "prometheus", "scrapy"}
    assert extras == set(metadata.get_all("Provides-Extra", []))
    assert b"durakv = durakv.cli:main" in wheel.read(f"{info}/entry_points.txt")
    assert f"{info}/licenses/LICENSE" in wheel.namelist()


def test_the_version_is_the_newest_of_the_changelog() -> None:
    headings = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert headings[0] == durakv.__version__


def test_the_source_distribution_is_the_tree(source: dict[str, bytes]) -> None:
    expected = {"CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "README.md", "pyproject.toml", ".ci/run"}
    for folder in TREE_FOLDERS:
        for suffix in ("*.py", "*.md", "py.typed"):
            expected |= {path.relative_to(ROOT).as_posix() for path in (ROOT / folder).rglob(suffix)}
    golden = ROOT / "formats/golden"
    expected |= {path.relative_to(ROOT).as_posix() for path in golden.rglob("*") if path.is_file()}
    missing = {name for name in expected - set(source) if "__pycache__" not in name}
    assert not missing


def test_nothing_points_outside_the_repository(source: dict[str, bytes]) -> None:
    found: list[str] = []
    for name, data in source.items():
        if Path(name).suffix in {".py", ".md", ".toml", ".yaml", ""} and b"\0" not in data:
            for number, line in enumerate(data.decode(errors="replace").splitlines(), 1):
                if ELSEWHERE.search(line):
                    found.append(f"{name}:{number}: {line.strip()}")
    assert not found
