"""A sweep over a subject: its driver runs under the faults, and what it was told is looked for after a new start.

SIGKILL and errors take nothing out of the page cache.  So whatever was acknowledged has to be there, under every
promise but ``none``.  Where only what was synced is promised, a program may keep the rest in its own memory: that the
rest is gone is told (``LOST_UNSYNCED``), and breaks no promise.  That a later power cut might take what was
acknowledged after a failed sync is not seen here.
"""

from __future__ import annotations

import os
import pickle
import socket
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from durakv_fuzz.injector.faults import Fail, Fault, is_for
from durakv_fuzz.injector.guard import launch
from durakv_fuzz.injector.numbers import SYNCS
from durakv_fuzz.injector.run import Ended, start_function
from durakv_fuzz.injector.supervisor import Watch
from durakv_fuzz.injector.sweep import Outcome, Sweep, swept
from durakv_fuzz.program.subject import Found, Plan, Promise, Subject

BROKEN = "BROKEN without a fault"
LOST_UNSYNCED = "LOST_UNSYNCED"

_RECORD = struct.Struct("=cq")
_REPORT_BYTES_MAX = 64 << 20
_NUMBERS_SHOWN = 5


class SubjectFailed(RuntimeError):
    """The subject's own part, preparing or checking, failed; the message has the last line of what it said."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a driver told before it ended."""

    acked: frozenset[int]
    issued: frozenset[int]
    synced: int
    """The last number up to which all was said to be durable; -1 if there was none."""

    unheeded: frozenset[int]
    """Those acknowledged after a sync failed by plan and before the next sync of the same file.

    Only if the driver tells by itself: what it reads from a pipe first it tells too late.
    """

    late: bool
    """Whether it was still at work when its time was over, and was killed for that."""

    complaint: str
    """The last line of its standard error."""


class _Memory:
    """A teller whose records are in memory shared by all processes that were forked: nothing waits, nothing is lost."""

    def __init__(self) -> None:
        self.descriptor = os.memfd_create("told")

    def issued(self, number: int) -> None:
        os.write(self.descriptor, _RECORD.pack(b"i", number))

    def acked(self, number: int) -> None:
        os.write(self.descriptor, _RECORD.pack(b"a", number))

    def synced(self, number: int) -> None:
        os.write(self.descriptor, _RECORD.pack(b"s", number))


def sweep_subject(
    subject: Subject,
    fault: Callable[[int], Fault],
    *,
    scratch: Path,
    plan: Plan | None = None,
    points_max: int | None = None,
    seconds: float = 30.0,
) -> Outcome:
    """Drive the subject with ``fault(n)`` for each of its calls that the fault is for; start it again; judge.

    See :class:`SubjectSweep`.
    """
    script = SubjectSweep(subject, scratch=scratch, plan=plan or Plan(count=20), seconds=seconds)
    return swept(script, fault, points_max)


class SubjectSweep(Sweep[Told]):
    """A subject, driven once without a fault and ready to be driven with some.

    Preparing and checking run in processes of their own without faults.  ``seconds`` is for each of the three; a
    driver that hangs is killed and judged by what it told until then, a check that hangs has one more try in three
    times that.  ``sync_seconds`` of the plan is about recorded disks, and not used.  Calls of the run without a fault
    have ``stack_depth`` frames.
    """

    def __init__(self, subject: Subject, *, scratch: Path, plan: Plan, seconds: float, stack_depth: int = 0) -> None:
        """Drives it without a fault."""
        self._subject = subject
        self._plan = plan
        self._seconds = seconds
        self._stack_depth = stack_depth
        self.last: Told | None = None
        """What was told in the last run."""
        super().__init__(self._drive, self._judge, scratch=scratch)

    def _drive(self, directory: Path, faults: tuple[Fault, ...]) -> tuple[Ended, Told]:
        if self._plan.prepared:
            try:
                _apart(lambda: self._subject.prepare(directory), self._seconds)
            except TimeoutError as late:
                raise SubjectFailed(f"{self._subject.name} was not prepared within {self._seconds:g} s") from late
        depth = 0 if faults else self._stack_depth
        ended, told = drive(self._subject, directory, faults, self._plan, self._seconds, stack_depth=depth)
        self.last = told
        return ended, told

    def _judge(self, directory: Path, ended: Ended, told: Told) -> str:
        if not ended.faults and (ended.code or told.late or not told.acked or told.issued - told.acked):
            return f"{BROKEN}: {len(told.acked)} of {self._plan.count} acknowledged; {told.complaint}"
        return judge(self._subject, directory, told, self._seconds)


def drive(
    subject: Subject,
    directory: Path,
    faults: tuple[Fault, ...],
    plan: Plan,
    seconds: float,
    *,
    stack_depth: int = 0,
) -> tuple[Ended, Told]:
    """Run the subject's driver once under these faults."""
    teller = _Memory()
    sizes: list[int] = []
    """How much was told before each call."""
    errors = os.memfd_create("errors")
    late = False

    def body() -> None:
        _complain_to_descriptor()
        os.environ.update(plan.environment)
        subject.drive(directory, range(plan.count), teller)

    try:
        watch = Watch(
            directory,
            faults,
            stack_depth=stack_depth,
            on_call=lambda call: sizes.append(os.fstat(teller.descriptor).st_size),
        )
        with start_function(body, watch, stderr=errors) as program:
            try:
                ended = program.wait(seconds)
            except TimeoutError:
                late = True
                program.kill()
                ended = program.wait(seconds)
        data = _read(teller.descriptor)
        said = _last_line(_read(errors))
    finally:
        os.close(teller.descriptor)
        os.close(errors)
    records = list(_RECORD.iter_unpack(data[: len(data) - len(data) % _RECORD.size]))
    acked = frozenset(number for kind, number in records if kind == b"a")
    issued = frozenset(number for kind, number in records if kind == b"i")
    synced = max((number for kind, number in records if kind == b"s"), default=-1)
    begin, end = (size // _RECORD.size for size in _after_failed_sync(ended, sizes, len(data)))
    unheeded = frozenset(number for kind, number in records[begin:end] if kind == b"a")
    return ended, Told(acked, issued, synced, unheeded, late, said)


def _after_failed_sync(ended: Ended, sizes: list[int], size: int) -> tuple[int, int]:
    """Between which sizes was told what came after a sync failed and before the next of that file; nothing if none."""
    for fault in ended.faults:
        if not isinstance(fault, Fail) or fault in ended.unfired:
            continue
        failed = [call for call in ended.calls if is_for(fault, call)][fault.at - 1]
        if failed.name in SYNCS:
            later = (call for call in ended.calls[failed.index :] if call.name in SYNCS and call.path == failed.path)
            following = next(later, None)
            return sizes[failed.index - 1], size if following is None else sizes[following.index - 1]
    return 0, 0


def judge(subject: Subject, directory: Path, told: Told, seconds: float) -> str:
    """Start the subject on what is there; say what is wrong in words, or nothing."""
    try:
        found = _check(subject, directory, seconds)
    except TimeoutError:
        try:
            found = _check(subject, directory, 3 * seconds)
        except TimeoutError:
            return f"HANG: no answer in {3 * seconds} s"
    if found.refusal:
        return f"NO_START: {found.refusal}"
    if found.wrong:
        return f"CORRUPT: {'; '.join(found.wrong[:_NUMBERS_SHOWN])}"
    if (lost := sorted(told.acked - found.numbers)) and subject.promise is not Promise.NONE:
        may_lose = subject.promise in (Promise.PREFIX, Promise.SYNCED) and lost[0] > told.synced
        shown = ", ".join(map(str, lost[:_NUMBERS_SHOWN])) + (" …" if len(lost) > _NUMBERS_SHOWN else "")
        words = f"{len(lost)} of {len(told.acked)} acknowledged are gone: {shown}"
        return f"{LOST_UNSYNCED if may_lose else 'LOST_ACKED'}: {words}"
    return "REPAIRABLE: it started only after its makers' repair" if found.needed_repair else ""


def _check(subject: Subject, directory: Path, seconds: float) -> Found:
    found = _apart(lambda: subject.check(directory), seconds)
    if not isinstance(found, Found):
        raise TypeError(f"{subject.name}: check returned {type(found).__name__}, not Found")
    return found


def _apart(function: Callable[[], object], seconds: float) -> object:
    """What the function returns in a process of its own.  Raises ``TimeoutError`` or ``SubjectFailed``."""
    answer, errors = os.memfd_create("answer"), os.memfd_create("errors")
    try:

        def program(handshake: socket.socket) -> None:
            handshake.close()
            os.dup2(errors, 2)
            _complain_to_descriptor()
            os.write(answer, pickle.dumps(function()))

        started = launch(program, frozenset())
        try:
            started.begin()
            code = started.wait(seconds)
        finally:
            started.end()
        if code:
            raise SubjectFailed(_last_line(_read(errors)) or f"it ended with {code}")
        return pickle.loads(_read(answer))
    finally:
        os.close(answer)
        os.close(errors)


def _complain_to_descriptor() -> None:
    """In a forked child: whatever stands for standard error in its parent, here it is the descriptor."""
    sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115 - until the end


def _last_line(said: bytes) -> str:
    return said.decode(errors="replace").strip().rpartition("\n")[2]


def _read(descriptor: int) -> bytes:
    size = os.fstat(descriptor).st_size
    if size > _REPORT_BYTES_MAX:
        raise ValueError(f"{size} bytes from a subject's process; at most {_REPORT_BYTES_MAX} are read")
    return os.pread(descriptor, size, 0)
