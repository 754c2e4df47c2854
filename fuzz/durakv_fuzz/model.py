"""Which images a crash may leave: pure functions of a trace, a crash point and a chooser's answers.

Of programs with one directory the image is an ``Image``; ``tree_model`` makes ``Tree``s of the same answers.

``POWER_LOSS`` is the contract's fault model (F1 to F3), ``ORDERED`` and ``ORDERED_ZERO_TAIL`` are the profile of
journalling file systems (F4), ``PROCESS_CRASH`` keeps whatever the program handed over (C2).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import TypeAlias, cast

from durakv_fuzz.choose import Choose
from durakv_fuzz.content import Content
from durakv_fuzz.file_model import Fill, content_in_order, content_in_parts, content_killed
from durakv_fuzz.image import NOTHING, Image
from durakv_fuzz.kernel import FileState
from durakv_fuzz.pending import EntryUnit, Part
from durakv_fuzz.timeline import Moment, Timeline
from durakv_fuzz.trace import Trace


class Model(StrEnum):
    """What kind of crash, on what kind of disk."""

    PROCESS_CRASH = "process crash"
    POWER_LOSS = "power loss"
    ORDERED = "power loss, ordered"
    ORDERED_ZERO_TAIL = "power loss, ordered, zero tail"


Settled: TypeAlias = tuple[Mapping[str, int], Callable[[FileState], bytes | Content]]
"""The names that survived, and what asks for the content of a file."""


def crash_image(source: Trace | Timeline, crash_seq: int, choose: Choose, *, model: Model = Model.POWER_LOSS) -> Image:
    """The image of a crash right before event ``crash_seq`` (``trace.seq``: after everything).

    A trace is played anew each time; pass a ``Timeline`` to ask more than once.  The names are settled first and then
    the content of the files that still have one, in the order of the names.
    """
    timeline = source if isinstance(source, Timeline) else Timeline(source)
    return image_at(timeline.moments[crash_seq], choose, model=model)


def image_at(moment: Moment, choose: Choose, *, model: Model = Model.POWER_LOSS) -> Image:
    """The image of a crash at this moment."""
    if moment.nodes is not None:
        raise TypeError("the trace is of a tree of directories: ask tree_model")
    if not _root_survives(moment, choose, model):
        return NOTHING
    names, content = settle(moment, choose, model)
    states = moment.files
    files: dict[str, bytes | Content] = {}
    for name in sorted(names):
        state = states[names[name]]
        # Most files are settled: nothing about them is in doubt.
        files[name] = content(state) if state.units else state.durable
    return Image(cast("dict[str, bytes]", files))


def settle(moment: Moment, choose: Choose, model: Model) -> Settled:
    """Ask for the names; content is asked for later, of the files that are still there."""
    if model is Model.PROCESS_CRASH:
        return _killed(moment, choose)
    if model is Model.POWER_LOSS:
        return _power_loss(moment, choose)
    return _ordered(moment, choose, zero_tail=model is Model.ORDERED_ZERO_TAIL)


def _power_loss(moment: Moment, choose: Choose) -> Settled:
    """F3: entries survive independently; F1 and F2: so do the parts of each file."""
    names = moment.names
    if moment.entries:
        names = dict(names)
        for unit in _surviving_entries(moment, choose):
            unit.apply(names)
    fill = Fill(moment.stale)
    return names, lambda state: content_in_parts(state, choose, fill)


def _surviving_entries(moment: Moment, choose: Choose) -> list[EntryUnit]:
    """Any of the open entries; asked from the last to the first.

    A name that shows a later state has passed the earlier ones.  For a creation or removal that is no news, but a
    rename is atomic: if one of its names has passed it, so has the other, or the file could lose both.  So a directory
    never has two names: if a move of it survived, the moves before it did.

    And directories are put into other directories one after the other: if such a move survived, all before it did, or
    two of them could end up inside each other.

    A file that went to another directory may be in both (btrfs does that), but never in none.
    """
    surviving: list[EntryUnit] = []
    passed: set[str] = set()
    moved = False
    departure: tuple[EntryUnit, bool] | None = None
    for index in reversed(range(len(moment.entries))):
        unit, required = moment.entries[index], moment.entries_required[index]
        operation = unit.operation
        if unit.part is Part.DEPARTURE:
            departure = unit, required
            if index and moment.entries[index - 1].operation is operation:
                continue  # asked if it arrived
            surviving += _departed(departure, passed, choose)
            continue
        names = (operation.key, operation.new_key) if operation.new_name else (operation.key,)
        forced = required or (operation.new_name and (not passed.isdisjoint(names) or (moved and unit.moves_directory)))
        if forced or choose(2, unit.label):
            if unit.part is Part.ARRIVAL and departure is not None:
                surviving += _departed(departure, passed, choose)
            surviving.append(unit)
            passed.update(names)
            moved = moved or unit.moves_directory
    surviving.reverse()
    return surviving


def _departed(departure: tuple[EntryUnit, bool], passed: set[str], choose: Choose) -> list[EntryUnit]:
    """The departure of a file that arrived, if that survived too."""
    unit, required = departure
    return [unit] if required or unit.operation.key in passed or choose(2, unit.label) else []


def _ordered(moment: Moment, choose: Choose, *, zero_tail: bool) -> Settled:
    """F4: changes of names survive as a prefix, at least up to the last commit; each file's writes too."""
    forced = 0
    for index, unit in enumerate(moment.entries):
        if moment.entries_required[index] or 0 <= unit.operation.end < moment.committed_seq:
            forced = index + 1
    count = len(moment.entries) - forced + 1
    kept = forced + (choose(count, "journal length") if count > 1 else 0)
    if kept and kept < len(moment.entries) and moment.entries[kept].operation is moment.entries[kept - 1].operation:
        kept += 1  # a journal holds both halves of a rename, or none
    names = dict(moment.names)
    for unit in moment.entries[:kept]:
        unit.apply(names)
    return names, lambda state: content_in_order(state, choose, zero_tail=zero_tail)


def _killed(moment: Moment, choose: Choose) -> Settled:
    """Everything handed over survives; a call in flight got as far as the chooser says."""
    names = dict(moment.names)
    happened = True
    for unit in moment.entries:
        if unit.part is not Part.DEPARTURE:  # which happens with the arrival
            happened = unit.operation not in moment.in_flight or choose(2, unit.label) == 1
        if happened:
            unit.apply(names)
    return names, lambda state: content_killed(state, choose, moment.in_flight)


def _root_survives(moment: Moment, choose: Choose, model: Model) -> bool:
    if model is Model.PROCESS_CRASH:
        return moment.root
    return moment.root_durable or (moment.root and choose(2, "entry of the root") == 1)
