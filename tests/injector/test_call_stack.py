"""The promise: a thread that waits in a system call can be asked where in its program that is, and no file and no
process, however broken, makes the asker fail.

Method: programs whose call sites are known wait; ELF files are cut and bent; threads that run or are gone are asked.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from durakv_fuzz.injector.call_stack import _is_call_arm, _is_call_x86, call_stack
from durakv_fuzz.injector.symbols import Symbols, parse, symbols_of

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")

LIBC = (
    next((line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines() if "/libc.so" in line), "")
    if sys.platform == "linux"
    else ""
)


def test_a_waiting_thread_is_in_libc_and_in_what_called_it() -> None:
    with subprocess.Popen([sys.executable, "-c", "print(flush=True); input()"], stdin=-1, stdout=-1) as program:
        assert program.stdout is not None
        program.stdout.readline()
        deadline = time.monotonic() + 10
        while not (frames := call_stack(program.pid, 6)) or "read" not in frames[0]:
            assert time.monotonic() < deadline, frames
            time.sleep(0.01)
        assert len(frames) == 6
        assert any("_Py_read" in frame or "_io" in frame or "python" in frame for frame in frames[1:])
        assert len(call_stack(program.pid, 1)) == 1
        program.kill()


def test_a_thread_that_runs_or_is_gone_has_no_stack() -> None:
    with subprocess.Popen([sys.executable, "-c", "print(flush=True)\nwhile True: pass"], stdout=-1) as program:
        assert program.stdout is not None
        program.stdout.readline()
        time.sleep(0.01)
        assert call_stack(program.pid) == ()
        program.kill()
    with subprocess.Popen(["true"]) as program:
        program.wait()
        assert call_stack(program.pid) == ()


@pytest.mark.skipif(not LIBC, reason="there is no libc.so here")
def test_exported_functions_of_libc_are_named_with_the_offset_in_them() -> None:
    symbols = symbols_of(LIBC)
    index = symbols.names.index("qsort")
    first, _, address = symbols.segments[0]
    offset = symbols.starts[index] - address + first
    assert symbols.name(offset + 4) == "qsort+0x4"
    assert symbols.name(1 << 40) == "0x10000000000", "outside of everything stands the offset alone"


def test_a_file_that_is_no_program_has_no_symbols(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("#!/bin/sh\n" * 100)
    assert symbols_of(str(tmp_path / "text")) == symbols_of(str(tmp_path / "nothing")) == Symbols()


@pytest.mark.skipif(not LIBC, reason="there is no libc.so here")
def test_a_cut_or_bent_file_is_read_without_harm(tmp_path: Path) -> None:
    whole = Path(LIBC).read_bytes()
    generator = random.Random(1)
    (tmp_path / "bent").write_bytes(whole)
    for number in range(200):
        bent = bytearray(whole[:64])
        for _ in range(generator.randint(1, 3)):
            bent[generator.randrange(16, 64)] = generator.choice((0, 1, 0x7F, 0xFF, generator.randrange(256)))
        with open(tmp_path / "bent", "r+b") as file:
            file.write(bent)
        os.utime(tmp_path / "bent", (number, number))
        assert isinstance(symbols_of(str(tmp_path / "bent")), Symbols)
    for length in (0, 1, 63, 64, 1000, len(whole) - 1):
        (tmp_path / "cut").write_bytes(whole[:length])
        os.utime(tmp_path / "cut", (length, length))
        assert symbols_of(str(tmp_path / "cut")) == Symbols()


def test_a_table_that_claims_to_be_huge_is_not_read() -> None:
    with open("/proc/self/exe", "rb") as program:
        with pytest.raises(Exception, match="bytes at"):
            parse(program.fileno(), 64)


@pytest.mark.parametrize(
    ("code", "calls"),
    [
        ("e8 01 02 03 04", True),  # call rel32
        ("90 90 90 ff d0", True),  # call rax
        ("90 41 ff d4", True),  # call r12
        ("ff 50 10", True),  # call [rax+0x10]
        ("ff 15 00 01 02 03", True),  # call [rip+...]
        ("ff 14 c5 01 02 03 04", False),  # call [rax*8+disp32]: seldom, not looked for
        ("ff 94 24 01 02 03 04", True),  # call [rsp+disp32]
        ("ff 54 24 08", True),  # call [rsp+8]
        ("e9 01 02 03 04", False),  # jmp
        ("ff e0 90 90 90", False),  # jmp rax, and more
        ("90 90 90 90 90", False),
        ("", False),
    ],
)
def test_an_x86_address_behind_a_call_is_told_from_another(code: str, calls: bool) -> None:
    assert _is_call_x86(bytes.fromhex(code)) is calls


@pytest.mark.parametrize(
    ("instruction", "calls"), [(0x94000010, True), (0xD63F0100, True), (0x14000010, False), (0xD61F0100, False)]
)
def test_an_arm_address_behind_a_call_is_told_from_another(instruction: int, calls: bool) -> None:
    assert _is_call_arm(instruction.to_bytes(4, "little")) is calls
    assert not _is_call_arm(b"")
