"""The promise: a broken promise is one file, which breaks it again anywhere; what is no such file is refused by name.

Method: a careless way of saving is crashed and its file replayed, also by its own script; then the file is changed in
every way that a careless copy or a malicious sender may change it.
"""

from __future__ import annotations

import io
import json
import os
import random
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from durakv_fuzz.program.artefact import BadArtefact, load
from durakv_fuzz.program.campaign import Limits
from durakv_fuzz.program.examine import MODELS, Examination, examine
from durakv_fuzz.program.oracle import Verdict
from durakv_fuzz.program.replay import replay
from durakv_fuzz.program.saved_files import SavedFiles
from durakv_fuzz.targets import find

from .disks_here import needs_memory

EXAMPLES = Path(__file__).parents[2] / "fuzz" / "example" / "programs"
FLIPS = 150


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a campaign wrote about a way of saving that lacks a sync of the directory."""
    needs_memory()
    directory = tmp_path_factory.mktemp("found")
    target = find("file", "fsync+rename")
    examination = Examination(
        models=MODELS["ordered"], limits=Limits(states=40), fresh=False, directory=directory, shrink_seconds=2.0
    )
    seen = examine(target, examination, target.plan)
    assert {finding.verdict for finding in seen.findings} == {"LOST_ACKED"}
    return directory / next(finding.artefact for finding in seen.findings if finding.life == "first")


@pytest.fixture(scope="module")
def of_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a campaign wrote about a program that only saves files."""
    needs_memory()
    directory = tmp_path_factory.mktemp("files")
    subject = SavedFiles([sys.executable, str(EXAMPLES / "save_json.py"), "{dir}"])
    examination = Examination(
        models=MODELS["ordered"],
        limits=Limits(states=60),
        fresh=False,
        directory=directory,
        command={"argv": "python save_json.py {dir}"},
        start=subject.start,
    )
    seen = examine(subject, examination, subject.plan)
    return directory / next(finding.artefact for finding in seen.findings if finding.verdict == "CORRUPT")


def changed(path: Path, to: Path, parts: Mapping[str, bytes | None]) -> Path:
    """A copy in which these parts are others, or missing."""
    with zipfile.ZipFile(path) as before, zipfile.ZipFile(to, "w") as after:
        kept: dict[str, bytes | None] = {name: before.read(name) for name in before.namelist()}
        for name, content in {**kept, **parts}.items():
            if content is not None:
                after.writestr(name, content)
    return to


def words(path: Path, **others: object) -> bytes:
    with zipfile.ZipFile(path) as archive:
        before: dict[str, Any] = json.loads(archive.read("crash.json"))
    return json.dumps({**before, **others}).encode()


def test_the_file_says_what_broke_and_is_replayed_to_the_same_verdict(found: Path) -> None:
    crashed, state, trace = load(found)
    assert (crashed.program, crashed.setting, crashed.tier) == ("file", "fsync+rename", "ordered")
    assert crashed.verdict is Verdict.LOST_ACKED
    assert state
    assert trace
    assert crashed.versions
    judgement = replay(found)
    assert (judgement.verdict, judgement.reason) == (crashed.verdict, crashed.reason)
    with zipfile.ZipFile(found) as archive:
        assert set(archive.namelist()) == {"crash.json", "story.txt", "state.tar", "repro.py", "trace"}
        assert archive.read("story.txt").decode().startswith(crashed.reason)


def test_files_are_judged_again_from_the_trace(of_files: Path) -> None:
    crashed, _, _ = load(of_files)
    judgement = replay(of_files)
    assert (judgement.verdict, judgement.reason) == (crashed.verdict, crashed.reason)


def test_its_own_script_repeats_it_wherever_it_is_unpacked(found: Path, of_files: Path, tmp_path: Path) -> None:
    for path in (found, of_files):
        place = tmp_path / path.stem
        with zipfile.ZipFile(path) as archive:
            archive.extractall(place)
        done = subprocess.run(
            [sys.executable, "repro.py"],
            cwd=place,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 1, done.stderr
        assert done.stdout.startswith(f"{load(path)[0].verdict} ")


def test_a_mended_program_is_acquitted(found: Path, tmp_path: Path) -> None:
    """The state stays as it is; with nothing owed it is fine."""
    path = changed(found, tmp_path / "mended.crash.zip", {"crash.json": words(found, owed=[], acked=[])})
    assert replay(path).is_kept


@pytest.mark.parametrize(
    ("others", "says"),
    [
        ({"version": 2}, "'durakv-crash' 2, this durakv reads 'durakv-crash' 1"),
        ({"version": 2, "more": 1}, "'durakv-crash' 2, this durakv reads 'durakv-crash' 1"),
        ({"format": "other"}, "'other' 1"),
        ({"more": 1}, "unknown field"),
        ({"verdict": "FINE"}, "FINE"),
        ({"acked": ["0"]}, "acked"),
        ({"program": "nothing"}, "nothing"),
        ({"setting": "nothing"}, "has no setting 'nothing'"),
        ({"command": {"check": "x"}}, "its command makes no sense"),
        ({"command": {"check": "x", "argv": "'"}}, "its command makes no sense"),
        ({"command": {"check": "no-such-command", "argv": "no-such-command"}}, "there is no such command"),
    ],
)
def test_words_that_mean_nothing_are_refused_with_the_path(
    others: dict[str, object], says: str, found: Path, tmp_path: Path
) -> None:
    path = changed(found, tmp_path / "changed.crash.zip", {"crash.json": words(found, **others)})
    with pytest.raises(BadArtefact, match=r"changed\.crash\.zip: ") as refused:
        replay(path)
    assert says in str(refused.value)


@pytest.mark.parametrize("part", ["crash.json", "state.tar"])
def test_a_file_without_a_part_is_refused(part: str, found: Path, tmp_path: Path) -> None:
    with pytest.raises(BadArtefact, match=part):
        replay(changed(found, tmp_path / "less.crash.zip", {part: None}))


def test_what_is_no_zip_and_what_is_another_zip_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "strange.zip"
    path.write_bytes(b"strange")
    with pytest.raises(BadArtefact, match="no crash that durakv wrote"):
        load(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("letter.txt", "Dear all")
    with pytest.raises(BadArtefact, match="no crash that durakv wrote"):
        load(path)
    with pytest.raises(BadArtefact, match="no crash that durakv wrote"):
        load(tmp_path / "missing.zip")


def test_a_flipped_bit_is_refused_or_means_nothing(found: Path, tmp_path: Path) -> None:
    whole = load(found)
    content = found.read_bytes()
    path = tmp_path / "flipped.crash.zip"
    generator, refused = random.Random(1), 0
    # Where it lies by lot, and each bit of the record at the end, in which zip has its offsets.
    places = [(generator.randrange(len(content)), generator.randrange(8)) for _ in range(FLIPS)]
    places += [(len(content) - back, bit) for back in range(1, 23) for bit in range(8)]
    for place, bit in places:
        flipped = bytearray(content)
        flipped[place] ^= 1 << bit
        path.write_bytes(flipped)
        try:
            assert load(path) == whole
        except BadArtefact:
            refused += 1
    assert refused > FLIPS / 2


@pytest.mark.parametrize("of", ["../outside", "/outside", "a/../../outside"])
def test_a_state_does_not_leave_its_directory(of: str, found: Path, tmp_path: Path) -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        member = tarfile.TarInfo(f"{tmp_path}{of}" if of.startswith("/") else of)
        member.size = 3
        archive.addfile(member, io.BytesIO(b"bad"))
    path = changed(found, tmp_path / "leaving.crash.zip", {"state.tar": stream.getvalue()})
    if of.startswith("/"):
        assert not replay(path).is_kept, "it is taken for a name in the directory, where nothing is found"
    else:
        with pytest.raises(BadArtefact, match="state is damaged"):
            replay(path)
    assert not list(tmp_path.parent.rglob("outside*"))


def test_a_link_out_of_the_state_is_refused(found: Path, tmp_path: Path) -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        member = tarfile.TarInfo("state.json")
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(member)
    path = changed(found, tmp_path / "linking.crash.zip", {"state.tar": stream.getvalue()})
    with pytest.raises(BadArtefact, match="state is damaged"):
        replay(path)


@pytest.mark.parametrize("state", [b"", b"no archive" * 100, bytes(10240)])
def test_a_state_that_is_no_archive_is_refused_or_empty(state: bytes, found: Path, tmp_path: Path) -> None:
    path = changed(found, tmp_path / "damaged.crash.zip", {"state.tar": state})
    if state.strip(b"\0"):
        with pytest.raises(BadArtefact, match="state is damaged"):
            replay(path)
    elif state:
        assert replay(path).verdict is Verdict.LOST_ACKED


def test_a_crash_that_is_not_in_its_trace_is_refused(of_files: Path, tmp_path: Path) -> None:
    for others in ({"crash_seq": 10**9}, {"crash_seq": -1}, {"model": "gentle"}, {"answers": [-1]}):
        path = changed(of_files, tmp_path / "strange.crash.zip", {"crash.json": words(of_files, **others)})
        with pytest.raises(BadArtefact, match=r"strange\.crash\.zip"):
            replay(path)
    path = changed(of_files, tmp_path / "less.crash.zip", {"trace": None})
    with pytest.raises(BadArtefact, match="no trace was kept"):
        replay(path)
    path = changed(of_files, tmp_path / "other.crash.zip", {"trace": b"other"})
    with pytest.raises(BadArtefact, match=r"other\.crash\.zip"):
        replay(path)
