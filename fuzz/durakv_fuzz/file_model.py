"""Which contents one file may have after a crash, given what is durable of it and the units that are not (F1, F2)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from durakv_fuzz.choose import Choose
from durakv_fuzz.content import Buffer, Content, freeze, resize, thaw
from durakv_fuzz.kernel import FileState
from durakv_fuzz.pending import DataUnit
from durakv_fuzz.trace import PAGE_BYTES, SECTOR_BYTES, Operation, interrupt

_STALE_BYTES_MAX = 64 << 20
"""What a hole of a dead file would give is not worth its memory."""


class Fill:
    """What stands in space that a file gained without its data: zeros, or what a dead file left there (F1, F2)."""

    def __init__(self, stale: Sequence[bytes | Content]) -> None:
        self._stale = stale

    def extend(self, data: Buffer, size: int, choose: Choose, label: str) -> None:
        """Make ``data`` that long."""
        start = len(data)
        page = start + -start % PAGE_BYTES  # the rest of a page in use was wiped when the page was
        if self._stale and page < size:
            pick = choose(len(self._stale) + 1, f"stale {label}")
            if pick < len(self._stale):
                resize(data, page)
                data.extend(self._stale[pick][page : min(size, page + _STALE_BYTES_MAX)])
        resize(data, size)


def content_in_parts(state: FileState, choose: Choose, fill: Fill) -> bytes | Content:
    """Any part of any open unit, and any size the file had on the way.

    Each write answers: lost, torn, or kept; a torn one answers the same for each page, and a torn page for each
    sector.  Of a truncation the zeros may be there, as far as the file reaches, without the size.  Then
    a size beyond what the kept parts need may have survived without its data.
    """
    parts: list[tuple[DataUnit, list[tuple[int, int]] | None]] = []
    size_since = 0
    for index, (unit, required) in enumerate(zip(state.units, state.required, strict=True)):
        kept = unit.ways - 1
        answer = kept if required else choose(unit.ways, unit.label)
        if answer == kept:
            parts.append((unit, None))
            if unit.is_truncation:
                size_since = index
        elif answer:
            parts.append((unit, _choose_sectors(unit, choose)))
    if not parts and len(state.durable) >= state.open_size_max:
        return state.durable
    data = thaw(state.durable)
    for unit, torn in parts:
        if unit.is_truncation:
            if torn is None:
                unit.apply(data)
            else:
                _wipe(unit, data, torn)
            continue
        if torn is None and len(data) >= unit.offset:
            data[unit.offset : unit.offset + len(unit.patch)] = unit.patch
            continue
        for first, last in ((0, len(unit.patch)),) if torn is None else torn:
            if len(data) < unit.offset + first:
                fill.extend(data, unit.offset + first, choose, unit.label)
            unit.apply_part(data, first, last)
    if len(data) < state.open_size_max:
        sizes = _larger_sizes(state, size_since, len(data))
        if sizes and (pick := choose(1 + len(sizes), f"size {state.units[-1].label}")):
            fill.extend(data, sizes[pick - 1], choose, "tail")
    return freeze(data)


def content_in_order(state: FileState, choose: Choose, *, zero_tail: bool) -> bytes | Content:
    """What a file system leaves that lets files grow in order (F4).

    The kernel writes pages that are in a file already when it likes, and a device their sectors: so either a prefix of
    the units survives, the next one up to some sector, or those within the old size do in any order, and growth alone
    is a prefix.  With ``zero_tail``, sizes may have run ahead of all that: then nothing orders the data.
    """
    if not state.open_count:
        return _whole(state)
    if _has_no_order(state, zero_tail=zero_tail) and choose(2, f"in any order {state.units[-1].label}") == 0:
        return _in_any_order(state, choose, zero_tail=zero_tail)
    return _prefix(state, choose, zero_tail=zero_tail)


def _prefix(state: FileState, choose: Choose, *, zero_tail: bool) -> bytes | Content:
    """The tail of zeros may begin at any byte of the first write that is not whole."""
    whole = choose(state.open_count + 1, f"writes kept {state.units[-1].label}")
    data = thaw(state.durable)
    torn: DataUnit | None = None
    size_since = 0
    for index, (unit, required) in enumerate(zip(state.units, state.required, strict=True)):
        if required or whole > 0:
            whole -= not required
            unit.apply(data)
            if unit.is_truncation:
                size_since = index
        elif torn is None:
            torn = unit
            _tear(unit, data, choose, anywhere=zero_tail)
    if (
        zero_tail
        and (sizes := _larger_sizes(state, size_since, len(data)))
        and (pick := choose(1 + len(sizes), "size ahead"))
    ):
        resize(data, sizes[pick - 1])
    return freeze(data)


def _has_no_order(state: FileState, *, zero_tail: bool) -> bool:
    """Whether more can be left than a prefix: more than one sector in doubt, within the old size or a zero tail."""
    if any(state.required) and any(unit.is_truncation for unit in state.units):
        return False  # what was synced may be behind the end that the truncation made
    size = len(state.durable)
    units = [
        unit
        for unit, required in zip(state.units, state.required, strict=True)
        if not required and unit.patch and (zero_tail or unit.offset < size)
    ]
    return len(units) > 1 or any(len(unit.patch) > SECTOR_BYTES for unit in units)


def _in_any_order(state: FileState, choose: Choose, *, zero_tail: bool) -> bytes | Content:
    nothing = Fill(())
    if zero_tail:
        return content_in_parts(state, choose, nothing)
    size = len(state.durable)
    within = [
        (unit.within(size), required)
        for unit, required in zip(state.units, state.required, strict=True)
        if unit.is_truncation or unit.offset < size
    ]
    units, required = tuple(unit for unit, _ in within), tuple(required for _, required in within)
    data = thaw(content_in_parts(FileState(state.durable, units, required, 0), choose, nothing))
    if len(data) == size and not any(unit.is_truncation for unit in state.units):
        data.extend(_prefix(state, choose, zero_tail=False)[size:])
    return freeze(data)


def content_killed(state: FileState, choose: Choose, in_flight: Sequence[Operation]) -> bytes | Content:
    """Every unit, but of one in flight only what the chooser says."""
    if not any(unit.operation in in_flight for unit in state.units):
        return _whole(state)
    data = thaw(state.durable)
    for unit in state.units:
        operation = unit.operation
        if operation in in_flight:
            interrupted = interrupt(operation, choose)
            if unit.is_truncation and not interrupted.done:
                continue
            if len(interrupted.data) < len(operation.data):
                patch = unit.patch[: operation.offset - unit.offset + len(interrupted.data)]
                unit = replace(unit, patch=patch if interrupted.data else b"")
        unit.apply(data)
    return freeze(data)


def _whole(state: FileState) -> bytes | Content:
    if not state.units:
        return state.durable
    data = thaw(state.durable)
    for unit in state.units:
        unit.apply(data)
    return freeze(data)


def _choose_sectors(unit: DataUnit, choose: Choose) -> list[tuple[int, int]]:
    """The kept parts of a torn patch, page by page; of one page, sector by sector."""
    size = len(unit.patch)
    parts: list[tuple[int, int]] = []
    first = 0
    while first < size:
        last = min(size, first + PAGE_BYTES - (unit.offset + first) % PAGE_BYTES)
        if last - first <= SECTOR_BYTES:
            if choose(2, "page"):
                parts.append((first, last))
        elif pick := 1 if last - first == size and not unit.is_truncation else choose(3, "page"):
            if pick == 2:
                parts.append((first, last))
            else:
                parts += _choose_some(first, last, choose)
        first = last
    return parts


def _choose_some(first: int, last: int, choose: Choose) -> Iterator[tuple[int, int]]:
    """Some sectors of a torn page, but not all: that it is whole or lost is said in other answers."""
    kept = lost = False
    for start in range(first, last, SECTOR_BYTES):
        stop = min(start + SECTOR_BYTES, last)
        keeps = not kept if stop == last and kept != lost else choose(2, "sector") == 1
        if keeps:
            yield start, stop
        kept, lost = kept or keeps, lost or not keeps


def _tear(unit: DataUnit, data: Buffer, choose: Choose, *, anywhere: bool) -> None:
    """Keep the beginning of one write: up to a sector, or up to any byte (of a long one, any 64th)."""
    if not unit.patch:
        return
    if unit.is_truncation:
        stops = [*range(0, len(unit.patch), SECTOR_BYTES), len(unit.patch)]
        _wipe(unit, data, [(0, stops[choose(len(stops), f"torn {unit.label}")])])
        return
    first = unit.operation.offset - unit.offset
    step = max(1, (len(unit.patch) - first) // 64) if anywhere else SECTOR_BYTES
    stops = [0, *range(first + step if anywhere else step, len(unit.patch), step)]
    if len(stops) > 1 and (stop := stops[choose(len(stops), f"torn {unit.label}")]):
        unit.apply_part(data, 0, stop)


def _wipe(unit: DataUnit, data: Buffer, parts: Sequence[tuple[int, int]]) -> None:
    """Put a truncation's zeros into a file that is as long as before."""
    for first, last in parts:
        start, stop = unit.offset + first, min(unit.offset + last, len(data))
        if start < stop:
            data[start:stop] = unit.patch[first : first + stop - start]


def _larger_sizes(state: FileState, since: int, size: int) -> list[int]:
    """The sizes beyond this one that the file had since that unit, rising.

    A size has one place on the disk: a truncation that survived took the place of the sizes before it.
    """
    units = zip(state.units[since:], state.required[since:], strict=True)
    return sorted({unit.size_after for unit, required in units if not required and unit.size_after > size})
