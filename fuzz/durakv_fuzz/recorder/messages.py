"""What the file system's process and its starter send each other: trees, records, bounds, counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from durakv_fuzz.recorder.log import Row
from durakv_fuzz.recorder.refusals import Refusal
from durakv_fuzz.trace import Note
from durakv_fuzz.tree import Node, NodeKind, Tree


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one life: how long its syncs take, its bounds, which calls fail, and whether places are recorded."""

    sync_seconds: float
    capacity_bytes: int
    record_bytes_max: int
    refusals: tuple[Refusal, ...] = ()
    sites: bool = False


@dataclass(frozen=True, slots=True)
class Counts:
    """How much one life has been so far."""

    requests: int
    operations: int
    recorded_bytes: int
    stored_bytes: int
    unused_refusals: tuple[Refusal, ...]
    """Planned failures whose call never came."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """One life's record: operations as rows, the notes, and the next sequence number."""

    rows: list[Row]
    notes: list[Note]
    seq: int


@dataclass(frozen=True, slots=True)
class PackedTree:
    """A tree without the contents that the other side has already."""

    nodes: list[tuple[int, str, bytes | None, int, int, int, dict[str, bytes]]]
    entries: dict[tuple[int, str], int]


def pack(tree: Tree, known: Mapping[int, bytes]) -> PackedTree:
    """Leave out what is, under the same number, the very object that the other side was told of before."""
    return PackedTree(
        [
            (
                number,
                node.kind.value,
                None if known.get(number) is node.data else node.data,
                node.mode,
                node.owner,
                node.group,
                dict(node.attributes),
            )
            for number, node in tree.nodes.items()
        ],
        dict(tree.entries),
    )


def unpack(packed: PackedTree, known: Mapping[int, bytes]) -> Tree:
    """The tree again, sharing what is known."""
    return Tree(
        {
            number: Node(NodeKind(kind), known[number] if data is None else data, mode, owner, group, attributes)
            for number, kind, data, mode, owner, group, attributes in packed.nodes
        },
        packed.entries,
    )


def contents(tree: Tree) -> dict[int, bytes]:
    """What both sides know after a tree was sent."""
    return {number: node.data for number, node in tree.nodes.items()}
