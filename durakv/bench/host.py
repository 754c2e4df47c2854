"""What ran the benchmark: processor, memory, Python."""

from __future__ import annotations

import contextlib
import os
import platform
from pathlib import Path

from durakv.bench.results import Machine


def machine(versions: dict[str, str]) -> Machine:
    """This machine, with the versions of what was measured on it."""
    return Machine(
        platform=platform.platform(),
        processor=_processor(),
        cores=len(os.sched_getaffinity(0)),
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        python=f"{platform.python_implementation()} {platform.python_version()}",
        versions=versions,
    )


def _processor() -> str:
    named = ""
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
        named = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return named or platform.processor() or platform.machine()
