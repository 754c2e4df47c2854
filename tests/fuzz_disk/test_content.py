"""The promise: pages that are shared between versions of a file hold what a plain ``bytearray`` would.

Method: random writes, cuts and reads are done to both; earlier versions are looked at again at the end.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durakv_fuzz.content import GROUP_PAGES, PAGE_BYTES, SMALL_BYTES, Content, Draft
from durakv_fuzz.tree import EMPTY_DIRECTORY, ROOT, Node, NodeKind, Tree

SIZES = st.sampled_from([0, 1, 511, PAGE_BYTES - 1, PAGE_BYTES, PAGE_BYTES + 1, 3 * PAGE_BYTES, 70 * PAGE_BYTES + 5])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), SIZES, st.integers(0, 9000), st.sampled_from([b"\0", b"a", b"bc"])),
        st.tuples(st.just("resize"), SIZES, st.just(0), st.just(b"")),
    ),
    max_size=8,
)


@given(STEPS)
def test_it_holds_what_a_bytearray_would(steps: list[tuple[str, int, int, bytes]]) -> None:
    plain, draft = bytearray(), Draft(Content())
    versions: list[tuple[bytes, Content]] = []
    for what, offset, size, byte in steps:
        if what == "resize":
            del plain[offset:]
            plain.extend(bytes(offset - len(plain)))
            draft.resize(offset)
        else:
            offset = min(offset, len(plain))
            data = (byte * size)[:size]
            plain[offset : offset + size] = data
            draft[offset : offset + size] = data
        assert len(draft) == len(plain)
        assert draft[100:5000] == plain[100:5000]
        versions.append((bytes(plain), draft.freeze()))
    for data, content in versions:
        assert bytes(content) == data
        assert content[4000:9000] == data[4000:9000]
        assert content == Content.of(data)
        assert hash(content) == hash(Content.of(data))
        assert content.digest() == Content.of(data).digest()
        again = bytearray(len(data))
        for offset, part in content.extents():
            again[offset : offset + len(part)] = part
        assert again == data


def test_a_version_shares_all_pages_but_the_changed_ones() -> None:
    count = 4 * GROUP_PAGES
    first = Content.of(b"".join(b"%04d" % number * (PAGE_BYTES // 4) for number in range(count)))
    draft = Draft(first)
    draft[5 * PAGE_BYTES + 7 : 5 * PAGE_BYTES + 8] = b"x"
    second = draft.freeze()
    assert [index for index in range(count) if first.page(index) is not second.page(index)] == [5]
    assert first != second
    assert first.digest() != second.digest()


def test_a_hole_has_no_pages_and_is_saved_as_one(tmp_path: Path) -> None:
    size = 1 << 34
    draft = Draft(Content())
    draft.resize(size)
    draft[size - 4 : size] = b"tail"
    content = draft.freeze()
    assert [(offset, len(data)) for offset, data in content.extents()] == [(size - PAGE_BYTES, PAGE_BYTES)]
    tree = Tree({ROOT: EMPTY_DIRECTORY, 1: Node(NodeKind.FILE, content)}, {(ROOT, "f"): 1})
    tree.save(tmp_path)
    assert (tmp_path / "f").stat().st_size == size
    assert (tmp_path / "f").stat().st_blocks * 512 < 1 << 20


def test_a_tree_is_told_by_what_it_holds_and_not_by_how(tmp_path: Path) -> None:
    data = bytes(SMALL_BYTES) + b"data"
    trees = [
        Tree({ROOT: EMPTY_DIRECTORY, number: Node(NodeKind.FILE, held)}, {(ROOT, "f"): number})
        for number, held in ((1, data), (2, Content.of(data)))
    ]
    assert trees[0].digest() == trees[1].digest()
    trees[0].save(tmp_path)
    assert Tree.load(tmp_path).nodes[1].data == Content.of(data)


def test_a_slice_has_no_step() -> None:
    with pytest.raises(ValueError, match="no step"):
        Content.of(b"abc")[::2]
