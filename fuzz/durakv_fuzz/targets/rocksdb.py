"""RocksDB by rocksdict: a write-ahead log and sorted tables; a put for each number."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

from durakv_fuzz.program.subject import Plan, Promise
from durakv_fuzz.targets.target import BENCH, Embedded, key_of

_BUFFER_BYTES = 64 << 10
_HEADER = "WriteOptions in https://github.com/facebook/rocksdb/blob/main/include/rocksdb/options.h"
_SYNC = (
    '"If true, the write will be flushed from the operating system buffer cache (by calling WritableFile::Sync()) '
    f'before the write is considered complete." ({_HEADER})'
)
_NO_SYNC = f'"If this flag is false, and the machine crashes, some recent writes may be lost." ({_HEADER})'


def targets() -> list[Embedded]:
    """The log synced with each write, not synced (the default), and synced while the database is only being made."""
    return [
        _target("sync", Promise.ALWAYS, _SYNC, True, Plan(count=600)),
        _target("nosync", Promise.PREFIX, _NO_SYNC, False, Plan(count=600)),
        _target("sync+creation", Promise.ALWAYS, _SYNC, True, Plan(prepared=False)),
    ]


def _target(setting: str, promise: Promise, documented: str, sync: bool, plan: Plan) -> Embedded:
    return Embedded(
        name="rocksdb",
        setting=setting,
        promise=promise,
        documented=documented,
        open=partial(_Database, sync),
        release=_release,
        module="rocksdict",
        remedy=BENCH,
        plan=plan,
    )


def _release() -> Mapping[str, str]:
    return {"rocksdict": metadata.version("rocksdict")}


class _Database:
    def __init__(self, sync: bool, directory: Path) -> None:
        rocksdict: Any = import_module("rocksdict")
        options = rocksdict.Options(raw_mode=True)
        options.set_write_buffer_size(_BUFFER_BYTES)
        self._db: Any = rocksdict.Rdict(str(directory), options)
        self._options: Any = rocksdict.WriteOptions()
        self._options.sync = sync

    def put(self, number: int, value: bytes, /) -> bool:
        self._db.put(key_of(number), value, self._options)
        return False

    def pairs(self) -> list[tuple[bytes, bytes]]:
        return [(bytes(key), bytes(value)) for key, value in self._db.items()]

    def close(self) -> None:
        self._db.close()
