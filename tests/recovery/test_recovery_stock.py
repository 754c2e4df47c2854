"""The promise: a directory that a stock server wrote opens as it is, with every command in its order, each transaction
whole, each database its own; what that server appended to a directory of ours is read, counted and told.

Method: directories written by hand, byte for byte as a stock server of version 7 writes them, and a state machine that
knows databases.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pytest

from durakv.directory import MANIFEST_NAME
from durakv.durability import FsyncPolicy
from durakv.engine import Engine
from durakv.errors import Corruption, UnsupportedVersion
from durakv.machine import Command
from durakv.options import Options
from durakv_formats.manifest import decode_manifest
from durakv_formats.rdb import Entry, Kind, RdbWriter
from durakv_formats.resp import encode_batch, encode_command
from durakv_fuzz.choose import Seeded, harshest
from durakv_fuzz.disk import SimulatedDisk
from durakv_fuzz.image import Image
from durakv_fuzz.model import Model, crash_image
from durakv_fuzz.timeline import Timeline
from tests.support import changed, died

BASE, INCR, INCR_2 = "appendonly.aof.1.base.aof", "appendonly.aof.1.incr.aof", "appendonly.aof.2.incr.aof"


Data = dict[tuple[bytes, bytes], bytes]


class Databases:
    """Keys and values in numbered databases, with the selected one as a part of the state."""

    def __init__(self) -> None:
        self.data: Data = {}
        self.selected = b"0"
        self.applied = 0

    def apply(self, command: Command) -> None:
        name = command[0].upper()
        if name == b"SELECT":
            self.selected = command[1]
            return
        self.applied += 1
        if name == b"SET":
            self.data[self.selected, command[1]] = command[2]
        elif name == b"DEL":
            self.data.pop((self.selected, command[1]), None)
        else:
            raise ValueError(f"unknown command {command[0]!r}")

    def freeze(self) -> Iterator[bytes]:
        raise NotImplementedError

    def restore(self, chunks: Iterable[bytes]) -> None:
        raise NotImplementedError


def command(*words: bytes) -> bytes:
    return encode_command(words)


def stock(manifest: str, **files: bytes) -> SimulatedDisk:
    return SimulatedDisk(Image({MANIFEST_NAME: manifest.encode(), **files}))


MANIFEST = f"file {BASE} seq 1 type b\nfile {INCR} seq 1 type i\n"
BASE_DATA = (
    command(b"SELECT", b"0")
    + command(b"SET", b"a", b"1")
    + command(b"SET", b"b", b"2")
    + command(b"SELECT", b"5")
    + command(b"SET", b"a", b"five")
)
INCR_DATA = (
    b"#TS:1700000000\r\n"
    + command(b"SELECT", b"0")
    + command(b"DEL", b"b")
    + b"#TS:1700000001\r\n"
    + command(b"SELECT", b"5")
    + encode_batch([[b"SET", b"t", b"1"], [b"SELECT", b"0"], [b"SET", b"t", b"2"]])
    + command(b"SET", b"c", b"3")
)
EXPECTED = {
    (b"0", b"a"): b"1",
    (b"5", b"a"): b"five",
    (b"5", b"t"): b"1",
    (b"0", b"t"): b"2",
    (b"0", b"c"): b"3",
}


def adopted() -> SimulatedDisk:
    return stock(MANIFEST, **{BASE: BASE_DATA, INCR: INCR_DATA})


def open_stock(disk: SimulatedDisk) -> tuple[Engine, Databases]:
    machine = Databases()
    options = Options(fsync=FsyncPolicy.ALWAYS, segment_bytes=4096)
    return Engine(None, machine, filesystem=disk, background=False, options=options), machine


def test_a_stock_directory_opens_as_it_is() -> None:
    disk = adopted()
    engine, machine = open_stock(disk)
    assert machine.data == EXPECTED
    assert machine.selected == b"0", "whoever writes next finds the first database selected"
    report = engine.report
    assert report.clean
    assert not report.created
    assert report.foreign_commands == report.commands
    assert report.foreign_commands == 5 + 7, "every command counts, SELECT too, but not MULTI and EXEC"
    assert engine.applied_seq == 12
    assert report.lines() == ["read 12 commands that a stock server appended without checksums"]
    engine.apply([[b"SET", b"new", b"n"]])
    engine.close()
    files = disk.image().files
    assert files[BASE] == BASE_DATA
    assert files[INCR] == INCR_DATA, "what the stock server wrote is not touched"


def test_an_adopted_directory_is_one_of_ours_from_then_on() -> None:
    disk = adopted()
    engine, _ = open_stock(disk)
    engine.apply([[b"SELECT", b"3"], [b"SET", b"mine", b"m"], [b"SELECT", b"0"]])
    for source in (died(disk), disk):
        if source is disk:
            engine.close()
        manifest = decode_manifest(source.image().files[MANIFEST_NAME])
        assert manifest.identity is not None
        assert [(f.name, f.kind, f.first, f.last) for f in manifest.files][:2] == [
            (BASE, "b", None, 5),
            (INCR, "i", 6, 12),
        ]
        again, machine = open_stock(source)
        assert machine.data == {**EXPECTED, (b"3", b"mine"): b"m"}
        assert machine.selected == b"0"
        again.close()


@pytest.mark.parametrize(
    "manifest",
    [
        f"file {INCR} seq 1 type i\n",
        f"file {INCR} seq 1 type i\nfile {INCR_2} seq 2 type i\n",
        f"file {BASE} seq 1 type b\nfile {INCR} seq 1 type i\nfile {INCR_2} seq 2 type i\n",
        f"# a comment\nfile appendonly.aof.0.base.aof seq 7 type h\nfile {INCR} seq 1 type i\n",
    ],
)
def test_any_shape_of_a_stock_manifest_is_read_in_order(manifest: str) -> None:
    files: dict[str, bytes] = {}
    expected: Data = {}
    for index, line in enumerate(line for line in manifest.splitlines() if "type h" not in line and line[0] == "f"):
        name = line.split()[1]
        database = b"%d" % (index + 1)
        files[name] = command(b"SELECT", database) + command(b"SET", b"last", database)
        expected[database, b"last"] = database
    engine, machine = open_stock(stock(manifest, **files))
    assert machine.data == expected
    assert machine.selected == b"0", "each file begins in database 0 and leaves it so"
    engine.close()


def test_a_torn_stock_log_is_cut_to_its_last_whole_batch_and_told() -> None:
    one, two = command(b"SET", b"a", b"1"), encode_batch([[b"SET", b"x", b"1"], [b"SET", b"y", b"2"]])
    data = one + two
    first: Data = {(b"0", b"a"): b"1"}
    whole: list[tuple[int, Data]] = [
        (0, {}),
        (len(one), first),
        (len(data), {**first, (b"0", b"x"): b"1", (b"0", b"y"): b"2"}),
    ]
    for size in range(len(data) + 1):
        disk = stock(f"file {INCR} seq 1 type i\n", **{INCR: data[:size]})
        engine, machine = open_stock(disk)
        end, expected = [entry for entry in whole if entry[0] <= size][-1]
        assert machine.data == expected
        cut = engine.report.cut
        if size == end:
            assert cut is None
        else:
            assert cut is not None
            assert (cut.name, cut.offset, cut.bytes) == (INCR, end, size - end)
            assert cut.allowed == "a stock server's own rule for the end of its log"
        assert len(disk.image().files[INCR]) == end
        engine.apply([[b"SET", b"after", b"1"]])
        engine.close()
        again, machine = open_stock(disk)
        assert machine.data == {**expected, (b"0", b"after"): b"1"}
        again.close()


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        (INCR, INCR_DATA + b"garbage" + INCR_DATA, "garbage"),
        (INCR, INCR_DATA[:30] + b"\0" * 20 + INCR_DATA[50:], "damage in the middle"),
        (BASE, BASE_DATA[:-1], "a torn base"),
        (BASE, BASE_DATA + b"x", "a base with garbage"),
        (BASE, b"REDIS0011\xfe", "an RDB that ends too early, under a plain name"),
    ],
)
def test_any_other_damage_in_a_stock_directory_is_refused_and_not_touched(name: str, data: bytes, reason: str) -> None:
    disk = changed(adopted(), name, data)
    before = disk.image().files
    with pytest.raises(Corruption) as caught:
        open_stock(disk)
    assert caught.value.name == name, reason
    assert {n: d for n, d in disk.image().files.items() if n != "durakv.lock"} == dict(before)


def test_a_torn_segment_that_another_follows_is_corruption() -> None:
    manifest = f"file {INCR} seq 1 type i\nfile {INCR_2} seq 2 type i\n"
    disk = stock(manifest, **{INCR: INCR_DATA[:-3], INCR_2: command(b"SET", b"z", b"9")})
    with pytest.raises(Corruption, match="another segment follows") as caught:
        open_stock(disk)
    assert caught.value.name == INCR


def test_a_base_in_rdb_format_is_refused_by_a_machine_that_has_no_place_for_it() -> None:
    writer = RdbWriter()
    rdb = writer.begin() + writer.entry(Entry(0, b"k", Kind.STRING, b"v", None, 0)) + writer.end()
    disk = stock(
        f"file appendonly.aof.1.base.rdb seq 1 type b\nfile {INCR} seq 1 type i\n",
        **{"appendonly.aof.1.base.rdb": rdb, INCR: b""},
    )
    with pytest.raises(UnsupportedVersion, match=r"appendonly\.aof\.1\.base\.rdb.*RDB.*another kind of state machine"):
        open_stock(disk)


def test_a_command_that_the_machine_does_not_know_is_refused_with_its_place() -> None:
    data = command(b"SET", b"a", b"1") + command(b"FROB", b"x")
    disk = stock(f"file {INCR} seq 1 type i\n", **{INCR: data})
    with pytest.raises(UnsupportedVersion, match=rf"before byte {len(data)}.*unknown command b'FROB'"):
        open_stock(disk)


# --- there and back ---------------------------------------------------------------------------------------------------


def with_appended(disk: SimulatedDisk, data: bytes) -> SimulatedDisk:
    """What a stock server leaves that started on a directory we closed: it appends to the last segment."""
    name = decode_manifest(disk.image().files[MANIFEST_NAME]).segments[-1].name
    return changed(disk, name, disk.image().files[name] + data)


def closed() -> SimulatedDisk:
    disk = SimulatedDisk()
    engine, _ = open_stock(disk)
    engine.apply([[b"SET", b"ours", b"1"]])
    engine.apply([[b"SELECT", b"2"], [b"SET", b"ours", b"2"], [b"SELECT", b"0"]])
    engine.close()
    return died(disk)


OURS = {(b"0", b"ours"): b"1", (b"2", b"ours"): b"2"}


@pytest.mark.parametrize("timestamp", [b"", b"#TS:1700000000\r\n"])
def test_what_a_stock_server_appended_is_read_counted_and_told(timestamp: bytes) -> None:
    tail = timestamp + command(b"SELECT", b"7") + command(b"SET", b"theirs", b"7")
    disk = with_appended(closed(), tail)
    engine, machine = open_stock(disk)
    assert machine.data == {**OURS, (b"7", b"theirs"): b"7"}
    assert machine.selected == b"0"
    assert engine.report.foreign_commands == 2
    assert engine.report.lines() == ["read 2 commands that a stock server appended without checksums"]
    assert engine.applied_seq == 6
    engine.apply([[b"SET", b"later", b"8"]])
    for source in (died(disk), disk):
        if source is disk:
            engine.close()
        again, machine = open_stock(source)
        assert machine.data == {**OURS, (b"7", b"theirs"): b"7", (b"0", b"later"): b"8"}
        again.close()


def test_what_a_stock_server_appended_and_tore_is_cut_to_its_last_whole_batch() -> None:
    tail = b"#TS:1700000000\r\n" + encode_batch([[b"SET", b"x", b"1"], [b"SET", b"y", b"2"]]) + b"#TS:1700000001\r\n"
    end = len(tail) - len(b"#TS:1700000001\r\n")
    for size in range(4, len(tail) + 1):
        disk = with_appended(closed(), tail[:size])
        engine, machine = open_stock(disk)
        assert machine.data == {**OURS, **({(b"0", b"x"): b"1", (b"0", b"y"): b"2"} if size >= end else {})}
        assert (engine.report.cut is not None) == (size not in (16, end, len(tail)))
        engine.apply([[b"SET", b"later", b"8"]])
        engine.close()
        again, machine = open_stock(disk)
        assert machine.data[b"0", b"later"] == b"8"
        assert again.report.clean
        assert again.report.cut is None
        again.close()


def test_damage_in_what_a_stock_server_appended_is_refused() -> None:
    disk = with_appended(closed(), command(b"SET", b"x", b"1") + b"+OK\r\n" + command(b"SET", b"y", b"1"))
    with pytest.raises(Corruption):
        open_stock(disk)


def test_a_crash_at_any_event_of_an_adoption_adopts_the_same() -> None:
    disk = adopted()
    engine, _ = open_stock(disk)
    engine.close()
    timeline = Timeline(disk.trace)
    for crash_seq in range(disk.trace.seq + 1):
        for model, choose in (
            (Model.POWER_LOSS, harshest),
            (Model.POWER_LOSS, Seeded(crash_seq)),
            (Model.PROCESS_CRASH, harshest),
        ):
            left = SimulatedDisk(crash_image(timeline, crash_seq, choose, model=model))
            again, machine = open_stock(left)
            assert machine.data == EXPECTED
            assert again.applied_seq >= 12
            again.close()
            assert left.image().files[INCR] == INCR_DATA
