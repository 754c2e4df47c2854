"""The promise: with ``sites``, syncs and calls on names tell where in the program they were made, and nothing hangs.

Method: a program in C whose functions are known, with its symbols and without, run from elsewhere and from the recorded
directory itself.
"""

from __future__ import annotations

import platform
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from durakv_fuzz.recorder.callers import Callers
from durakv_fuzz.recorder.recorder import Recorder
from durakv_fuzz.trace import Kind, Operation
from durakv_fuzz.tree import EMPTY

from .replay import needs_recorder

pytestmark = [
    needs_recorder,
    pytest.mark.skipif(platform.machine() != "x86_64", reason="places in programs are told on x86-64 only"),
    pytest.mark.skipif(shutil.which("gcc") is None, reason="there is no gcc to make a program with"),
]

_PROGRAM = """
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
__attribute__((noinline)) int first_place(int file) { return fsync(file) + 1; }
__attribute__((noinline)) int second_place(int file) { return rename("a", "b") + fsync(file); }
int main(void) {
    int file = open("a", O_CREAT | O_RDWR, 0644);
    return first_place(file) + first_place(file) + second_place(file) != 2;
}
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("program")
    (place / "program.c").write_text(_PROGRAM)
    subprocess.run(["gcc", "-O1", "-o", "program", "program.c"], cwd=place, check=True)
    return place / "program"


@pytest.fixture(scope="module")
def recorder() -> Iterator[Recorder]:
    with Recorder(sites=True) as recorder:
        yield recorder


def sited(recorder: Recorder, program: Path) -> list[tuple[Kind, str]]:
    recorder.load(EMPTY)
    subprocess.run([program], cwd=recorder.directory, check=True, timeout=20)
    return _sites(recorder.trace().operations)


def _sites(operations: list[Operation]) -> list[tuple[Kind, str]]:
    return [(operation.kind, operation.site) for operation in operations if operation.site]


def test_the_function_that_called_is_named(recorder: Recorder, program: Path) -> None:
    sites = sited(recorder, program)
    assert [kind for kind, _ in sites] == [Kind.CREATE, Kind.SYNC, Kind.SYNC, Kind.RENAME, Kind.SYNC]
    create, first, again, rename, second = (site for _, site in sites)
    assert create.startswith("program main+0x")
    assert first == again
    assert first.startswith("program first_place+0x")
    assert rename.startswith("program second_place+0x")
    assert second.startswith("program second_place+0x")
    assert rename != second


def test_without_symbols_the_place_in_the_file_tells_calls_apart_in_every_run(
    recorder: Recorder, program: Path
) -> None:
    bare = program.with_name("bare")
    subprocess.run(["gcc", "-O1", "-s", "-o", str(bare), str(program.with_suffix(".c"))], check=True)
    runs = [sited(recorder, bare) for _ in range(3)]
    assert runs[0] == runs[1] == runs[2], "the place depends on where the program was loaded"
    assert len({site for _, site in runs[0]}) == 4
    assert all(site.startswith("bare+0x") for _, site in runs[0])


def test_a_program_in_the_recorded_directory_is_never_opened_by_its_server(recorder: Recorder, program: Path) -> None:
    recorder.load(EMPTY)
    copy = recorder.directory / "copy"
    shutil.copy(program, copy)
    before = recorder.trace().seq
    subprocess.run([copy], cwd=recorder.directory, check=True, timeout=20)
    late = [operation for operation in recorder.trace().operations if operation.start >= before]
    sites = [site for _, site in _sites(late)]
    assert len(sites) == 5
    assert all(site.startswith("copy+0x") for site in sites)


def test_of_who_is_gone_nothing_is_said(recorder: Recorder) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    assert Callers(recorder.directory).site(ended.pid) == ""
    assert Callers(recorder.directory).site(0) == ""


def test_without_sites_nothing_is_looked_at(program: Path) -> None:
    with Recorder() as recorder:
        assert sited(recorder, program) == []
        assert len(recorder.trace().operations) == 5
