"""The promise (C1, C3, C6, C12): a crash at any point of an upgrade leaves a directory that the newer version opens
with everything that was acknowledged; and as long as the manifest names files of the older version only, that opens
it, too.  No file that counts is ever changed in its place.

Method: the rewrite of an older base as a newer one, with writes between its steps, on the simulated disk; what each
crash leaves is opened by both engines, a copy each.  The same for a call that fails instead of a crash.  And an upgrade
in place, made by hand, which the same judge must find.
"""

from __future__ import annotations

import pytest

from durakv.directory import MANIFEST_NAME
from durakv.errors import DurakvError, UnsupportedVersion
from durakv_formats.errors import FormatError
from durakv_formats.snapshot import SnapshotDecoder
from durakv_fuzz.choose import Choose, Seeded, harshest, kindest
from durakv_fuzz.disk import SimulatedDisk
from durakv_fuzz.faults import Fault, fail_nth
from durakv_fuzz.image import Image
from durakv_fuzz.model import Model, crash_image
from durakv_fuzz.timeline import Timeline
from tests.badinput.places import files_of
from tests.rewrite.machines import Plain, Slotted
from tests.upgrade.engines import State, base_of, fill, is_upgraded, old_directory, open_draft, open_released
from tests.upgrade.snapshot_v2_draft import MAGIC, Encoder

CHOICES: list[Choose] = [harshest, kindest, *(Seeded(seed) for seed in range(12))]


class Upgrade:
    """An older directory that a newer engine opens and rewrites, and what may be found after a crash at each event."""

    def __init__(self, machine: type[Plain]) -> None:
        self.machine = machine
        self.before, state = old_directory(machine)
        self.disk = SimulatedDisk(self.before)
        self.acknowledged: list[tuple[int, State]] = [(0, state)]
        held = machine()
        engine = open_draft(self.disk, held)
        handle = engine._rewrite.request()
        while not handle.done():
            engine.step()
            engine.apply([[b"set", b"during", b"%d" % len(self.acknowledged)]])
            self.acknowledged.append((self.disk.trace.seq, dict(held.state)))
        handle.result()
        engine.close()
        assert is_upgraded(self.disk.image())
        self.timeline = Timeline(self.disk.trace)

    def allowed(self, crash_seq: int) -> list[State]:
        """The last state that was acknowledged before the crash, and the one under way."""
        index = max(i for i, (seq, _) in enumerate(self.acknowledged) if seq <= crash_seq)
        return [state for _, state in self.acknowledged[index : index + 2]]


@pytest.fixture(scope="module", params=[Plain, Slotted], ids=["freeze", "merge"])
def upgrade(request: pytest.FixtureRequest) -> Upgrade:
    return Upgrade(request.param)


def judge(image: Image, before: Image, machine: type[Plain], allowed: list[State]) -> bool:
    """Open what a crash left with both engines, and return whether the newer base was in force."""
    newer = is_upgraded(image)
    held = machine()
    disk = SimulatedDisk(image)
    if newer:
        with pytest.raises(UnsupportedVersion, match="snapshot 2"):
            open_released(disk, held)
        assert files_of(disk) == files_of(SimulatedDisk(image)), "a refused directory was changed"
    else:
        base = base_of(image)
        assert image.files[base] == before.files[base], "the older base was changed in its place"
        open_released(disk, held)
        assert held.state in allowed
        check_debris(disk)
    held = machine()
    disk = SimulatedDisk(image)
    open_draft(disk, held)
    assert held.state in allowed
    check_debris(disk)
    return newer


def check_debris(disk: SimulatedDisk) -> None:
    named = disk.image().files[MANIFEST_NAME].decode()
    assert all(name in named or name in (MANIFEST_NAME, "durakv.lock") for name in disk.list())


def test_a_crash_at_any_event_of_an_upgrade_leaves_what_the_newer_opens_and_the_older_until_the_swap(
    upgrade: Upgrade,
) -> None:
    seen: dict[int, bool] = {}
    waiting = 0
    for crash_seq in range(upgrade.disk.trace.seq + 1):
        for model in (Model.POWER_LOSS, Model.PROCESS_CRASH):
            for choose in CHOICES:
                image = crash_image(upgrade.timeline, crash_seq, choose, model=model)
                if (fingerprint := image.fingerprint()) not in seen:
                    newer = judge(image, upgrade.before, upgrade.machine, upgrade.allowed(crash_seq))
                    seen[fingerprint] = newer
                    waiting += not newer and any(data.startswith(MAGIC) for data in image.files.values())
    assert sum(seen.values()) > 20, "too few crashes after the swap to mean anything"
    assert len(seen) - sum(seen.values()) > 20, "too few crashes before the swap to mean anything"
    assert waiting > 5, "too few crashes with a newer base that nothing names yet"


def test_after_any_crash_either_engine_can_go_on_and_the_newer_can_upgrade_again(upgrade: Upgrade) -> None:
    for crash_seq in range(0, upgrade.disk.trace.seq + 1, 9):
        image = crash_image(upgrade.timeline, crash_seq, harshest)
        disk = SimulatedDisk(image)
        if not is_upgraded(image):
            older = open_released(disk, upgrade.machine())
            older.apply([[b"set", b"older", b"was here"]])
            older.rewrite()
            older.close()
            assert not is_upgraded(disk.image())
        held = upgrade.machine()
        newer = open_draft(disk, held)
        fill(newer, 2, b"again")
        newer.rewrite()
        newer.close()
        assert is_upgraded(disk.image())
        again = upgrade.machine()
        open_draft(SimulatedDisk(disk.image()), again)
        assert again.state == held.state


def test_a_crash_in_the_open_after_a_crash_loses_nothing_either(upgrade: Upgrade) -> None:
    for crash_seq in range(0, upgrade.disk.trace.seq + 1, 31):
        disk = SimulatedDisk(crash_image(upgrade.timeline, crash_seq, harshest))
        held = upgrade.machine()
        open_draft(disk, held)
        second = Timeline(disk.trace)
        for later in range(0, disk.trace.seq + 1, 4):
            judge(crash_image(second, later, harshest), upgrade.before, upgrade.machine, [held.state])


@pytest.mark.parametrize("machine", [Plain, Slotted], ids=["freeze", "merge"])
def test_a_call_that_fails_in_an_upgrade_leaves_what_both_would_open(machine: type[Plain]) -> None:
    before, state = old_directory(machine)
    failed = succeeded = 0
    for count in range(400):
        disk = SimulatedDisk(before)
        engine = open_draft(disk, machine())
        disk.faults = fail_nth(count, Fault())
        try:
            engine.rewrite()
        except DurakvError:
            failed += 1
        else:
            succeeded += 1
        disk.faults = None
        judge(Image(disk.image().files), before, machine, [state])
        if succeeded > 6:
            break
    assert failed > 10
    assert succeeded > 6, "it never came to an end"


def upgrade_in_place(disk: SimulatedDisk) -> None:
    """What nobody may do: the newer base written over the older one, under its name, and synced."""
    image = disk.image()
    decoder = SnapshotDecoder()
    decoder.feed(image.files[base_of(image)])
    blocks = list(iter(decoder.next_block, None))
    assert decoder.header is not None
    encoder = Encoder(decoder.header)
    data = encoder.header_bytes() + b"".join(map(encoder.copy_block, blocks)) + encoder.footer()
    file = disk.open(base_of(image), writable=True)
    file.write_at(data, 0)
    file.sync()
    file.close()


def test_an_upgrade_in_place_is_found() -> None:
    before, state = old_directory(Slotted)
    disk = SimulatedDisk(before)
    upgrade_in_place(disk)
    judge(Image(disk.image().files), before, Slotted, [state])
    timeline = Timeline(disk.trace)
    found = 0
    for crash_seq in range(disk.trace.seq + 1):
        for choose in CHOICES:
            try:
                judge(crash_image(timeline, crash_seq, choose), before, Slotted, [state])
            except (AssertionError, DurakvError, FormatError):
                found += 1
    assert found, "the judge sees nothing"
