"""A run as data: how the engine is set up, and the steps of its program.

Everything is small whole numbers, so that a run can be written down, repeated, and made smaller.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any, TypeVar

from durakv.durability import FsyncPolicy
from durakv.machine import Command
from durakv.options import BaseFormat, Load, Options
from durakv_fuzz.machines import MachineKind
from durakv_fuzz.typed import LETTERS, typed_command

T = TypeVar("T")

KEY_COUNT = 6
MANY = 80
"""So many commands at once take more numbers than a segment of one frame could have given out."""

DEADLINE_MS = 1_700_000_000_000


class Action(StrEnum):
    """What a program can do.  The arguments are listed with each; a number out of range becomes the nearest."""

    WRITE = "write"
    """level (3: the policy's own), how (wait, wait later, apply, transact), then for each command kind, key, size."""

    WAIT = "wait"
    """Wait for the oldest batch that nobody waited for."""

    SYNC = "sync"
    READ = "read"
    """level; and look at the state."""

    EXPIRE = "expire"
    """batches; the keyspace deletes what has expired, but for the deadlines of so many of the last batches."""

    STEP = "step"
    """count"""

    ADVANCE = "advance"
    """milliseconds, in which the background gets its turns."""

    STARVE = "starve"
    """milliseconds, in which it does not."""

    POLICY = "policy"
    """which"""

    REWRITE = "rewrite"
    """1: to its end; 0: begin, and let the steps do the rest."""

    REOPEN = "reopen"
    """policy; closes first."""

    CLOSE = "close"
    """Closes, and opens nothing."""

    KILL = "kill"
    """policy; opens again without closing."""

    INTRUDE = "intrude"
    """Somebody else tries to open the directory."""

    FAULT = "fault"
    """calls spared, which calls, which error, bytes done, what a failed sync does, milliseconds, times."""

    MEND = "mend"
    """No faults any more, and as much room as one likes."""

    ROOM = "room"
    """How many bytes are left on the disk."""

    MEANWHILE = "meanwhile"
    """barriers spared, then as for WRITE: a second writer while a barrier is under way."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a program."""

    action: Action
    arguments: tuple[int, ...] = ()

    def __str__(self) -> str:
        return " ".join([self.action, *map(str, self.arguments)])


Script = tuple[Step, ...]


def nearest(options: Sequence[T], index: int) -> T:
    """What an argument stands for that chooses one of several."""
    return options[min(max(0, index), len(options) - 1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """How the engine of a run is opened."""

    machine: MachineKind = MachineKind.FROZEN
    policy: FsyncPolicy = FsyncPolicy.ALWAYS
    segment_bytes: int = 4096
    pending_bytes_max: int = 1 << 20
    rewrite_segments_max: int = 0
    rewrite_memory_bytes: int = 1 << 20
    base_format: BaseFormat = BaseFormat.DKV
    """What rewrites make; of the real keyspace only, the other machines have no other form."""

    load: Load = Load.EAGER
    """When an open reads the base; what it may find does not depend on it."""

    identity: int = 0
    """Of the directory."""

    @property
    def windows(self) -> bool:
        """Whether the disk lets files be written through windows: for half of all setups, always the same ones.

        It is not drawn: what is asked after it in the records of earlier failures would be another choice then.
        """
        drawn = (
            f"{self.machine} {self.policy} {self.segment_bytes} {self.pending_bytes_max} {self.rewrite_segments_max}"
        )
        return hashlib.blake2b(drawn.encode(), digest_size=1).digest()[0] & 1 == 1

    def options(self) -> Options:
        """For the engine."""
        return _options(self)

    def entropy(self, size: int) -> bytes:
        """What the engine takes for random."""
        return hashlib.blake2b(b"%d" % self.identity, digest_size=size).digest()

    def commands(self, batch: int, arguments: Sequence[int]) -> tuple[Command, ...]:
        """The commands that the arguments of a write stand for.

        No two writes of a run use the same value, nor do two directories, though it has the same size there.
        """
        brand = ord("a") + self.identity % 26
        commands: list[Command] = []
        for index in range(max(1, len(arguments) // 3)):
            kind, key_number, size = (*arguments[3 * index : 3 * index + 3], 0, 0, 0)[:3]
            key = b"k%d" % (key_number % KEY_COUNT)
            value = b"%c%d.%d;" % (brand, batch, index)
            value += b"." * (size - len(value))
            letter = LETTERS[key_number % len(LETTERS)] if self.machine is MachineKind.TYPES else LETTERS[0]
            if letter != LETTERS[0] and kind not in (2, 4):
                key = b"%c%d" % (letter, key_number % KEY_COUNT)
                way = {1: 1, 5: 2}.get(kind, 0)
                commands += [typed_command(way, key, value=value, batch=batch, index=index, size=size)]
                if kind == 3:
                    commands.append((b"PEXPIREAT", key, b"%d" % (DEADLINE_MS + batch)))
            elif kind == 1:
                commands.append((b"APPEND", key, value))
            elif kind == 2:
                commands.append((b"DEL", b"%c%b" % (letter, key[1:])))
            elif kind == 3:
                commands.append((b"SET", key, value, b"PXAT", b"%d" % (DEADLINE_MS + batch)))
            elif kind == 4:
                commands.append((b"FLUSHDB",))
            elif kind == 5:
                commands += [(b"DEL", key)] * min(1 + size, MANY)
            else:
                commands.append((b"SET", key, value))
        return tuple(commands)


@lru_cache(maxsize=16)
def _options(setup: Setup) -> Options:
    return Options(
        fsync=setup.policy,
        segment_bytes=setup.segment_bytes,
        pending_bytes_max=setup.pending_bytes_max,
        rewrite_percentage=0,
        rewrite_segments_max=setup.rewrite_segments_max,
        rewrite_memory_bytes=setup.rewrite_memory_bytes,
        base_format=setup.base_format,
        load=setup.load,
    )


def dump_setup(setup: Setup) -> dict[str, Any]:
    """As JSON knows it."""
    return asdict(setup)


def load_setup(data: dict[str, Any]) -> Setup:
    """The other way round."""
    fields: dict[str, Any] = dict(data)
    fields["machine"] = MachineKind(data["machine"])
    fields["policy"] = FsyncPolicy(data["policy"])
    fields["base_format"] = BaseFormat(data.get("base_format", BaseFormat.DKV))
    fields["load"] = Load(data.get("load", Load.EAGER))
    return Setup(**fields)
