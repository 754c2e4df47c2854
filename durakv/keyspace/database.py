"""The facade: a keyspace made durable by an engine; ``methods`` has a method for every common command.

    with durakv.open("data", fsync="everysec") as db:
        db.set(b"page:1", b"<html>")
        db.set(b"order:7", b"paid", durability=Durability.SYNCED)
        db.execute(b"SET", b"lease", b"me", b"NX", b"PX", 30_000)

A write returns when it has reached its durability level (the policy's, unless the call names one), so what it
survives is the contract's: WRITTEN a crash of the process (C2), SYNCED a loss of power (C3).  A read returns applied
state at once; with ``durability=`` it waits until everything it may have seen has reached that level (C14).
"""

from __future__ import annotations

import os
from binascii import crc_hqx
from collections.abc import Callable, Iterator
from functools import update_wrapper
from types import TracebackType
from typing import Any, Literal, NoReturn, Self, TypeVar, overload

from durakv.clock import Clock
from durakv.closing import ABORT_SECONDS
from durakv.directory import APPEND_DIRECTORY, SINGLE_NAME
from durakv.durability import Durability, FsyncPolicy, check_level
from durakv.engine import Engine
from durakv.errors import DirectoryError, refuse_copy
from durakv.keyspace.batch import Batch, batch_level
from durakv.keyspace.command import parse_database
from durakv.keyspace.decider import Decider
from durakv.keyspace.expiry import Expiry
from durakv.keyspace.lane import make_lane
from durakv.keyspace.machine import Keyspace
from durakv.keyspace.mapping import DatabaseMapping
from durakv.keyspace.methods import Methods
from durakv.keyspace.methods.method import Immediate
from durakv.keyspace.methods.strings import get_request, set_request
from durakv.keyspace.replies import Reply
from durakv.keyspace.requests import Argument, Request, encode
from durakv.keyspace.view import View, deciding, looking
from durakv.machine import Command
from durakv.options import Options
from durakv.recovery import Progress
from durakv.report import RecoveryReport, Status
from durakv.storage.filesystem import Filesystem
from durakv_formats.limits import BULK_BYTES_MAX

R = TypeVar("R")
T = TypeVar("T")

SCAN_COUNT = 256
"""How many keys a step of ``scan_iter`` looks at under the lock."""


def open(
    path: str | os.PathLike[str] | None,
    *,
    options: Options | None = None,
    fsync: FsyncPolicy | str | None = None,
    create: bool = True,
    filesystem: Filesystem | None = None,
    clock: Clock | None = None,
    background: bool = True,
    progress: Progress | None = None,
) -> Database:
    """Open a data directory as a keyspace, creating it unless ``create`` is false; return its database 0.

    ``fsync`` says what survives when a call does not ask for more.  The death of the process takes no acknowledged
    write, whatever it is (C2).  A loss of power takes none under ``always`` (C3), at most the last second under
    ``everysec``, the default (C4), and under ``no`` what the kernel had not stored (C5).

    ``Database.report`` says what was recovered, cut or healed (C13).  Raises what ``Engine`` raises: Locked,
    Corruption, UnsupportedVersion, DirectoryError, OSError.
    """
    if path is not None and filesystem is None:
        _refuse_single_files(os.fspath(path))
    decider = Decider(Keyspace(), clock)
    engine = Engine(
        path,
        decider.keyspace,
        options=options,
        fsync=fsync,
        create=create,
        filesystem=filesystem,
        clock=decider.clock,
        background=background,
        progress=progress,
    )
    if engine.options.active_expiry:
        engine.add_task(Expiry(engine, decider))
    return Database(engine, decider)


def _refuse_single_files(path: str) -> None:
    """A server's data that an open would pass over: nobody is to find an empty keyspace beside it."""
    if os.path.exists(os.path.join(path, APPEND_DIRECTORY)):
        return
    for name in (SINGLE_NAME, "dump.rdb"):
        if os.path.exists(os.path.join(path, name)):
            file = os.path.join(path, name)
            raise DirectoryError(
                f"{path} holds {name} of a server and no {APPEND_DIRECTORY}, and an open would begin empty beside it; "
                f"take it over with `durakv import {path} {file}`, or move it away"
            )


class Database(Methods, Immediate):
    """One numbered database of an open keyspace; ``select`` gives the others.

    Any thread may call any method.  Keys and values are ``bytes``; anything else is refused with TypeError, sizes
    beyond the formats' with Limit, commands that Redis would refuse with CommandError in its words, and then nothing
    was logged.

    A write returns at its level, the policy's or the one it names in ``durability=``, and then survives what that
    level survives: WRITTEN the death of the process (C2), SYNCED a loss of power too (C3).  A read may show what a
    crash takes back, unless it waits for a level itself (C14).

    Most methods are shared with ``AsyncDatabase`` and ``Batch``: see ``Methods``.  Where ``help`` says that one returns
    ``Request[T]``, here it returns T.
    """

    def __init__(self, engine: Engine, decider: Decider, number: int = 0) -> None:
        """Wrap an open engine whose machine is the decider's keyspace; ``open`` does all of it."""
        self.engine = engine
        self.number = number
        self.decider = decider
        self._keyspace = decider.keyspace
        self._store = decider.keyspace.store(number)
        self.lane = make_lane(engine, decider.keyspace) if number == 0 else None
        """What takes plain SETs past the steps that only others need; for the facades."""
        self._put = None if self.lane is None else self.lane.put

    def select(self, number: int) -> Database:
        """Another numbered database of the same keyspace; closing either closes both."""
        return Database(self.engine, self.decider, parse_database(b"%d" % number))

    # --- any command ----------------------------------------------------------------------------------------------

    def execute(self, *arguments: Argument, database: int | None = None, durability: Durability | None = None) -> Reply:
        """Run any command and return its reply: bytes, int, None, a list of these, or a ``Status`` such as OK."""
        number = self.number if database is None else parse_database(b"%d" % database)
        return self._execute(encode(arguments), number, durability)

    def batch(self, *, durability: Durability | None = None) -> Batch:
        """Collect commands in a ``with`` block and run them as one: all or nothing; see ``Batch``."""
        engine, decider = self.engine, self.decider
        own = None if durability is None else check_level(durability)

        def commit(commands: list[tuple[int, Command]], named: Durability) -> list[Reply]:
            return engine.transact(decider.batch(commands), batch_level(engine.fsync, own, named))

        return Batch(decider, self.number, commit)

    def read(self, look: Callable[[View], R], *, durability: Durability | None = None) -> R:
        """Call ``look`` with the state of one moment, and return its answer.

        ``look`` runs under the engine's lock, so it should be short, and must not use the database itself.  With a
        ``durability`` the answer is held back until all it may depend on has reached that level (C14).
        """
        level = Durability.APPLIED if durability is None else durability
        return self.engine.read(looking(self.decider, self.number, look), level)

    def transact(self, decide: Callable[[View, Batch], R], *, durability: Durability | None = None) -> R:
        """Read, decide what to write, and write it as one batch, with no other write in between; return the answer.

        ``decide`` gets the state of that moment, and a batch to put commands into; the state does not show them.  It
        runs under the engine's lock, so it should be short, and must not use the database itself; it may be called
        more than once, and the last call counts.  An exception in it discards the batch and is raised.  If it writes
        nothing, nothing is logged, and the level is waited for on behalf of what it has seen (C14).
        """
        return self.engine.transact(deciding(self.decider, self.number, decide), durability)

    def _execute(self, command: Command, number: int, durability: Durability | None) -> Reply:
        decider = self.decider
        if decider.is_write(command):
            return self.engine.transact(decider.write(number, command), durability)
        level = Durability.APPLIED if durability is None else durability
        return self.engine.read(decider.read(number, command), level)

    def _run(self, request: Request[T]) -> T:
        return request.convert(self._execute(request.command, self.number, request.durability))

    # --- the short ways -------------------------------------------------------------------------------------------

    def get(self, key: bytes, *, durability: Durability | None = None) -> bytes | None:
        """What the key holds, or None."""
        # The short way: a look at the dictionaries without the engine's lock, which a batch that is being applied
        # would be caught by (``generation``).  The deadline is looked at first; see ``SlotStore``.
        keyspace, store = self._keyspace, self._store
        generation = keyspace.generation
        if durability is None and type(key) is bytes and not generation & 1:
            slot = crc_hqx(key, 0) & store.mask
            deadlines = store.deadlines
            deadline = None if deadlines is None else deadlines[slot].get(key)
            if deadline is not None and deadline < self.decider.clock.time_ms():
                return None
            slots = store.slots
            value = None if slots is None else slots[slot].get(key)
            if generation == keyspace.generation and (value is None or type(value) is bytes):
                return value
        return self._run(get_request(key, durability=durability))

    @overload
    def set(
        self,
        key: bytes,
        value: bytes,
        *,
        nx: bool = ...,
        xx: bool = ...,
        get: Literal[False] = ...,
        keepttl: bool = ...,
        ex: int | None = ...,
        px: int | None = ...,
        exat: int | None = ...,
        pxat: int | None = ...,
        durability: Durability | None = ...,
    ) -> bool: ...

    @overload
    def set(
        self,
        key: bytes,
        value: bytes,
        *,
        get: Literal[True],
        nx: bool = ...,
        xx: bool = ...,
        keepttl: bool = ...,
        ex: int | None = ...,
        px: int | None = ...,
        exat: int | None = ...,
        pxat: int | None = ...,
        durability: Durability | None = ...,
    ) -> bytes | None: ...

    def set(
        self, key: bytes, value: bytes, *, durability: Durability | None = None, **options: Any
    ) -> bool | bytes | None:
        """Set the key and drop its deadline, or give it a new one; return whether it was set.

        ``nx``: only if the key is absent; ``xx``: only if it is there; ``keepttl``: leave the deadline; ``ex``,
        ``px``: expire after seconds or milliseconds; ``exat``, ``pxat``: at that Unix time.  With ``get`` it returns
        what the key held before instead.
        """
        # The options are named in the next method only: giving each its default would take a sixth of a plain SET.
        if not options and self._put is not None:
            done = self._put(key, value, durability)
            if done is True:
                return True
            if done is not None:
                self.engine.wait(done)
                return True
        return self._set(key, value, durability=durability, **options)

    def _set(
        self,
        key: bytes,
        value: bytes,
        *,
        nx: bool = False,
        xx: bool = False,
        get: bool = False,
        keepttl: bool = False,
        ex: int | None = None,
        px: int | None = None,
        exat: int | None = None,
        pxat: int | None = None,
        durability: Durability | None = None,
    ) -> bool | bytes | None:
        plain = not (nx or xx or get or keepttl) and ex is None and px is None and exat is None and pxat is None
        if (
            plain
            and self.number == 0
            and type(key) is bytes
            and type(value) is bytes
            and len(key) <= BULK_BYTES_MAX >= len(value)
        ):
            # The command is its own effect: there is nothing to decide.
            self.engine.apply(((b"SET", key, value),), durability)
            return True
        answer: bool | bytes | None = self._run(
            set_request(
                key,
                value,
                nx=nx,
                xx=xx,
                get=get,
                keepttl=keepttl,
                ex=ex,
                px=px,
                exat=exat,
                pxat=pxat,
                durability=durability,
            )
        )
        return answer

    update_wrapper(set, _set, (), ())  # for ``help``: its signature

    # --- all keys -------------------------------------------------------------------------------------------------

    def scan_iter(
        self, match: bytes | None = None, *, count: int = SCAN_COUNT, kind: bytes | None = None
    ) -> Iterator[bytes]:
        """Go over the keys beside writers: each that is there all along comes exactly once, none twice."""
        cursor = 0
        while True:
            cursor, keys = self.scan(cursor, match=match, count=count, kind=kind)
            yield from keys
            if not cursor:
                return

    def mapping(self, database: int | None = None) -> DatabaseMapping:
        """The database as a mutable mapping."""
        return DatabaseMapping(self if database is None else self.select(database))

    # --- the engine -----------------------------------------------------------------------------------------------

    @property
    def report(self) -> RecoveryReport:
        """What the open found and did (C13)."""
        return self.engine.report

    def sync(self) -> None:
        """Return when every write before this call survives a power loss, under any policy (C3)."""
        self.engine.sync()

    def wait(self, seq: int, durability: Durability = Durability.SYNCED, timeout: float | None = None) -> None:
        """Return when a number has reached a level; see ``Engine.wait``."""
        self.engine.wait(seq, durability, timeout)

    def status(self) -> Status:
        """The exposure of now, and how log and base are doing (C4)."""
        return self.engine.status()

    def counters(self) -> dict[str, int | float]:
        """The same as numbers under stable names; see ``Engine.counters``."""
        return self.engine.counters()

    def rewrite(self, *, wait: bool = True) -> None:
        """Rewrite the log into a new base; see ``Engine.rewrite``."""
        self.engine.rewrite(wait=wait)

    def close(self) -> None:
        """Write and sync everything, seal the log, and give up the directory; see ``Engine.close``."""
        self.decider.close()
        self.engine.close()

    def abort(self, *, timeout: float = ABORT_SECONDS) -> bool:
        """Close by force, without waiting for the disk; return whether the directory is free; see ``Engine.abort``."""
        self.decider.close()
        return self.engine.abort(timeout=timeout)

    def __reduce__(self) -> NoReturn:
        refuse_copy(self, "pass its path on, and open that in the other process once this one has closed it")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: Any, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()
