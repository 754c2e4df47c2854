"""A broken promise, seen again: from the file that a campaign wrote."""

from __future__ import annotations

import re
import shlex
import tempfile
from pathlib import Path

from durakv_fuzz.choose import Recorded
from durakv_fuzz.model import Model
from durakv_fuzz.program.artefact import BadArtefact, Crashed, load, unpack
from durakv_fuzz.program.calls import CallFailed, CallHung, call
from durakv_fuzz.program.commands import CommandSubject
from durakv_fuzz.program.oracle import Judgement, Told, Verdict, judge
from durakv_fuzz.program.saved_files import Saves, files_of, judged
from durakv_fuzz.program.subject import Found, Subject
from durakv_fuzz.targets import find
from durakv_fuzz.timeline import Timeline
from durakv_fuzz.trace_file import BadTraceFile, load_trace
from durakv_fuzz.tree_model import crash_tree


def replay(path: Path, *, seconds: float = 60.0) -> Judgement:
    """Start the program on the state again, in a temporary directory, and judge what it shows.

    A program that only saves files is not started: the files are made again from the trace.  Raises
    :class:`BadArtefact`, also if the program cannot be run here.
    """
    crashed, state, trace = load(path)
    if crashed.command and "check" not in crashed.command:
        return _look(crashed, trace, path)
    subject = _subject_of(crashed, path)
    if reason := subject.missing():
        raise BadArtefact(f"{path}: {crashed.program} cannot be run here: {reason}")
    told = Told(frozenset(crashed.acked), frozenset(crashed.owed), crashed.issued_max)
    with tempfile.TemporaryDirectory(prefix="durakv-replay-") as name:
        directory = Path(name)
        unpack(state, directory, path)
        try:
            found = call(lambda: subject.check(directory), seconds)
        except CallHung:
            return Judgement(Verdict.HANG, f"it gave no answer within {seconds:g} s")
        except CallFailed as failure:
            found = Found(refusal=str(failure))
    return judge(told, found, crashed.promise)


def _look(crashed: Crashed, trace: bytes, path: Path) -> Judgement:
    if not trace:
        raise BadArtefact(f"{path}: on {crashed.tier} no trace was kept; look at its state.tar")
    try:
        timeline, model = Timeline(load_trace(trace, str(path))), Model(crashed.model)
    except BadTraceFile as error:
        raise BadArtefact(str(error)) from error
    except ValueError as error:
        raise BadArtefact(f"{path}: {error}") from error
    if not 0 <= crashed.crash_seq <= timeline.trace.seq:
        raise BadArtefact(f"{path}: the crash at {crashed.crash_seq} is not in its trace")
    tree = crash_tree(timeline, crashed.crash_seq, Recorded(crashed.answers), model=model)
    return judged(Saves.of(timeline).judge(len(crashed.acked), files_of(tree)))


def _subject_of(crashed: Crashed, path: Path) -> Subject:
    words = crashed.command
    if not words:
        try:
            return find(crashed.program, crashed.setting)
        except LookupError as error:
            raise BadArtefact(f"{path}: {error}") from error
    try:
        return CommandSubject(
            argv=tuple(shlex.split(words["argv"])),
            ready=re.compile(words["ready"]) if "ready" in words else None,
            driver=words.get("driver", ""),
            checker=words["check"],
            promise=crashed.promise,
        )
    except (ValueError, KeyError, re.error) as error:
        raise BadArtefact(f"{path}: its command makes no sense: {error}") from error
