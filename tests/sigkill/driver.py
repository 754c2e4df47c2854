"""Runs a script up to its n-th system call, kills it there, opens what it left, and compares with what it was told.

The oracle knows only what went through the pipe, and the rule by which the commands are made.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from durakv.directory import LOCK_NAME, MANIFEST_NAME
from durakv.durability import Durability
from durakv.engine import Engine
from durakv.keyspace.machine import Keyspace
from durakv_formats.manifest import decode_manifest
from tests.sigkill.scripts import DIRECTORY, Writer, command, open_engine
from tests.sigkill.syscalls import ROOT, Call, Listener
from tests.support import Journal

PATIENCE_SECONDS = 60.0


@dataclass(slots=True)
class Run:
    """What became of one run."""

    directory: Path
    calls: list[str] = field(default_factory=list[str])
    """The names of the calls made, the one at which it was killed included."""
    killed: bool = False
    done: bool = False
    told: int = 0
    """The highest number given out."""
    acknowledged: int = -1
    """The highest index acknowledged at WRITTEN or SYNCED."""
    failure: str = ""

    def hear(self, lines: str) -> None:
        """Take what the run told."""
        for line in lines.splitlines():
            match line.split(" ", 2):
                case ["told", seq]:
                    self.told = max(self.told, int(seq))
                case ["ack", level, index]:
                    if int(level) >= Durability.WRITTEN:
                        self.acknowledged = max(self.acknowledged, int(index))
                case ["done"]:
                    self.done = True
                case _:
                    self.failure = line


class Zygote:
    """The process from which all runs are forked."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket = ours
        ours.settimeout(PATIENCE_SECONDS)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.sigkill.zygote", str(theirs.fileno())],
                cwd=ROOT,
                pass_fds=[theirs.fileno()],
            )
        self._listener: Listener | None = None

    def run(self, script: str, directory: Path, stop_at: int | None = None) -> Run:
        """Run a script; kill it when it is about to make its ``stop_at``-th call (from 0).

        A child that it started lives on, frozen at its next call until ``release``.
        """
        self.release()
        run = Run(directory)
        reader, writer = os.pipe()
        socket.send_fds(self._socket, [json.dumps({"script": script, "directory": str(directory)}).encode()], [writer])
        os.close(writer)
        message, descriptors, _, _ = socket.recv_fds(self._socket, 4096, 1)
        owner = json.loads(message)["pid"]
        listener = self._listener = Listener(descriptors[0])
        waiting: Call | None = None
        while (call := listener.next(PATIENCE_SECONDS)) is not None:
            if call.counts:
                run.calls.append(call.name)
                if stop_at is not None and len(run.calls) > stop_at:
                    os.kill(owner, signal.SIGKILL)
                    waiting = call
                    run.killed = True
                    break
            listener.proceed(call)
        json.loads(self._socket.recv(4096))  # the owner is gone
        with os.fdopen(reader, "rb") as stream:
            run.hear(stream.read().decode())
        if not run.killed:
            self._forget()
        elif waiting is not None:
            listener.proceed(waiting)  # it was a child's, or its caller is dead
        return run

    def release(self) -> None:
        """Let the children of a killed run go on, and wait until they are gone."""
        if self._listener is None:
            return
        while (call := self._listener.next(PATIENCE_SECONDS)) is not None:
            self._listener.proceed(call)
        self._forget()

    def close(self) -> None:
        """End the zygote."""
        self.release()
        self._socket.close()
        self._process.wait(PATIENCE_SECONDS)

    def _forget(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None


def check(run: Run, zygote: Zygote, *, keyspace: bool = False) -> int:
    """Open what the run left, twice, and compare; return how many commands were recovered."""
    __tracebackhide__ = True
    assert not run.failure, f"the script itself failed: {run.failure}"
    if not (run.directory / DIRECTORY / "appendonlydir").is_dir():
        assert run.acknowledged < 0, "the directory is gone"
    engine = _open(run, keyspace=keyspace)
    recovered = _judge(engine, run)
    report = engine.report
    assert report.cut is None or report.cut.first_lost_seq > engine.synced_seq - report.retired
    # A child of the dead owner may go on under the new one, and must not harm it.
    zygote.release()
    writer = Writer(engine, -1, index=recovered)
    receipt = engine.submit(writer.batch(2, 30), Durability.SYNCED)
    receipt.result()
    assert receipt.seq - 1 > run.told, f"number {receipt.seq - 1} was given out before (up to {run.told})"
    engine.close()
    _check_tidy(run.directory / DIRECTORY / "appendonlydir")

    again = _open(run, keyspace=keyspace)
    assert again.report.lines() == [], "after a clean close there is nothing to report"
    assert _state(again) == _state(engine), "the second open does not see what the first one saw (C9)"
    again.close()
    _check_tidy(run.directory / DIRECTORY / "appendonlydir")
    return recovered


def _open(run: Run, *, keyspace: bool) -> Engine:
    return open_engine(str(run.directory), Keyspace() if keyspace else Journal())


def _state(engine: Engine) -> list[tuple[bytes, ...]]:
    machine: Any = engine.machine
    if isinstance(machine, Journal):
        return machine.commands
    slots: list[dict[bytes, bytes]] = machine.store(0).slots or []
    return sorted((b"SET", key, value) for slot in slots for key, value in slot.items())


def _judge(engine: Engine, run: Run) -> int:
    """C1 and C2."""
    state = _state(engine)
    for index, seen in enumerate(state):
        first, count, size, _ = seen[2].split(b" ", 3)
        assert seen == tuple(command(index, int(first), int(count), int(size))), f"command {index} is {seen!r} (C1)"
    recovered = len(state)
    if state:
        first, count, _, _ = state[-1][2].split(b" ", 3)
        assert int(first) + int(count) == recovered, f"half a batch: {recovered} of {first!r}+{count!r} (C1)"
    assert recovered > run.acknowledged, f"command {run.acknowledged} was acknowledged, {recovered} are left (C2)"
    return recovered


def _check_tidy(path: Path) -> None:
    """Nothing is there but what the manifest names, and no file is longer than it says."""
    manifest = decode_manifest((path / MANIFEST_NAME).read_bytes())
    expected = {MANIFEST_NAME, LOCK_NAME, *(file.name for file in manifest.files)}
    found = {entry.name for entry in path.iterdir()}
    assert found == expected, f"left over: {found - expected}, missing: {expected - found}"
    for segment in manifest.segments:
        assert segment.bytes == (path / segment.name).stat().st_size, f"{segment.name} was not trimmed"
