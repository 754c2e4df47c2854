"""The servers of this machine that can be crashed beside durakv."""

from __future__ import annotations

import subprocess
from typing import NamedTuple

from durakv.bench.peers.servers import PROGRAMS, version_of


class Server(NamedTuple):
    """A program that was found."""

    name: str
    program: str
    version: str


def find_servers() -> tuple[list[Server], list[str]]:
    """The servers of this machine, and which are left out, with the reason."""
    found: list[Server] = []
    left_out: list[str] = []
    for program in PROGRAMS:
        path = program.find()
        if path is None:
            missing = f"there is no {program.command} on this machine; install it and run again"
            left_out.append(f"{program.name}: crashes of it: {missing}")
            continue
        try:
            found.append(Server(program.name, path, version_of(path)))
        except (OSError, subprocess.SubprocessError) as error:
            left_out.append(f"{program.name}: crashes of it: {path} does not run here: {error}")
    return found, left_out
