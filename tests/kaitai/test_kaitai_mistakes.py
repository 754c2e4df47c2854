"""The promise: a reader that makes a mistake disagrees with the generated parsers, whatever the mistake.

Method: a third reader, by hand, agrees on all files; the same reader with one wrong offset, byte order, order of fields
or rule does not, and neither does our own reader once it leaves any single field out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache, partial
from random import Random
from typing import TypeVar

import msgspec
import pytest
from msgspec.structs import replace

from tests.kaitai import corpus
from tests.kaitai.facts import (
    BlockFacts,
    FileFacts,
    FooterFacts,
    FrameFacts,
    HeaderFacts,
    LogFacts,
    ManifestFacts,
    Reader,
    SnapshotFacts,
)
from tests.kaitai.generated_reader import GeneratedReader
from tests.kaitai.hand_reader import HandReader, Layout
from tests.kaitai.own_reader import OwnReader


@cache
def logs() -> list[tuple[corpus.Log, LogFacts]]:
    """Logs, and what the generated parser finds in them."""
    random = Random(11)
    drawn = [corpus.some_log(random) for _ in range(150)]
    return [(log, GeneratedReader().log(*log)) for log in [*corpus.golden_logs(), *drawn]]


@cache
def snapshots() -> list[tuple[bytes, SnapshotFacts]]:
    """Snapshots, and what the generated parser finds in them."""
    random = Random(12)
    drawn = [corpus.some_snapshot(random) for _ in range(150)]
    files = [*(path.read_bytes() for path in corpus.golden("*.dkv")), *drawn]
    return [(data, GeneratedReader().snapshot(data)) for data in files]


@cache
def manifests() -> list[tuple[bytes, ManifestFacts | None]]:
    """Manifests, and what the generated parser finds in them."""
    random = Random(13)
    drawn = [corpus.some_manifest(random) for _ in range(150)]
    files = [*(path.read_bytes() for path in corpus.golden("*.manifest")), *drawn]
    return [(data, GeneratedReader().manifest(data)) for data in files]


def disagreements(reader: Reader) -> Iterator[str]:
    """The sorts of files of which the reader says something else, or at which it fails."""
    if any(_differs(partial(reader.log, *log), facts) for log, facts in logs()):
        yield "log"
    if any(_differs(partial(reader.snapshot, data), facts) for data, facts in snapshots()):
        yield "snapshot"
    if any(_differs(partial(reader.manifest, data), facts) for data, facts in manifests()):
        yield "manifest"


def _differs(read: Callable[[], object], facts: object) -> bool:
    try:
        return read() != facts
    except Exception:  # noqa: BLE001 - a reader that makes mistakes fails in any way
        return True


def test_without_a_mistake_all_three_agree() -> None:
    assert list(disagreements(HandReader(Layout()))) == []
    assert list(disagreements(OwnReader())) == []


MISTAKES = {
    "the length is read one digit short": ("log", Layout(length=slice(32, 39))),
    "the payload begins one byte late": ("log", Layout(frame_header_bytes=95)),
    "the payload begins one byte early": ("log", Layout(frame_header_bytes=93)),
    "numbers are decimal": ("log manifest", Layout(base=10)),
    "seq and synced_seq change places": ("log", Layout(seq=slice(41, 57), synced_seq=slice(6, 22))),
    "count and segment change places": ("log", Layout(count=slice(75, 83), segment=slice(23, 31))),
    "a frame's identity has 15 digits": ("log", Layout(identity=slice(58, 73))),
    "a frame's checksum covers one byte less": ("log", Layout(checked_bytes=83)),
    "a frame's checksum covers itself": ("log", Layout(checked_bytes=92)),
    "MULTI counts": ("log", Layout(bracket=0)),
    "the header of a snapshot is big-endian": ("snapshot", Layout(header=">8s16sIIQQ32sI")),
    "blocks are big-endian": ("snapshot", Layout(block=">BBHIIII")),
    "the footer is big-endian": ("snapshot", Layout(footer=">4xIQQQQI")),
    "blocks are aligned to eight bytes": ("snapshot", Layout(block="<BBHIIII4x")),
    "counts are signed": ("snapshot", Layout(block="<BBHiIII")),
    "a slot has one byte": ("snapshot", Layout(block="<BBBxIIII")),
    "the sizes of a block change places": (
        "snapshot",
        Layout(block_fields="tag codec slot count stored_bytes raw_bytes crc32c"),
    ),
    "number and slot_count change places": (
        "snapshot",
        Layout(header_fields="magic identity slot_count number seq created_ms content crc32c"),
    ),
    "seq and created_ms change places": (
        "snapshot",
        Layout(header_fields="magic identity number slot_count created_ms seq content crc32c"),
    ),
    "the footer's sums change places": (
        "snapshot",
        Layout(footer_fields="chain count block_count raw_bytes file_bytes crc32c"),
    ),
    "totals have 32 bits": ("snapshot", Layout(footer="<4xIQI4xQQI")),
    "a compressed block begins with its size": ("snapshot", Layout(lz4_size_in_front=True)),
    "keys and values change places": ("snapshot", Layout(column_fields="kind database values keys")),
    "kind and database change places": ("snapshot", Layout(column_fields="database kind keys values")),
    "generation and synced_seq change places": (
        "manifest",
        Layout(generation=slice(57, 73), manifest_synced_seq=slice(40, 56)),
    ),
    "a manifest's identity has 15 bytes": ("manifest", Layout(manifest_identity=slice(7, 37))),
    "a manifest's header has one byte more": ("manifest", Layout(manifest_header_bytes=84)),
    "escapes are left as they are": ("manifest", Layout(unquotes=False)),
    "dkv-bytes and dkv-capacity change places": (
        "manifest",
        Layout(keys="file seq type dkv-first dkv-last dkv-capacity dkv-bytes"),
    ),
    "dkv-first and dkv-last change places": (
        "manifest",
        Layout(keys="file seq type dkv-last dkv-first dkv-bytes dkv-capacity"),
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_wrong_layout_is_noticed(mistake: str) -> None:
    where, layout = MISTAKES[mistake]
    assert " ".join(disagreements(HandReader(layout))) == where


Facts = TypeVar("Facts")


class Forgetful(OwnReader):
    """Our reader, but for one field that it does not read: it says nothing, or zero, there."""

    def __init__(self, struct: type[msgspec.Struct], field: str) -> None:
        self._struct = struct
        self._field = field

    def log(self, data: bytes, identity: int, segment: int) -> LogFacts:
        facts = super().log(data, identity, segment)
        return self._without(replace(facts, frames=tuple(map(self._without, facts.frames))))

    def snapshot(self, data: bytes) -> SnapshotFacts:
        facts = super().snapshot(data)
        blocks = tuple(map(self._without, facts.blocks))
        header, footer = self._without(facts.header), self._without(facts.footer)
        return self._without(replace(facts, header=header, blocks=blocks, footer=footer))

    def manifest(self, data: bytes) -> ManifestFacts | None:
        facts = super().manifest(data)
        if facts is None:
            return None
        return self._without(replace(facts, files=tuple(map(self._without, facts.files))))

    def _without(self, facts: Facts) -> Facts:
        if not isinstance(facts, self._struct):
            return facts
        held = getattr(facts, self._field)
        return replace(facts, **{self._field: None if held is None else type(held)()})


FIELDS = [
    (struct, field)
    for struct in (LogFacts, FrameFacts, SnapshotFacts, HeaderFacts, BlockFacts, FooterFacts, ManifestFacts, FileFacts)
    for field in struct.__struct_fields__
    if (struct, field) not in ((SnapshotFacts, "header"), (SnapshotFacts, "footer"))  # their fields are there
]


@pytest.mark.parametrize(("struct", "field"), FIELDS, ids=lambda value: getattr(value, "__name__", value))
def test_a_field_that_is_not_read_is_noticed(struct: type[msgspec.Struct], field: str) -> None:
    assert len(list(disagreements(Forgetful(struct, field)))) == 1
