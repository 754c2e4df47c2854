"""What a campaign saw, as plain data: for reports, for surveys, and for whoever compares two of them."""

from __future__ import annotations

import os
import platform
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from durakv_fuzz.program.oracle import WORST_FIRST, Verdict
from durakv_fuzz.program.subject import Promise, Subject

FORMAT = "durakv-programs"
VERSION = 1
TIERS = ("killed", "ordered", "posix", "ext4", "xfs", "btrfs")
"""The kinds of disk, the mildest model first, then the real ones."""


class BadReport(ValueError):
    """The file is no report of programs, or a damaged one; the message says why."""


class TimelineRow(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """One line of what happened around a crash."""

    kind: str
    """``call``, ``barrier``, ``note`` (what was said), ``gap`` (calls not shown), ``crash``, ``later`` (never came)."""

    what: str
    seq: int = -1
    """In the trace: where a call began."""
    end: int = -1
    """Where it returned; -1 if it had not when the crash came."""
    fate: str = ""
    """What became of it: ``settled``, ``kept``, ``torn``, ``lost``, ``unnamed``; in flight: ``under way``, and that."""
    task: str = ""
    """The program and its thread."""
    site: str = ""
    """Where in the program's source; empty if that was not recorded."""


class SeenFinding(msgspec.Struct, forbid_unknown_fields=True):
    """One state in which a promise was not kept, told for people."""

    verdict: str
    reason: str
    tier: str
    life: str
    """``first``, ``recovery`` (crashed again while it started) or ``second`` (after it had gone on)."""

    prepared: bool
    """Whether the store was there, durable, before the run; if not, its creation was crashed too."""

    crash_seq: int
    story: list[str]
    """The witness, then what the crash decided."""

    artefact: str = ""
    """The name of the file that replays it."""

    witness: str = ""
    """In one sentence: what was lost, and what came later and survived; empty where none was found."""

    settled_by: str = ""
    """In one sentence: after which barrier no crash takes what was lost."""

    roles: dict[str, str] = msgspec.field(default_factory=dict[str, str])
    """What the files of the witness are for, by their paths."""

    timeline: list[TimelineRow] = msgspec.field(default_factory=list[TimelineRow])
    """What happened around the crash; of a real file system nothing, for its device knows no calls."""


class Seen(msgspec.Struct, forbid_unknown_fields=True):
    """One program with one setting, on the disks it was tried on."""

    program: str
    setting: str
    promise: str
    documented: str
    versions: dict[str, str]
    missing: str = ""
    """Why it was not run; then the rest is empty."""

    verdicts: dict[str, dict[str, int]] = msgspec.field(default_factory=dict[str, dict[str, int]])
    """By tier; the sum of one tier is the number of distinct states there."""

    losses: dict[str, tuple[int, int]] = msgspec.field(default_factory=dict[str, tuple[int, int]])
    """By tier: in how many states acknowledged numbers were gone, promised or not, and how many at most."""

    lives: dict[str, int] = msgspec.field(default_factory=dict[str, int])
    seconds: dict[str, float] = msgspec.field(default_factory=dict[str, float])
    """By disk: how long its campaign took, from the first record to the last verdict."""

    rates: dict[str, float] = msgspec.field(default_factory=dict[str, float])
    """By disk: distinct states a second."""

    findings: list[SeenFinding] = msgspec.field(default_factory=list[SeenFinding])
    skipped: dict[str, str] = msgspec.field(default_factory=dict[str, str])
    """Tiers that could not be used here, and why."""

    @classmethod
    def of(cls, subject: Subject) -> Seen:
        """Nothing seen yet."""
        missing = subject.missing()
        versions = {} if missing else dict(subject.versions())
        return cls(subject.name, subject.setting, str(subject.promise), subject.documented, versions, missing)

    @property
    def states(self) -> int:
        """Distinct crash states that were judged."""
        return sum(sum(counts.values()) for counts in self.verdicts.values())

    @property
    def violations(self) -> int:
        """States in which the promise was not kept; where nothing is promised, states that are worth telling."""
        return self.states - sum(counts.get(Verdict.KEPT, 0) for counts in self.verdicts.values())

    @property
    def is_broken(self) -> bool:
        """Whether something was promised and not kept."""
        return self.violations > 0 and self.promise != Promise.NONE

    def add(
        self,
        verdicts: Mapping[tuple[str, Verdict], int],
        losses: Mapping[str, tuple[int, int]],
        lives: Mapping[str, int],
        disk: str,
        seconds: float,
        findings: Iterable[SeenFinding],
    ) -> None:
        """Add what one campaign saw on that disk."""
        self.seconds[disk] = seconds
        self.rates[disk] = sum(verdicts.values()) / seconds if seconds else 0.0
        for (tier, verdict), count in verdicts.items():
            counts = self.verdicts.setdefault(tier, {})
            counts[str(verdict)] = counts.get(str(verdict), 0) + count
        for tier, (states, most) in losses.items():
            before = self.losses.get(tier, (0, 0))
            self.losses[tier] = before[0] + states, max(before[1], most)
        self.lives = dict(Counter(self.lives) + Counter(lives))
        self.findings += findings

    def worst(self, tier: str) -> Verdict | None:
        """The worst verdict on that kind of disk; None if it was not tried there."""
        counts = self.verdicts.get(tier)
        if not counts:
            return None
        return next(verdict for verdict in WORST_FIRST if counts.get(verdict))


class _Head(msgspec.Struct):
    """What every version begins with."""

    format: str
    version: int


class Report(msgspec.Struct, forbid_unknown_fields=True):
    """Several of them, of one machine."""

    format: str
    version: int
    date: str
    """In UTC, ISO 8601."""

    machine: str
    seen: list[Seen]

    @classmethod
    def of(cls, seen: Sequence[Seen]) -> Report:
        """As of now, on this machine."""
        system = platform.uname()
        machine = f"{system.system} {system.release} {system.machine}, Python {platform.python_version()}"
        return cls(FORMAT, VERSION, datetime.now(UTC).isoformat(timespec="seconds"), machine, list(seen))

    def save(self, path: Path) -> None:
        """Write it as JSON; whoever is interrupted leaves what was there before."""
        whole = path.with_name(f"{path.name}.new")
        with whole.open("wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        whole.replace(path)

    @classmethod
    def load(cls, path: Path) -> Report:
        """Read one; raises :class:`BadReport` with the path."""
        try:
            content = path.read_bytes()
            head = msgspec.json.decode(content, type=_Head)
            if (head.format, head.version) != (FORMAT, VERSION):
                raise BadReport(f"{path}: it is {head.format!r} {head.version}, not {FORMAT!r} {VERSION}")
            return msgspec.json.decode(content, type=cls)
        except (msgspec.MsgspecError, UnicodeDecodeError) as cause:
            raise BadReport(f"{path}: it is no report of programs, or a damaged one: {cause}") from cause
