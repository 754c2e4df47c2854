"""What the kernel knows of a process: the bytes that it made dirty or wrote, and the memory that it holds."""

from __future__ import annotations

import os
from pathlib import Path

from durakv.bench.results import Counters


class Process:
    """One process, watched from now on.  What the system does not tell, or not of this process, is None."""

    def __init__(self, pid: int) -> None:
        self._place = Path("/proc", str(pid))
        self._before = self._write_bytes()

    def counters(self) -> Counters:
        """Totals since the watch began, and the memory held now."""
        now = self._write_bytes()
        written = None if now is None or self._before is None else now - self._before
        return Counters(user_bytes=0, process_write_bytes=written, rss_bytes=self._rss_bytes())

    def _write_bytes(self) -> int | None:
        try:
            lines = (self._place / "io").read_text().splitlines()
        except OSError:
            return None
        return next((int(line.split()[1]) for line in lines if line.startswith("write_bytes:")), None)

    def _rss_bytes(self) -> int | None:
        try:
            return int((self._place / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        except OSError:
            return None
