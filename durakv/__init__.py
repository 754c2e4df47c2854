"""durakv: a durability engine to embed, and the crash laboratory that proves it.

    with durakv.open("data", fsync="everysec") as db:          a keyspace: bytes to bytes, Redis's commands
        db.set(b"order:7", b"paid", durability=durakv.Durability.SYNCED)

    engine = durakv.Engine("ledger", Ledger())                 a state machine of your own
    async with durakv.aio.open("data", fsync="always") as db:  the same for asyncio

What survives is decided by the level a write was acknowledged at, and by nothing else:

    APPLIED   in memory                        survives no crash
    WRITTEN   the operating system has it      survives the death of the process, SIGKILL included (C2)
    SYNCED    an fsync that covers it returned survives a loss of power (C3)

The policy ``fsync=`` says what a write waits for when it names no level: ``always`` SYNCED; ``everysec`` WRITTEN, and
a loss of power takes at most the last second (C4); ``no`` WRITTEN, and a loss of power takes what the kernel had not
stored (C5).  After any crash the state is that after the first k batches, each whole (C1).  The clauses are those of
specs/01-contract.md.

Names are imported when they are first used, so that ``import durakv`` costs next to nothing.
"""

from __future__ import annotations

TYPE_CHECKING = False  # what type checkers read as True; importing it from typing would cost more than all the rest
if TYPE_CHECKING:
    from durakv import aio as aio
    from durakv.conformance import check_state_machine
    from durakv.durability import Durability, FsyncPolicy
    from durakv.engine import Engine
    from durakv.errors import (
        Closed,
        CommandError,
        Corruption,
        DirectoryError,
        DiskFull,
        DurakvError,
        Limit,
        Locked,
        Poisoned,
        UnsupportedVersion,
        WrongType,
    )
    from durakv.keyspace.batch import Batch
    from durakv.keyspace.database import Database, open
    from durakv.keyspace.view import View
    from durakv.machine import Command, StateMachine
    from durakv.options import BaseFormat, Load, Options
    from durakv.receipt import Receipt
    from durakv.report import Cut, RecoveryReport, Status
    from durakv.storage.conformance import check_filesystem

__version__ = "0.1.0"

__all__ = [
    "BaseFormat",
    "Batch",
    "Closed",
    "Command",
    "CommandError",
    "Corruption",
    "Cut",
    "Database",
    "DirectoryError",
    "DiskFull",
    "Durability",
    "DurakvError",
    "Engine",
    "FsyncPolicy",
    "Limit",
    "Load",
    "Locked",
    "Options",
    "Poisoned",
    "Receipt",
    "RecoveryReport",
    "StateMachine",
    "Status",
    "UnsupportedVersion",
    "View",
    "WrongType",
    "aio",
    "check_filesystem",
    "check_state_machine",
    "open",
]

_ERRORS = (
    "Closed CommandError Corruption DirectoryError DiskFull DurakvError Limit Locked Poisoned UnsupportedVersion "
    "WrongType"
)
_WHERE = {
    "conformance": "check_state_machine",
    "durability": "Durability FsyncPolicy",
    "engine": "Engine",
    "errors": _ERRORS,
    "keyspace.batch": "Batch",
    "keyspace.database": "Database open",
    "keyspace.view": "View",
    "machine": "Command StateMachine",
    "options": "BaseFormat Load Options",
    "receipt": "Receipt",
    "report": "Cut RecoveryReport Status",
    "storage.conformance": "check_filesystem",
}
_HOME = {name: module for module, names in _WHERE.items() for name in names.split()}


def __getattr__(name: str) -> object:
    if name not in _HOME and name != "aio":
        raise AttributeError(f"module 'durakv' has no attribute {name!r}")
    import gc
    from importlib import import_module

    # Importing makes much and leaves no garbage; looking for some would be a tenth of it.
    enabled = gc.isenabled()
    gc.disable()
    try:
        value = import_module("durakv.aio") if name == "aio" else getattr(import_module(f"durakv.{_HOME[name]}"), name)
    finally:
        if enabled:
            gc.enable()
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
