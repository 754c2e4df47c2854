"""Who called, and from where: the innermost frame that is not the laboratory's own.

    durakv/work.py:81 Work._write

The path begins at the top package (or is the file's own name), so the text is the same on every machine.  The dances
under ``durakv/storage`` count as callers, for their calls are the ones a crash can come between; its implementations
of the door are never under a simulated disk.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from pathlib import Path
from types import CodeType

_OWN = str(Path(__file__).parent)
_ours: dict[CodeType, bool] = {}
_places: dict[CodeType, tuple[str, str]] = {}


def calling_site() -> str:
    """The call that led here from outside of this package; empty if all callers belong to it."""
    frame = sys._getframe(1)
    while True:
        code = frame.f_code
        ours = _ours.get(code)
        if ours is None:
            ours = _ours[code] = code.co_filename.startswith(_OWN)
        if not ours:
            path, function = _place(code)
            return f"{path}:{frame.f_lineno} {function}"
        if frame.f_back is None:
            return ""
        frame = frame.f_back


def calling_task() -> str:
    """The name of this thread, and of the asyncio task in it, if there is one."""
    thread = threading.current_thread().name
    try:
        task = asyncio.current_task()
    except RuntimeError:  # no loop runs in this thread
        return thread
    return thread if task is None else f"{thread}/{task.get_name()}"


def split_site(site: str) -> tuple[str, int, str]:
    """Path, line and function; line 0 if there is none."""
    place, _, function = site.partition(" ")
    path, _, line = place.rpartition(":")
    return (path, int(line), function) if path and line.isdecimal() else (place, 0, function)


def short_path(path: Path) -> str:
    """The path from its top package on; for a module without one, its file name."""
    parts = [path.name]
    folder = path.parent
    while (folder / "__init__.py").exists():
        parts.insert(0, folder.name)
        folder = folder.parent
    return "/".join(parts)


def _place(code: CodeType) -> tuple[str, str]:
    place = _places.get(code)
    if place is None:
        place = _places[code] = short_path(Path(code.co_filename)), code.co_qualname.replace("<locals>.", "")
    return place
