"""The promise: however a run ends, no mount, process or directory of its own stays.

Method: runs in processes of their own that are killed, with and without their server; and a look at what is mounted.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from durakv_fuzz.recorder import leftovers
from durakv_fuzz.recorder.recorder import Recorder, missing

from .replay import needs_recorder

_CLIENT = """
import sys
from pathlib import Path
from durakv_fuzz.recorder.recorder import Recorder
recorder = Recorder(within=Path(sys.argv[1]))
(recorder.directory / "file").write_bytes(b"x")
print(recorder.server_pid, recorder.directory, flush=True)
sys.stdin.read()
recorder.close()
"""


@pytest.fixture(autouse=True)
def nothing_stays(tmp_path: Path) -> Iterator[None]:
    """A mount that a failed test leaves would fail whoever clears the directory of tests."""
    yield
    leftovers.clean(tmp_path)


def start(within: Path) -> tuple[subprocess.Popen[bytes], int, Path]:
    client = subprocess.Popen(
        [sys.executable, "-c", _CLIENT, str(within)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert client.stdout is not None
    server, directory = client.stdout.readline().split()
    return client, int(server), Path(os.fsdecode(directory))


def finish(client: subprocess.Popen[bytes]) -> None:
    client.communicate()


def soon(true: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 10
    while not true() and time.monotonic() < deadline:
        time.sleep(0.005)
    return true()


def mounted(within: Path) -> bool:
    return f" {within}/" in Path("/proc/self/mountinfo").read_text()


def alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


@needs_recorder
def test_a_run_that_ends_well_leaves_nothing(tmp_path: Path) -> None:
    client, server, directory = start(tmp_path)
    assert mounted(tmp_path)
    assert directory.is_dir()
    finish(client)
    assert client.returncode == 0
    assert not mounted(tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert not alive(server)


@needs_recorder
def test_a_killed_run_leaves_nothing_though_programs_still_use_the_directory(tmp_path: Path) -> None:
    client, server, directory = start(tmp_path)
    with (directory / "file").open("rb") as file:
        client.kill()
        finish(client)
        assert soon(lambda: not alive(server)), "the server outlived its client"
        assert not mounted(tmp_path)
        assert list(tmp_path.iterdir()) == []
        with pytest.raises(OSError):
            os.stat(f"/proc/self/fd/{file.fileno()}/")


@needs_recorder
def test_a_run_ends_though_a_forked_child_keeps_its_sockets(tmp_path: Path) -> None:
    with Recorder(within=tmp_path) as recorder:
        server = recorder.server_pid
        child = os.fork()
        if child == 0:
            signal.pause()
            os._exit(0)
    assert not alive(server)
    assert list(tmp_path.iterdir()) == []
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


@needs_recorder
def test_what_stays_if_the_server_is_killed_too_is_cleaned_by_the_next_run(tmp_path: Path) -> None:
    client, server, directory = start(tmp_path)
    os.kill(client.pid, signal.SIGSTOP)
    os.kill(server, signal.SIGKILL)
    client.kill()
    finish(client)
    assert soon(lambda: not alive(server))
    assert mounted(tmp_path), "there is nothing to clean; the test is worth nothing"
    with Recorder(within=tmp_path) as recorder:
        assert list(tmp_path.iterdir()) == [recorder.directory.parent]
        assert not directory.parent.exists()
    assert not mounted(tmp_path)
    assert list(tmp_path.iterdir()) == []


@needs_recorder
def test_other_runs_are_left_alone(tmp_path: Path) -> None:
    client, _, directory = start(tmp_path)
    strange = tmp_path / f"{leftovers.PREFIX}-something else"
    strange.mkdir()
    elsewhere = tmp_path / f"{leftovers.PREFIX}-1-{os.getpid()}-1-abc"
    elsewhere.mkdir()
    assert leftovers.clean(tmp_path) == []
    assert (directory / "file").read_bytes() == b"x"
    finish(client)
    assert set(tmp_path.iterdir()) == {strange, elsewhere}


@needs_recorder
def test_what_somebody_else_put_there_is_never_deleted(tmp_path: Path) -> None:
    private = leftovers.make_private(tmp_path)
    (private / leftovers.TREE / "precious").write_bytes(b"x")
    with pytest.raises(OSError, match="not empty"):
        leftovers.remove_private(private)
    assert (private / leftovers.TREE / "precious").exists()


@needs_recorder
def test_in_a_user_namespace_it_works_without_root(tmp_path: Path) -> None:
    unshare = shutil.which("unshare")
    if unshare is None or subprocess.run([unshare, "-Urm", "true"], capture_output=True).returncode:
        pytest.skip("no user namespaces here")
    script = (
        "import sys; from pathlib import Path; from durakv_fuzz.recorder.recorder import Recorder\n"
        "with Recorder(within=Path(sys.argv[1])) as recorder:\n"
        "    (recorder.directory / 'file').write_bytes(b'x')\n"
        "    print(len(recorder.trace().operations))"
    )
    command = [unshare, "-Urm", sys.executable, "-c", script, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, timeout=30)
    assert (done.stdout, done.stderr) == (b"2\n", b"")
    assert list(tmp_path.iterdir()) == []


def test_why_it_cannot_work_is_said() -> None:
    child = os.fork()
    if child == 0:  # somebody who may not open the device
        if os.geteuid() == 0:
            os.setuid(65534)
        reason = missing()
        usable = os.access("/dev/fuse", os.R_OK | os.W_OK)
        os._exit(0 if usable or "/dev/fuse" in reason else 1)
    assert os.waitpid(child, 0)[1] == 0


@needs_recorder
def test_recorders_beside_each_other_know_nothing_of_each_other() -> None:
    def use(number: int) -> None:
        with Recorder() as recorder:
            for count in range(50):
                (recorder.directory / f"{count}").write_bytes(b"%d" % number)
            found[number] = {operation.data for operation in recorder.trace().operations}

    found: dict[int, set[bytes]] = {}
    threads = [threading.Thread(target=use, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {number: {b"", b"%d" % number} for number in range(3)}


def test_one_that_has_ended_and_is_waited_for_by_nobody_is_gone(tmp_path: Path) -> None:
    made = "import sys; from pathlib import Path; from durakv_fuzz.recorder import leftovers; "
    made += "leftovers.make_private(Path(sys.argv[1])); print(flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", made, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert leftovers.clean(tmp_path) == [], "it lives"
        process.kill()
        assert soon(lambda: ") Z " in Path(f"/proc/{process.pid}/stat").read_text())
        assert leftovers.clean(tmp_path), "its number is taken until somebody waits for it"
    assert list(tmp_path.iterdir()) == []
