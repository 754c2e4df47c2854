"""The conformance kit of the door to the disk: every promise of ``filesystem`` that can be seen without a crash.

    check_filesystem(lambda: MyFilesystem(new_empty_place()))

Factories in, ``AssertionError`` out, no test framework.  What survives a crash cannot be checked from here; the crash
laboratory does that.  An implementation that passes may be handed to the engine.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from durakv.storage.filesystem import File, Filesystem

__all__ = ["check_filesystem"]

# More than one call of an operating system moves (2 GiB on Linux) would be too slow; this spans pages and pipes.
_BIG = bytes(range(256)) * 4096 + b"tail"
_BAD_NAMES = ("", ".", "..", "a/b", "/a", "a/", "../a", "a\0b")


def check_filesystem(
    make: Callable[[], Filesystem], *, again: Callable[[Filesystem], Filesystem] | None = None
) -> None:
    """Raise ``AssertionError``, naming the check and what it saw, unless every promise holds.

    ``make`` returns a filesystem over a new place whose root does not exist yet; it is called once for each check.
    ``again`` returns a second, independent filesystem over the place of the first; without it the checks that need
    one take the same filesystem twice.
    """
    if not __debug__:
        raise RuntimeError("the conformance kit is made of assertions: run it without -O")
    second = again if again is not None else _same
    for check in _CHECKS:
        _run(check.__name__.removeprefix("_check_"), partial(_check_rooted, check, make))
    _run("root", lambda: _check_root(make()))
    _run("second_handle", lambda: _check_second_handle(_rooted(make), second))


def _check_root(filesystem: Filesystem) -> None:
    assert filesystem.describe(), "describe() says nothing"
    assert not filesystem.exists_root(), "the root exists before make_root()"
    for what, call in (
        ("list()", filesystem.list),
        ("create()", lambda: filesystem.create("a")),
        ("open()", lambda: filesystem.open("a")),
    ):
        _raises(FileNotFoundError, call, f"{what} without a root")
    filesystem.make_root()
    assert filesystem.exists_root(), "no root after make_root()"
    assert filesystem.list() == [], "a new root is not empty"
    filesystem.create("a").close()
    filesystem.make_root()
    assert filesystem.list() == ["a"], "a second make_root() changed the directory"


def _check_second_handle(filesystem: Filesystem, again: Callable[[Filesystem], Filesystem]) -> None:
    file = filesystem.create("a")
    file.write_at(b"seen at once", 0)
    other = again(filesystem)
    assert other.exists_root(), "a second filesystem over the place sees no root"
    assert _content(other, "a") == b"seen at once", "a write is not seen through a second handle"
    lock = filesystem.lock("lock")
    _raises(BlockingIOError, lambda: other.lock("lock"), "taking a lock that another handle holds")
    lock.release()
    other.lock("lock").release()
    file.close()


def _check_create(filesystem: Filesystem) -> None:
    with_data = filesystem.create("a")
    assert with_data.name == "a", f"a file created as 'a' says that it is {with_data.name!r}"
    assert with_data.size() == 0, "a new file is not empty"
    assert with_data.read_at(10, 0) == b"", "a new file has content"
    with_data.write_at(b"x", 0)
    _raises(FileExistsError, lambda: filesystem.create("a"), "create() of a name that is taken")
    assert _content(filesystem, "a") == b"x", "a refused create() changed the file"
    with_data.close()


def _check_open(filesystem: Filesystem) -> None:
    _raises(FileNotFoundError, lambda: filesystem.open("a"), "open() of a missing file")
    _raises(FileNotFoundError, lambda: filesystem.open("a", writable=True), "open() for writing of a missing file")
    assert filesystem.list() == [], "a refused open() left something behind"
    _fill(filesystem, "a", b"content")
    reader = filesystem.open("a")
    assert reader.name == "a", f"a file opened as 'a' says that it is {reader.name!r}"
    for what, call in (
        ("write_at()", lambda: reader.write_at(b"x", 0)),
        ("write_through()", lambda: reader.write_through(b"x", 0)),
        ("truncate()", lambda: reader.truncate(0)),
    ):
        _raises((OSError, ValueError), call, f"{what} on a file opened for reading")
    reader.close()
    writer = filesystem.open("a", writable=True)
    assert writer.size() == 7, "open() for writing changed the size"
    writer.write_at(b"CON", 0)
    writer.close()
    assert _content(filesystem, "a") == b"CONtent", "a write through a reopened file is not there"


def _check_read(filesystem: Filesystem) -> None:
    file = _fill(filesystem, "a", b"0123456789")
    assert file.read_at(4, 3) == b"3456", "read_at() reads another place"
    assert file.read_at(100, 8) == b"89", "a read across the end is not cut at the end"
    assert file.read_at(5, 10) == b"", "a read at the end is not empty"
    assert file.read_at(5, 1000) == b"", "a read past the end is not empty"
    assert file.read_at(0, 0) == b"", "a read of nothing is not empty"
    assert isinstance(file.read_at(1, 0), bytes), "read_at() does not return bytes"
    file.close()


def _write_ways(file: File) -> tuple[tuple[str, Callable[[bytes | bytearray | memoryview, int], None]], ...]:
    return (("write_at", file.write_at), ("write_through", file.write_through))


def _check_write(filesystem: Filesystem) -> None:
    for name, write in _write_ways(file := filesystem.create("a")):
        file.truncate(0)
        write(b"aaaa", 0)
        write(bytearray(b"bb"), 1)
        assert file.read_at(10, 0) == b"abba", f"{name}() does not overwrite in place"
        write(memoryview(b"-cc-")[1:3], 4)
        assert file.read_at(10, 0) == b"abbacc", f"{name}() does not extend the file"
        write(b"", 100)
        assert file.size() == 6, f"{name}() of nothing changed the size"
        write(memoryview(b"wide").cast("I"), 0)
        assert file.read_at(10, 0) == b"widecc", f"{name}() counts elements of a memoryview, not bytes"
        data = bytearray(b"mine")
        write(data, 0)
        data[:] = b"gone"
        assert file.read_at(4, 0) == b"mine", f"{name}() keeps the caller's buffer"
    file.close()


def _check_sparse_write(filesystem: Filesystem) -> None:
    for name, write in _write_ways(file := filesystem.create("a")):
        file.truncate(0)
        write(b"end", 10_000)
        assert file.size() == 10_003, f"{name}() past the end gives a wrong size"
        assert file.read_at(20_000, 0) == bytes(10_000) + b"end", f"the hole before a {name}() does not read as zeros"
    file.close()


def _check_big_write(filesystem: Filesystem) -> None:
    for name, write in _write_ways(file := filesystem.create("a")):
        file.truncate(0)
        write(_BIG, 3)
        assert file.size() == len(_BIG) + 3, f"a big {name}() gives a wrong size"
        assert file.read_at(len(_BIG) + 9, 3) == _BIG, f"a big {name}() does not read back"
    file.close()


def _check_window(filesystem: Filesystem) -> None:
    file = _fill(filesystem, "a", bytes(10_000))
    file.sync()
    window = file.window(10_000)
    if window is not None:
        window[4_000:4_200] = b"w" * 200
        assert file.read_at(300, 3_950) == bytes(50) + b"w" * 200 + bytes(50), "a window writes another place"
        assert _content(filesystem, "a")[4_000:4_200] == b"w" * 200, "what a window wrote is not in the file"
        file.write_through(b"call", 4_100)
        window[4_104:4_108] = b"both"
        assert file.read_at(8, 4_100) == b"callboth", "a window and a call do not see each other's writes"
        file.sync()
        assert file.size() == 10_000, "a window changed the size"
    file.close()


def _check_truncate(filesystem: Filesystem) -> None:
    file = _fill(filesystem, "a", b"0123456789")
    file.truncate(4)
    assert (file.size(), file.read_at(10, 0)) == (4, b"0123"), "truncate() does not cut"
    file.truncate(8)
    assert (file.size(), file.read_at(10, 0)) == (8, b"0123\0\0\0\0"), "truncate() does not extend with zeros"
    file.truncate(8)
    assert file.size() == 8, "truncate() to the present size changed it"
    file.close()


def _check_sync(filesystem: Filesystem) -> None:
    file = _fill(filesystem, "a", b"data")
    file.sync()
    file.sync()
    filesystem.sync_directory()
    assert file.read_at(10, 0) == b"data", "a sync changed the content"
    assert filesystem.list() == ["a"], "a sync changed the directory"
    file.close()


def _check_close(filesystem: Filesystem) -> None:
    file = _fill(filesystem, "a", b"data")
    file.close()
    file.close()
    for what, call in (
        ("read_at()", lambda: file.read_at(1, 0)),
        ("write_at()", lambda: file.write_at(b"x", 0)),
        ("write_through()", lambda: file.write_through(b"x", 0)),
        ("sync()", file.sync),
        ("truncate()", lambda: file.truncate(0)),
        ("size()", file.size),
    ):
        _raises((OSError, ValueError), call, f"{what} on a closed file")
    assert _content(filesystem, "a") == b"data", "a closed file was changed"


def _check_rename(filesystem: Filesystem) -> None:
    file = _fill(filesystem, "a", b"new")
    _fill(filesystem, "b", b"old").close()
    replaced = filesystem.open("b")
    filesystem.rename("a", "b")
    assert filesystem.list() == ["b"], "rename() over a name leaves another directory"
    assert _content(filesystem, "b") == b"new", "rename() does not replace"
    assert replaced.read_at(10, 0) == b"old", "an open file changed when its name was taken by another"
    file.write_at(b"NEW", 0)
    assert _content(filesystem, "b") == b"NEW", "an open file does not follow its rename"
    filesystem.rename("b", "c")
    assert filesystem.list() == ["c"], "rename() to a free name leaves another directory"
    filesystem.rename("c", "c")
    assert _content(filesystem, "c") == b"NEW", "rename() to its own name loses the file"
    _raises(FileNotFoundError, lambda: filesystem.rename("missing", "c"), "rename() of a missing file")
    assert _content(filesystem, "c") == b"NEW", "a refused rename() changed its target"
    replaced.close()
    file.close()


def _check_remove(filesystem: Filesystem) -> None:
    file = _fill(filesystem, "a", b"data")
    filesystem.remove("a")
    assert filesystem.list() == [], "remove() leaves the name"
    _raises(FileNotFoundError, lambda: filesystem.open("a"), "open() of a removed file")
    _raises(FileNotFoundError, lambda: filesystem.remove("a"), "remove() of a missing file")
    assert file.read_at(10, 0) == b"data", "an open file ended with its name"
    again = filesystem.create("a")
    assert again.size() == 0, "a new file begins with the content of a removed one"
    file.write_at(b"x", 0)
    assert again.size() == 0, "a write to a removed file went to the new file of its name"
    again.close()
    file.close()


def _check_list(filesystem: Filesystem) -> None:
    names = ["b", "a", "c.10", "c.9", "Z", "a b", "ü"]
    for name in names:
        filesystem.create(name).close()
    assert filesystem.list() == sorted(names), f"list() is {filesystem.list()}: not every name, or not sorted"
    filesystem.list().clear()
    assert filesystem.list() == sorted(names), "list() hands out its own list"


def _check_names(filesystem: Filesystem) -> None:
    filesystem.create("good").close()
    for bad in _BAD_NAMES:
        for what, call in (
            ("create", lambda bad=bad: filesystem.create(bad)),
            ("open", lambda bad=bad: filesystem.open(bad)),
            ("remove", lambda bad=bad: filesystem.remove(bad)),
            ("rename from", lambda bad=bad: filesystem.rename(bad, "x")),
            ("rename to", lambda bad=bad: filesystem.rename("good", bad)),
            ("lock", lambda bad=bad: filesystem.lock(bad)),
        ):
            _raises(ValueError, call, f"{what} {bad!r}")
    assert filesystem.list() == ["good"], "a refused name changed the directory"


def _check_lock(filesystem: Filesystem) -> None:
    lock = filesystem.lock("lock")
    assert filesystem.list() == ["lock"], "lock() does not create its file"
    _raises(BlockingIOError, lambda: filesystem.lock("lock"), "taking a lock twice")
    other = filesystem.lock("other lock")
    lock.release()
    lock.release()
    again = filesystem.lock("lock")
    lock.release()
    _raises(BlockingIOError, lambda: filesystem.lock("lock"), "taking a lock whose earlier owner released it twice")
    again.release()
    other.release()
    _fill(filesystem, "data", b"kept").close()
    filesystem.lock("data").release()
    assert _content(filesystem, "data") == b"kept", "lock() changed the content of its file"


def _check_free_bytes(filesystem: Filesystem) -> None:
    free = filesystem.free_bytes()
    assert isinstance(free, int), f"free_bytes() is {free!r}, not a number"
    assert free >= 0, f"free_bytes() is {free}"


_CHECKS: tuple[Callable[[Filesystem], None], ...] = (
    _check_create,
    _check_open,
    _check_read,
    _check_write,
    _check_sparse_write,
    _check_big_write,
    _check_window,
    _check_truncate,
    _check_sync,
    _check_close,
    _check_rename,
    _check_remove,
    _check_list,
    _check_names,
    _check_lock,
    _check_free_bytes,
)


def _same(filesystem: Filesystem) -> Filesystem:
    return filesystem


def _check_rooted(check: Callable[[Filesystem], None], make: Callable[[], Filesystem]) -> None:
    check(_rooted(make))


def _rooted(make: Callable[[], Filesystem]) -> Filesystem:
    filesystem = make()
    filesystem.make_root()
    return filesystem


def _fill(filesystem: Filesystem, name: str, data: bytes) -> File:
    file = filesystem.create(name)
    file.write_at(data, 0)
    return file


def _content(filesystem: Filesystem, name: str) -> bytes:
    file = filesystem.open(name)
    try:
        return file.read_at(file.size(), 0)
    finally:
        file.close()


def _raises(expected: type[Exception] | tuple[type[Exception], ...], call: Callable[[], object], what: str) -> None:
    try:
        call()
    except expected:
        return
    except Exception as other:
        raise AssertionError(f"{what} raises {other!r}") from other
    raise AssertionError(f"{what} is not refused")


def _run(name: str, check: Callable[[], None]) -> None:
    try:
        check()
    except AssertionError as failure:
        raise AssertionError(f"{name}: {failure}") from failure
    except Exception as failure:
        raise AssertionError(f"{name}: unexpected {failure!r}") from failure
