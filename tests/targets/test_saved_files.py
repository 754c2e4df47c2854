"""The promise: of a program that only saves files, the judge says of each whether it is one of its versions, and which.

Method: versions, acknowledgements and what a crash left are given by hand; the programs of the examples are run.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from durakv_fuzz.program.commands import CommandFailed
from durakv_fuzz.program.files import (
    Complaint,
    Damage,
    FilesSubject,
    Version,
    acknowledged,
    counted,
    judge_files,
)
from durakv_fuzz.program.lines import ProtocolError

EXAMPLES = Path(__file__).parents[2] / "fuzz" / "example" / "programs"
SAVED = [Version(b"{one}", 10, True), Version(b"{one, two}", 20, True), Version(b"{three, four}", 30, True)]
LOGGED = [Version(b"a\n", 10), Version(b"a\nb\n", 20), Version(b"a\nb\nc\n", 30)]


def judged(versions: list[Version], acked: int, content: bytes | None) -> Complaint | None:
    complaints = judge_files({"f": versions}, {"f": acked}, {} if content is None else {"f": content})
    assert len(complaints) < 2
    return complaints[0] if complaints else None


@pytest.mark.parametrize(
    ("acked", "content"),
    [
        (-1, None),
        (-1, b"{one}"),
        (0, b"{one}"),
        (0, b"{one, two}"),
        (0, b"{three, four}"),
        (2, b"{three, four}"),
    ],
)
def test_the_acknowledged_version_and_every_later_one_is_right(acked: int, content: bytes | None) -> None:
    assert judged(SAVED, acked, content) is None


@pytest.mark.parametrize(
    ("acked", "content", "damage", "words"),
    [
        (0, None, Damage.MISSING, "version 1 was acknowledged"),
        (0, b"", Damage.EMPTY, "it is empty"),
        (-1, b"", Damage.EMPTY, "it is empty"),
        (2, b"{one, two}", Damage.LOST, "it is version 2, though version 3 was acknowledged"),
        (0, b"{one, tw", Damage.TORN, "the first 8 of 10 bytes of version 2"),
        (-1, b"{on", Damage.TORN, "the first 3 of 5 bytes of version 1"),
        (0, bytes(10), Damage.TORN, "it is 10 zero bytes"),
        (0, b"{three" + bytes(7), Damage.TORN, "the first 6 of 13 bytes of version 3, then 7 zero bytes"),
        (0, b"{three, xxxx}", Damage.TORN, "its 13 bytes are no version; the first 8 are those of version 3"),
    ],
)
def test_anything_else_is_named(acked: int, content: bytes | None, damage: Damage, words: str) -> None:
    complaint = judged(SAVED, acked, content)
    assert complaint is not None
    assert (complaint.path, complaint.damage, complaint.acknowledged) == ("f", damage, acked >= 0)
    assert words in complaint.words


@pytest.mark.parametrize(
    ("acked", "content"),
    [(-1, None), (-1, b""), (-1, b"a"), (0, b"a\n"), (0, b"a\nb"), (0, b"a\nb\nc"), (1, b"a\nb\n")],
)
def test_a_log_may_end_within_what_was_not_acknowledged(acked: int, content: bytes | None) -> None:
    assert judged(LOGGED, acked, content) is None


@pytest.mark.parametrize(
    ("acked", "content", "damage"),
    [
        (1, b"a\n", Damage.LOST),
        (1, b"a\nb", Damage.TORN),
        (0, b"", Damage.EMPTY),
        (0, b"a\n\0\0", Damage.TORN),
        (0, b"a\nx", Damage.TORN),
        (2, b"a\nb\nc\nd", Damage.TORN),
    ],
)
def test_a_log_without_what_was_acknowledged_is_not_right(acked: int, content: bytes, damage: Damage) -> None:
    complaint = judged(LOGGED, acked, content)
    assert complaint is not None
    assert complaint.damage is damage


def test_a_file_rewritten_in_place_is_torn_once_it_was_acknowledged() -> None:
    rewritten = [Version(b'{"a": 1}', 1), Version(b'{"b": 22}', 2)]
    complaint = judged(rewritten, 0, b'{"b"')
    assert complaint is not None
    assert complaint.damage is Damage.TORN


def test_files_without_a_version_are_not_looked_at_and_wrong_counts_are_refused() -> None:
    assert judge_files({}, {}, {"f.tmp": b"half"}) == []
    with pytest.raises(ValueError, match="version 3 is acknowledged, and there are 3"):
        judge_files({"f": SAVED}, {"f": 3}, {})


def test_temporary_files_do_not_count_and_acknowledgements_are_those_before_the_line() -> None:
    versions = {"f": SAVED, "f.tmp": SAVED[:1], "empty": []}
    assert counted(versions, {"f": b"{three, four}", "empty": b""}) == {"f": SAVED}
    assert acknowledged({"f": SAVED, "g": LOGGED[2:]}, 25) == {"f": 1, "g": -1}
    assert acknowledged({"f": SAVED}, 20) == {"f": 0}, "a line at the very position of the rename came before it ended"


@pytest.mark.parametrize("name", ["save_json.py", "save_json_fixed.py"])
def test_the_examples_save_and_say_so(name: str, place: Path) -> None:
    seen: list[bytes] = []
    subject = FilesSubject((sys.executable, str(EXAMPLES / name), "{dir}"))
    subject.run(place, lambda: seen.append((place / "settings.json").read_bytes()))
    assert len(seen) == 9, "eight lines and the end"
    assert seen[-1] == seen[-2]
    assert [path.name for path in place.iterdir()] == ["settings.json"]


def test_a_program_that_fails_acknowledges_only_its_lines(place: Path) -> None:
    lines: list[None] = []
    failing = FilesSubject((sys.executable, "-c", "import sys; print('saved', flush=True); sys.exit('disk full')"))
    with pytest.raises(CommandFailed, match="ended with status 1: disk full"):
        failing.run(place, lambda: lines.append(None))
    assert len(lines) == 1
    with pytest.raises(CommandFailed, match="no-such-program"):
        FilesSubject(("no-such-program",)).run(place, lambda: None)
    with pytest.raises(ProtocolError, match=r"line 1 of .*longer than"):
        FilesSubject((sys.executable, "-c", "print('x' * 5000)")).run(place, lambda: None)


def test_a_check_reports_damage_by_its_status(place: Path) -> None:
    check = "import json, sys; json.load(open(sys.argv[1] + '/f'))"
    subject = FilesSubject(("true",), (sys.executable, "-c", check, "{dir}"))
    (place / "f").write_text("{}")
    assert subject.reported(place) is None
    (place / "f").write_text("{")
    complaint = subject.reported(place)
    assert complaint is not None
    assert complaint.damage is Damage.REPORTED
    assert "JSONDecodeError" in complaint.words
    assert FilesSubject(("true",)).reported(place) is None
