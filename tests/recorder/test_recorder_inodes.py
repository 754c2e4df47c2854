"""The promise: a node is known for as long as it has a name or the kernel remembers it, and no longer.

Method: the table of nodes alone, with names given and taken away.
"""

from __future__ import annotations

import errno

import pytest

from durakv_fuzz.recorder.inodes import Inodes
from durakv_fuzz.tree import EMPTY_DIRECTORY, Node, NodeKind, Tree

TREE = Tree({0: EMPTY_DIRECTORY, 5: Node(NodeKind.FILE, b"text")}, {(0, "a"): 5, (0, "b"): 5})


def test_a_node_goes_with_its_last_name_and_what_it_took_with_it() -> None:
    inodes = Inodes(TREE)
    file = inodes.root.names[b"a"]
    inodes.detach(inodes.root, b"a")
    assert inodes[6] is file
    assert inodes.stored == 4
    inodes.detach(inodes.root, b"b")
    assert inodes.stored == 0
    with pytest.raises(OSError) as refused:
        inodes[6]
    assert refused.value.errno == errno.ESTALE


def test_what_the_kernel_remembers_stays_without_a_name() -> None:
    inodes = Inodes(TREE)
    file = inodes.root.names[b"a"]
    file.entry()
    file.entry()
    inodes.detach(inodes.root, b"a")
    inodes.detach(inodes.root, b"b")
    inodes.forget(6, 1)
    assert inodes[6] is file
    assert inodes.stored == 0
    inodes.forget(6, 1)
    with pytest.raises(OSError):
        inodes[6]
    inodes.forget(6, 1)


def test_between_two_names_a_node_stays_known() -> None:
    inodes = Inodes(TREE)
    file = inodes.root.names[b"a"]
    inodes.detach(inodes.root, b"a")
    inodes.detach(inodes.root, b"b", keep=True)
    inodes.attach(inodes.root, b"c", file)
    assert inodes[6] is file
    assert inodes.stored == 4
    assert (file.name, file.links) == ("c", 1)
