"""The promise: a checker tells a wrong value from none, and a store that does not open from an empty one.

Method: values are put into stores through the programs' own interfaces, and files are cut and overwritten.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from durakv_fuzz.program.subject import Found, value_of
from durakv_fuzz.targets import find, subjects
from durakv_fuzz.targets.durakv import Durakv
from durakv_fuzz.targets.files import LOG, STATE, SavedFile
from durakv_fuzz.targets.git import Git
from durakv_fuzz.targets.redis import RedisServer
from durakv_fuzz.targets.target import WRONG_MAX, Embedded, Target, found_among, key_of
from tests.targets.remembering import Remembering, here

SETTINGS = {
    (target.name, target.promise): target
    for target in subjects()
    if target.name not in ("redis-8", "valkey", "valkey-8")
}
"""One of a kind: values are read in the same way whatever the promise."""


def put(target: Target, directory: Path, number: int, value: bytes) -> None:
    """Through the program's own interface, where it has one."""
    if isinstance(target, Embedded):
        store = target.open(directory)
        store.put(number, value)
        store.close()
    elif isinstance(target, Durakv):
        with target.opened(directory) as database:
            database.set(key_of(number), value)
    elif isinstance(target, RedisServer):
        with target.started(directory) as server:
            server.ask(b"SET", key_of(number), value)
            if target.setting == "snapshot":
                server.ask(b"SAVE")
    elif isinstance(target, Git):
        name = key_of(number).decode()
        (directory / name).write_bytes(value)
        target.git(directory, "add", name)
        target.git(directory, "commit", "--quiet", "-m", name)
    elif target.setting.startswith("append"):
        with (directory / LOG).open("ab") as file:
            file.write(key_of(number) + b" " + value + b"\n")
    else:
        assert isinstance(target, SavedFile)
        state = (directory / STATE).read_text()
        (directory / STATE).write_text(state[:-1] + f', "{key_of(number).decode()}": "{value.decode()}"}}')


@pytest.mark.parametrize("target", SETTINGS.values(), ids=lambda target: f"{target.name}-{target.setting}")
def test_a_value_of_another_number_is_wrong(target: Target, place: Path) -> None:
    here(target)
    target.prepare(place)
    target.drive(place, range(3), Remembering())
    put(target, place, 7, value_of(8))
    found = target.check(place)
    assert not found.refusal
    assert found.numbers - {0, 1, 2} == frozenset()
    (words,) = found.wrong
    assert words.startswith("7: ")
    assert "not its value" in words


def test_half_a_value_and_zero_bytes_are_named() -> None:
    found = found_among(
        [
            (b"n1", value_of(1)),
            (b"n2", value_of(2)[:20]),
            (b"n3", bytes(44)),
            (b"n4", b""),
            (b"n05", value_of(5)),
            (b"\xff", b"?"),
        ]
    )
    assert found.numbers == {1}
    assert [words.split(":")[0] for words in found.wrong] == ["2", "3", "4", "'n05'", r"'\xff'"]
    assert "20 bytes that are not" in found.wrong[0]
    assert found.wrong[1:3] == ("3: 44 zero bytes", "4: an empty value")


def test_more_wrong_values_than_anybody_reads_are_counted() -> None:
    found = found_among((b"n%d" % number, b"x") for number in range(WRONG_MAX + 5))
    assert len(found.wrong) == WRONG_MAX + 1
    assert found.wrong[-1] == "and 5 more"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # libraries leave files open on errors
@pytest.mark.parametrize(
    ("name", "setting", "file", "content"),
    [
        ("sqlite", "delete+extra", "numbers.sqlite", b"?" * 4096),
        ("lmdb", "sync", "data.mdb", b"?" * 8192),
        ("leveldb", "sync", "CURRENT", b""),
        ("rocksdb", "sync", "CURRENT", b""),
        ("persist-queue", "file", "q00000", b""),
        ("zodb", "filestorage", "Data.fs", b"?" * 64),
        ("dbm", "dumb", "numbers.dir", b"'n0', (0"),
        ("shelve", "dumb", "numbers.dir", b"'n0', (0"),
        ("git", "fsync=all", ".git/refs/heads/main", b""),
        ("file", "rename", "state.json", b'{"n0": '),
        ("durakv", "always", "appendonlydir/appendonly.aof.manifest", b"?" * 100),
    ],
)
def test_a_store_that_does_not_open_says_why(name: str, setting: str, file: str, content: bytes, place: Path) -> None:
    target = here(find(name, setting))
    target.prepare(place)
    target.drive(place, range(3), Remembering())
    path = place / file
    assert path.exists()
    path.write_bytes(content)
    found = target.check(place)
    assert found.refusal
    assert "\n" not in found.refusal
    assert found == Found(refusal=found.refusal)


def logs(directory: Path) -> list[Path]:
    return sorted((directory / "appendonlydir").glob("*.incr.aof"))


@pytest.mark.parametrize("name", ["redis", "valkey-8"])  # the checker of Valkey 9.1 does not know its own bases
def test_a_log_that_its_makers_repair_is_told_from_one_that_starts(name: str, place: Path) -> None:
    target = here(find(name, "always"))
    target.prepare(place)
    target.drive(place, range(10), Remembering())
    (log,) = logs(place)
    log.write_bytes(log.read_bytes() + bytes(200))
    found = target.check(place)
    assert (found.needed_repair, found.refusal, found.wrong) == (True, "", ())
    assert found.numbers == frozenset(range(10))


@pytest.mark.parametrize("name", ["redis", "valkey", "valkey-8"])
def test_a_log_that_its_makers_do_not_repair_is_a_refusal(name: str, place: Path) -> None:
    target = here(find(name, "always"))
    target.prepare(place)
    target.drive(place, range(10), Remembering())
    (log,) = logs(place)
    another = log.with_name("appendonly.aof.2.incr.aof")
    another.write_bytes(log.read_bytes())
    content = log.read_bytes()
    broken = content.index(b"*3", 300)
    log.write_bytes(content[:broken] + b"?" + content[broken + 1 :])
    manifest = place / "appendonlydir" / "appendonly.aof.manifest"
    manifest.write_bytes(manifest.read_bytes() + b"file appendonly.aof.2.incr.aof seq 2 type i\n")
    found = target.check(place)
    assert found.numbers == frozenset()
    assert found.refusal.startswith("Bad file format")
    assert "; redis-check-aof --fix: " in found.refusal
    assert "because it is not the last file" in found.refusal
