"""Real processes on real files, killed with SIGKILL again and again; what they said before is all that counts.

Each life runs ``argv`` on the directory that the lives before it left.  It is killed after so many lines, some time
after a line, or some time after it was started, wherever it then is.  Every so often the directory is a new one.
"""

from __future__ import annotations

import contextlib
import os
import random
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from durakv.durability import Durability
from durakv_fuzz.program import child
from durakv_fuzz.quiet import quiet
from durakv_fuzz.service.saying import understand
from durakv_fuzz.service.subject import Acked, Began, Facts, Word, facts_of
from durakv_fuzz.service.violation import Violation, tell_facts, tell_failure

PATIENCE_SECONDS = 60.0
"""How long a driver may be silent before it is taken to hang."""

_LIVES_PER_DIRECTORY = (5, 15)
_LINES_MAX = 60
_DELAY_SECONDS_MAX = 0.02
"""About as long as some writes take with their syncs."""
_STARTUP_SECONDS = 0.2
"""What a start is taken to last until one was measured."""
_SHOWN_LINES = 12
_SHOWN_BYTES = 200

CheckFiles = Callable[[Path, Facts], None]


class BadDriver(RuntimeError):
    """A driver could not do its work, or said what means nothing; nothing is known about crashes yet."""


@dataclass(slots=True)
class Killed:
    """What a campaign of kills did; a broken promise is raised."""

    seed: int
    points: int = 0
    """How many lives were checked."""
    kills: int = 0
    """How many of them were killed; the others came to an end of their own."""
    silent: int = 0
    """How many were killed before they said anything."""
    facts: int = 0
    """How many acknowledgements were looked for, each in the life that was told it."""
    directories: int = 0
    seconds: float = 0.0

    def lines(self) -> Iterator[str]:
        """For people."""
        yield (
            f"{self.kills:,} of {self.points:,} lives killed with SIGKILL (seed {self.seed}), {self.silent:,} of them "
            f"before their first word, in {self.directories:,} directories; {self.facts:,} acknowledgements, "
            f"no broken promise, in {self.seconds:.1f} s"
        )


def kill(
    argv: Sequence[str],
    check: CheckFiles,
    *,
    points: int = 200,
    seed: int = 0,
    directory: str | os.PathLike[str],
    patience_seconds: float = PATIENCE_SECONDS,
) -> Killed:
    """Run ``argv`` with a directory as its last argument, kill it, check what is left; so many times.

    The first life makes the directory, if it lives to do so.  The driver uses :func:`say`, and goes on until it is
    killed; should it end by itself, its status has to be 0.  All that it says is acknowledged has to survive.

    ``check`` opens the directory, which is the real one, and closes it again; an exception is a broken promise, and
    raised as :class:`Violation`.  Directories are made inside of ``directory``; the one of a broken promise stays.

    Raises :class:`BadDriver`, also for a driver that says nothing for ``patience_seconds``.
    """
    outcome = Killed(seed)
    source = random.Random(f"{seed}/kill")
    root = Path(directory)
    root.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    startup = _STARTUP_SECONDS
    while outcome.points < points:
        home = root / f"killed-{seed}-{outcome.directories}"
        if home.exists():
            raise BadDriver(f"{home} is left from an earlier campaign: remove it, or name another directory")
        outcome.directories += 1
        words: list[Word] = []
        for _ in range(min(source.randint(*_LIVES_PER_DIRECTORY), points - outcome.points)):
            life = _Life([*argv, str(home)], _draw(source, startup, outcome.points), patience_seconds)
            life.live()
            words += life.words
            outcome.points += 1
            outcome.kills += life.killed
            outcome.silent += life.killed and not life.words
            outcome.facts += sum(isinstance(word, Acked) for word in life.words)
            startup = life.startup or startup
            _check(check, home, words, life, outcome)
        shutil.rmtree(
            home, ignore_errors=True
        )  # what cannot be removed is in nobody's way: the next one has a new name
    outcome.seconds = time.monotonic() - started
    return outcome


def _check(check: CheckFiles, home: Path, words: list[Word], life: _Life, outcome: Killed) -> None:
    facts = facts_of(words, power=False)
    try:
        with quiet():
            check(home, facts)
    except Exception as failure:
        raise Violation(
            [
                tell_failure(failure),
                f"found in life {outcome.points} of seed {outcome.seed}; the files are in {home}",
                f"it was killed {life.moment}" if life.killed else "it had ended by itself",
                *(f"  {line}" for line in life.last_words()),
                *tell_facts(facts.acked, facts.began),
            ]
        ) from failure


@dataclass(frozen=True, slots=True)
class _Moment:
    """When to kill: so many lines after the start, and so long after that."""

    lines: int
    seconds: float

    def __str__(self) -> str:
        after = f"after {self.lines} lines" if self.lines else "after the start"
        return f"{self.seconds * 1000:.1f} ms {after}"


def _draw(source: random.Random, startup: float, point: int) -> _Moment:
    """One life in five is killed around its start, most of which is no concern of ours: at its end it opens."""
    if point % 5 == 2:
        return _Moment(0, startup * source.uniform(0.3, 1.2))
    delay = source.random() ** 2 * _DELAY_SECONDS_MAX if source.random() < 0.5 else 0.0
    return _Moment(int(_LINES_MAX ** source.random()), delay)


class _Life:
    """One life of a driver."""

    def __init__(self, argv: Sequence[str], moment: _Moment, patience_seconds: float) -> None:
        self.moment = moment
        self.words: list[Word] = []
        self.killed = False
        self.startup: float | None = None
        """How long it took to its first line."""
        self._argv = argv
        self._patience_seconds = patience_seconds
        self._lines: list[bytes] = []
        self._waiting = b""

    def live(self) -> None:
        """Start it, kill it, and hear what it said until then."""
        started = time.monotonic()
        try:
            process = child.spawn(self._argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        except OSError as failure:
            raise BadDriver(f"{self._argv[0]} cannot be started: {failure}") from failure
        try:
            stdout, stderr = child.outputs(process)
            complaint = child.Tail(stderr)
            self._listen(stdout.fileno(), started)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            while self._hear(stdout.fileno()):
                pass
            status = process.wait()
            self.killed = status == -signal.SIGKILL
            if status and not self.killed:
                raise BadDriver(f"the driver ended with status {status}: {complaint.last_words()}")
        finally:
            child.kill(process)
        self.words = [self._understood(number, line) for number, line in enumerate(self._lines, 1)]

    def last_words(self) -> list[str]:
        """The last lines that it said."""
        return [line.decode(errors="backslashreplace") for line in self._lines[-_SHOWN_LINES:]]

    def _listen(self, pipe: int, started: float) -> None:
        """Until the moment has come, or it says nothing more."""
        while len(self._lines) < self.moment.lines:
            if not self._hear(pipe):
                return
            if self.startup is None and self._lines:
                self.startup = time.monotonic() - started
        end = time.monotonic() + self.moment.seconds
        while (left := end - time.monotonic()) > 0:
            if select.select([pipe], [], [], left)[0] and not self._hear(pipe):
                return

    def _hear(self, pipe: int) -> bool:
        """Read what there is, or what comes; False at the end of it."""
        if not select.select([pipe], [], [], self._patience_seconds)[0]:
            raise BadDriver(f"the driver said nothing for {self._patience_seconds:.0f} s")
        data = os.read(pipe, 1 << 16)
        *lines, self._waiting = (self._waiting + data).split(b"\n")
        self._lines += lines
        return bool(data)

    def _understood(self, number: int, line: bytes) -> Word:
        try:
            word, fact = understand(line)
        except ValueError as failure:
            text = line[:_SHOWN_BYTES].decode(errors="backslashreplace")
            raise BadDriver(f"line {number} of the driver is no fact: {failure}: {text!r}") from failure
        return Began(fact) if word == "began" else Acked(fact, Durability.WRITTEN)
