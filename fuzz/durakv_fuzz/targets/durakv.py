"""durakv itself, as any program: a keyspace on real files, with segments so small that everything happens.

    a third     opened, written, closed
    a third     opened again; a rewrite runs beside the writes, and is waited for
    the rest    another rewrite runs, and the close does not wait for it

The merge of a rewrite is a process of its own, as always.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import durakv
from durakv import BaseFormat, Database, DurakvError, FsyncPolicy, Options
from durakv.keyspace.table import look_up
from durakv_fuzz.program.subject import Found, Plan, Promise, Teller, value_of
from durakv_fuzz.targets.target import found_among, in_words, key_of

look_up(b"scan")
# Commands are imported when they are first asked for: in every forked process anew, if not here.

EVERYSEC_SECONDS = 1.1
"""What C4 calls W: one second, and a tenth for the fsync then under way."""

_SEGMENT_BYTES = 4096
_SYNC_EVERY = 25
"""Under ``no`` a sync is asked for after so many numbers."""
_REWRITE_SECONDS = 0.4
"""Over how long the writes beside a rewrite are spread: about as long as it takes."""
_EVERYSEC_DRIVE_SECONDS = 2.2
"""Over how long as many writes as planned are spread, so that the sync of ``everysec`` comes by itself, twice."""

_CONTRACT = "(specs/01-contract.md)"
_PROMISES = {
    FsyncPolicy.ALWAYS: (Promise.ALWAYS, f"C3: an acknowledged write survives a power loss {_CONTRACT}"),
    FsyncPolicy.EVERYSEC: (
        Promise.WINDOW,
        'C4: "k is at least every number whose bytes were written more than W before the crash; W is one second plus '
        f'the duration of the fsync then under way." {_CONTRACT}',
    ),
    FsyncPolicy.NO: (
        Promise.PREFIX,
        f"C5: what survives is what the first k batches left, and a sync that was asked for is one {_CONTRACT}",
    ),
}


def targets() -> list[Durakv]:
    """Each policy, with either format of bases."""
    return [Durakv(policy, base) for base in BaseFormat for policy in FsyncPolicy]


@dataclass(frozen=True, slots=True)
class Durakv:
    """A keyspace with one policy and one format."""

    policy: FsyncPolicy
    base: BaseFormat
    name: str = "durakv"
    setting: str = field(init=False)
    promise: Promise = field(init=False)
    documented: str = field(init=False)
    window_seconds: float = EVERYSEC_SECONDS
    plan: Plan = field(default=Plan(count=120))

    def __post_init__(self) -> None:
        promise, documented = _PROMISES[self.policy]
        object.__setattr__(self, "setting", self.policy + ("" if self.base is BaseFormat.DKV else f"+{self.base}"))
        object.__setattr__(self, "promise", promise)
        object.__setattr__(self, "documented", documented)

    def missing(self) -> str:
        """Never."""
        return ""

    def versions(self) -> Mapping[str, str]:
        """Of this package."""
        return {"durakv": durakv.__version__}

    def prepare(self, directory: Path) -> None:
        """Open and close it."""
        self.opened(directory).close()

    def drive(self, directory: Path, numbers: range, teller: Teller) -> None:
        """See the module."""
        third = len(numbers) // 3
        with self.opened(directory) as database:
            self._write(database, numbers[:third], teller, 0.0)
        with self.opened(directory) as database:
            database.rewrite(wait=False)
            self._write(database, numbers[third : 2 * third], teller, _REWRITE_SECONDS)
            while database.status().rewriting:
                time.sleep(0.005)
            database.rewrite(wait=False)
            self._write(database, numbers[2 * third :], teller, _REWRITE_SECONDS)

    def check(self, directory: Path) -> Found:
        """Open it as anybody would, and read all keys."""
        try:
            with self.opened(directory) as database:
                return found_among((key, database.get(key) or b"") for key in database.scan_iter())
        except (DurakvError, OSError) as error:
            return Found(refusal=in_words(error))

    def opened(self, directory: Path) -> Database:
        """The keyspace, as every call here opens it."""
        options = Options(fsync=self.policy, segment_bytes=_SEGMENT_BYTES, base_format=self.base, rewrite_percentage=0)
        return durakv.open(directory, options=options)

    def _write(self, database: Database, numbers: range, teller: Teller, seconds: float) -> None:
        if self.policy is FsyncPolicy.EVERYSEC:
            seconds = _EVERYSEC_DRIVE_SECONDS * len(numbers) / self.plan.count
        for number in numbers:
            teller.issued(number)
            database.set(key_of(number), value_of(number))
            teller.acked(number)
            if self.policy is FsyncPolicy.NO and number % _SYNC_EVERY == _SYNC_EVERY - 1:
                database.sync()
                teller.synced(number)
            time.sleep(seconds / len(numbers))
