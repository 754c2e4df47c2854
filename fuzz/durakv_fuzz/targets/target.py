"""What the shipped subjects have in common: a plan that shows them at work, and stores that live in our own process."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from durakv_fuzz.program.subject import Found, Plan, Promise, Subject, Teller, value_of

SURVEY = "pip install 'durakv[survey]'"
BENCH = "pip install 'durakv[bench]'"

WRONG_MAX = 20
"""How many wrong values are told one by one."""
_SHOWN_BYTES = 40
_PREFIX = b"n"


class Target(Subject, Protocol):
    """A subject that knows how it is best driven."""

    plan: Plan


class Store(Protocol):
    """An open store of one of the libraries."""

    def put(self, number: int, value: bytes, /) -> bool:
        """Keep it, and return when the library says that it has it; True if all up to here was synced on request."""
        ...

    def pairs(self) -> Iterable[tuple[bytes, bytes]]:
        """All keys, see :func:`key_of`, and their values, in any order."""
        ...

    def close(self) -> None:
        """Give it up as its documents say."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedded:
    """A library with one setting, as a subject: opened, written to, read and closed in the process that calls."""

    name: str
    setting: str
    promise: Promise
    documented: str
    open: Callable[[Path], Store]
    release: Callable[[], Mapping[str, str]]
    """Which versions it is of."""
    module: str
    """What has to be installed."""
    remedy: str = ""
    window_seconds: float = 0.0
    undone_max: int | None = None
    """How many of the last acknowledged may be gone, where its documents say so: an acknowledgement syncs the rest."""
    plan: Plan = field(default_factory=Plan)

    def missing(self) -> str:
        """See :class:`Subject`."""
        return missing_module(self.module, self.remedy)

    def versions(self) -> Mapping[str, str]:
        """See :class:`Subject`."""
        return self.release()

    def prepare(self, directory: Path) -> None:
        """See :class:`Subject`."""
        self.open(directory).close()

    def drive(self, directory: Path, numbers: range, teller: Teller) -> None:
        """See :class:`Subject`; closed at the end."""
        with closing(self.open(directory)) as store:
            for number in numbers:
                teller.issued(number)
                synced = store.put(number, value_of(number))
                teller.acked(number)
                if synced:
                    teller.synced(number)
                elif self.undone_max is not None and number - self.undone_max in numbers:
                    teller.synced(number - self.undone_max)

    def check(self, directory: Path) -> Found:
        """See :class:`Subject`."""
        try:
            with closing(self.open(directory)) as store:
                return found_among(store.pairs())
        except Exception as error:  # noqa: BLE001 - whatever a library raises on what it finds is its refusal
            return Found(refusal=in_words(error))


def missing_module(module: str, remedy: str) -> str:
    """Why a module cannot be imported, in one line; empty if it can."""
    top, _, rest = module.partition(".")
    if importlib.util.find_spec(top) is not None and (not rest or importlib.util.find_spec(module) is not None):
        return ""
    return f"{module} is not installed" + (f": {remedy}" if remedy else " with this Python")


def in_words(error: BaseException) -> str:
    """What a library says of a failure, in one line."""
    text = " ".join(str(error).split())[:300]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def key_of(number: int) -> bytes:
    """The name under which a number is kept."""
    return _PREFIX + b"%d" % number


def found_among(pairs: Iterable[tuple[bytes, bytes]]) -> Found:
    """Which numbers are there with their own values, and what else is there; read to the end, whatever is found."""
    numbers: set[int] = set()
    wrong: list[str] = []
    count = 0
    for key, value in pairs:
        digits = key[len(_PREFIX) :]
        number = int(digits) if digits.isdigit() and len(digits) < 10 else -1
        if number < 0 or key != key_of(number):
            words = f"{_shown(key)}: nobody wrote such a name"
        elif value != value_of(number):
            words = f"{number}: {wrong_value(value)}"
        else:
            numbers.add(number)
            continue
        count += 1
        if len(wrong) < WRONG_MAX:
            wrong.append(words)
    if count > len(wrong):
        wrong.append(f"and {count - len(wrong)} more")
    return Found(frozenset(numbers), tuple(wrong))


def wrong_value(value: bytes) -> str:
    """What there is instead of a value, in words."""
    if not value:
        return "an empty value"
    if not value.strip(b"\0"):
        return f"{len(value)} zero bytes"
    return f"{len(value)} bytes that are not its value: {_shown(value)}"


def _shown(data: bytes) -> str:
    return repr(data[:_SHOWN_BYTES])[1:] + ("..." if len(data) > _SHOWN_BYTES else "")


def lookups(numbers: Iterable[int], get: Callable[[int], bytes | None]) -> Iterator[tuple[bytes, bytes]]:
    """Pairs of a store that is asked for one number after the other."""
    for number in numbers:
        value = get(number)
        if value is not None:
            yield key_of(number), value
