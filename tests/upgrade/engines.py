"""The engine as it is released, the same with the draft of version 2, and directories that go from one to the other."""

from __future__ import annotations

from durakv.clock import ManualClock
from durakv.directory import MANIFEST_NAME
from durakv.durability import FsyncPolicy
from durakv.engine import Engine
from durakv.machine import StateMachine
from durakv.options import Load, Options
from durakv_formats.manifest import decode_manifest
from durakv_fuzz.disk import SimulatedDisk
from durakv_fuzz.image import Image
from tests.rewrite.machines import Plain
from tests.support import IDENTITY
from tests.upgrade.snapshot_v2_draft import MAGIC, DraftCodec

State = dict[bytes, bytes]

DRAFT = DraftCodec()


def open_released(disk: SimulatedDisk, machine: StateMachine, load: Load = Load.EAGER) -> Engine:
    """The engine that everybody has: it reads version 1, and writes it."""
    return Engine(
        None,
        machine,
        options=_options(load),
        filesystem=disk,
        clock=ManualClock(),
        background=False,
        entropy=lambda size: IDENTITY[:size],
    )


def open_draft(disk: SimulatedDisk, machine: StateMachine, load: Load = Load.EAGER) -> Engine:
    """The engine of a later time: it reads versions 1 and 2, and writes 2."""
    return Engine(
        None,
        machine,
        options=_options(load),
        filesystem=disk,
        clock=ManualClock(),
        background=False,
        entropy=lambda size: IDENTITY[:size],
        base_codec=DRAFT,
    )


def _options(load: Load) -> Options:
    return Options(
        fsync=FsyncPolicy.ALWAYS, segment_bytes=4096, rewrite_percentage=0, rewrite_segments_max=0, load=load
    )


def fill(engine: Engine, count: int, value: bytes) -> None:
    """Some keys with this value."""
    for index in range(count):
        engine.apply([[b"set", b"key%d" % index, value * 30]])


def old_directory(machine: type[Plain]) -> tuple[Image, State]:
    """A closed directory of the released engine, with a base and a log behind it, and what it holds."""
    disk = SimulatedDisk()
    held = machine()
    engine = open_released(disk, held)
    fill(engine, 12, b"first")
    engine.rewrite()
    fill(engine, 4, b"second")
    engine.close()
    return Image(disk.image().files), held.state


def base_of(image: Image) -> str:
    """The base that the manifest of a directory names."""
    base = decode_manifest(image.files[MANIFEST_NAME]).base
    assert base is not None
    return base.name


def is_upgraded(image: Image) -> bool:
    """Whether the base that counts is of version 2."""
    return image.files[base_of(image)].startswith(MAGIC)
