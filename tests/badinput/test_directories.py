"""The promise: a directory that is not what it should be is refused by a named error that tells the file, the place in
it and the remedy, and is left as it was, byte for byte.

Method: real directories, spoilt in every way the contract names, and a digest of all their files before and after.
"""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

import durakv
from durakv.directory import MANIFEST_NAME
from durakv.storage.posix import PosixFilesystem
from durakv.verification import Severity
from durakv.verify import verify
from durakv_formats.frame import HEADER_BYTES, encode_frame
from durakv_formats.manifest import Manifest, decode_manifest, encode_manifest
from durakv_formats.resp import encode_command
from tests.badinput.places import assert_told, digest

BASE = "appendonly.aof.1.base.dkv"


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("original") / "data")


@pytest.fixture
def place(tmp_path: Path, original: Path) -> Path:
    """A directory with a base, sealed segments and a clean end."""
    return shutil.copytree(original, tmp_path / "data")


def make(path: Path) -> Path:
    with durakv.open(path) as db:
        db.mset({b"%d" % number: b"value" for number in range(20)})
        db.rewrite()
        db.set(b"after", b"the rewrite")
    with durakv.open(path) as db:
        db.set(b"another", b"segment")
    return path


def inside(place: Path) -> Path:
    return place / "appendonlydir"


def segments(place: Path) -> list[Path]:
    return sorted(inside(place).glob("*.incr.aof"))


def refused(place: Path, *words: str, severity: Severity | None = Severity.CORRUPTION) -> durakv.DurakvError:
    """Open must refuse with these words and leave everything as it was; ``verify`` must not find it whole either."""
    before = digest(place)
    with pytest.raises(durakv.DurakvError) as caught:
        durakv.open(place)
    assert digest(place) == before, f"refused ({caught.value}), but not left as it was"
    assert_told(caught.value, *words)
    if severity is not None:
        assert verify(PosixFilesystem(inside(place))).severity is severity
        assert digest(place) == before, "a check that writes is none"
    return caught.value


def rewrite_manifest(place: Path, change: Callable[[Manifest], Manifest]) -> None:
    path = inside(place) / MANIFEST_NAME
    path.write_bytes(encode_manifest(change(decode_manifest(path.read_bytes()))))


# --- another version --------------------------------------------------------------------------------------------------


def test_a_manifest_of_a_newer_version_is_refused(place: Path) -> None:
    path = inside(place) / MANIFEST_NAME
    path.write_bytes(path.read_bytes().replace(b"#DKVM1 ", b"#DKVM2 "))
    refusal = refused(place, MANIFEST_NAME, "manifest 2", "version that wrote it", severity=Severity.UNCHECKED)
    assert isinstance(refusal, durakv.UnsupportedVersion)


def test_a_frame_of_a_newer_version_is_refused(place: Path) -> None:
    path = segments(place)[-1]
    path.write_bytes(path.read_bytes().replace(b"#DKV1 ", b"#DKV2 "))
    refusal = refused(place, path.name, "log frame 2", "version that wrote it", severity=Severity.UNCHECKED)
    assert isinstance(refusal, durakv.UnsupportedVersion)


def test_a_newer_frame_at_the_end_of_an_unclosed_segment_is_no_torn_tail(place: Path) -> None:
    """Above every promise it could be cut, and the newer version's writes with it."""
    child = abandon(place)
    path = segments(place)[-1]
    data = path.read_bytes()
    end = len(data.rstrip(b"\0"))
    path.write_bytes(data[:end] + b"#DKV2 something this version does not know\r\n")
    assert child.returncode == -signal.SIGKILL
    refused(place, path.name, "log frame 2", severity=Severity.UNCHECKED)


def test_a_base_of_a_newer_version_is_refused(place: Path) -> None:
    path = inside(place) / BASE
    path.write_bytes(path.read_bytes().replace(b"DKVSNAP1", b"DKVSNAP2"))
    refusal = refused(place, BASE, "snapshot 2", "version that wrote it", severity=Severity.UNCHECKED)
    assert isinstance(refusal, durakv.UnsupportedVersion)


def test_a_base_of_another_kind_of_state_machine_is_refused(place: Path) -> None:
    class Other:
        def apply(self, command: durakv.Command) -> None: ...

        def freeze(self) -> list[bytes]:
            return []

        def restore(self, chunks: object) -> None: ...

    before = digest(place)
    with pytest.raises(durakv.UnsupportedVersion, match=r"base\.dkv.*keyspace.*state machine"):
        durakv.Engine(place, Other())  # type: ignore[arg-type]
    assert digest(place) == before


# --- another identity -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [BASE, "appendonly.aof.2.incr.aof", "appendonly.aof.3.incr.aof"])
def test_a_file_of_another_directory_is_refused(place: Path, tmp_path: Path, name: str) -> None:
    other = make(tmp_path / "other")
    shutil.copy(inside(other) / name, inside(place) / name)
    refused(place, name, "another directory" if name != BASE else "belongs to directory")


def test_a_segment_in_the_place_of_another_is_refused(place: Path) -> None:
    one, other = segments(place)
    shutil.copy(one, other)
    refused(place, other.name, "another segment")


def test_an_old_base_under_the_new_ones_name_is_refused(place: Path) -> None:
    old = (inside(place) / BASE).read_bytes()
    with durakv.open(place) as db:
        db.rewrite()
    new = next(inside(place).glob("*.base.dkv"))
    assert new.name != BASE
    new.write_bytes(old)
    refused(place, new.name, "base 1")


# --- another owner ----------------------------------------------------------------------------------------------------


def test_a_directory_with_an_owner_in_this_process_is_refused(place: Path) -> None:
    with durakv.open(place):
        refusal = refused(place, str(place), "another process or engine", severity=None)
        assert isinstance(refusal, durakv.Locked)


def test_a_directory_with_an_owner_in_another_process_is_refused_until_it_dies(place: Path) -> None:
    owner = run(f"import durakv, sys; db = durakv.open({str(place)!r}); print('open', flush=True); sys.stdin.read()")
    assert owner.stdout is not None
    assert owner.stdout.readline() == "open\n"
    refusal = refused(place, str(place), "another process or engine", severity=None)
    assert isinstance(refusal, durakv.Locked)
    owner.kill()
    owner.communicate()
    with durakv.open(place) as db:
        assert db.get(b"another") == b"segment"
        assert not db.report.clean


# --- missing and extra files ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [BASE, "appendonly.aof.2.incr.aof", "appendonly.aof.3.incr.aof"])
def test_a_missing_file_is_refused(place: Path, name: str) -> None:
    (inside(place) / name).unlink()
    refused(place, name, "missing", "copy")


def test_a_missing_manifest_is_no_empty_directory(place: Path) -> None:
    (inside(place) / MANIFEST_NAME).unlink()
    refused(place, MANIFEST_NAME, "missing", BASE)


def test_a_missing_directory_is_refused_where_none_may_be_created(tmp_path: Path) -> None:
    with pytest.raises(durakv.DirectoryError, match="does not exist"):
        durakv.open(tmp_path / "nowhere", create=False)
    assert not (tmp_path / "nowhere").exists()


def test_extra_files_are_left_alone_or_told(place: Path) -> None:
    (inside(place) / "notes.txt").write_text("not ours")
    (inside(place) / "temp-appendonly.aof.7.base.dkv").write_text("left by a crash")
    (inside(place) / "appendonly.aof.9.incr.aof").write_bytes(bytes(4096))
    found = {finding.name: finding.severity for finding in verify(PosixFilesystem(inside(place))).findings}
    assert found == dict.fromkeys(
        ("notes.txt", "temp-appendonly.aof.7.base.dkv", "appendonly.aof.9.incr.aof"), Severity.NOTE
    )
    with durakv.open(place) as db:
        assert db.get(b"another") == b"segment"
        assert set(db.report.debris) == {"temp-appendonly.aof.7.base.dkv", "appendonly.aof.9.incr.aof"}
    assert (inside(place) / "notes.txt").read_text() == "not ours"


@pytest.mark.parametrize("name", [MANIFEST_NAME, BASE, "appendonly.aof.3.incr.aof"])
@pytest.mark.parametrize("kind", ["directory", "link", "pipe"])
def test_what_is_no_plain_file_is_refused(place: Path, name: str, kind: str) -> None:
    path = inside(place) / name
    path.unlink()
    if kind == "directory":
        path.mkdir()
    elif kind == "link":
        path.symlink_to(place / "elsewhere")
    else:
        os.mkfifo(path)
    before = digest(place)
    with pytest.raises((durakv.DirectoryError, OSError), match=name.replace(".", r"\.")):
        durakv.open(place)
    assert digest(place) == before
    assert not verify(PosixFilesystem(inside(place))).ok


def test_a_file_in_the_place_of_the_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "appendonlydir").write_text("a file")
    with pytest.raises((durakv.DirectoryError, OSError), match="appendonlydir"):
        durakv.open(tmp_path)
    assert (tmp_path / "appendonlydir").read_text() == "a file"


# --- a manifest that lies ---------------------------------------------------------------------------------------------


def lie(**changes: object) -> Callable[[Manifest], Manifest]:
    """A manifest whose last segment is described otherwise than it is, under a checksum that is right."""

    def change(manifest: Manifest) -> Manifest:
        *files, last = manifest.files
        return replace(manifest, files=(*files, replace(last, **changes)))

    return change


def test_a_manifest_that_promises_more_than_there_is_is_refused(place: Path) -> None:
    rewrite_manifest(place, lambda manifest: replace(manifest, synced_seq=manifest.synced_seq + 1))
    refused(place, MANIFEST_NAME, "is promised, but the files end at")


def test_a_manifest_that_says_more_of_a_segment_than_it_holds_is_refused(place: Path) -> None:
    last = decode_manifest((inside(place) / MANIFEST_NAME).read_bytes()).files[-1]
    assert last.last is not None
    assert last.bytes is not None
    rewrite_manifest(place, lie(last=last.last + 1))
    refused(place, last.name, "sealed")
    rewrite_manifest(place, lie(last=last.last, bytes=last.bytes + 1))
    refused(place, last.name, "sealed")
    rewrite_manifest(place, lie(bytes=last.bytes - 1))
    refused(place, last.name, "sealed")


def test_a_manifest_that_opens_a_segment_at_another_number_is_refused(place: Path) -> None:
    last = decode_manifest((inside(place) / MANIFEST_NAME).read_bytes()).files[-1]
    assert last.first is not None
    rewrite_manifest(place, lie(first=last.first + 1, last=None, bytes=None))
    refused(place, last.name, "opening frame")


def test_a_manifest_of_a_base_that_reaches_elsewhere_is_refused(place: Path) -> None:
    def change(manifest: Manifest) -> Manifest:
        base, *files = manifest.files
        assert base.last is not None
        return replace(manifest, files=(replace(base, last=base.last - 1), *files))

    rewrite_manifest(place, change)
    refused(place, BASE, "the manifest says")


def test_a_manifest_that_names_what_is_no_file_of_the_store_is_refused(place: Path) -> None:
    (inside(place) / "notes.txt").write_text("not ours")
    rewrite_manifest(place, lie(name="notes.txt"))
    refused(place, MANIFEST_NAME, "notes.txt")


def test_a_manifest_of_another_directory_is_refused(place: Path, tmp_path: Path) -> None:
    other = make(tmp_path / "other")
    shutil.copy(inside(other) / MANIFEST_NAME, inside(place) / MANIFEST_NAME)
    refused(place, BASE, "belongs to directory")


def test_pairs_of_ours_without_our_header_are_refused(place: Path) -> None:
    path = inside(place) / MANIFEST_NAME
    path.write_bytes(path.read_bytes().partition(b"\n")[2])
    refused(place, MANIFEST_NAME, "without the header")


# --- frames that lie --------------------------------------------------------------------------------------------------


def test_a_frame_behind_a_gap_in_the_numbers_is_refused(place: Path) -> None:
    """Its checksum is right; it is its number that does not come next."""
    manifest = decode_manifest((inside(place) / MANIFEST_NAME).read_bytes())
    last = manifest.files[-1]
    assert manifest.identity is not None
    assert last.last is not None
    assert last.bytes is not None
    forged = encode_frame(
        encode_command([b"SET", b"forged", b"1"]),
        seq=last.last + 2,
        count=1,
        synced_seq=0,
        identity=int.from_bytes(manifest.identity[:8], "big"),
        segment=last.seq,
    )
    path = inside(place) / last.name
    path.write_bytes(path.read_bytes() + forged)
    rewrite_manifest(place, lie(last=last.last + 2, bytes=last.bytes + len(forged)))
    refused(place, last.name, "comes next")


def test_a_command_that_the_state_machine_cannot_know_is_refused_by_its_place(place: Path) -> None:
    path = segments(place)[-1]
    with path.open("ab") as file:
        file.write(encode_command([b"JSON.SET", b"list", b"x"]))
    refusal = refused(place, path.name, "JSON.SET", severity=None)
    assert isinstance(refusal, durakv.UnsupportedVersion)


# --- the system says no -----------------------------------------------------------------------------------------------


def test_without_permission_it_is_refused(place: Path) -> None:
    path = segments(place)[-1]
    script = f"""
        import os, durakv
        durakv.open, durakv.DirectoryError  # imported while it is allowed
        os.setuid(65534)
        try:
            durakv.open({str(place)!r})
        except durakv.DirectoryError as refusal:
            print(refusal)
    """
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody without permission")
    for parent in place.parents[:-1]:
        parent.chmod(0o755)
    for mode_of, mode in ((inside(place), 0), (inside(place), 0o755), (path, 0o600)):
        mode_of.chmod(mode)
        before = digest(place)
        told = finish(run(script))
        assert "Permission denied" in told, (mode_of, told)
        assert "run as the owner" in told
        assert str(place) in told
        assert digest(place) == before
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("spare", range(8))
def test_without_file_descriptors_it_is_refused(place: Path, spare: int) -> None:
    """With each number of descriptors that are left, up to one with which it can be opened."""
    before = digest(place)
    script = f"""
        import os, resource, durakv
        import durakv.keyspace.database, durakv.rewrite, random, tempfile
        lowest = os.dup(0); os.close(lowest)
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + {spare}, lowest + {spare}))
        try:
            db = durakv.open({str(place)!r}, background=False)
        except durakv.DirectoryError as refusal:
            print('refused', refusal)
        else:
            print('opened')
    """
    told = finish(run(script))
    if told.startswith("refused"):
        assert "Too many open files" in told
        assert "ulimit -n" in told
        assert digest(place) == before
    else:
        assert told == "opened\n"
        assert spare >= 3, "the root, the lock and a file are needed at least"


# --- it vanishes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["removed", "moved", "replaced"])
def test_a_directory_that_vanishes_while_it_is_open_is_noticed_before_anything_is_published(
    tmp_path: Path, how: str
) -> None:
    place = tmp_path / "data"
    db = durakv.open(place, options=durakv.Options(segment_bytes=4096), fsync="always")
    db.set(b"a", b"b")
    if how == "removed":
        shutil.rmtree(place)
    else:
        place.rename(tmp_path / "moved")
    if how == "replaced":
        inside(place).mkdir(parents=True)
    with pytest.raises(durakv.Poisoned, match=r"moved or replaced|No such file"):
        fill(db)
    assert db.get(b"a") == b"b", "reads go on"
    with pytest.raises(durakv.Poisoned):
        db.set(b"more", b"")
    with pytest.raises((durakv.DurakvError, OSError)):
        db.close()
    if how == "replaced":
        assert list(inside(place).iterdir()) == [], "nothing was written into what took its place"
    else:
        assert not place.exists()
    if how != "removed":
        with durakv.open(tmp_path / "moved") as moved:
            assert moved.get(b"a") == b"b", "what was acknowledged before is where the directory went"


def test_a_directory_that_vanishes_before_it_is_opened_again_is_not_made_up(tmp_path: Path, place: Path) -> None:
    shutil.rmtree(place)
    with pytest.raises(durakv.DirectoryError, match="does not exist"):
        durakv.open(place, create=False)
    assert list(tmp_path.iterdir()) == []


# --- helpers ----------------------------------------------------------------------------------------------------------


def fill(db: durakv.Database) -> None:
    """More than a segment holds."""
    for number in range(100):
        db.set(b"%d" % number, bytes(100))


def run(script: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def finish(child: subprocess.Popen[str]) -> str:
    out, _ = child.communicate(timeout=60)
    assert child.returncode == 0, out
    return out


def abandon(place: Path) -> subprocess.Popen[str]:
    """Let an owner write something and die."""
    child = run(
        f"import durakv, os; db = durakv.open({str(place)!r}); db.set(b'last', b'words'); os.kill(os.getpid(), 9)"
    )
    child.communicate()
    return child


def test_a_segment_shorter_than_its_opening_frame_is_refused(place: Path) -> None:
    abandon(place)
    path = segments(place)[-1]
    os.truncate(path, HEADER_BYTES - 1)
    refused(place, path.name, "opening frame" if path.stat().st_size == 0 else "when it was open")
