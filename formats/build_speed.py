"""Builds the compiled twins where there is a C compiler; anywhere else the package is pure Python.

``DURAKV_COMPILE=0`` leaves them out, ``DURAKV_COMPILE=1`` makes a failure an error.  Each is one C file that needs only
Python's own headers, so the compiler that Python was built with is called as it is, and nothing else is installed.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).parent.parent
SPEED = ROOT / "formats" / "durakv_formats" / "_speed.c"
"""The log's codecs."""

LANE = ROOT / "durakv" / "keyspace" / "_lane.c"
"""The write path of a plain SET; there are windows to store through, and calls that are durable, on Linux only."""

SOURCES = (SPEED, LANE) if sys.platform == "linux" else (SPEED,)


class SpeedHook(BuildHookInterface[Any]):
    """Called by hatchling for a wheel, and for an editable install, whose twins stand beside their sources."""

    PLUGIN_NAME = "speed"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and say that the wheel belongs to this Python and machine if it worked."""
        wanted = os.environ.get("DURAKV_COMPILE", "")
        if wanted == "0" or self.target_name != "wheel":
            return
        if version != "editable":
            self._scratch = Path(tempfile.mkdtemp(prefix="durakv-build-"))
        for source in SOURCES:
            name = source.stem + sysconfig.get_config_var("EXT_SUFFIX")
            folder = source.parent if version == "editable" else self._scratch
            failure = compile_one(source, folder / name)
            if failure:
                if wanted == "1":
                    raise RuntimeError(f"DURAKV_COMPILE=1, but {source.name} could not be compiled: {failure}")
                self.app.display_debug(f"durakv is built without {source.stem}: {failure}")
            elif version != "editable":
                build_data["force_include"][str(folder / name)] = f"{source.parent.relative_to(_home(source))}/{name}"
                build_data["pure_python"] = False
                build_data["infer_tag"] = True

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Leave nothing behind."""
        scratch: Path | None = getattr(self, "_scratch", None)
        if scratch is not None:
            shutil.rmtree(scratch)


def _home(source: Path) -> Path:
    """The folder that its package is found in."""
    return SPEED.parent.parent if source == SPEED else ROOT


def compile_one(source: Path, target: Path) -> str:
    """Compile one of them; return why it failed, or nothing."""
    compiler = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")
    link = ["-bundle", "-undefined", "dynamic_lookup"] if os.uname().sysname == "Darwin" else ["-shared"]
    include = sysconfig.get_path("include")
    fresh = target.with_name(target.name + ".new")
    command = [*compiler, "-O2", "-fPIC", *link, f"-I{include}", str(source), "-o", str(fresh)]
    try:
        run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        if run.returncode:
            return run.stderr.strip() or f"{compiler[0]} ended with code {run.returncode}"
        fresh.replace(target)  # never over one that a running process has mapped
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    finally:
        fresh.unlink(missing_ok=True)
    return ""
