"""The server that the tests of this room crash."""

from __future__ import annotations

import os
import shutil
from typing import NoReturn

import pytest

from durakv.bench.loss_servers import Server, find_servers
from tests.keyspace.stock_server import REQUIRED


def redis_server() -> Server:
    """The redis-server of this machine; skips the test, visibly, where there is none, or fails it if it must be."""
    found, left_out = find_servers()
    return next((server for server in found if server.name == "redis-server"), None) or _miss("; ".join(left_out))


def strace() -> str:
    """The strace of this machine; likewise."""
    return shutil.which("strace") or _miss("no strace on this machine")


def _miss(reason: str) -> NoReturn:
    if os.environ.get(REQUIRED):
        pytest.fail(f"{reason}, and {REQUIRED} is set")
    pytest.skip(f"{reason}: no server is crashed")
