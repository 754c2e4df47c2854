"""The parent's side of a merge in a child process.

What counts is what the child *said*, never its exit code: a program that ignores SIGCHLD, or reaps children that are
not its own, would make a killed child look like a successful one.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from typing import Any

from durakv.directory import NO_SPACE
from durakv.errors import Corruption, DiskFull, DurakvError, UnsupportedVersion
from durakv.machine import Unmergeable
from durakv.merge import MergeResult, MergeTask

_TAIL_BYTES = 2048


class Unimportable(DurakvError):
    """The child cannot import the merger (it is defined in ``__main__``, say); merge in this process instead."""


def can_start_child() -> bool:
    """Whether ``sys.executable`` is a Python that can be started, and not this very program in one file."""
    return bool(sys.executable) and not getattr(sys, "frozen", False)


class MergeProcess:
    """One child.  ``step`` never waits for it."""

    def __init__(self, path: str, task: MergeTask) -> None:
        """Start it; ``OSError`` if that cannot be done."""
        import json  # neither is needed by programs that never rewrite
        import subprocess

        self.progress = 0.0
        self.result: MergeResult | None = None
        self.peak_bytes = 0
        self._said: dict[str, Any] = {}
        self._pending = b""
        self._tail = b""
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "durakv.merge_child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(entry or os.getcwd() for entry in sys.path)},
            start_new_session=True,  # an interrupt from the terminal is the program's business
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._stdin, self._stdout = self._process.stdin, self._process.stdout
        try:
            os.set_blocking(self._stdout.fileno(), False)
            with contextlib.suppress(BrokenPipeError):  # it is dead already; step() will say why
                self._stdin.write(json.dumps({"path": path, "task": task.to_json()}).encode() + b"\n")
                self._stdin.flush()
        except BaseException:
            self.abort()
            raise

    @property
    def pid(self) -> int:
        """The child's process number."""
        return self._process.pid

    def step(self) -> bool:
        """Take what the child said; returns False, for there is nothing to be gained by asking again at once.

        When the child has ended, ``result`` is there, or the error that ended it is raised.
        """
        self._listen()
        if self._process.poll() is not None:
            self._listen()
            self._release()
            self._conclude(self._process.returncode)
        return False

    def abort(self) -> None:
        """Kill the child and wait until it is gone: from then on it writes nothing."""
        self._process.kill()
        self._process.wait()
        self._release()

    def _release(self) -> None:
        self._stdout.close()
        with contextlib.suppress(BrokenPipeError):  # it never read all of its task
            self._stdin.close()

    def _listen(self) -> None:
        while True:
            try:
                data = os.read(self._stdout.fileno(), 1 << 16)
            except BlockingIOError:
                return
            if not data:
                return
            *lines, self._pending = (self._pending + data).split(b"\n")
            for line in filter(None, lines):
                self._hear(line)

    def _hear(self, line: bytes) -> None:
        import json

        try:
            message = json.loads(line)
            self.progress = float(message.get("progress", self.progress))
            self._said |= message
        except (ValueError, AttributeError, TypeError):
            # Not from us: a traceback, or what somebody's merger prints.
            self._tail = (self._tail + line + b"\n")[-_TAIL_BYTES:]

    def _conclude(self, code: int) -> None:
        result = self._said.get("result")
        if result is not None:
            self.peak_bytes = result.pop("peak_bytes")
            self.result = MergeResult(**result)
            self.progress = 1.0
            return
        failure = self._said.get("failure")
        if failure is not None:
            raise _revived(failure)
        text = (self._tail + self._pending).decode(errors="replace").strip()
        raise DurakvError(f"the merge process ended with code {code} and said {text[-_TAIL_BYTES:]!r}")


def _revived(failure: dict[str, Any]) -> Exception:
    """The error that the child described (``merge_child.describe_failure``)."""
    kind, text = failure["kind"], failure["text"]
    if kind == "Corruption":
        return Corruption(*failure["arguments"])
    if kind == "UnsupportedVersion":
        return UnsupportedVersion(*failure["arguments"])
    if kind == "Unmergeable":
        return Unmergeable(text)
    if kind == "Unimportable":
        return Unimportable(text)
    if kind == "OSError":
        if failure["errno"] in NO_SPACE:
            return DiskFull(text)
        return OSError(failure["errno"] or errno.EIO, text)
    return DurakvError(f"the merge failed: {kind}: {text}")
