"""LevelDB by plyvel: a log and sorted tables; a put for each number, with buffers so small that tables are made."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from durakv_fuzz.program.subject import Plan, Promise
from durakv_fuzz.targets.target import BENCH, Embedded, key_of

_BUFFER_BYTES = 64 << 10
"""The least that LevelDB takes."""
_DOCS = "https://github.com/google/leveldb/blob/main/doc/index.md#synchronous-writes"
_SYNC = (
    '"The sync flag can be turned on for a particular write to make the write operation not return until the data '
    f'being written has been pushed all the way to persistent storage." ({_DOCS})'
)
_NO_SYNC = f'"a crash of the machine may cause the last few updates to be lost" ({_DOCS})'


def targets() -> list[Embedded]:
    """Synced, not synced, and synced while the database is only being made."""
    return [
        _target("sync", Promise.ALWAYS, _SYNC, True, Plan(count=600)),
        _target("nosync", Promise.PREFIX, _NO_SYNC, False, Plan(count=600)),
        _target("sync+creation", Promise.ALWAYS, _SYNC, True, Plan(prepared=False)),
    ]


def _target(setting: str, promise: Promise, documented: str, sync: bool, plan: Plan) -> Embedded:
    return Embedded(
        name="leveldb",
        setting=setting,
        promise=promise,
        documented=documented,
        open=partial(_Database, sync),
        release=_release,
        module="plyvel",
        remedy=BENCH,
        plan=plan,
    )


def _release() -> Mapping[str, str]:
    plyvel: Any = import_module("plyvel")
    return {"LevelDB": plyvel.__leveldb_version__, "plyvel": plyvel.__version__}


class _Database:
    def __init__(self, sync: bool, directory: Path) -> None:
        plyvel: Any = import_module("plyvel")
        self._db: Any = plyvel.DB(str(directory), create_if_missing=True, write_buffer_size=_BUFFER_BYTES)
        self._sync = sync

    def put(self, number: int, value: bytes, /) -> bool:
        self._db.put(key_of(number), value, sync=self._sync)
        return False

    def pairs(self) -> list[tuple[bytes, bytes]]:
        with self._db.iterator(verify_checksums=True) as pairs:
            return list(pairs)

    def close(self) -> None:
        self._db.close()
