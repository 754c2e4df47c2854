"""The bytes of a file, in pages that versions of it share: a hole costs nothing, and a change costs its pages.

A trace of thousands of syncs has as many versions of each file, and a crash image holds one of each.  So nothing here
is proportional to a file's size but reading all of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

PAGE_BYTES = 4096
GROUP_PAGES = 64
SMALL_BYTES = PAGE_BYTES
"""Up to this size a file in a tree is plain ``bytes``."""

_HOLE = bytes(PAGE_BYTES)
_GROUP_BYTES = GROUP_PAGES * PAGE_BYTES


class _Group:
    """Some pages side by side; ``None`` is a hole.  What is derived of them is derived once."""

    __slots__ = ("_digest", "_hash", "pages")

    def __init__(self, pages: tuple[bytes | None, ...]) -> None:
        self.pages = pages
        self._hash: int | None = None
        self._digest: bytes | None = None

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = hash(self.pages)
        return self._hash

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, _Group) and self.pages == other.pages)

    def digest(self) -> bytes:
        if self._digest is None:
            state = hashlib.blake2b(digest_size=16)
            for index, page in enumerate(self.pages):
                if page is not None:
                    state.update(b"%d:" % index)
                    state.update(page)
            self._digest = state.digest()
        return self._digest


class Content:
    """A file's bytes at one time.  Never changed; equal and hashed by size and bytes."""

    __slots__ = ("_groups", "_hash", "_plain", "_size")

    def __init__(self, size: int = 0, groups: Mapping[int, _Group] | None = None) -> None:
        self._size = size
        self._groups: Mapping[int, _Group] = groups or {}
        self._hash: int | None = None
        self._plain: bytes | None = None

    @classmethod
    def of(cls, data: bytes | bytearray | Content) -> Content:
        """These bytes."""
        if isinstance(data, Content):
            return data
        draft = Draft(cls())
        draft.extend(data)
        return draft.freeze()

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, place: slice) -> bytes:
        """Some of them; only slices without a step."""
        start, stop, step = place.indices(self._size)
        if step != 1:
            raise ValueError("bytes of a file are read in one piece: slices have no step")
        return _read(self.page, start, stop)

    def __bytes__(self) -> bytes:
        return self[0 : self._size]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Content):
            return NotImplemented
        return self is other or (self._size == other._size and self._groups == other._groups)

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = hash((self._size, frozenset(self._groups.items())))
        return self._hash

    def __repr__(self) -> str:
        return f"<{self._size} bytes, {sum(len(data) for _, data in self.extents())} of them not in holes>"

    def page(self, index: int) -> bytes | None:
        """One page, filled up with zeros behind the end; ``None`` if all of it is zeros."""
        group = self._groups.get(index // GROUP_PAGES)
        return None if group is None else group.pages[index % GROUP_PAGES]

    def extents(self) -> Iterator[tuple[int, bytes]]:
        """Everything but the holes: offsets, and the bytes there; rising, and of bounded length each."""
        for number in sorted(self._groups):
            pages = self._groups[number].pages
            first = 0
            while first < GROUP_PAGES:
                last = first
                run: list[bytes] = []
                while last < GROUP_PAGES and (page := pages[last]) is not None:
                    run.append(page)
                    last += 1
                if run:
                    offset = number * _GROUP_BYTES + first * PAGE_BYTES
                    yield offset, b"".join(run)[: self._size - offset]
                first = last + 1

    @property
    def is_blank(self) -> bool:
        """Whether there is nothing but zeros."""
        return not self._groups

    def compact(self) -> bytes | Content:
        """As a tree holds it: plain ``bytes`` if it is small."""
        if self._size > SMALL_BYTES:
            return self
        if self._plain is None:
            self._plain = bytes(self)
        return self._plain

    def digest(self) -> bytes:
        """The same in every process."""
        state = hashlib.blake2b(b"%d:" % self._size, digest_size=16)
        for number in sorted(self._groups):
            state.update(b"%d:" % number)
            state.update(self._groups[number].digest())
        return state.digest()

    def revised(self, size: int, changed: Mapping[int, bytes | bytearray]) -> Content:
        """Of this size, and with other pages; behind the new end all pages have to be zeros."""
        groups = dict(self._groups)
        edits: dict[int, list[bytes | None]] = {}
        for index, page in changed.items():
            number, inside = divmod(index, GROUP_PAGES)
            pages = edits.get(number)
            if pages is None:
                old = groups.get(number)
                pages = edits[number] = [None] * GROUP_PAGES if old is None else list(old.pages)
            pages[inside] = None if page == _HOLE else bytes(page)
        for number, pages in edits.items():
            if any(page is not None for page in pages):
                groups[number] = _Group(tuple(pages))
            else:
                groups.pop(number, None)
        return Content(size, groups)

    def cut(self, size: int) -> Content:
        """Its beginning."""
        if size >= self._size:
            return self
        index, inside = divmod(size, PAGE_BYTES)
        whole = index + (inside > 0)
        groups = {number: group for number, group in self._groups.items() if number * GROUP_PAGES < whole}
        last = whole // GROUP_PAGES
        if last in groups:
            kept = groups.pop(last).pages[: whole % GROUP_PAGES]
            if any(page is not None for page in kept):
                groups[last] = _Group(kept + (None,) * (GROUP_PAGES - len(kept)))
        page = self.page(index)
        changed = {index: page[:inside].ljust(PAGE_BYTES, b"\0")} if inside and page is not None else {}
        return Content(size, groups).revised(size, changed)


class Draft:
    """A file's bytes while they change, as far as the laboratory uses a ``bytearray``."""

    __slots__ = ("_base", "_changed", "_size")

    def __init__(self, base: Content) -> None:
        self._base = base
        self._changed: dict[int, bytes | bytearray] = {}
        self._size = len(base)

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, place: slice) -> bytes:
        start, stop, _ = place.indices(self._size)
        return _read(self._page, start, stop)

    def __setitem__(self, place: slice, data: bytes | bytearray) -> None:
        """Overwrite as many bytes as are given; beyond the end they are added, after zeros where there is a gap."""
        start = place.start
        size, done = len(data), 0
        index, inside = divmod(start, PAGE_BYTES)
        page = self._changed.get(index)
        if inside + size <= PAGE_BYTES and isinstance(page, bytearray):  # the usual case, for the sake of speed
            page[inside : inside + size] = data
            done = size
        while done < size:
            index, inside = divmod(start + done, PAGE_BYTES)
            count = min(PAGE_BYTES - inside, size - done)
            if count == PAGE_BYTES:
                self._changed[index] = bytes(data[done : done + PAGE_BYTES])
            else:
                page = self._changed.get(index)
                if not isinstance(page, bytearray):
                    old = page or self._base.page(index)
                    page = self._changed[index] = bytearray(PAGE_BYTES) if old is None else bytearray(old)
                page[inside : inside + count] = data[done : done + count]
            done += count
        if size:
            self._size = max(self._size, start + size)

    def extend(self, data: bytes | bytearray) -> None:
        """Add at the end."""
        self[self._size : self._size + len(data)] = data

    def resize(self, size: int) -> None:
        """Cut, or extend with a hole."""
        if size < self._size:
            self._base = self.freeze().cut(size)
            self._changed = {}
        self._size = size

    def freeze(self) -> Content:
        """The bytes as they are now."""
        if self._changed or self._size != len(self._base):
            self._base = self._base.revised(self._size, self._changed)
            self._changed = {}
        return self._base

    def _page(self, index: int) -> bytes | bytearray | None:
        page = self._changed.get(index)
        return self._base.page(index) if page is None else page


Buffer: TypeAlias = bytearray | Draft


def thaw(content: bytes | Content) -> Buffer:
    """A copy that may be changed."""
    return Draft(content) if isinstance(content, Content) else bytearray(content)


def freeze(data: Buffer) -> bytes | Content:
    """The other way round."""
    return data.freeze() if isinstance(data, Draft) else bytes(data)


def resize(data: Buffer, size: int) -> None:
    """Cut or extend with zeros."""
    if isinstance(data, Draft):
        data.resize(size)
    elif len(data) > size:
        del data[size:]
    else:
        data.extend(bytes(size - len(data)))


def is_blank(content: bytes | Content) -> bool:
    """Whether there is nothing but zeros."""
    return content.is_blank if isinstance(content, Content) else not content.strip(b"\0")


def _read(page_at: Callable[[int], bytes | bytearray | None], start: int, stop: int) -> bytes:
    if stop <= start:
        return b""
    first, last = start // PAGE_BYTES, (stop - 1) // PAGE_BYTES
    pages = [_HOLE if (page := page_at(index)) is None else page for index in range(first, last + 1)]
    skip = start - first * PAGE_BYTES
    return b"".join(pages)[skip : skip + stop - start]
