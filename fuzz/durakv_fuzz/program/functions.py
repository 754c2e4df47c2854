"""Drivers and checkers that are Python functions, named ``package.module:function`` or ``file.py:function``.

    def drive(directory: Path, numbers: range, teller: Teller) -> None
    def check(directory: Path) -> Found | Iterable[int]

What they raise is an error of theirs, and no refusal of the program: that is ``Found(refusal=...)``.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import cast

from durakv_fuzz.program.subject import Found

_NAMED = re.compile(r"([^\s:][^\n:]*):([A-Za-z_]\w*)")
_MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


class FunctionError(Exception):
    """There is no such function; says where it was looked for."""


def is_function(named: str) -> bool:
    """Whether this names a function and not a command."""
    match = _NAMED.fullmatch(named)
    return match is not None and (match[1].endswith(".py") or _MODULE.fullmatch(match[1]) is not None)


def load_function(named: str) -> Callable[..., object]:
    """Import it; raises ``FunctionError``, or whatever importing it raises."""
    match = _NAMED.fullmatch(named)
    if match is None:
        raise FunctionError(f"{named!r}: name a function as module:function or file.py:function")
    where, name = match[1], match[2]
    if where.endswith(".py"):
        path = Path(where).absolute()
        if not path.is_file():
            raise FunctionError(f"{path}: there is no such file")
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None, "a file has a place"
        assert spec.loader is not None, "one that ends in .py has a loader"
        module = importlib.util.module_from_spec(spec)
        sys.modules.setdefault(path.stem, module)  # what dataclasses and pickles of the file look themselves up in
        spec.loader.exec_module(module)
    else:
        try:
            module = importlib.import_module(where)
        except ModuleNotFoundError as error:
            raise FunctionError(f"{named!r}: {error}") from error
    function = getattr(module, name, None)
    if not callable(function):
        raise FunctionError(f"{where} has no function {name!r}")
    loaded: Callable[..., object] = function
    return loaded


def as_found(answer: object, named: str) -> Found:
    """What a checker returned; ``FunctionError`` if it is neither a ``Found`` nor numbers."""
    if isinstance(answer, Found):
        return answer
    numbers = list(cast("Iterable[object]", answer)) if isinstance(answer, Iterable) else [answer]
    for number in numbers:
        if not isinstance(number, int) or isinstance(number, bool) or number < 0:
            raise FunctionError(f"{named} has to return Found or numbers from 0, and there was {number!r:.60}")
    return Found(frozenset(cast("list[int]", numbers)))
