"""Programs that only save files, as subjects of a campaign: nothing is configured, the files themselves are judged.

A version of a file is what it held when it got its name by a rename, when it was about to be cut to be written anew,
when the program printed a line, and at the end.  Which versions there were is known from a run in memory; a run on a
real file system is compared with that, so a program has to save the same each time.

A line is read a moment after it was printed, when the program may be at its next save already.  So it acknowledges at
most one more version of each file; what was written under its final name counts from the next line on.  The program's
end acknowledges all.
"""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from durakv_fuzz.choose import kindest
from durakv_fuzz.model import Model
from durakv_fuzz.program.calls import CallFailed, CallHung, call
from durakv_fuzz.program.campaign import CannotRecord
from durakv_fuzz.program.disks import Crash, Run
from durakv_fuzz.program.files import Complaint, Damage, FilesSubject, Version, acknowledged, counted, judge_files
from durakv_fuzz.program.interrupts import admit
from durakv_fuzz.program.memory_disk import TreeRun
from durakv_fuzz.program.oracle import ACKED, KEPT, Judgement, Told, Verdict
from durakv_fuzz.program.subject import Found, Plan, Promise, Subject, Teller
from durakv_fuzz.timeline import Timeline
from durakv_fuzz.trace import Kind
from durakv_fuzz.tree import NodeKind, Tree
from durakv_fuzz.tree_model import crash_tree

_VERDICTS = {
    Damage.MISSING: Verdict.LOST_ACKED,
    Damage.LOST: Verdict.LOST_ACKED,
    Damage.EMPTY: Verdict.CORRUPT,
    Damage.TORN: Verdict.CORRUPT,
    Damage.REPORTED: Verdict.NO_START,
}


@dataclass(frozen=True, slots=True)
class Saves:
    """What a program saved in one run."""

    versions: Mapping[str, Sequence[Version]]
    acked: Sequence[Mapping[str, int]]
    """After so many lines: for each path the last version that was acknowledged, or -1."""

    def judge(self, lines: int, content: Mapping[str, bytes]) -> list[Complaint]:
        """Compare with what there is after a crash before which so many lines had been printed."""
        return judge_files(self.versions, self.acked[min(lines, len(self.acked) - 1)], content)

    @classmethod
    def of(cls, timeline: Timeline) -> Saves:
        """Read them off a run."""
        trace = timeline.trace
        versions: dict[str, list[Version]] = {}
        for position, renamed in _points(timeline):
            for path, content in files_of(_seen(timeline, position)).items():
                known = versions.setdefault(path, [])
                if not known or known[-1].content != content:
                    by_rename = path in renamed
                    known.append(Version(content, position - 1 if by_rename else position, by_rename))
        told = [note.seq for note in trace.notes if note.kind == ACKED]
        kept = counted(versions, files_of(_seen(timeline, trace.seq)))
        acked = [dict.fromkeys(kept, -1)]
        for position in told[:-1]:
            done = acknowledged(kept, position)
            acked.append({path: min(done[path], last + 1) for path, last in acked[-1].items()})
        if told:
            acked.append(acknowledged(kept, trace.seq + 1))
        return cls(kept, acked)


class SavedFiles:
    """A program by its command line; satisfies ``Subject``, and ``start`` is how a campaign judges it."""

    promise = Promise.ALWAYS
    documented = (
        "in other words: each line that it prints, and its end with status 0, says that what was saved before is kept"
    )
    setting = ""
    window_seconds = 0.0

    def __init__(self, argv: Sequence[str], check_argv: Sequence[str] = ()) -> None:
        self._files = FilesSubject(tuple(argv), tuple(check_argv))
        self.name = next((Path(part).name for part in argv if part.endswith((".py", ".sh"))), Path(argv[0]).name)
        self.plan = Plan(count=1, prepared=False)
        self._saves: tuple[Run, Saves] | None = None

    def missing(self) -> str:
        """See :class:`Subject`."""
        command = self._files.argv[0]
        return "" if shutil.which(command) else f"{command}: there is no such command"

    def versions(self) -> Mapping[str, str]:
        """See :class:`Subject`."""
        return {self.name: shlex.join(self._files.argv)}

    def prepare(self, directory: Path) -> None:
        """See :class:`Subject`: it begins with an empty directory."""

    def drive(self, directory: Path, numbers: range, teller: Teller) -> None:
        """See :class:`Subject`; the numbers are those of its lines."""
        lines = iter(range(1 << 30))
        self._files.run(directory, lambda: teller.acked(next(lines)))

    def check(self, directory: Path) -> Found:
        """See :class:`Subject`; what is found are files, and ``start`` judges them."""
        complaint = self._files.reported(directory)
        return Found(refusal=f"its check says of what it saved: {complaint.words}" if complaint else "")

    def start(
        self, subject: Subject, run: Run, crash: Crash, told: Told, seconds: float
    ) -> tuple[Found | None, Judgement]:
        """Look at the files that the crash left."""
        admit()
        saves = self._saves_of(run)
        if saves is None:
            raise CannotRecord(f"{self.name} has to be recorded in memory first: nobody knows what it saves")
        with run.serve(crash) as directory:
            content = {path: data for path in saves.versions if (data := _read(directory / path)) is not None}
            complaints = saves.judge(len(told.acked), content)
            # Damage that the program reports is no surprise for its user; a save that is gone stays one.
            if all(one.damage not in _LOSSES for one in complaints) and self._reports(directory, seconds):
                complaints = []
        return None, judged(complaints)

    def _reports(self, directory: Path, seconds: float) -> bool:
        """Whether its own check, if it has one, says that something is wrong."""
        try:
            return call(lambda: self._files.reported(directory), seconds) is not None
        except (CallFailed, CallHung):
            return True

    def _saves_of(self, run: Run) -> Saves | None:
        if isinstance(run, TreeRun) and (self._saves is None or self._saves[0] is not run):
            self._saves = run, Saves.of(run.played())
        return self._saves[1] if self._saves is not None else None


_LOSSES = frozenset({Damage.MISSING, Damage.LOST})


def judged(complaints: Sequence[Complaint]) -> Judgement:
    """The worst of them."""
    if not complaints:
        return KEPT
    worst = min(complaints, key=lambda one: list(Damage).index(one.damage))
    more = f", and {len(complaints) - 1} more" if len(complaints) > 1 else ""
    return Judgement(_VERDICTS[worst.damage], f"{worst.path}: {worst.words}{more}")


def _points(timeline: Timeline) -> Iterator[tuple[int, frozenset[str]]]:
    """Where in the run versions are, rising; with the paths that a rename made there."""
    points: dict[int, frozenset[str]] = {}
    for operation in timeline.trace.operations:
        if operation.kind in (Kind.RENAME, Kind.LINK, Kind.EXCHANGE):
            words = timeline.describe(operation)
            points[operation.end + 1] = frozenset({words.rpartition(" -> ")[2]})
        elif operation.kind is Kind.TRUNCATE:
            points.setdefault(operation.start, frozenset())
    for note in timeline.trace.notes:
        if note.kind == ACKED:
            points.setdefault(note.seq, frozenset())
    points.setdefault(timeline.trace.seq, frozenset())
    yield from sorted(points.items())


def _seen(timeline: Timeline, position: int) -> Tree:
    """What programs saw at that point."""
    return crash_tree(timeline, position, kindest, model=Model.PROCESS_CRASH)


def files_of(tree: Tree) -> dict[str, bytes]:
    """The content of each file, by its path."""
    nodes = tree.nodes
    return {
        path: bytes(nodes[number].data) for path, number in tree.paths().items() if nodes[number].kind is NodeKind.FILE
    }


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except IsADirectoryError:
        return os.fsencode(path)
