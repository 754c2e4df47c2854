"""The promise: on a disk that remembers nothing an open sees, does and leaves exactly what it does on one that does.

Method: the conformance kit; then the same engine opens the same crash images on both disks.
"""

from __future__ import annotations

import pytest

from durakv.clock import ManualClock
from durakv.engine import Engine
from durakv.errors import DurakvError
from durakv.storage.conformance import check_filesystem
from durakv.storage.filesystem import Filesystem
from durakv_fuzz.campaign import draw_run
from durakv_fuzz.choose import Seeded
from durakv_fuzz.decay import damage
from durakv_fuzz.disk import SimulatedDisk
from durakv_fuzz.image import NOTHING, Image
from durakv_fuzz.lives import Crash, Recording
from durakv_fuzz.machines import Digest, make_machine, state_of
from durakv_fuzz.model import Model
from durakv_fuzz.pick import pick_states
from durakv_fuzz.plain_disk import PlainDisk
from durakv_fuzz.quiet import quiet
from durakv_fuzz.script import Setup

RUNS = 6


def test_the_plain_disk_conforms() -> None:
    check_filesystem(PlainDisk)


def test_it_begins_with_its_image_and_never_changes_it() -> None:
    image = Image({"a": b"1", "b": b"2"})
    disk = PlainDisk(image)
    file = disk.open("a", writable=True)
    disk.rename("a", "c")
    file.write_at(b"changed", 0)
    disk.remove("b")
    assert disk.image() == Image({"c": b"changed"})
    assert disk.content("c") == b"changed"
    assert disk.names() == {"c"}
    assert image == Image({"a": b"1", "b": b"2"})
    assert PlainDisk().image() == NOTHING


@pytest.mark.parametrize("number", range(RUNS))
def test_an_open_does_the_same_on_both_disks(number: int) -> None:
    setup, _, script = draw_run(9, number)
    with quiet():
        recording = Recording.first(setup, script)
        images = [state.image for state in pick_states(recording.timeline, 40, seed=number)]
        end = recording.image(Crash(recording.trace.seq, Model.PROCESS_CRASH, ()))
        choose = Seeded(number)
        others = recording.others(recording.trace.seq)
        images += [damaged.image for _ in range(20) if (damaged := damage(end, others, choose)) is not None]
        refused = 0
        for image in images:
            simulated, plain = SimulatedDisk(image), PlainDisk(image)
            outcome = _open(simulated, setup)
            assert _open(plain, setup) == outcome
            assert plain.image() == simulated.image()
            refused += isinstance(outcome, str)
    assert 0 < refused < len(images), "both ends of an open were compared"


def _open(disk: Filesystem, setup: Setup) -> tuple[Digest, int, tuple[str, ...]] | str:
    machine = make_machine(setup.machine)
    try:
        engine = Engine(
            None,
            machine,
            options=setup.options(),
            filesystem=disk,
            clock=ManualClock(),
            background=False,
            entropy=setup.entropy,
        )
    except (DurakvError, OSError) as failure:
        return f"{type(failure).__name__}: {failure}"
    return state_of(machine), engine.applied_seq, tuple(engine.report.lines())
