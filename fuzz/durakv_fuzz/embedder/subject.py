"""What an embedder hands in, and how its states get names that the oracle understands.

The oracle's model is a plain dictionary.  For a foreign machine it holds a single key, whose value is the *name* of
the state that the machine is in; each command of a batch sets it to the next one.  So the judge of the laboratory's
own machines judges every other, and knows the beginning of a batch from the whole.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Generic, TypeVar, cast

from durakv.machine import Batch, Command, StateMachine
from durakv.options import Options
from durakv_fuzz.machines import Digest

M = TypeVar("M", bound=StateMachine)

Commands = tuple[tuple[bytes, ...], ...]
Draw = Callable[[random.Random], Batch | Iterator[Batch]]

_KEY = b"state"
_DRAWS_MAX = 1000
"""So many times a generator may end without a batch."""


class BadSubject(ValueError):
    """What was handed in cannot be tested; nothing is known about crashes yet."""


@dataclass(frozen=True, slots=True, eq=False)
class Subject(Generic[M]):
    """A state machine under test.

    ``make`` returns a new, empty machine.  ``draw`` returns a batch that the machine accepts in any state, drawn from
    the generator it is given and nothing else; it may also be a generator function that yields several.  ``read``
    returns everything that ``apply`` depends on, as something that is compared by value.  ``options`` replaces the
    laboratory's small segments; its policy is drawn all the same.
    """

    make: Callable[[], M]
    draw: Draw
    read: Callable[[M], object]
    options: Options | None = None

    def batches(self, source: random.Random) -> Iterator[Commands]:
        """Draw batches without end."""
        for _ in range(_DRAWS_MAX):
            drawn = self.draw(source)
            if not isinstance(drawn, Iterator):
                while True:
                    yield checked(drawn)
                    drawn = cast(Batch, self.draw(source))
            for batch in drawn:
                yield checked(batch)
        raise BadSubject("draw yields too few batches")

    def check(self) -> None:
        """Raise :class:`BadSubject` unless states can be compared at all."""
        first, second = self.make(), self.make()
        if self.read(first) != self.read(second):
            raise BadSubject(
                "two new machines read differently: read has to return something that is compared by value, "
                f"not {self.read(first)!r}"
            )


class States(Generic[M]):
    """The states of one subject's machines that were seen, and their names."""

    def __init__(self, subject: Subject[M]) -> None:
        self._read = subject.read
        self._values: list[object] = []
        self._hashed: dict[object, int] = {}

    def digest(self, machine: M) -> Digest:
        """The state of a machine, as the oracle compares it."""
        return frozenset({(_KEY, (self.name(machine), 0))})

    def name(self, machine: M) -> bytes:
        """The name of its state; equal states have one name."""
        value = self._read(machine)
        try:
            index = self._hashed.setdefault(value, len(self._values))
        except TypeError:
            index = next((i for i, known in enumerate(self._values) if known == value), len(self._values))
        if index == len(self._values):
            # A copy, because what is shown may be the machine's own state, which goes on.
            self._values.append(deepcopy(value))
        return b"%d;" % index

    def value(self, digest: Digest) -> object:
        """What ``read`` returned."""
        ((_, (name, _)),) = digest
        return self._values[int(name.rstrip(b";"))]

    def translate(self, model: M, batch: Commands) -> tuple[Command, ...]:
        """Apply a batch to the model; return it in words of the oracle's."""
        words: list[Command] = []
        for command in batch:
            try:
                model.apply(command)
            except Exception as failure:
                reason = f"apply({command!r}) raised {type(failure).__name__}: {failure}"
                raise BadSubject(f"{reason}; draw only what the machine accepts in any state") from failure
            words.append((b"SET", _KEY, self.name(model)))
        return tuple(words)


def checked(batch: object) -> Commands:
    """The batch as tuples; raises :class:`BadSubject` for what is none."""
    if not isinstance(batch, Sequence) or isinstance(batch, (bytes, str)) or not batch:
        raise BadSubject(f"draw returns a batch, a sequence of one or more commands, not {batch!r}")
    for command in cast(Sequence[object], batch):
        if not isinstance(command, Sequence) or isinstance(command, (bytes, str)) or not command:
            raise BadSubject(f"a command is a sequence of one or more byte strings, not {command!r}")
        if not all(isinstance(part, bytes) for part in cast(Sequence[object], command)):
            raise BadSubject(f"a command holds byte strings only: {command!r}")
    return tuple(tuple(command) for command in cast(Batch, batch))
