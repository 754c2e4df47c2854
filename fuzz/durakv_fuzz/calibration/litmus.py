"""A litmus: a few calls to the operating system, a question about them, and words for what a crash may leave.

    perform:   the calls      "done"      another file is appended to and synced      "other synced"
    step:     0 ............. 1 ......................................... 2 ....................

A step is how far the workload was known to have got: how many marks had been made.  The other file's sync makes a
journal commit, with whatever it holds of the litmus by then; that is where file systems show what they order.

    outcome := word                         of the one watched path
             | path=word path=word ...      of several

A word is ``missing``, ``directory``, ``empty``, the name of a version (``old``, ``new``) that the content equals, or
what it is made of: ``old+zeros`` begins like the old version and then there are zeros, ``part of new`` is something of
the new version and nothing else, ``mixed old/new`` has more than two parts, ``foreign`` has bytes of no version.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from durakv_fuzz.calibration.calls import append, make
from durakv_fuzz.tree import NodeKind, Tree

DONE = "done"
OTHER_SYNCED = "other synced"

_OTHER = "other"
_OTHER_BYTES = b"somebody else's file"
_OTHER_TAIL = b"."
"""One byte, so that little is in doubt of it: whatever may become of it multiplies what has to be gone through."""


@dataclass(frozen=True, slots=True)
class Litmus:
    """One workload with its question."""

    name: str
    question: str
    """A yes is a promise, a no is none: it may be so for all that."""

    prepared: Mapping[str, bytes]
    """What is there and durable before: files by their path; a path that ends in ``/`` is a directory."""

    versions: Mapping[str, bytes]
    """Contents that a watched path can have, by name."""

    watched: tuple[str, ...]
    final: str
    """The outcome when there is no crash."""

    run: Callable[[Path, Callable[[str], None]], None] = field(repr=False)
    """Make the calls in that directory, and mark what was acknowledged on the way."""

    middle: tuple[str, ...] = ()
    """The marks that ``run`` makes."""

    @property
    def steps(self) -> tuple[str, ...]:
        """What each number of marks means."""
        return ("started", *self.middle, DONE, OTHER_SYNCED)

    def prepare(self, directory: Path) -> None:
        """Make what is there before; whoever records takes it for durable then."""
        for path, data in {_OTHER: _OTHER_BYTES, **self.prepared}.items():
            place = directory / path
            place.parent.mkdir(exist_ok=True)
            if path.endswith("/"):
                place.mkdir(exist_ok=True)
            else:
                make(place, data)

    def perform(self, directory: Path, mark: Callable[[str], None]) -> None:
        """Run it, in a directory that was prepared."""
        self.run(directory, mark)
        mark(DONE)
        append(directory / _OTHER, _OTHER_TAIL, sync=os.fsync)
        mark(OTHER_SYNCED)

    def observe(self, tree: Tree) -> str:
        """The outcome that this tree is."""
        numbers = tree.paths()
        words: list[str] = []
        for path in self.watched:
            node = tree.nodes[numbers[path]] if path in numbers else None
            if node is None:
                words.append("missing")
            elif node.kind is NodeKind.DIRECTORY:
                words.append("directory")
            else:
                words.append(describe(bytes(node.data), self.versions))
        if len(words) == 1:
            return words[0]
        return " ".join(f"{path}={word}" for path, word in zip(self.watched, words, strict=True))


def describe(data: bytes, versions: Mapping[str, bytes]) -> str:
    """The word for this content."""
    if not data:
        return "empty"
    for name, version in versions.items():
        if data == version:
            return name
    parts: list[str] = []
    at = 0
    while at < len(data):
        lengths = {name: _common(data, version, at) for name, version in versions.items()}
        lengths["zeros"] = len(data) - at - len(data[at:].lstrip(b"\0"))
        name = max(lengths, key=lambda each: lengths[each])  # of equals the first: versions before zeros
        if not lengths[name]:
            name = "foreign"
        if parts[-1:] != [name]:
            parts.append(name)
        at += max(1, lengths.get(name, 1))
    if "foreign" in parts:
        return "foreign"
    if len(parts) > 2:
        return "mixed " + "/".join(name for name in (*versions, "zeros") if name in parts)
    if len(parts) == 2 or parts[0] == "zeros":
        return "+".join(parts)
    return f"part of {parts[0]}"


def _common(data: bytes, version: bytes, at: int) -> int:
    """How many bytes the two have in common from there on."""
    size = min(len(data), len(version))
    return next((end - at for end in range(at, size) if data[end] != version[end]), max(0, size - at))
