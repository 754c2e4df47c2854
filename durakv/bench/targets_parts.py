"""The targets that need measurements of their own: reading data back, first reads, growth, the start of a program.

Everything runs in fresh processes that take turns.  A part that fails, for want of a server most likely, leaves its
targets unmeasured and says why; the other parts are measured all the same.
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from durakv.bench import targets
from durakv.bench.growth import worst_insert
from durakv.bench.results import Report, Verdict
from durakv.bench.start_up import start_up
from durakv.bench.targets import Target

SERVER = "redis-server"
CLIENT = "redis-cli"
_FIRST_READ = "first read after a lazy open"

Told = Callable[[str, float], None]
"""Called with what is measured now, and the part that is done."""


class Sizes(NamedTuple):
    """How much data, and how many rounds."""

    small_keys: int = 1_000_000
    large_keys: int = 5_000_000
    growth_keys: int = 4_000_000
    rounds: int = 5
    large_rounds: int = 3
    growths: int = 3
    start_ups: int = 25


FULL = Sizes()
QUICK = Sizes(small_keys=100_000, large_keys=250_000, growth_keys=200_000, rounds=3, large_rounds=3, start_ups=15)


class Parts(msgspec.Struct, frozen=True):
    """What was found beside a run."""

    verdicts: tuple[Verdict, ...]
    server_bytes_per_key: float | None = None
    """What redis-server holds in memory for a key of 16 bytes with a value of 100."""


def measure(directory: Path, sizes: Sizes, tell: Told) -> Parts:
    """Measure every part in a scratch directory below ``directory``, which is removed again."""
    scratch = Path(tempfile.mkdtemp(prefix="durakv-targets-", dir=directory.resolve()))
    try:
        return _Parts(scratch, sizes).measure(tell)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def together(report: Report, parts: Parts) -> tuple[Verdict, ...]:
    """The verdicts of a run and of the parts, in the order of the table."""
    found = {verdict.name: verdict for verdict in (*targets.verdicts(report), *parts.verdicts)}
    memory = found[targets.MEMORY_LINE.name]
    if memory.measured is not None and parts.server_bytes_per_key is not None:
        note = f"{memory.note}; {SERVER} {parts.server_bytes_per_key:.0f}"
        found[memory.name] = msgspec.structs.replace(memory, note=note)
    return tuple(found[target.name] for target in targets.TARGETS if target.name in found)


class _Parts:
    """The parts, and what they have found so far."""

    def __init__(self, directory: Path, sizes: Sizes) -> None:
        self._directory = directory
        self._sizes = sizes
        self._found: list[Verdict] = []
        self._server_bytes_per_key: float | None = None

    def measure(self, tell: Told) -> Parts:
        """Go through them."""
        read_back = (targets.REPLAY, targets.LOAD_SMALL, targets.SAVE_COMPRESSED, targets.SAVE_PLAIN)
        parts: list[tuple[str, Sequence[Target], Callable[[], None]]] = [
            ("start-up", (targets.START_UP,), self._start_up),
            ("growth", (targets.WORST_INSERT,), self._growth),
            ("log replay, snapshot load and save", read_back, self._read_back),
            ("a large snapshot", (targets.LOAD_LARGE, targets.LAZY_OPEN), self._read_back_much),
        ]
        for number, (title, rows, part) in enumerate(parts):
            tell(title, number / len(parts))
            try:
                part()
            except Exception as failure:  # noqa: BLE001 - whatever it is, the other parts are measured
                self._refuse(rows, str(failure) or type(failure).__name__)
        order = [target.name for target in targets.TARGETS]
        self._found.sort(key=lambda verdict: order.index(verdict.name))
        return Parts(tuple(self._found), self._server_bytes_per_key)

    def _refuse(self, rows: Sequence[Target], reason: str) -> None:
        decided = {verdict.name for verdict in self._found}
        note = " ".join(reason.split())
        self._found += [row.verdict(None, note=note) for row in rows if row.name not in decided]

    # --- programs -------------------------------------------------------------------------------------------------

    def _start_up(self) -> None:
        found = start_up(self._directory, self._sizes.start_ups)
        against = f"an empty program of {found.empty_ms:.0f} ms"
        self._found.append(targets.START_UP.verdict(found.difference_ms, against=against))

    def _growth(self) -> None:
        grown = [worst_insert(self._directory, self._sizes.growth_keys) for _ in range(self._sizes.growths)]
        # Each is an upper bound, for a stall of the machine counts as well; the lowest bound says the most.
        best = min(grown, key=lambda one: one.worst_ms)
        against = f"{best.keys:,} keys, the least of {len(grown)} processes"
        note = f"of that, the processor worked {min(one.worst_work_ms for one in grown):.1f} ms"
        self._found.append(targets.WORST_INSERT.verdict(best.worst_ms, against=against, note=note))

    # --- data read back -------------------------------------------------------------------------------------------

    def _read_back(self) -> None:
        keys = self._sizes.small_keys
        load_side = _load_side()
        folder = self._directory / "small"
        runs = load_side.LoadSide(folder, keys, server=SERVER).contestants()
        taken = load_side.take_turns(runs, self._sizes.rounds)
        for target, ours, theirs in (
            (targets.REPLAY, load_side.LOG, load_side.SERVER_LOG),
            (targets.LOAD_SMALL, load_side.BASE, load_side.SERVER_BASE),
            (targets.SAVE_COMPRESSED, load_side.SAVE, load_side.SERVER_SAVE),
            (targets.SAVE_PLAIN, load_side.SAVE, load_side.SERVER_SAVE_PLAIN),
        ):
            self._found.append(_faster(target, taken[ours], taken[theirs], keys))
        self._server_bytes_per_key = server_bytes_per_key(folder / "server-rdb", keys)
        shutil.rmtree(folder)

    def _read_back_much(self) -> None:
        keys = self._sizes.large_keys
        load_side = _load_side()
        lazy_open: Any = import_module("durakv.bench.lazy_open")
        folder = self._directory / "large"
        all_runs = load_side.LoadSide(folder, keys, server=SERVER).contestants(log=False)

        def first_read() -> Any:
            return load_side.Sample(lazy_open.measure(folder / "base", keys).first_read_seconds, keys, 0)

        runs = {name: all_runs[name] for name in (load_side.BASE, load_side.SERVER_BASE)} | {_FIRST_READ: first_read}
        taken = load_side.take_turns(runs, self._sizes.large_rounds)
        server = taken[load_side.SERVER_BASE]
        self._found.append(_faster(targets.LOAD_LARGE, taken[load_side.BASE], server, keys))
        reads = [sample.seconds for sample in taken[_FIRST_READ]]
        share = statistics.median(read / start.seconds for read, start in zip(reads, server, strict=True))
        note = f"{1e3 * statistics.median(reads):.1f} ms"
        self._found.append(targets.LAZY_OPEN.verdict(share, against=_compared(server, keys), note=note))
        shutil.rmtree(folder)


def _load_side() -> Any:
    if shutil.which(SERVER) is None or shutil.which(CLIENT) is None:
        raise FileNotFoundError(f"{SERVER} and {CLIENT} are not on this machine: there is nothing to compare with")
    return import_module("durakv.bench.load_side")


def _faster(target: Target, ours: Sequence[Any], theirs: Sequence[Any], keys: int) -> Verdict:
    """How many times as fast ours is, in the median of the rounds."""
    measured = statistics.median(their.seconds / our.seconds for our, their in zip(ours, theirs, strict=True))
    note = f"{keys / statistics.median(our.seconds for our in ours) / 1e6:.2f} M keys a second"
    return target.verdict(measured, against=_compared(theirs, keys), note=note)


def _compared(theirs: Sequence[Any], keys: int) -> str:
    return f"{SERVER}, {keys:,} keys in {statistics.median(one.seconds for one in theirs):.2f} s"


def server_bytes_per_key(folder: Path, keys: int) -> float:
    """What a server that has loaded the folder's ``dump.rdb`` holds for a key, beyond what an empty one holds."""
    stock_loader: Any = import_module("durakv.bench.stock_loader")
    with stock_loader.StockLoader(SERVER, folder, appendonly=False) as server:
        server.loaded_seconds()
        told = subprocess.run(
            [CLIENT, "-s", "socket", "INFO", "memory"], cwd=folder, check=True, capture_output=True, text=True
        ).stdout
    facts = dict(line.split(":", 1) for line in told.splitlines() if ":" in line)
    return (int(facts["used_memory"]) - int(facts["used_memory_startup"])) / keys
