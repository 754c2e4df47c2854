"""A small slotted state machine, its merger, and mergers that misbehave; importable by the child process."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sequence

from durakv.machine import Batch, Command, Unmergeable
from durakv_formats.resp import CommandDecoder, encode_command

SLOTS = 8
State = dict[bytes, bytes]


def slot_of(key: bytes) -> int:
    return sum(key) % SLOTS


def change(state: State, command: Command) -> None:
    """``set k v``, ``append k v``, ``del k``, ``rename old new``, ``flush``."""
    name = command[0]
    if name == b"set":
        state[command[1]] = command[2]
    elif name == b"append":
        state[command[1]] = state.get(command[1], b"") + command[2]
    elif name == b"del":
        state.pop(command[1], None)
    elif name == b"rename":
        state[command[2]] = state.pop(command[1], b"")
    elif name == b"flush":
        state.clear()
    else:
        raise ValueError(f"unknown command {name!r}")


def pack(state: State) -> bytes:
    return b"".join(encode_command(pair) for pair in sorted(state.items()))


def unpack(payload: bytes) -> State:
    decoder = CommandDecoder()
    decoder.feed(payload)
    state: State = {}
    while (pair := decoder.next_command()) is not None:
        state[pair[0]] = pair[1]
    return state


class Plain:
    """Keys and values, without slots; its image has a chunk for each key."""

    def __init__(self) -> None:
        self.state: State = {}

    def apply(self, command: Command, /) -> int:
        change(self.state, command)
        return len(self.state)

    def freeze(self) -> Iterator[bytes]:
        return iter([pack({key: value}) for key, value in sorted(self.state.items())])

    def restore(self, chunks: Iterable[bytes], /) -> None:
        self.state = {}
        for chunk in chunks:
            self.state.update(unpack(chunk))


class Slotted(Plain):
    """The same in eight slots."""

    merger = "tests.rewrite.machines:Merging"
    content = "test-slots"
    slot_count = SLOTS

    def restore_slot(self, slot: int, payload: bytes, /) -> int:
        part = unpack(payload)
        if any(slot_of(key) != slot for key in part):
            raise ValueError("a key of another slot")
        self.state.update(part)
        return len(part)

    def freeze_slots(self) -> Iterator[tuple[int, bytes, int]]:
        slots: dict[int, State] = {}
        for key, value in self.state.items():
            slots.setdefault(slot_of(key), {})[key] = value
        return iter([(slot, pack(slots[slot]), len(slots[slot])) for slot in sorted(slots)])


class Merging:
    """A good merger, that makes two blocks of a slot with several keys."""

    slot_count = SLOTS

    def __init__(self) -> None:
        self.select(0, SLOTS - 1)

    def select(self, first: int, last: int, /) -> None:
        self._slots: dict[int, list[Command]] = {}
        self._range = range(first, last + 1)

    def collect(self, commands: Batch, /) -> None:
        for command in commands:
            if command[0] == b"rename":
                raise Unmergeable("rename moves a value between slots")
            for slot in self._range if command[0] == b"flush" else [slot_of(command[1])]:
                if slot in self._range:
                    self._slots.setdefault(slot, []).append(command)

    def touched(self) -> Iterable[int]:
        return sorted(self._slots)

    def merge(self, slot: int, payloads: Sequence[bytes], /) -> Iterator[tuple[bytes, int]]:
        state: State = {}
        for payload in payloads:
            state.update(unpack(payload))
        for command in self._slots[slot]:
            change(state, command)
        keys = sorted(state)
        for part in (keys[: len(keys) // 2], keys[len(keys) // 2 :]):
            if part:
                yield pack({key: state[key] for key in part}), len(part)


class Outside(Merging):
    """Names a slot of another pass."""

    def touched(self) -> Iterable[int]:
        return [*super().touched(), self._range.stop]


class Refusing(Merging):
    """Does not know its own payloads."""

    def merge(self, slot: int, payloads: Sequence[bytes], /) -> Iterator[tuple[bytes, int]]:
        if payloads:
            raise ValueError("a payload of another version")
        return super().merge(slot, payloads)


class OtherSlots(Merging):
    slot_count = SLOTS + 1


class Stuck(Merging):
    """Takes a minute for a slot."""

    def merge(self, slot: int, payloads: Sequence[bytes], /) -> Iterator[tuple[bytes, int]]:
        sys.stdout.write("a merger that prints")
        time.sleep(60)
        return super().merge(slot, payloads)


class Slow(Merging):
    """Prints what it should not, and takes its time for each batch."""

    def collect(self, commands: Batch, /) -> None:
        sys.stdout.write("a merger that prints")
        sys.stdout.flush()
        time.sleep(0.002)
        super().collect(commands)


class Failing(Merging):
    """Breaks in a way that nobody foresaw."""

    def collect(self, commands: Batch, /) -> None:
        raise RuntimeError("broken merger")


class Exiting(Merging):
    """Ends its process."""

    def collect(self, commands: Batch, /) -> None:
        raise SystemExit("a merger that exits")
