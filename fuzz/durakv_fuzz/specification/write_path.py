"""The machine of ``specs/models/write_path.tla`` as functions from a state to the next one.

Each function is one action; it returns None where the machine does not allow it.  The names are those of the other two
models.  What the models choose from (how much of a write reached the file, what a power loss keeps) is an argument
here, so that ``explore`` can try every choice and ``follower`` the one that was seen.

``state`` says what a state is.
"""

from __future__ import annotations

from durakv_fuzz.specification.state import Manifest, Phase, Publishing, State, down, forget, named, span, top

# --- commit ---------------------------------------------------------------------------------------------------------


def append(s: State, *, count: int = 1, promise: int | None = None) -> State | None:
    """A batch of ``count`` numbers; its frame carries what is known to be synced, or knew so a moment ago."""
    last = s.applied + count
    promise = s.synced if promise is None else promise
    if s.phase is not Phase.OPEN or s.publishing in (Publishing.SEGMENT, Publishing.CLOSE):
        return None
    if last >= s.manifest.first + s.manifest.room or promise > s.synced:
        return None
    promises = s.promises
    if promise:
        promises += tuple((number, promise) for number in range(s.applied + 1, last + 1))
    return s._replace(applied=last, given=max(s.given, last), promises=promises)


def write(s: State, *, last: int | None = None) -> State | None:
    """Everything that is pending, or what of it was seen to be written."""
    last = s.applied if last is None else last
    if s.phase is not Phase.OPEN or not s.written < last <= s.applied:
        return None
    return s._replace(dirty=s.dirty | span(s.written + 1, last), written=last)


def write_fail(s: State) -> State | None:
    """Any part of what is pending may have reached the file."""
    if s.phase is not Phase.OPEN or s.written == s.applied:
        return None
    return s._replace(phase=Phase.POISONED, faults=s.faults + 1)


def sync_begin(s: State) -> State | None:
    """It vouches for what is written now."""
    if s.phase is not Phase.OPEN or s.syncing or s.synced == s.written:
        return None
    return s._replace(syncing=s.written)


def sync_end(s: State) -> State | None:
    """What it vouches for is durable."""
    if s.phase is not Phase.OPEN or not s.syncing:
        return None
    covered = s.dirty & span(1, s.syncing)
    return s._replace(
        dirty=s.dirty & ~covered,
        solid=s.solid | covered,
        promises=forget(s.promises, covered),
        synced=s.syncing,
        syncing=0,
    )


def sync_fail(s: State) -> State | None:
    """The kernel keeps the pages as if they were clean."""
    if s.phase is not Phase.OPEN or not s.syncing:
        return None
    return s._replace(phase=Phase.POISONED, syncing=0, ghost=s.ghost | s.dirty, dirty=0, faults=s.faults + 1)


def sync_fail_reverting(s: State, *, kept: int) -> State | None:
    """The kernel drops the pages; of what was not written back before, even a process crash takes everything."""
    if s.phase is not Phase.OPEN or not s.syncing or kept & ~s.dirty:
        return None
    return _revert(s, kept)._replace(phase=Phase.REVERTED, syncing=0)


def _revert(s: State, kept: int) -> State:
    promises = forget(s.promises, s.dirty & ~kept)
    return s._replace(dirty=0, solid=s.solid | kept, promises=promises, faults=s.faults + 1)


def acknowledge_written(s: State, *, last: int | None = None) -> State | None:
    """Callers who wait for WRITTEN are told; at most ``written``."""
    last = s.written if last is None else last
    if s.phase is not Phase.OPEN or not s.told_written < last <= s.written:
        return None
    return s._replace(told_written=last)


def acknowledge_synced(s: State, *, last: int | None = None) -> State | None:
    """Callers who wait for SYNCED are told, after a failure too: what was synced before it is."""
    last = s.synced if last is None else last
    if not s.runs or not s.told_synced < last <= s.synced:
        return None
    return s._replace(told_synced=last, told_written=max(s.told_written, last))


def tick(s: State) -> State | None:
    """A second passes in which no sync is under way; it may not, while a write of the second before is owed."""
    if s.phase is not Phase.OPEN or s.syncing or s.recent > s.synced or s.recent == s.old == s.written:
        return None
    return s._replace(old=s.recent, recent=s.written)


# --- the manifest ---------------------------------------------------------------------------------------------------


def publish_segment(s: State, *, room: int) -> State | None:
    """Rotation: what is sealed is synced before the manifest says so."""
    if s.phase is not Phase.OPEN or s.publishing is not Publishing.NOTHING or s.syncing:
        return None
    if not s.synced == s.written == s.applied:
        return None
    return s._replace(manifest=_sealed(s, room), publishing=Publishing.SEGMENT)


def publish_close(s: State) -> State | None:
    """The last number is on record, so that any loss after it is corruption."""
    if s.phase is not Phase.OPEN or s.publishing is not Publishing.NOTHING or s.syncing or s.rewriting:
        return None
    if s.synced != s.applied:
        return None
    return s._replace(manifest=_sealed(s, 0), publishing=Publishing.CLOSE)


def _sealed(s: State, room: int) -> Manifest:
    m = s.manifest
    return m._replace(log=m.log | span(m.first, s.applied), first=s.applied + 1, room=room)


def rewrite_begin(s: State, *, last: int | None = None) -> State | None:
    """The base that is made of the old one and of all that is sealed, or was when it was begun."""
    if s.phase is not Phase.OPEN or s.publishing is not Publishing.NOTHING or s.rewriting or not s.manifest.log:
        return None
    base = top(s.manifest.log) if last is None else last
    if not s.manifest.log >> base & 1:
        return None
    return s._replace(rewriting=base, base_dirty=s.base_dirty | 1 << base, base_solid=s.base_solid & ~(1 << base))


def rewrite_sync(s: State) -> State | None:
    """The new base is durable, content and name."""
    base = 1 << s.rewriting
    if s.phase is not Phase.OPEN or not s.rewriting or not s.base_dirty & base:
        return None
    return s._replace(base_dirty=s.base_dirty & ~base, base_solid=s.base_solid | base)


def rewrite_give_up(s: State) -> State | None:
    """The new base is removed."""
    if s.phase is not Phase.OPEN or not s.rewriting or s.publishing is Publishing.BASE:
        return None
    base = 1 << s.rewriting
    return s._replace(rewriting=0, base_dirty=s.base_dirty & ~base, base_solid=s.base_solid & ~base)


def publish_base(s: State) -> State | None:
    """A base is durable, content and name, before the manifest names it."""
    if s.phase is not Phase.OPEN or s.publishing is not Publishing.NOTHING or not s.rewriting:
        return None
    if not s.base_solid >> s.rewriting & 1:
        return None
    m = s.manifest
    merged = m.log & span(1, s.rewriting)
    return s._replace(manifest=m._replace(base=m.base | merged, log=m.log & ~merged), publishing=Publishing.BASE)


def publication_synced(s: State) -> State | None:
    """From now on the new manifest is what a power loss leaves."""
    if s.phase is not Phase.OPEN or s.publishing is Publishing.NOTHING:
        return None
    s = s._replace(durable=s.manifest, doubted=False)
    if s.publishing is Publishing.CLOSE:
        return down(s._replace(history=s.live, recent=0))
    rewriting = 0 if s.publishing is Publishing.BASE else s.rewriting
    return s._replace(publishing=Publishing.NOTHING, rewriting=rewriting)


def publication_fail(s: State) -> State | None:
    """Either manifest may be what a crash leaves."""
    if s.phase is not Phase.OPEN or s.publishing is Publishing.NOTHING:
        return None
    return _doubt(s)._replace(phase=Phase.POISONED, publishing=Publishing.NOTHING)


def _doubt(s: State) -> State:
    return s._replace(doubted=s.manifest != s.durable, faults=s.faults + 1)


def remove(s: State, *, numbers: int | None = None, bases: int | None = None) -> State | None:
    """What was replaced is removed, and what was cut is trimmed; all of it, or what was seen to be."""
    old_bases = (s.base_dirty | s.base_solid) & ~named(s.manifest) & ~(1 << s.rewriting if s.rewriting else 0)
    numbers = s.replaced if numbers is None else numbers
    bases = old_bases if bases is None else bases
    if s.phase is not Phase.OPEN or s.publishing is not Publishing.NOTHING:
        return None
    if not numbers | bases or numbers & ~s.replaced or bases & ~old_bases:
        return None
    return s._replace(
        dirty=s.dirty & ~numbers,
        ghost=s.ghost & ~numbers,
        solid=s.solid & ~numbers,
        promises=forget(s.promises, numbers),
        base_dirty=s.base_dirty & ~bases,
        base_solid=s.base_solid & ~bases,
    )


# --- crashes --------------------------------------------------------------------------------------------------------


def process_crash(s: State, *, last: int) -> State | None:
    """The page cache lives on; of a write that was under way, the front up to the frame of ``last``."""
    if not (s.runs or s.recovers) or not s.written <= last <= s.applied:
        return None
    bases = named(s.manifest) | named(s.durable)
    return down(
        s._replace(
            dirty=s.dirty | span(s.written + 1, last),
            promises=forget(s.promises, span(last + 1, s.applied)),
            base_dirty=s.base_dirty & bases,
            base_solid=s.base_solid & bases,
            told_written=0 if s.phase is Phase.REVERTED else s.told_written,
            history=s.live if s.runs else s.history,
            recent=0,
            crashes=s.crashes + 1,
        )
    )


def power_loss(s: State, *, kept: int, manifest: Manifest) -> State | None:
    """Of what was not synced, anything; no base that a manifest names is ever in doubt (C5)."""
    if s.phase in (Phase.INCOMPLETE, Phase.UNVOUCHED) or kept & ~s.unsure or manifest not in (s.manifest, s.durable):
        return None
    return down(
        s._replace(
            manifest=manifest,
            durable=manifest,
            doubted=False,
            dirty=0,
            ghost=0,
            solid=s.solid | kept,
            promises=forget(s.promises, s.unsure & ~kept),
            base_dirty=0,
            base_solid=s.base_solid & named(manifest),
            told_written=0,
            history=s.live if s.runs else s.history,
            recent=0,
            crashes=s.crashes + 1,
        )
    )


# --- recovery -------------------------------------------------------------------------------------------------------


def end(s: State) -> int:
    """The last number before the first that is missing in the open segment."""
    last, stop, there = s.manifest.first - 1, s.manifest.first + s.manifest.room, s.there
    while last + 1 < stop and there >> (last + 1) & 1:
        last += 1
    return last


def recover(s: State) -> State | None:
    """Read and judge; then write the tail again, whose last sync may have failed.  Or refuse."""
    if s.phase is not Phase.DOWN:
        return None
    m, last = s.manifest, end(s)
    if named(m) & ~(s.base_dirty | s.base_solid) or m.log & ~s.there:
        return s._replace(phase=Phase.INCOMPLETE)
    room = s.there & span(m.first, m.first + m.room - 1)
    if any(promise > last and room >> number & 1 for number, promise in s.promises):
        return s._replace(phase=Phase.UNVOUCHED)
    tail = span(m.first, last)
    return s._replace(phase=Phase.REWRITTEN, dirty=s.dirty | s.ghost & tail, ghost=s.ghost & ~tail)


def settle_sync(s: State) -> State | None:
    """The tail is synced, and the directory."""
    if s.phase is not Phase.REWRITTEN:
        return None
    tail = span(s.manifest.first, end(s))
    return s._replace(
        phase=Phase.SETTLED,
        durable=s.durable if s.doubted else s.manifest,
        solid=s.solid | s.dirty & tail,
        dirty=s.dirty & ~tail,
        promises=forget(s.promises, tail),
    )


def settle_fail(s: State) -> State | None:
    """The open is refused, and nothing is known of the tail."""
    if s.phase is not Phase.REWRITTEN:
        return None
    return down(_doubt(s)._replace(ghost=s.ghost | s.dirty, dirty=0))


def settle_fail_reverting(s: State, *, kept: int) -> State | None:
    """Nobody was told yet what had been found, and what had been written may be gone."""
    if s.phase is not Phase.REWRITTEN or kept & ~s.dirty:
        return None
    return down(_revert(s, kept)._replace(told_written=0))


def publish_opening(s: State, *, room: int, first: int | None = None, first_max: int | None = None) -> State | None:
    """The cut, the retired numbers and the new segment, in one rename.  More may be retired than has to be."""
    if s.phase is not Phase.SETTLED or s.publishing is not Publishing.NOTHING:
        return None
    m = s.manifest
    least = m.first + m.room if first_max is None else min(m.first + m.room, first_max)
    first = least if first is None else first
    if first < least:
        return None
    manifest = Manifest(m.base, m.log | span(m.first, end(s)), first, room)
    return s._replace(manifest=manifest, publishing=Publishing.OPENING)


def opening_synced(s: State) -> State | None:
    """The open returns: what was found is durable, and is told."""
    if s.publishing is not Publishing.OPENING:
        return None
    last = s.manifest.first - 1
    return s._replace(
        durable=s.manifest,
        doubted=False,
        phase=Phase.OPEN,
        publishing=Publishing.NOTHING,
        applied=last,
        written=last,
        synced=last,
        told_written=last,
        told_synced=last,
        recent=0,
        old=0,
        given=max(s.given, last),
        history=0,
    )


def opening_fail(s: State) -> State | None:
    """The open is refused; either manifest may be what a crash leaves."""
    if s.publishing is not Publishing.OPENING:
        return None
    return down(_doubt(s))
