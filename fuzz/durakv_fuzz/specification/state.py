"""A state of the machine of ``specs/models/write_path.tla``.

Sets of numbers are whole numbers: ``n`` is in the set ``s`` if bit ``n`` of ``s`` is set.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class Phase(Enum):
    """What the owner of the directory is doing."""

    DOWN = "down"
    OPEN = "open"
    POISONED = "poisoned"
    REVERTED = "reverted"
    """Poisoned by a sync after which even the page cache forgot."""
    REWRITTEN = "rewritten"
    """A recovery has read and judged, and written the tail again."""
    SETTLED = "settled"
    INCOMPLETE = "incomplete"
    """Refused: something that the manifest names is missing."""
    UNVOUCHED = "unvouched"
    """Refused: something was promised that is not there."""


class Publishing(Enum):
    """Which change of the manifest is renamed, and not yet synced."""

    NOTHING = "nothing"
    SEGMENT = "segment"
    BASE = "base"
    CLOSE = "close"
    OPENING = "opening"


class Manifest(NamedTuple):
    """What the directory says of itself."""

    base: int = 0
    """The numbers in the base; it stands under the last of them."""
    log: int = 0
    """The numbers in sealed segments."""
    first: int = 1
    """The first number of the open segment."""
    room: int = 0
    """How many numbers it can have given out; 0 if there is none."""


class State(NamedTuple):
    """One state of the machine."""

    manifest: Manifest = Manifest()
    durable: Manifest = Manifest()
    doubted: bool = False
    """A sync of the directory has failed: the next one proves nothing of what it covered."""
    dirty: int = 0
    """Frames that a sync would make durable."""
    ghost: int = 0
    """Frames whose sync failed: seen, and clean."""
    solid: int = 0
    """Durable frames."""
    promises: tuple[tuple[int, int], ...] = ()
    """The synced number in each frame that is not known to be durable, where it is not 0."""
    base_dirty: int = 0
    base_solid: int = 0

    phase: Phase = Phase.DOWN
    publishing: Publishing = Publishing.NOTHING
    applied: int = 0
    written: int = 0
    synced: int = 0
    syncing: int = 0
    rewriting: int = 0

    told_written: int = 0
    told_synced: int = 0
    recent: int = 0
    old: int = 0
    given: int = 0
    history: int = 0

    crashes: int = 0
    faults: int = 0

    @property
    def there(self) -> int:
        """Frames that programs see."""
        return self.dirty | self.ghost | self.solid

    @property
    def pending(self) -> int:
        """Numbers that are applied and not written."""
        return span(self.written + 1, self.applied)

    @property
    def unsure(self) -> int:
        """Frames that a power loss may take."""
        return self.dirty | self.ghost | self.pending

    @property
    def live(self) -> int:
        """Everything that was applied."""
        return self.manifest.base | self.manifest.log | span(self.manifest.first, self.applied)

    @property
    def replaced(self) -> int:
        """Frames that do not count any more."""
        return self.there & span(1, self.manifest.first - 1) & ~self.manifest.log

    @property
    def runs(self) -> bool:
        """Whether an engine is open, healthy or not."""
        return self.phase in (Phase.OPEN, Phase.POISONED, Phase.REVERTED)

    @property
    def recovers(self) -> bool:
        """Whether an open is under way that has begun to write."""
        return self.phase in (Phase.REWRITTEN, Phase.SETTLED)


FRESH = State()
"""An empty directory: its first manifest is there, and names nothing."""


def span(first: int, last: int) -> int:
    """The numbers from one to the other; empty if the last is before the first."""
    return (1 << (last + 1)) - (1 << first) if last >= first else 0


def top(numbers: int) -> int:
    """The highest number of a set; 0 if it is empty."""
    return max(0, numbers.bit_length() - 1)


def named(manifest: Manifest) -> int:
    """The base of a manifest, as a set."""
    return 1 << top(manifest.base) if manifest.base else 0


def forget(promises: tuple[tuple[int, int], ...], numbers: int) -> tuple[tuple[int, int], ...]:
    """The promises without those in the frames of these numbers."""
    return tuple(item for item in promises if not numbers >> item[0] & 1)


def down(state: State) -> State:
    """The same without what an owner has in memory."""
    return state._replace(
        phase=Phase.DOWN, publishing=Publishing.NOTHING, applied=0, written=0, synced=0, syncing=0, rewriting=0
    )
