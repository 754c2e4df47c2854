"""What a driver says about its facts: one line of JSON each, on its standard output.

    line := {"began": value} | {"acked": value}      value: strings, numbers, true, false, null, lists of them

A line that was not said to its end is no fact.
"""

from __future__ import annotations

import json
import os
from typing import Any, cast

STDOUT = 1
_NOTHING = object()


def say(*, began: object = _NOTHING, acked: object = _NOTHING) -> None:
    """Tell whoever kills this process a fact: ``say(began=...)`` before the call, ``say(acked=...)`` after it returned.

    By a system call at once: a buffer would die with the process.  Raises TypeError for what JSON has no word for.
    """
    told = {"began": began, "acked": acked}
    lines = [json.dumps({word: _checked(fact)}) + "\n" for word, fact in told.items() if fact is not _NOTHING]
    if not lines:
        raise TypeError("say(began=...) or say(acked=...)")
    data = "".join(lines).encode()
    while data:
        data = data[os.write(STDOUT, data) :]


def understand(line: bytes) -> tuple[str, object]:
    """The word and the fact of a line; raises ValueError if it has none.  Lists come back as tuples."""
    try:
        said: Any = json.loads(line)
    except (ValueError, RecursionError) as failure:
        raise ValueError(f"it is not JSON: {failure}") from failure
    if not isinstance(said, dict) or len(cast(dict[str, Any], said)) != 1:
        raise ValueError('it is neither {"began": ...} nor {"acked": ...}')
    ((word, fact),) = cast(dict[str, Any], said).items()
    if word not in ("began", "acked"):
        raise ValueError(f"{word!r} is neither began nor acked")
    return word, _tuples(fact)


def _checked(fact: object) -> object:
    if isinstance(fact, list | tuple):
        return [_checked(part) for part in cast("list[object]", fact)]
    if fact is None or isinstance(fact, str | int | float):
        return fact
    raise TypeError(f"a fact is made of strings, numbers, None and lists or tuples of them, not {fact!r}")


def _tuples(value: object) -> object:
    if isinstance(value, list):
        return tuple(map(_tuples, cast("list[object]", value)))
    if isinstance(value, dict):
        raise ValueError("an object is no fact")
    return value
