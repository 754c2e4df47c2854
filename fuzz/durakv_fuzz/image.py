"""What a disk holds while no machine runs: the names in one directory, and their bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Image:
    """One directory at rest.  Neither it nor its mapping is ever changed, so the bytes may be shared."""

    files: Mapping[str, bytes] = field(default_factory=dict[str, bytes])
    exists: bool = True
    """Whether the directory itself is there; without it there are no files."""

    def fingerprint(self) -> int:
        """A cheap digest for telling images apart inside this process; another process gives another number."""
        return hash((self.exists, frozenset(self.files.items())))

    def digest(self) -> str:
        """The same in every process: 32 hexadecimal digits."""
        state = hashlib.blake2b(b"root" if self.exists else b"none", digest_size=16)
        for name, data in sorted(self.files.items()):
            encoded = name.encode()
            state.update(b"%d:%b%d:" % (len(encoded), encoded, len(data)))
            state.update(data)
        return state.hexdigest()

    def save(self, path: Path) -> None:
        """Write it out as a real directory, for programs that know no simulation."""
        if self.exists:
            path.mkdir(parents=True, exist_ok=True)
        for name, data in self.files.items():
            (path / name).write_bytes(data)

    @classmethod
    def load(cls, path: Path) -> Image:
        """Read a real directory of plain files."""
        if not path.is_dir():
            return NOTHING
        return cls({entry.name: entry.read_bytes() for entry in sorted(path.iterdir())})


NOTHING = Image({}, exists=False)
"""A disk on which the directory was never made."""
