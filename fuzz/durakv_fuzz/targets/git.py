"""git: a file added and committed for each number; acknowledged when ``git commit`` ends well."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from durakv_fuzz.program.child import kill, spawn
from durakv_fuzz.program.subject import Found, Plan, Promise, Teller, value_of
from durakv_fuzz.targets.target import found_among, in_words, key_of

_SECONDS_MAX = 20.0
_DOCS = "https://git-scm.com/docs/git-config#Documentation/git-config.txt-corefsync"
_DEFAULT = (
    '"core.fsync=committed,-loose-object, which has good performance, but risks losing recent work in the event of an '
    f'unclean system shutdown." ({_DOCS})'
)
_ALL = (
    '"This mode sacrifices some performance to ensure that work that is committed to the repository with git commit or '
    f'similar commands is hardened." of committed, which all includes ({_DOCS})'
)
_ENVIRONMENT = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    **{f"GIT_{role}_NAME": "durakv" for role in ("AUTHOR", "COMMITTER")},
    **{f"GIT_{role}_EMAIL": "durakv@example.org" for role in ("AUTHOR", "COMMITTER")},
    "LC_ALL": "C",
}
_OPTIONS = ("-c", "safe.directory=*", "-c", "gc.auto=0", "-c", "maintenance.auto=false")


def targets() -> list[Git]:
    """As it comes, and with everything synced."""
    return [
        Git("default", Promise.NONE, _DEFAULT, ()),
        Git("fsync=all", Promise.ALWAYS, _ALL, ("-c", "core.fsync=all")),
    ]


class _GitFailed(Exception):
    """It ended with an error; the message is its own."""


@dataclass(frozen=True, slots=True)
class Git:
    """A repository with a work tree."""

    setting: str
    promise: Promise
    documented: str
    options: tuple[str, ...]
    name: str = "git"
    window_seconds: float = 0.0
    plan: Plan = field(default=Plan(count=30))

    def missing(self) -> str:
        """See :class:`Subject`."""
        return "" if shutil.which("git") else "there is no git here: apt install git"

    def versions(self) -> Mapping[str, str]:
        """What it says of itself."""
        told = subprocess.run(["git", "--version"], capture_output=True, text=True, check=True, timeout=_SECONDS_MAX)
        return {"git": told.stdout.removeprefix("git version ").strip()}

    def prepare(self, directory: Path) -> None:
        """Make a repository, and a first commit in it."""
        self.git(directory, "init", "--quiet", "--initial-branch=main", "--template=")
        self.git(directory, "commit", "--quiet", "--allow-empty", "-m", "begin")

    def drive(self, directory: Path, numbers: range, teller: Teller) -> None:
        """See the module."""
        if not (directory / ".git").exists():
            self.prepare(directory)
        for number in numbers:
            name = key_of(number).decode()
            teller.issued(number)
            (directory / name).write_bytes(value_of(number))
            self.git(directory, "add", name)
            self.git(directory, "commit", "--quiet", "-m", name)
            teller.acked(number)

    def check(self, directory: Path) -> Found:
        """Read what the last commit holds; the whole history has to be there, and every object has to be sound."""
        try:
            self.git(directory, "rev-list", "--objects", "--quiet", "HEAD")
            listed = self.git(directory, "ls-tree", "-r", "-z", "--name-only", "HEAD")
            names = [name for name in listed.split(b"\0") if name]
            asked = b"".join(b"HEAD:%b\n" % name for name in names)
            return found_among(_answers(names, self.git(directory, "cat-file", "--batch", standard_input=asked)))
        except _GitFailed as failure:
            return Found(refusal=str(failure))

    def git(self, directory: Path, *arguments: str, standard_input: bytes = b"") -> bytes:
        """Run it, as every call here does, and return what it says; raises if it ends with an error."""
        process = spawn(
            ["git", *_OPTIONS, *self.options, *arguments],
            directory=directory,
            environment=_ENVIRONMENT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        try:
            told, complaint = process.communicate(standard_input, _SECONDS_MAX)
        except subprocess.TimeoutExpired as error:
            raise _GitFailed(in_words(error)) from error
        finally:
            kill(process)
        if process.returncode:
            lines = complaint.decode(errors="backslashreplace").split("\n")
            raise _GitFailed(next((line for line in lines if line.strip()), f"git {arguments[0]} failed"))
        return told


def _answers(names: list[bytes], told: bytes) -> Iterator[tuple[bytes, bytes]]:
    """What ``cat-file --batch`` says: a line ``object kind size`` and the content, or a line that says ``missing``."""
    offset = 0
    for name in names:
        end = told.find(b"\n", offset)
        head = told[offset:end].split(b" ")
        if end < 0 or len(head) != 3 or not head[2].isdigit():
            raise _GitFailed(told[offset : end if end >= 0 else None].decode(errors="backslashreplace"))
        offset = end + 1 + int(head[2]) + 1
        yield name, told[end + 1 : offset - 1]
