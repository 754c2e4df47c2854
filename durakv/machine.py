"""What the engine makes durable: a state machine, any object with three methods.

    command := sequence of byte strings (a name and its arguments)
    batch   := sequence of commands that take effect together or not at all

A machine whose snapshot can be cut into slots may name a *merger* as well.  Then a rewrite is a streaming merge of
the old base with the sealed log in a child process, and the live machine is never asked for an image; without one
the rewrite falls back to ``freeze()``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, runtime_checkable

if TYPE_CHECKING:
    from durakv_formats.rdb import Entry, Target  # a merger's process has no use for it

Command: TypeAlias = Sequence[bytes]
Batch: TypeAlias = Sequence[Command]


class StateMachine(Protocol):
    """State that changes only by commands, deterministically: no clock, no randomness, no input or output."""

    def apply(self, command: Command, /) -> Any:
        """Apply one command and return what the caller of the write gets.

        It is called once when the command is submitted and again, in the same order, at every recovery.  It must not
        raise for a command that was accepted once: check first, submit then.
        """
        ...

    def freeze(self) -> Iterator[bytes]:
        """Return an image of the state *at this call*, in chunks of any size.

        The iterator is consumed later, between writes, so it must not see commands applied after this call.
        """
        ...

    def restore(self, chunks: Iterable[bytes], /) -> None:
        """Replace the state by an image; the chunks are those of ``freeze()``, cut in the same places."""
        ...


@runtime_checkable
class SlottedMachine(Protocol):
    """A state machine whose base is stored slot by slot, so that a rewrite can merge without it.

    Its ``restore`` is not used for bases; ``restore_slot`` is.
    """

    merger: str
    """Where a child process finds the merger: ``"package.module:callable"``, called without arguments."""

    content: str
    """What its blocks hold, in a word of up to 32 ASCII characters; stored in the base, and asked for at recovery."""

    slot_count: int
    """How many slots a base has; stored in the base."""

    def restore_slot(self, slot: int, payload: bytes, /) -> int:
        """Load one block of a base into the (empty) state; return the number of keys it held.

        Raises ``ValueError`` when the payload is not what a merger of this machine writes.
        """
        ...


@runtime_checkable
class DeferringMachine(SlottedMachine, Protocol):
    """What a slotted machine has besides that can begin without its slots and take each when it is first needed."""

    def defer(self, load: Callable[[int], object], /) -> None:
        """Begin, empty until now, as one whose slots are elsewhere.

        ``load`` brings one: it calls ``receive``, once a slot, and returns when the machine has it.  The machine calls
        it before it looks at anything of a slot, and must let its exception, Corruption or ``OSError``, go through to
        whoever asked.  It may be called from any thread, with the engine's lock or without.
        """
        ...

    def receive(self, slot: int, payloads: Sequence[bytes], /) -> None:
        """Take a slot: all its blocks, perhaps none; the machine has it entirely when this returns, or not at all.

        Called once a slot, from any thread, beside other slots and ``apply`` of commands that are not about this one.
        Raises ``ValueError`` as ``restore_slot`` does.
        """
        ...

    def replay(self, command: Command, /) -> None:
        """``apply``, at a recovery: a command about a slot that is elsewhere may wait until the slot comes."""
        ...

    def touch(self, commands: Batch, /) -> None:
        """Load the slots that these commands will look at or change, so that applying them cannot fail."""
        ...

    def settle(self) -> None:
        """Load every slot that is still elsewhere, and go on as if none had ever been.

        Called with the state at rest.
        """
        ...


@runtime_checkable
class SlotFreezer(Protocol):
    """What a slotted machine has besides if its merger may say ``Unmergeable``.

    Without it such a base holds the chunks of ``freeze()``, and so do all later ones.
    """

    def freeze_slots(self) -> Iterator[tuple[int, bytes, int]]:
        """Return an image of the state *at this call* as blocks of a base: slot in rising order, payload, key count.

        The iterator is consumed later, between writes, like that of ``freeze()``.
        """
        ...


@runtime_checkable
class RunMachine(Protocol):
    """What a state machine may have besides, so that a recovery hands it many commands in one call."""

    def apply_run(self, names: list[bytes], keys: list[bytes], values: list[bytes], /) -> bool:
        """Do what ``apply`` of each ``(name, key, value)``, in this order, would do, and return True.

        Or do nothing and return False; then they are applied one by one.  It must not raise.
        """
        ...


@runtime_checkable
class BatchMachine(Protocol):
    """What a state machine may have besides, so that a batch is applied in one call."""

    def apply_together(self, commands: Batch, /) -> list[Any] | None:
        """Do what ``apply`` of each command, in this order, would do, and return what they would return.

        Or do nothing and return None; then they are applied one by one.
        """
        ...


@runtime_checkable
class RdbMachine(Protocol):
    """What a state machine has besides that can take over the data of a stock server, and hand it back."""

    def restore_entry(self, entry: Entry, /) -> None:
        """Load one key of an RDB file into the (empty) state.  Raises ``ValueError`` if it has no place here."""
        ...

    def freeze_entries(self) -> tuple[Target, Iterator[Entry]]:
        """Return the state *at this call* as entries, and which servers a file must be for that carries them all.

        The iterator is consumed later, between writes, like that of ``freeze()``.
        """
        ...


class Unmergeable(ValueError):
    """What a merger raises when no slot can be rebuilt by itself, because a command moved data between slots.

    The base is then made from the live machine.
    """


class Merger(Protocol):
    """Rebuilds the slots that a sealed log touched.  It lives in the rewrite's child process.

    ``select`` names the slots of this pass; ``collect`` is then fed every batch of the sealed log in order and keeps
    only what concerns those slots; ``merge`` rebuilds one slot from its old blocks.  With a log too large for memory
    the driver runs several passes over disjoint ranges.
    """

    slot_count: int

    def select(self, first: int, last: int, /) -> None:
        """Forget everything collected, and collect for slots ``first..last`` (inclusive) from now on."""
        ...

    def collect(self, commands: Batch, /) -> None:
        """Take one batch of the sealed log.  May raise ``Unmergeable``."""
        ...

    def touched(self) -> Iterable[int]:
        """The selected slots that must be rebuilt, in rising order; all others are copied as they are."""
        ...

    def merge(self, slot: int, payloads: Sequence[bytes], /) -> Iterable[tuple[bytes, int]]:
        """Yield the new blocks of one slot as ``(payload, key count)``; none if the slot is empty now."""
        ...


def check_batch(commands: Batch) -> None:
    """Refuse what is not a batch before anything is logged."""
    if isinstance(commands, (bytes, str)) or not commands:
        raise TypeError("a batch is a non-empty sequence of commands, each a sequence of byte strings")
    for command in commands:
        if isinstance(command, (bytes, str)) or not command:
            raise TypeError(f"a command is a non-empty sequence of byte strings, not {command!r}")
        for part in command:
            if not isinstance(part, bytes):
                raise TypeError(f"a command holds byte strings only, not {type(part).__name__}: {part!r}")
