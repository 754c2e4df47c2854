"""What the engine makes durable in the laboratory: one state, in several kinds of machine.

    SET key value [PXAT ms]    APPEND key value    DEL key    PEXPIREAT key ms    FLUSHDB    and see ``typed``

``change`` is the meaning of a command, on a plain dictionary; the oracle's model is nothing else.  ``frozen`` is a
machine that a rewrite freezes whole, ``slotted`` one that it merges slot by slot, and ``keyspace`` is the real one,
but for fewer slots, whose effects these commands are.  ``types`` is the same with values of every type.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from typing import TypeAlias

import msgspec

from durakv.keyspace.machine import Keyspace
from durakv.keyspace.merge import KeyspaceMerger
from durakv.machine import Batch, Command, StateMachine
from durakv_fuzz.typed import TYPED, as_bytes, change_typed

State: TypeAlias = dict[bytes, tuple[bytes, int]]
"""By key: the value, and the deadline in milliseconds or 0."""

Digest: TypeAlias = frozenset[tuple[bytes, tuple[bytes, int]]]
"""A state that can be compared and hashed."""

SLOT_COUNT = 4
KEYSPACE_SLOT_COUNT = 16
_CHUNK_BYTES = 512


class FewSlots(Keyspace):
    """A keyspace for a handful of keys: making and reading 4,096 empty slots took a tenth of a campaign."""

    merger = f"{__name__}:FewSlotsMerger"

    def __init__(self) -> None:
        super().__init__(slot_count=KEYSPACE_SLOT_COUNT)


class FewSlotsMerger(KeyspaceMerger):
    """What merges its bases."""

    slot_count = KEYSPACE_SLOT_COUNT


class MachineKind(StrEnum):
    """Which machine a run uses; the kinds differ in how a rewrite gets their image."""

    FROZEN = "frozen"
    SLOTTED = "slotted"
    KEYSPACE = "keyspace"
    TYPES = "types"


def make_machine(kind: MachineKind) -> StateMachine:
    """A new, empty machine."""
    if kind is MachineKind.FROZEN:
        return FrozenMachine()
    if kind is MachineKind.SLOTTED:
        return SlottedMachine()
    return FewSlots()


def state_of(machine: StateMachine) -> Digest:
    """Everything a machine holds."""
    if isinstance(machine, Keyspace):
        return frozenset(_read_keyspace(machine).items())
    assert isinstance(machine, (FrozenMachine, SlottedMachine))
    return frozenset(machine.state.items())


def change(state: State, command: Command) -> None:
    """Do to a plain dictionary what the command says."""
    name = command[0]
    if name == b"SET":
        state[command[1]] = (command[2], int(command[4]) if len(command) > 3 else 0)
    elif name == b"APPEND":
        value, deadline = state.get(command[1], (b"", 0))
        state[command[1]] = (value + command[2], deadline)
    elif name == b"DEL":
        state.pop(command[1], None)
    elif name == b"PEXPIREAT":
        if command[1] in state:
            state[command[1]] = (state[command[1]][0], int(command[2]))
    elif name in TYPED:
        held = state.pop(command[1], None)
        changed = change_typed(None if held is None else held[0], command)
        if changed is not None:
            state[command[1]] = (changed, 0 if held is None else held[1])
    elif name == b"FLUSHDB":
        state.clear()
    else:
        raise ValueError(f"{name!r} is no command of the laboratory")


class FrozenMachine:
    """A machine without a merger: a rewrite asks it for an image of the moment."""

    def __init__(self) -> None:
        self.state: State = {}

    def apply(self, command: Command, /) -> int:
        """See :class:`durakv.machine.StateMachine`; returns how many keys there are."""
        change(self.state, command)
        return len(self.state)

    def freeze(self) -> Iterator[bytes]:
        """See :class:`durakv.machine.StateMachine`."""
        image = msgspec.msgpack.encode(sorted(self.state.items()))
        return (image[start : start + _CHUNK_BYTES] for start in range(0, len(image), _CHUNK_BYTES))

    def restore(self, chunks: Iterable[bytes], /) -> None:
        """See :class:`durakv.machine.StateMachine`."""
        self.state = _decode(b"".join(chunks))


class SlottedMachine(FrozenMachine):
    """A machine whose bases are merged."""

    merger = "durakv_fuzz.machines:SlotMerger"
    content = "slots"
    slot_count = SLOT_COUNT

    def restore_slot(self, slot: int, payload: bytes, /) -> int:
        """See :class:`durakv.machine.SlottedMachine`."""
        part = _decode(payload)
        if any(_slot_of(key) != slot for key in part):
            raise ValueError("it holds keys of another slot")
        self.state.update(part)
        return len(part)


class SlotMerger:
    """See :class:`durakv.machine.Merger`."""

    slot_count = SLOT_COUNT

    def __init__(self) -> None:
        self.select(0, SLOT_COUNT - 1)

    def select(self, first: int, last: int, /) -> None:
        """See :class:`durakv.machine.Merger`."""
        self._slots: dict[int, list[Command]] = {}
        self._range = range(first, last + 1)

    def collect(self, commands: Batch, /) -> None:
        """See :class:`durakv.machine.Merger`."""
        for command in commands:
            concerned = self._range if command[0] == b"FLUSHDB" else (_slot_of(command[1]),)
            for slot in concerned:
                if slot in self._range:
                    self._slots.setdefault(slot, []).append(command)

    def touched(self) -> Iterable[int]:
        """See :class:`durakv.machine.Merger`."""
        return sorted(self._slots)

    def merge(self, slot: int, payloads: Sequence[bytes], /) -> Iterator[tuple[bytes, int]]:
        """See :class:`durakv.machine.Merger`."""
        state: State = {}
        for payload in payloads:
            state.update(_decode(payload))
        for command in self._slots.get(slot, ()):
            change(state, command)
        if state:
            yield msgspec.msgpack.encode(sorted(state.items())), len(state)


def _decode(image: bytes) -> State:
    return dict(msgspec.msgpack.decode(image, type=list[tuple[bytes, tuple[bytes, int]]]))


def _slot_of(key: bytes) -> int:
    return zlib.crc32(key) % SLOT_COUNT


def _read_keyspace(machine: Keyspace) -> State:
    state: State = {}
    store = machine.store(0)
    assert store is not None
    for slot in filter(None, map(store.keys, range(store.slot_count)) if len(store) else ()):
        for key in slot:
            state[key] = (as_bytes(store.value(key)), store.deadline(key) or 0)
    return state
