"""How far an import has come, told by the directory itself, so that one that was interrupted can go on.

    batch    := effects  SET durakv:import place          one batch of the log: both are there, or neither (C1)
    place    := {"source": name, "offset": n, "sum": hash of all groups so far, "began_empty": bool}
    the end  := DEL durakv:import

So nothing is taken twice, not even an INCR, and not by a power loss that takes some of the batches either: it takes
their places along.

A file or stream is gone through from its beginning, and its groups are taken from the one behind the place on, if those
before it hash to the same sum: every command up to there is proved to be what was taken.  A directory or a server may
hold something else by then, so it is taken from the start: its groups make whole keys, which can be made twice.  What
the interrupted import brought and the source no longer has would stay; so if the directory was empty before, it is
emptied again first.
"""

from __future__ import annotations

from hashlib import blake2b

import msgspec

from durakv.cli.exits import FAILED, Failure
from durakv.cli.sources import Source
from durakv.cli.streams import Group
from durakv.keyspace.machine import Keyspace
from durakv.keyspace.values import DATABASE_COUNT
from durakv.machine import Command
from durakv_formats.resp import encode_command

PLACE_KEY = b"durakv:import"
"""In database 0, while an import is not complete."""


class Place(msgspec.Struct, frozen=True):
    """What the key holds."""

    source: str
    """The name of a source that may hold something else the next time; empty for files and streams."""
    offset: int
    sum: str
    began_empty: bool

    @property
    def effect(self) -> Command:
        """What belongs into the batch that goes up to here."""
        return b"SET", PLACE_KEY, msgspec.json.encode(self)


def place_in(keyspace: Keyspace) -> Place | None:
    """Where an import into this keyspace was interrupted."""
    value = keyspace.store(0).value(PLACE_KEY)
    if value is None:
        return None
    try:
        return msgspec.json.decode(value if type(value) is bytes else b"", type=Place)
    except msgspec.DecodeError:
        text = f"the key {PLACE_KEY.decode()!r} is not from an import; rename it, imports need this name"
        raise Failure(text, FAILED) from None


def place_to_resume(keyspace: Keyspace, source: Source, where: str, *, resume: bool) -> Place | None:
    """Where to go on; None to begin at the beginning.  Raises Failure if what is wanted cannot be meant."""
    place = place_in(keyspace)
    if place is None:
        if resume and any(len(keyspace.store(number)) for number in range(DATABASE_COUNT)):
            raise Failure(
                f"{where} holds keys, but no import that was interrupted: it was completed, or it never began. "
                "Without --resume everything is taken",
                FAILED,
            )
        return None
    if not resume:
        raise Failure(
            f"{where} holds an import that was interrupted. Go on with --resume, or delete the key "
            f"{PLACE_KEY.decode()!r} in database 0 to keep what is there",
            FAILED,
        )
    if place.source != (source.name if source.is_snapshot else ""):
        before = place.source or "a file or stream"
        raise Failure(f"the import into {where} that was interrupted was from {before}, not {source.name}", FAILED)
    return place


class Journey:
    """The way through a source: what was passed, and where it can be gone on from."""

    def __init__(self, source: Source, place: Place | None, *, began_empty: bool) -> None:
        self._source = source
        self._place = None if source.is_snapshot else place
        self._began_empty = began_empty if place is None else place.began_empty
        self._hash = blake2b(digest_size=16)
        self._offset = -1

    def passes(self, group: Group) -> bool:
        """Go past the next group; whether it is in the directory already."""
        if self._place is not None and group.offset > self._place.offset:
            self.arrive()
        add = self._hash.update
        if group.made is not None:
            add(b"%d %d" % (group.offset, group.made.digest))
        else:
            add(b"%d %d" % (group.offset, len(group.commands)))
            for command in group.commands:
                add(encode_command(command))
        self._offset = group.offset
        return self._place is not None

    def arrive(self) -> None:
        """Called where the interrupted import had been, at the latest behind the last group: see that it was here."""
        place, self._place = self._place, None
        if place is not None and (place.offset, place.sum) != (self._offset, self._hash.hexdigest()):
            raise Failure(
                f"{self._source.name} up to byte {place.offset} is not what the interrupted import took from there. "
                "Nothing more was taken; go on with the same file",
                FAILED,
            )

    @property
    def place(self) -> Place:
        """Behind the last group that was passed."""
        name = self._source.name if self._source.is_snapshot else ""
        return Place(name, self._offset, self._hash.hexdigest(), self._began_empty)
