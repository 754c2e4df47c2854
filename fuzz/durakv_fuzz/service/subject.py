"""What is handed in, and the facts: what callers were told, and which of it counts after a crash."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

from durakv.clock import ManualClock
from durakv.durability import Durability
from durakv.storage.filesystem import Filesystem
from durakv_fuzz.embedder.subject import BadSubject


@dataclass(frozen=True, slots=True)
class Began:
    """A caller asked for it: from now on it may show."""

    fact: object


@dataclass(frozen=True, slots=True)
class Acked:
    """A caller was told that it is done, at this level."""

    fact: object
    level: Durability


Word: TypeAlias = Began | Acked


class Told:
    """What callers were told; handed to ``drive``.

    Facts are values of the service's own: strings, numbers, tuples of them.  They are compared and counted, so they
    have to be hashable.
    """

    def __init__(self, hear: Callable[[Word], None]) -> None:
        self._hear = hear

    def began(self, fact: object) -> None:
        """From now on this may show, though nobody was told that it is done.  Say it before the call that does it."""
        self._hear(Began(_checked(fact)))

    def acked(self, fact: object, level: Durability = Durability.SYNCED) -> None:
        """It is done, and must survive whatever that level survives.  Say it when the call has returned.

        SYNCED survives every crash, WRITTEN the death of the process, APPLIED none.
        """
        self._hear(Acked(_checked(fact), Durability(level)))


def _checked(fact: object) -> object:
    try:
        hash(fact)
    except TypeError:
        raise BadSubject(f"a fact is a value that can be hashed, such as a string or a tuple, not {fact!r}") from None
    return fact


@dataclass(frozen=True, slots=True)
class Environment:
    """Where one life happens: give both to ``durakv.open`` or ``durakv.Engine``, with ``background=False``.

    Time passes when ``clock.advance(seconds)`` is called; background work is done by ``engine.step()``.
    """

    filesystem: Filesystem
    clock: ManualClock


@dataclass(frozen=True, slots=True)
class Facts:
    """What counts after one crash; handed to ``check``."""

    acked: tuple[object, ...]
    """What must be there, in the order of the acknowledgements: told before the crash, at a level that survives it."""

    began: tuple[object, ...]
    """What may be there: everything begun before the crash, acknowledged or not; ``acked`` is a part of it."""


def facts_of(words: Iterable[Word], *, power: bool) -> Facts:
    """The facts after these words and a loss of power, or the death of the process alone."""
    least = Durability.SYNCED if power else Durability.WRITTEN
    acked: list[object] = []
    began: list[object] = []
    open_count: Counter[object] = Counter()
    for word in words:
        if isinstance(word, Began):
            began.append(word.fact)
            open_count[word.fact] += 1
            continue
        # What was acknowledged without a word before shows from here on.
        if open_count[word.fact]:
            open_count[word.fact] -= 1
        else:
            began.append(word.fact)
        if word.level >= least:
            acked.append(word.fact)
    return Facts(tuple(acked), tuple(began))


@dataclass(frozen=True, slots=True, eq=False)
class Service:
    """A service under test.

    ``drive`` is one life: it opens what is there, works, and may close or just return.  It draws from the generator
    that it is given and from nothing else, so that it does the same again.  It also has to go on on what a crash left:
    it is how the second life begins.

    ``check`` is called after a crash.  It opens, looks, and raises ``AssertionError`` if a promise is broken; any other
    exception counts as well.  What it opens is a copy, so it may write.
    """

    drive: Callable[[Environment, Told, random.Random], None]
    check: Callable[[Environment, Facts], None]
