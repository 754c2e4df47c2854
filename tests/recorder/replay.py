"""A second reading of a record: what the operations make of the base, by the plainest means there are."""

from __future__ import annotations

import base64
import json
import os
from dataclasses import replace

import pytest

from durakv_fuzz.recorder.recorder import missing
from durakv_fuzz.trace import Kind, Operation, Trace
from durakv_fuzz.tree import EMPTY_DIRECTORY, ROOT, Node, NodeKind, Tree

REASON = missing()
needs_recorder = pytest.mark.skipif(bool(REASON) and os.environ.get("DURAKV_REQUIRE_FUSE") != "1", reason=REASON)


def replay(trace: Trace) -> Tree:
    """The tree after everything that was recorded, without what has no name any more."""
    assert isinstance(trace.base, Tree)
    nodes, entries = dict(trace.base.nodes), dict(trace.base.entries)
    for operation in trace.operations:
        if operation.done:
            _apply(operation, nodes, entries)
    return reachable(Tree(nodes, entries))


def reachable(tree: Tree) -> Tree:
    """Only what has a name."""
    numbers = {ROOT, *tree.entries.values()}
    return Tree({number: node for number, node in tree.nodes.items() if number in numbers}, tree.entries)


def _apply(operation: Operation, nodes: dict[int, Node], entries: dict[tuple[int, str], int]) -> None:
    kind, number = operation.kind, operation.file
    old, new = (operation.directory, operation.name), (operation.new_directory, operation.new_name)
    if kind in (Kind.CREATE, Kind.MAKE_DIRECTORY, Kind.SYMLINK, Kind.LINK):
        assert old not in entries
        entries[old] = number
        if kind is Kind.CREATE:
            nodes[number] = Node(NodeKind.FILE)
        elif kind is Kind.MAKE_DIRECTORY:
            nodes[number] = EMPTY_DIRECTORY
        elif kind is Kind.SYMLINK:
            nodes[number] = Node(NodeKind.LINK, operation.data, 0o777)
        if operation.data and kind is not Kind.SYMLINK:
            nodes[number] = _with_settings(nodes[number], operation.data)
    elif kind is Kind.REMOVE:
        assert entries.pop(old) == number
    elif kind is Kind.RENAME:
        assert entries.pop(old) == number
        entries[new] = number
    elif kind is Kind.EXCHANGE:
        assert entries[old] == number
        entries[old], entries[new] = entries[new], entries[old]
    elif kind is Kind.WRITE:
        data = bytes(nodes[number].data).ljust(operation.offset, b"\0")
        end = operation.offset + len(operation.data)
        nodes[number] = replace(nodes[number], data=data[: operation.offset] + operation.data + data[end:])
    elif kind is Kind.TRUNCATE:
        data = bytes(nodes[number].data)[: operation.size].ljust(operation.size, b"\0")
        nodes[number] = replace(nodes[number], data=data)
    elif kind is Kind.SET_NODE:
        nodes[number] = _with_settings(nodes[number], operation.data)
    else:
        assert kind in (Kind.SYNC, Kind.SYNC_DIRECTORY, Kind.SYNC_ALL), kind


def _with_settings(node: Node, data: bytes) -> Node:
    settings = json.loads(data)
    attributes = {name: base64.b64decode(value) for name, value in settings.pop("attributes").items()}
    return replace(node, **settings, attributes=attributes)
