"""The conformance kit of a state machine: what the engine relies on, checked without a disk.

    check_state_machine(Ledger, [[[b"open", b"a"]], [[b"open", b"b"], [b"pay", b"a", b"b", b"7"]]])

A factory and a script of batches in, ``AssertionError`` out, no test framework.  A machine that breaks one of these
rules works until its first recovery and then is another machine; the kit finds it on the first day.  It cannot see
what differs only between processes, such as the iteration order of a set of byte strings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import deepcopy
from importlib import import_module
from itertools import pairwise
from typing import Any, TypeVar

from durakv.machine import Batch, Merger, SlotFreezer, SlottedMachine, StateMachine, Unmergeable

M = TypeVar("M", bound=StateMachine)

CHUNKS = "chunks"
SHOWN_LENGTH_MAX = 300
CONTENT_LENGTH_MAX = 32

Script = list[list[tuple[bytes, ...]]]
Block = tuple[int, bytes, int]
Blocks = dict[int, list[tuple[bytes, int]]]


def check_state_machine(
    make: Callable[[], M], batches: Iterable[Batch], *, look: Callable[[M], object] | None = None
) -> None:
    """Raise ``AssertionError``, naming the rule and what was seen, unless the machine can be made durable.

    ``make`` returns a new, empty machine; it is called often.  ``batches`` is a script of writes that the machine
    accepts; the more of its commands it holds, the more is checked.  ``look`` returns what two machines in the same
    state must agree on; without it that is their frozen image, so a machine whose image may take several forms (the
    order of a set) needs one.
    """
    if not __debug__:
        raise RuntimeError("the conformance kit is made of assertions: run it without -O")
    script: Script = [[tuple(command) for command in batch] for batch in batches]
    assert script, "the script is empty, so there is nothing to check"

    def seen(machine: M) -> object:
        # A copy, because what it shows may be the machine's own state, which goes on.
        return _image(machine) if look is None else deepcopy(look(machine))

    _check_determinism(make, script, seen)
    _check_commands_are_only_read(make, script, seen)
    machine = make()
    mergeable = isinstance(machine, SlottedMachine) and _check_slots(make, script, seen)
    if not mergeable or isinstance(machine, SlotFreezer):
        _check_freeze(make, script, seen)
        _check_restore(make, script, seen)
        _check_freeze_is_of_the_moment(make, script, seen)


# --- every machine ----------------------------------------------------------------------------------------------------


def _check_determinism(make: Callable[[], M], script: Script, seen: Callable[[M], object]) -> None:
    first, second = make(), make()
    _same(seen(first), seen(second), "two new machines differ")
    for index, batch in enumerate(script):
        # Recovery gives the machine lists that it read from disk, equal to what the caller gave but never the same.
        again = [[bytes(bytearray(part)) for part in command] for command in batch]
        results, replayed = _apply(first, batch), _apply(second, again)
        _same(replayed, results, f"apply() is not deterministic: batch {index}, {batch!r}, is answered differently")
    _same(seen(second), seen(first), "apply() is not deterministic: the same commands lead to two states")


def _check_commands_are_only_read(make: Callable[[], M], script: Script, seen: Callable[[M], object]) -> None:
    expected = _after(make, script)
    machine = make()
    for batch in script:
        for command in batch:
            given = list(command)
            machine.apply(given)
            assert tuple(given) == command, f"apply() changed its command: {command!r} became {given!r}"
            # The list is the caller's, who may use it again.
            given.clear()
    _same(seen(machine), seen(expected), "apply() keeps the list it was given: the state changed with it")


# --- machines that are frozen -----------------------------------------------------------------------------------------


def _check_freeze(make: Callable[[], M], script: Script, seen: Callable[[M], object]) -> None:
    machine = _after(make, script)
    before = seen(machine)
    slots = [-1]
    for slot, payload, _ in _freeze(machine):
        assert isinstance(payload, bytes), f"freeze() yields {type(payload).__name__}, not bytes"
        slots.append(slot)
    assert slots == sorted(slots), f"freeze_slots() is not in rising order: {slots[1:]}"
    _same(seen(machine), before, "freeze() changed the state")


def _check_restore(make: Callable[[], M], script: Script, seen: Callable[[M], object]) -> None:
    full = _after(make, script)
    for cut in _cuts(script):
        original = _after(make, script[:cut])
        image = list(_freeze(original))
        restored = _thaw(make(), image)
        _same(seen(restored), seen(original), "restore() into a new machine does not give the state of freeze()")
        for index, batch in enumerate(script[cut:], cut):
            _same(
                _apply(restored, batch),
                _apply(original, batch),
                f"a restored machine answers batch {index}, {batch!r}, differently: the image misses something",
            )
        _same(seen(restored), seen(full), "a restored machine that goes on ends in another state")
        if not isinstance(full, SlottedMachine):
            used = _thaw(_after(make, script), image)
            _same(seen(used), seen(_thaw(make(), image)), "restore() into a used machine keeps some of what it held")


def _check_freeze_is_of_the_moment(make: Callable[[], M], script: Script, seen: Callable[[M], object]) -> None:
    for cut in _cuts(script):
        machine, undisturbed = _after(make, script[:cut]), _after(make, script[:cut])
        before = seen(machine)
        image = _freeze(machine)
        for batch in script[cut:]:
            _same(_apply(machine, batch), _apply(undisturbed, batch), "a freeze() under way changed what apply() does")
        # A rewrite consumes the image between writes; what it must hold is the moment of the call.
        _same(
            seen(_thaw(make(), image)),
            before,
            f"freeze() is not of the moment: commands applied after the call (batch {cut} on) are in the image",
        )


def _freeze(machine: StateMachine) -> Iterator[Block]:
    """The image that a rewrite would store: slot, payload, how many keys."""
    if isinstance(machine, SlottedMachine) and isinstance(machine, SlotFreezer):
        return machine.freeze_slots()
    # Here the iterator must exist when this returns; a generator of ours would ask for it later.
    return map(_as_block, machine.freeze())


def _as_block(chunk: bytes) -> Block:
    return 0, chunk, 0


def _thaw(machine: M, image: Iterable[Block]) -> M:
    """Do what recovery does with such an image."""
    if isinstance(machine, SlottedMachine) and isinstance(machine, SlotFreezer):
        for slot, payload, keys in image:
            _same(
                machine.restore_slot(slot, payload), keys, f"restore_slot({slot}) counts other keys than freeze_slots()"
            )
    else:
        machine.restore(payload for _, payload, _ in image)
    return machine


# --- machines whose base is made of slots -----------------------------------------------------------------------------


def _check_slots(make: Callable[[], M], script: Script, seen: Callable[[M], object]) -> bool:
    """Return whether the script could be merged."""
    machine = make()
    assert isinstance(machine, SlottedMachine)
    count, where, content = machine.slot_count, machine.merger, machine.content
    assert content.isascii(), f"content={content!r} is not ASCII"
    assert 0 < len(content) <= CONTENT_LENGTH_MAX, f"content={content!r} is not of 1 to {CONTENT_LENGTH_MAX} characters"
    assert content != CHUNKS, f"content={content!r} is the word for bases that are not made of slots"
    _same(_load_merger(where).slot_count, count, "the merger and the machine do not have the same number of slots")
    full = _after(make, script)
    try:
        for cut in _cuts(script):
            first = _merge(where, count, {}, script[:cut])
            _same(seen(_from_blocks(make, first)), seen(_after(make, script[:cut])), "a merged base is another state")
            both = _merge(where, count, first, script[cut:])
            rule = f"a base merged in two rewrites (at batch {cut}) is another state"
            _same(seen(_from_blocks(make, both)), seen(full), rule)
        passes = _merge(where, count, {}, script, passes=min(count, 3))
    except Unmergeable:
        return False
    _same(seen(_from_blocks(make, passes)), seen(full), "a base merged in passes over ranges of slots is another state")
    return True


def _merge(where: str, slot_count: int, old: Blocks, script: Script, *, passes: int = 1) -> Blocks:
    """What a rewrite does: every slot the log touched is merged, every other one is kept as it is."""
    blocks = dict(old)
    merger = _load_merger(where)
    bounds = [slot_count * index // passes for index in range(passes + 1)]
    for first, end in pairwise(bounds):
        merger.select(first, end - 1)
        for batch in script:
            merger.collect(batch)
        touched = list(merger.touched())
        assert touched == sorted(set(touched)), f"touched() is not in rising order: {touched}"
        outside = [slot for slot in touched if not first <= slot < end]
        assert not outside, f"touched() names slots {outside}, but {first}..{end - 1} are selected"
        for slot in touched:
            blocks[slot] = list(merger.merge(slot, [payload for payload, _ in old.get(slot, [])]))
    return blocks


def _from_blocks(make: Callable[[], M], blocks: Blocks) -> M:
    machine = make()
    assert isinstance(machine, SlottedMachine)
    for slot in sorted(blocks):
        for payload, keys in blocks[slot]:
            _same(machine.restore_slot(slot, payload), keys, f"restore_slot({slot}) counts other keys than merge()")
    return machine


def _load_merger(where: str) -> Merger:
    module, _, name = where.partition(":")
    assert name, f'merger={where!r} is not of the form "package.module:callable"'
    merger: Merger = getattr(import_module(module), name)()
    return merger


# --- helpers ----------------------------------------------------------------------------------------------------------


def _after(make: Callable[[], M], script: Script) -> M:
    machine = make()
    for batch in script:
        _apply(machine, batch)
    return machine


def _apply(machine: StateMachine, batch: Sequence[Sequence[bytes]]) -> list[Any]:
    return [machine.apply(command) for command in batch]


def _image(machine: StateMachine) -> tuple[bytes, ...]:
    return tuple(machine.freeze())


def _cuts(script: Script) -> Iterator[int]:
    """Where a rewrite may fall: at the start, at the end, and at a few places between."""
    yield from sorted({len(script) * part // 4 for part in range(5)})


def _same(got: object, expected: object, rule: str) -> None:
    assert got == expected, f"{rule}: {_where_they_differ(repr(got), repr(expected))}"


def _where_they_differ(got: str, expected: str) -> str:
    """Two long texts are shown around the first difference: a state may be megabytes."""
    if max(len(got), len(expected)) > SHOWN_LENGTH_MAX:
        alike = min(len(got), len(expected))
        same = next((at for at in range(alike) if got[at] != expected[at]), alike)
        got, expected = (_excerpt(text, same) for text in (got, expected))
    return f"{got} is not {expected}"


def _excerpt(text: str, middle: int) -> str:
    start, end = max(0, middle - SHOWN_LENGTH_MAX // 2), middle + SHOWN_LENGTH_MAX // 2
    return f"{'...' if start else ''}{text[start:end]}{'...' if end < len(text) else ''}"
