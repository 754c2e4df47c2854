"""The promise: the merge runs in a process of its own, in memory that goes with what the log touched; whatever becomes
of that process, of its parent, or of a merger that it cannot import, the directory stays whole and nothing is left.

Method: real directories, real children, real kills.  A test waits for a state, never for a time.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from durakv.directory import base_name, base_temporary
from durakv.durability import Durability, FsyncPolicy
from durakv.engine import Engine
from durakv.errors import Closed, DurakvError
from durakv.keyspace.machine import Keyspace
from durakv.merge_process import MergeProcess
from durakv.options import Options
from tests.rewrite.machines import Plain, Slotted

PATIENCE_SECONDS = 30.0
OPTIONS = Options(fsync=FsyncPolicy.NO, rewrite_percentage=0, segment_bytes=1 << 20)


def until(what: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not what():
        assert time.monotonic() < deadline, "the state that the test waits for never came"
        time.sleep(0.005)


def machine_with(merger: str) -> Slotted:
    machine = Slotted()
    machine.merger = f"tests.rewrite.machines:{merger}"
    return machine


def fill(engine: Engine, count: int = 50, value: bytes = b"value") -> None:
    for index in range(count):
        engine.submit([[b"set", b"key%d" % index, value]])


def names(path: Path) -> list[str]:
    return sorted(os.listdir(path / "appendonlydir"))


def child_of(engine: Engine) -> int:
    """The process of the merge under way."""
    processes: list[MergeProcess] = []

    def found() -> bool:
        processes[:] = [process for process in [engine._rewrite.maker.process] if process is not None]
        return bool(processes)

    until(found)
    return processes[0].pid


def is_alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Callable[..., Engine]]:
    opened: list[Engine] = []

    def open_engine(machine: Plain | Keyspace) -> Engine:
        opened.append(Engine(tmp_path, machine, options=OPTIONS))
        return opened[-1]

    yield open_engine
    for one in opened:
        one.close()


def test_a_child_merges_while_writers_go_on(engine: Callable[..., Engine], tmp_path: Path) -> None:
    machine = machine_with("Slow")
    one = engine(machine)
    fill(one)
    handle = one._rewrite.request()
    pid = child_of(one)
    count = 0
    while not handle.done():
        one.submit([[b"set", b"during%d" % (count % 100), b"x"]], Durability.WRITTEN).result()
        count += 1
    handle.result()
    assert count > 0
    assert one._rewrite.maker.merged is not None
    assert not is_alive(pid)
    assert names(tmp_path)[0] == base_name(1)
    one.close()
    again = Slotted()
    engine(again)
    assert again.state == machine.state


def test_its_memory_goes_with_what_the_log_touched_and_not_with_the_data(
    engine: Callable[..., Engine], tmp_path: Path
) -> None:
    noise = random.Random(1)
    one = engine(Keyspace())
    for index in range(40_000):
        one.submit([[b"SET", b"key:%08d" % index, noise.randbytes(1000)]])
    one.rewrite()
    data_bytes = one.status().base_bytes
    assert data_bytes > 40_000_000
    for index in range(0, 40_000, 100):
        one.submit([[b"SET", b"key:%08d" % index, noise.randbytes(1000)]])
    one.rewrite()
    merged = one._rewrite.maker.merged
    assert merged is not None
    assert merged.copied > 0
    # 20 MB of it is Python and the codecs, before the first byte is read.
    assert one._rewrite.maker.child_peak_bytes < 30 << 20
    assert one.status().rewrites == 2


def test_a_child_that_is_killed_leaves_everything_as_it_was(engine: Callable[..., Engine], tmp_path: Path) -> None:
    one = engine(machine_with("Stuck"))
    fill(one)
    handle = one._rewrite.request()
    pid = child_of(one)
    until(lambda: base_temporary(1) in names(tmp_path))
    os.kill(pid, signal.SIGKILL)
    until(handle.done)
    with pytest.raises(DurakvError, match="ended with code -9"):
        handle.result()
    assert not any(".base." in name for name in names(tmp_path))
    status = one.status()
    assert (status.rewriting, status.rewrite_failures, status.poisoned) == (False, 1, None)
    fill(one, 3, b"after")


@pytest.mark.parametrize(
    ("merger", "match"), [("Failing", "RuntimeError: broken merger"), ("Exiting", "a merger that exits")]
)
def test_what_a_child_died_of_is_told(engine: Callable[..., Engine], merger: str, match: str) -> None:
    one = engine(machine_with(merger))
    fill(one)
    with pytest.raises(DurakvError, match=match):
        one.rewrite()
    assert match in (one.status().rewrite_error or "")


def test_closing_ends_the_child_promptly(engine: Callable[..., Engine], tmp_path: Path) -> None:
    one = engine(machine_with("Stuck"))
    fill(one)
    handle = one._rewrite.request()
    pid = child_of(one)
    until(lambda: base_temporary(1) in names(tmp_path))
    started = time.monotonic()
    one.close()
    assert time.monotonic() - started < 5
    assert not is_alive(pid)
    assert not any(".base." in name for name in names(tmp_path))
    with pytest.raises(Closed):
        handle.result()


def test_a_merger_that_the_child_cannot_import_works_in_this_process(
    engine: Callable[..., Engine], caplog: pytest.LogCaptureFixture
) -> None:
    sys.modules["only_here"] = sys.modules[Slotted.__module__]
    try:
        machine = Slotted()
        machine.merger = "only_here:Merging"
        one = engine(machine)
        fill(one)
        one.rewrite()
        assert one._rewrite.maker.merged is not None
        assert "only_here" in caplog.text
        fill(one, 3, b"again")
        one.rewrite()
        assert one.status().rewrites == 2
    finally:
        del sys.modules["only_here"]


PARENT = """
    import sys, time
    from durakv.engine import Engine
    from durakv.options import Options
    from tests.rewrite.machines import Slotted

    machine = Slotted()
    machine.merger = "tests.rewrite.machines:Slow"
    engine = Engine(sys.argv[1], machine, options=Options(fsync="always", rewrite_percentage=0))
    for index in range(2000):
        engine.submit([[b"set", b"key%d" % index, b"value"]])
    engine.sync()
    engine._rewrite.request()
    while engine._rewrite.maker.process is None:
        time.sleep(0.001)
    print(engine._rewrite.maker.process.pid, flush=True)
    time.sleep(60)
"""


def test_a_child_ends_with_its_parent_and_the_next_owner_finds_everything(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(PARENT), str(tmp_path)], stdout=subprocess.PIPE, cwd=root
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    machine = Slotted()
    with Engine(tmp_path, machine, options=OPTIONS) as engine:  # at once: the child may still be there
        assert len(machine.state) == 2000
        until(lambda: not is_alive(pid))
        engine.rewrite()
    with Engine(tmp_path, Slotted(), options=OPTIONS):
        pass
    assert not any(name.startswith("temp-") for name in names(tmp_path)), "debris after the next open"


def test_the_child_gives_way_to_the_writers(engine: Callable[..., Engine]) -> None:
    one = engine(machine_with("Slow"))
    fill(one, 500)
    one._rewrite.request()
    pid = child_of(one)
    until(lambda: not is_alive(pid) or os.getpriority(os.PRIO_PROCESS, pid) == os.getpriority(os.PRIO_PROCESS, 0) + 10)
    assert is_alive(pid), "it ended before it could be looked at"


@pytest.mark.parametrize("machine", [Plain, Slotted], ids=["freeze", "merge"])
def test_a_forked_copy_that_is_thrown_away_in_the_middle_removes_nothing(tmp_path: Path, machine: type[Plain]) -> None:
    opened = machine()
    with Engine(tmp_path, opened, options=OPTIONS, background=False) as one:
        fill(one)
        one.rewrite()
        fill(one, 10, b"second")
        handle = one._rewrite.request()
        while not handle.done():
            one.step()
            before = names(tmp_path)
            child = os.fork()
            if child == 0:
                one._rewrite._work = None  # what the collector does to it, sooner or later
                os._exit(0)
            os.waitpid(child, 0)
            assert names(tmp_path) == before
        handle.result()
    again = machine()
    with Engine(tmp_path, again, options=OPTIONS):
        assert again.state == opened.state
