"""Builds the compiled twin of the log's codecs, where there is a C compiler; anywhere else the package is pure Python.

``DURAKV_COMPILE=0`` leaves it out, ``DURAKV_COMPILE=1`` makes its failure an error.  It is one C file that needs only
Python's own headers, so the compiler that Python was built with is called as it is, and nothing else is installed.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCE = Path(__file__).parent / "durakv_formats" / "_speed.c"


class SpeedHook(BuildHookInterface[Any]):
    """Called by hatchling for a wheel, and for an editable install, whose twin stands beside its source."""

    PLUGIN_NAME = "speed"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and say that the wheel belongs to this Python and machine if it worked."""
        wanted = os.environ.get("DURAKV_COMPILE", "")
        if wanted == "0" or self.target_name != "wheel":
            return
        name = "_speed" + sysconfig.get_config_var("EXT_SUFFIX")
        if version == "editable":
            folder = SOURCE.parent
        else:
            self._scratch = Path(tempfile.mkdtemp(prefix="durakv-build-"))
            folder = self._scratch
        failure = compile_speed(folder / name)
        if failure:
            if wanted == "1":
                raise RuntimeError(f"DURAKV_COMPILE=1, but the compiled twin could not be built: {failure}")
            self.app.display_debug(f"durakv is built without its compiled twin: {failure}")
            return
        if version != "editable":
            build_data["force_include"][str(folder / name)] = f"durakv_formats/{name}"
            build_data["pure_python"] = False
            build_data["infer_tag"] = True

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Leave nothing behind."""
        scratch: Path | None = getattr(self, "_scratch", None)
        if scratch is not None:
            shutil.rmtree(scratch)


def compile_speed(target: Path) -> str:
    """Compile the twin; return why it failed, or nothing."""
    compiler = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")
    link = ["-bundle", "-undefined", "dynamic_lookup"] if os.uname().sysname == "Darwin" else ["-shared"]
    include = sysconfig.get_path("include")
    fresh = target.with_name(target.name + ".new")
    command = [*compiler, "-O2", "-fPIC", *link, f"-I{include}", str(SOURCE), "-o", str(fresh)]
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
