"""The promise: whatever a program does, a power loss leaves only bytes and names that were there at some time since
they were last made durable, and a process crash leaves everything.

Method: random programs, random answers.  The witness below is no model of pages and units: it keeps the contents that
programs saw, one after the other, and forgets those from before a sync.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from durakv.storage.filesystem import File
from durakv_fuzz.choose import Choose, Seeded, harshest, kindest
from durakv_fuzz.disk import SimulatedDisk
from durakv_fuzz.image import Image
from durakv_fuzz.model import Model, crash_image
from durakv_fuzz.strategies import Drawn
from durakv_fuzz.timeline import Timeline

NAMES = ("a", "b", "c")
OFFSETS = (0, 1, 100, 511, 512, 1000, 4000, 4096, 8191)
SIZES = (1, 10, 512, 600, 5000)
Step = tuple[str, str, str, int, int]

steps = st.lists(
    st.tuples(
        st.sampled_from(["create", "write", "write", "through", "truncate", "sync", "rename", "remove", "directory"]),
        st.sampled_from(NAMES),
        st.sampled_from(NAMES),
        st.sampled_from(OFFSETS),
        st.sampled_from(SIZES),
    ),
    max_size=25,
)


EDGES = sorted({edge + offset for offset in OFFSETS for edge in (0, *SIZES)} | set(range(0, 14000, 512)))
LOOKED_AT = sorted({position for edge in EDGES for position in (edge - 1, edge) if position >= 0})
"""Where contents can begin to differ: between two of these all bytes have the same past."""


@dataclass
class Past:
    """The contents one file had, and from which on each byte may survive."""

    contents: list[bytes] = field(default_factory=lambda: [b""])
    since: int = 0
    through: list[tuple[range, int]] = field(default_factory=list[tuple[range, int]])

    def allows(self, content: bytes, dead: list[bytes]) -> bool:
        sizes = [len(past) for past in self.contents[self.since :]]
        if not min(sizes) <= len(content) <= max(sizes):
            return False
        for index in LOOKED_AT:
            if index >= len(content):
                break
            since = max((number for part, number in self.through if index in part), default=0)
            values = {past[index] if index < len(past) else 0 for past in self.contents[max(self.since, since) :]}
            if since <= self.since:
                values |= {past[index] for past in dead if index < len(past)}
            if content[index] not in values:
                return False
        return True


class Witness:
    """Runs a program and remembers what it saw."""

    def __init__(self) -> None:
        self.disk = SimulatedDisk(Image())
        self.names: dict[str, list[Past | None]] = {name: [None] for name in NAMES}
        self.files: dict[str, tuple[File, Past]] = {}
        self.dead: list[bytes] = []
        self._byte = 0

    def run(self, program: list[Step]) -> None:
        for kind, name, other, offset, size in program:
            if kind == "directory":
                self.disk.sync_directory()
                self.names = {name: past[-1:] for name, past in self.names.items()}
            elif kind == "create":
                if name not in self.files:
                    self.files[name] = self.disk.create(name), Past()
                    self.names[name].append(self.files[name][1])
            elif name in self.files:
                self._change(kind, name, other, offset, size)

    def _change(self, kind: str, name: str, other: str, offset: int, size: int) -> None:
        file, past = self.files[name]
        self._byte = self._byte % 255 + 1
        data = bytes([self._byte]) * size
        if kind == "sync":
            file.sync()
            past.since = len(past.contents) - 1
        elif kind == "remove":
            self.disk.remove(name)
            self._bury(name)
            self.names[name].append(None)
        elif kind == "rename":
            self.disk.rename(name, other)
            if other != name:
                moved = self.files.pop(name)
                if other in self.files:
                    self._bury(other)
                self.files[other] = moved
                self.names[name].append(None)
                self.names[other].append(past)
        else:
            if kind == "write":
                file.write_at(data, offset)
            elif kind == "through":
                file.write_through(data, offset)
            else:
                file.truncate(offset)
            past.contents.append(file.read_at(1 << 20, 0))
            if kind == "through":
                past.through.append((range(offset, offset + size), len(past.contents) - 1))

    def _bury(self, name: str) -> None:
        self.dead.append(self.files.pop(name)[1].contents[-1])

    def check(self, image: Image) -> None:
        for name, history in self.names.items():
            content = image.files.get(name)
            if content is None:
                assert None in history, f"{name} is lost although its entry was synced"
                continue
            pasts = [past for past in history if past is not None]
            assert pasts, f"{name} was never there"
            assert any(past.allows(content, self.dead) for past in pasts), f"{name} holds what it never held"

    def check_synced(self, image: Image) -> None:
        """In the harshest image there is nothing else."""
        for name, history in self.names.items():
            durable = history[0]
            assert (name in image.files) == (durable is not None)
            if durable is not None and not durable.through:
                assert image.files[name] == durable.contents[durable.since]


def play(program: list[Step]) -> tuple[Witness, Timeline]:
    witness = Witness()
    witness.run(program)
    return witness, Timeline(witness.disk.trace)


@settings(deadline=None)
@given(steps, st.integers(0, 1 << 32))
def test_what_was_synced_is_there_and_nothing_else_is_invented(program: list[Step], seed: int) -> None:
    witness, timeline = play(program)
    for model in (Model.POWER_LOSS, Model.ORDERED):
        choosers: list[Choose] = [harshest, kindest, *(Seeded(seed + index) for index in range(5))]
        for choose in choosers:
            witness.check(crash_image(timeline, timeline.trace.seq, choose, model=model))


@settings(deadline=None)
@given(steps, st.data())
def test_the_same_with_answers_that_can_be_shrunk(program: list[Step], data: st.DataObject) -> None:
    witness, timeline = play(program)
    witness.check(crash_image(timeline, timeline.trace.seq, Drawn(data.draw)))


@settings(deadline=None)
@given(steps)
def test_the_harshest_image_holds_what_was_synced_and_no_more(program: list[Step]) -> None:
    witness, timeline = play(program)
    witness.check_synced(crash_image(timeline, timeline.trace.seq, harshest))


@settings(deadline=None)
@given(steps)
def test_a_process_crash_loses_nothing_and_the_kindest_power_loss_neither(program: list[Step]) -> None:
    witness, timeline = play(program)
    live = witness.disk.image()
    for choose in (harshest, kindest):
        assert crash_image(timeline, timeline.trace.seq, choose, model=Model.PROCESS_CRASH) == live
    for model in Model:
        assert crash_image(timeline, timeline.trace.seq, kindest, model=model) == live


@settings(deadline=None)
@given(steps, st.integers(0, 1 << 32), st.data())
def test_a_machine_resumed_after_a_process_crash_owes_what_the_first_life_owed(
    program: list[Step], seed: int, data: st.DataObject
) -> None:
    witness, timeline = play(program)
    second = SimulatedDisk.resume(witness.disk.trace, timeline.trace.seq)
    assert second.image() == witness.disk.image()
    assert crash_image(second.trace, second.trace.seq, Seeded(seed)) == crash_image(
        timeline, timeline.trace.seq, Seeded(seed)
    )
    crash_seq = data.draw(st.integers(0, timeline.trace.seq))
    cut = SimulatedDisk.resume(witness.disk.trace, crash_seq, Seeded(seed))
    assert cut.image() == crash_image(timeline, crash_seq, Seeded(seed), model=Model.PROCESS_CRASH)


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("abcd")), max_size=6), st.integers(0, 1 << 32))
def test_a_rename_never_loses_both_names(renames: list[tuple[str, str]], seed: int) -> None:
    contents = {"a": b"1", "b": b"2", "c": b"3"}
    disk = SimulatedDisk(Image(contents))
    replaced: set[bytes] = set()
    for old, new in renames:
        if old in disk.list():
            if new in disk.list() and new != old:
                replaced.add(disk.image().files[new])
            disk.rename(old, new)
    image = crash_image(disk.trace, disk.trace.seq, Seeded(seed))
    assert set(image.files.values()) >= set(contents.values()) - replaced
