"""A call ends, whatever it does, and so does everything that it started.

Calls that return, raise, exit, hang, and leave processes of their own behind.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from durakv_fuzz.program.calls import CallFailed, CallHung, Pending, call

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are reaped as Linux allows it")


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_result_comes_back() -> None:
    assert call(lambda: {"a": 1}, 5.0) == {"a": 1}


def test_what_it_raises_is_told() -> None:
    with pytest.raises(CallFailed, match="ZeroDivisionError"):
        call(lambda: 1 // 0, 5.0)


def test_an_end_without_a_word_is_told() -> None:
    with pytest.raises(CallFailed, match="without a word"):
        call(lambda: os._exit(3), 5.0)


def test_a_call_that_hangs_is_killed() -> None:
    began = time.monotonic()
    with pytest.raises(CallHung, match=r"0\.2 s"):
        call(lambda: time.sleep(60), 0.2)
    assert time.monotonic() - began < 5


def test_a_process_that_left_the_session_is_killed_all_the_same(tmp_path: Path) -> None:
    def leave() -> None:
        server = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
        (tmp_path / "pid").write_text(str(server.pid))

    call(leave, 20.0)
    assert not alive(int((tmp_path / "pid").read_text()))


def test_processes_that_were_there_before_stay() -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as before:
        call(lambda: None, 5.0)
        assert before.poll() is None
        before.kill()


def test_a_call_can_be_ended_in_the_middle(tmp_path: Path) -> None:
    def stay() -> None:
        (tmp_path / "there").write_text("x")
        time.sleep(60)

    pending = Pending(stay)
    while not (tmp_path / "there").exists():
        time.sleep(0.001)
    assert not pending.poll(0.01)
    pending.kill()


def test_what_it_prints_is_kept(tmp_path: Path) -> None:
    call(lambda: print("words"), 5.0, output=tmp_path / "log")  # noqa: T201
    assert (tmp_path / "log").read_text() == "words\n"
