"""The promise: a state machine that passes ``check_state_machine`` is the same machine after every recovery, and one
that breaks a rule is told which.

Method: one good machine, and beside it one that breaks each rule in the way people break it.
"""

from __future__ import annotations

import ast
import itertools
import random
import time
from collections.abc import Iterable, Iterator, Sequence

import pytest

from durakv.conformance import check_state_machine
from durakv.keyspace.machine import Keyspace
from durakv.machine import Batch, Command, Unmergeable

SCRIPT: list[list[list[bytes]]] = [
    [[b"open", b"a", b"100"]],
    [[b"open", b"b", b"50"], [b"pay", b"a", b"b", b"30"]],
    [[b"pay", b"b", b"c", b"1000"]],
    [[b"close", b"b"], [b"open", b"b", b"5"]],
    [[b"pay", b"a", b"c", b"20"]],
    [[b"close", b"a"]],
]


class Ledger:
    """Accounts and what is in them."""

    def __init__(self) -> None:
        self.accounts: dict[bytes, int] = {}

    def apply(self, command: Command) -> object:
        accounts = self.accounts
        match list(command):
            case [b"open", name, amount]:
                return accounts.setdefault(name, int(amount))
            case [b"pay", giver, taker, amount] if accounts.get(giver, 0) >= int(amount):
                accounts[giver] -= int(amount)
                accounts[taker] = accounts.get(taker, 0) + int(amount)
                return accounts[giver]
            case [b"close", name]:
                return accounts.pop(name, None)
            case _:
                return None

    def freeze(self) -> Iterator[bytes]:
        return iter([b"%b %d\n" % account for account in self.accounts.items()])

    def restore(self, chunks: Iterable[bytes]) -> None:
        self.accounts = {}
        for line in b"".join(chunks).splitlines():
            name, amount = line.split()
            self.accounts[name] = int(amount)


class ReadsTheClock(Ledger):
    def apply(self, command: Command) -> object:
        super().apply(command)
        return time.perf_counter_ns()


class ThrowsDice(Ledger):
    def apply(self, command: Command) -> object:
        self.accounts[b"luck"] = random.getrandbits(64)
        return super().apply(command)


class RemembersIdentity(Ledger):
    """Works with the tuple of the caller and not with the list that recovery reads."""

    def apply(self, command: Command) -> object:
        return isinstance(command, tuple) and super().apply(command)


class ChangesItsCommand(Ledger):
    def apply(self, command: Command) -> object:
        if isinstance(command, list):
            return super().apply([command.pop(0), *command])
        return super().apply(command)


class KeepsItsCommand(Ledger):
    def __init__(self) -> None:
        super().__init__()
        self.history: list[Sequence[bytes]] = []

    def apply(self, command: Command) -> object:
        self.history.append(command)
        return super().apply(command)

    def freeze(self) -> Iterator[bytes]:
        return iter([b" ".join(command) for command in self.history])


class FreezesLater(Ledger):
    """A generator: it runs when it is consumed, and sees what was applied meanwhile."""

    def freeze(self) -> Iterator[bytes]:
        for account in self.accounts.items():
            yield b"%b %d\n" % account


class FreezesText(Ledger):
    def freeze(self) -> Iterator[bytes]:
        return iter(["text"])  # type: ignore[list-item]


class FreezingChangesIt(Ledger):
    def freeze(self) -> Iterator[bytes]:
        self.accounts[b"frozen"] = self.accounts.get(b"frozen", 0) + 1
        return super().freeze()


class ForgetsHalf(Ledger):
    def freeze(self) -> Iterator[bytes]:
        return itertools.islice(super().freeze(), 1)


class RestoresOnTop(Ledger):
    def restore(self, chunks: Iterable[bytes]) -> None:
        before = self.accounts
        super().restore(chunks)
        self.accounts = before | self.accounts


class HidesState(Ledger):
    """The number of closed accounts is in the answers, but not in the image."""

    def __init__(self) -> None:
        super().__init__()
        self.closed = 0

    def apply(self, command: Command) -> object:
        self.closed += command[0] == b"close"
        return super().apply(command), self.closed


BROKEN = {
    ReadsTheClock: "not deterministic",
    ThrowsDice: "not deterministic",
    RemembersIdentity: "not deterministic",
    ChangesItsCommand: "not deterministic|changed its command",
    KeepsItsCommand: "keeps the list it was given",
    FreezesLater: "not of the moment|changed size during",
    FreezesText: "yields str",
    FreezingChangesIt: "new machines differ|changed the state",
    ForgetsHalf: "into a new machine does not give the state",
    RestoresOnTop: "into a used machine",
    HidesState: "the image misses something",
}


def test_a_good_machine_passes() -> None:
    check_state_machine(Ledger, SCRIPT)
    check_state_machine(Ledger, (tuple(tuple(command) for command in batch) for batch in SCRIPT))


def test_a_machine_whose_image_takes_several_forms_passes_when_told_where_to_look() -> None:
    class Shuffled(Ledger):
        def freeze(self) -> Iterator[bytes]:
            lines = list(super().freeze())
            random.shuffle(lines)
            return iter(lines)

    check_state_machine(Shuffled, SCRIPT, look=lambda machine: machine.accounts)


@pytest.mark.parametrize(("machine", "rule"), BROKEN.items(), ids=[machine.__name__ for machine in BROKEN])
def test_a_broken_machine_is_told_its_rule(machine: type[Ledger], rule: str) -> None:
    with pytest.raises((AssertionError, RuntimeError), match=rule):
        check_state_machine(machine, SCRIPT, look=(lambda one: one.accounts) if machine is ForgetsHalf else None)


def test_of_a_large_state_the_first_difference_is_told() -> None:
    calls = itertools.count()

    class Restless(Ledger):
        def apply(self, command: Command) -> object:
            if command[1] == b"account-250":
                self.accounts[b"account-250"] = next(calls)
                return None
            return super().apply(command)

    script = [[[b"open", b"account-%d" % number, b"7"]] for number in range(500)]
    with pytest.raises(AssertionError, match="two states") as told:
        check_state_machine(Restless, script)
    assert "account-250" in str(told.value)
    assert len(str(told.value)) < 1000


def test_an_empty_script_is_refused() -> None:
    with pytest.raises(AssertionError, match="nothing to check"):
        check_state_machine(Ledger, [])


# --- slotted ----------------------------------------------------------------------------------------------------------

SLOTS = 4


def slot_of(key: bytes) -> int:
    return key[0] % SLOTS


class Counters:
    """Counters in four slots; a base block is one line for each counter of its slot."""

    merger = f"{__name__}:CountersMerger"
    content = "counters"
    slot_count = SLOTS

    def __init__(self) -> None:
        self.counters: dict[bytes, int] = {}

    def apply(self, command: Command) -> object:
        key = command[1]
        self.counters[key] = self.counters.get(key, 0) + int(command[2])
        return self.counters[key]

    def freeze(self) -> Iterator[bytes]:
        return iter([repr(sorted(self.counters.items())).encode()])

    def restore(self, chunks: Iterable[bytes]) -> None:
        self.counters = dict(ast.literal_eval(b"".join(chunks).decode()))

    def restore_slot(self, slot: int, payload: bytes) -> int:
        lines = payload.split()
        for line in lines:
            key, value = line.split(b"=")
            self.counters[key] = int(value)
        return len(lines)


class CountersMerger:
    slot_count = SLOTS

    def __init__(self) -> None:
        self._first = self._last = 0
        self._sums: dict[int, dict[bytes, int]] = {}

    def select(self, first: int, last: int) -> None:
        self._first, self._last = first, last
        self._sums = {}

    def collect(self, commands: Batch) -> None:
        for _, key, amount in commands:
            if self._first <= slot_of(key) <= self._last:
                sums = self._sums.setdefault(slot_of(key), {})
                sums[key] = sums.get(key, 0) + int(amount)

    def touched(self) -> Iterable[int]:
        return sorted(self._sums)

    def merge(self, slot: int, payloads: Sequence[bytes]) -> Iterable[tuple[bytes, int]]:
        counters = {key: int(value) for key, value in (line.split(b"=") for line in b" ".join(payloads).split())}
        for key, amount in self._sums[slot].items():
            counters[key] = counters.get(key, 0) + amount
        yield b" ".join(b"%b=%d" % counter for counter in counters.items()), len(counters)


class ForgetsTheOldBase(CountersMerger):
    def merge(self, slot: int, payloads: Sequence[bytes]) -> Iterable[tuple[bytes, int]]:
        return super().merge(slot, [])


class IgnoresItsRange(CountersMerger):
    def select(self, first: int, last: int) -> None:
        super().select(0, SLOTS - 1)


class CollectsAcrossPasses(CountersMerger):
    def select(self, first: int, last: int) -> None:
        self._first, self._last = first, last


class CountsWrong(CountersMerger):
    def merge(self, slot: int, payloads: Sequence[bytes]) -> Iterable[tuple[bytes, int]]:
        return [(payload, count + 1) for payload, count in super().merge(slot, payloads)]


class HasOtherSlots(CountersMerger):
    slot_count = SLOTS * 2


COUNTS: list[list[list[bytes]]] = [
    [[b"add", key, b"%d" % number] for key in (b"a", b"b", b"ab", b"d")[: number % 4 + 1]] for number in range(9)
]


def test_a_good_slotted_machine_passes() -> None:
    check_state_machine(Counters, COUNTS)


@pytest.mark.parametrize(
    ("merger", "rule"),
    [
        (ForgetsTheOldBase, "merged in two rewrites"),
        (IgnoresItsRange, "names slots"),
        (CollectsAcrossPasses, "names slots|merged in passes"),
        (CountsWrong, "counts other keys"),
        (HasOtherSlots, "same number of slots"),
    ],
)
def test_a_broken_merger_is_told_its_rule(merger: type[CountersMerger], rule: str) -> None:
    class Broken(Counters):
        pass

    Broken.merger = f"{__name__}:{merger.__name__}"
    with pytest.raises(AssertionError, match=rule):
        check_state_machine(Broken, COUNTS)


def test_a_merger_that_is_named_badly_is_told_so() -> None:
    class Broken(Counters):
        merger = "no_colon"

    with pytest.raises(AssertionError, match="of the form"):
        check_state_machine(Broken, COUNTS)


class NeverMerges(CountersMerger):
    def collect(self, commands: Batch) -> None:
        raise Unmergeable("a command moved data between slots")


class CountersWithoutMerge(Counters):
    merger = f"{__name__}:NeverMerges"


class FreezesSlots(CountersWithoutMerge):
    def freeze_slots(self) -> Iterator[tuple[int, bytes, int]]:
        blocks: list[tuple[int, bytes, int]] = []
        for slot in range(SLOTS):
            lines = [b"%b=%d" % counter for counter in self.counters.items() if slot_of(counter[0]) == slot]
            blocks.append((slot, b" ".join(lines), len(lines)))
        return iter(blocks)


class FreezesSlotsBackwards(FreezesSlots):
    def freeze_slots(self) -> Iterator[tuple[int, bytes, int]]:
        return reversed(list(super().freeze_slots()))


class FreezesTooFewSlots(FreezesSlots):
    def freeze_slots(self) -> Iterator[tuple[int, bytes, int]]:
        return itertools.islice(super().freeze_slots(), 1)


def look(machine: Counters) -> object:
    return machine.counters


def test_a_machine_that_cannot_be_merged_is_checked_by_its_image() -> None:
    check_state_machine(CountersWithoutMerge, COUNTS)
    check_state_machine(FreezesSlots, COUNTS)


def test_a_broken_image_by_slots_is_told_its_rule() -> None:
    with pytest.raises(AssertionError, match="not in rising order"):
        check_state_machine(FreezesSlotsBackwards, COUNTS, look=look)
    with pytest.raises(AssertionError, match="does not give the state"):
        check_state_machine(FreezesTooFewSlots, COUNTS, look=look)


@pytest.mark.parametrize("content", ["", "chunks", "c" * 33, "Zähler"])
def test_a_word_for_the_content_that_no_base_can_hold_is_told(content: str) -> None:
    with pytest.raises(AssertionError, match="content="):
        check_state_machine(type("Broken", (Counters,), {"content": content}), COUNTS)


def test_the_keyspace_is_a_state_machine_like_any_other() -> None:
    script = [
        [[b"SET", b"a", b"1"]],
        [[b"SET", b"b", b"2"], [b"SET", b"a", b"3", b"PXAT", b"1700000000000"]],
        [[b"SELECT", b"3"], [b"SET", b"b", b"other"], [b"SELECT", b"0"]],
        [[b"DEL", b"b"]],
        [[b"SET", b"c", b"5"]],
    ]
    check_state_machine(Keyspace, script)
