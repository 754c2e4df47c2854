"""The promise: the raw loops are measured, and figures that cannot be trusted come with the reason.

Method: probe a real directory; read mounts and devices that were made up.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from durakv.bench.disk import probe, warnings
from durakv.bench.mounts import Mount, mount_of, parse, write_cache
from durakv.bench.raw import THE_RAW_LOOP, WAYS, RawFile, record_bytes
from durakv.engine import Engine
from durakv.keyspace.machine import Keyspace

MOUNTS = """\
22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw,discard,barrier=0
30 27 0:27 / /tmp rw,nosuid - tmpfs tmpfs rw,size=100k
31 27 0:40 / /var/lib/a\\040b rw - overlay overlay rw,lowerdir=/x,upperdir=/y
32 27 0:41 / /net rw - nfs4 server:/export rw,vers=4.2
33 27 8:1 / /old rw - ext3 /dev/sda1 rw
34 27 8:2 / /old rw - xfs /dev/sda2 rw
broken line
"""


@pytest.mark.parametrize(
    ("directory", "kind", "source"),
    [
        ("/data/me", "ext4", "/dev/vda1"),
        ("/", "ext4", "/dev/vda1"),
        ("/tmp/x", "tmpfs", "tmpfs"),
        ("/tmpfile", "ext4", "/dev/vda1"),
        ("/var/lib/a b/c", "overlay", "overlay"),
        ("/net", "nfs4", "server:/export"),
        ("/old/y", "xfs", "/dev/sda2"),
    ],
)
def test_the_longest_mount_point_holds_the_directory_and_the_last_mount_of_it(
    directory: str, kind: str, source: str
) -> None:
    mount = mount_of(Path(directory), MOUNTS)
    assert (mount.kind, mount.source) == (kind, source)


def test_options_of_mount_and_file_system_are_told_once() -> None:
    assert parse(MOUNTS)[1].options == "rw,relatime,discard,barrier=0"


def words(directory: str, cache: str = "write back", sync_us: float = 200.0) -> str:
    return " ".join(warnings(mount_of(Path(directory), MOUNTS), cache, sync_us))


def test_memory_layers_and_networks_are_warned_of() -> None:
    assert "tmpfs is memory" in words("/tmp", sync_us=2.0)
    assert "layer over another file system" in words("/var/lib/a b")
    assert "not a disk of this machine" in words("/net")
    assert words("/old") == ""


def test_a_file_system_without_barriers_is_warned_of() -> None:
    assert "mounted with barrier=0" in words("/home")


@pytest.mark.parametrize(
    ("cache", "sync_us", "expected"),
    [
        ("write back", 51.0, ""),
        ("write back", 49.0, "may not keep its word"),
        ("write through", 49.0, ""),
        ("write through", 9.0, "acknowledges before it stores"),
        ("not known: because", 9.0, "acknowledges before it stores"),
        ("not known: because", 30.0, ""),
    ],
)
def test_a_sync_faster_than_hardware_is_warned_of(cache: str, sync_us: float, expected: str) -> None:
    found = words("/old", cache, sync_us)
    assert expected in found if expected else found == ""


def mount(device: str) -> Mount:
    return Mount(point="/", kind="ext4", source="/dev/x", options="", device=device)


def test_the_write_cache_of_a_partition_is_its_disk_s(tmp_path: Path) -> None:
    disk = tmp_path / "devices" / "vda"
    (disk / "queue").mkdir(parents=True)
    (disk / "queue" / "write_cache").write_text("write back\n")
    (disk / "vda1").mkdir()
    block = tmp_path / "block"
    block.mkdir()
    (block / "254:0").symlink_to(disk)
    (block / "254:1").symlink_to(disk / "vda1")
    assert write_cache(mount("254:0"), block) == "write back"
    assert write_cache(mount("254:1"), block) == "write back"
    assert "not known" in write_cache(mount("9:9"), block)
    assert "no block device" in write_cache(mount("0:27"), block)


def test_the_raw_loop_comes_first_and_nothing_is_left_behind(tmp_path: Path) -> None:
    disk = probe(tmp_path, rounds=1, seconds=0.01)
    assert disk.raw[0].name == THE_RAW_LOOP.name
    assert {loop.name for loop in disk.raw} <= {way.name for way in WAYS}
    assert len(disk.raw) >= 3
    for loop in disk.raw:
        assert loop.latency.count > 0
        assert loop.commits_per_second > 0
    assert list(tmp_path.iterdir()) == []


def test_the_raw_loop_writes_records_of_the_log_s_size(tmp_path: Path) -> None:
    with Engine(tmp_path / "engine", Keyspace(), fsync="always") as engine:
        before = engine.status().log_bytes
        engine.apply([[b"SET", b"k" * 16, b"v" * 100]])
        assert engine.status().log_bytes - before == record_bytes(100)


def test_a_file_is_written_from_its_beginning_again_when_it_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("durakv.bench.raw.FILE_BYTES", 1 << 20)
    file = RawFile(tmp_path / "raw", next(way for way in WAYS if "without sync" in way.name), 100_000)
    try:
        _, ends = file.loop(0.05)
    finally:
        file.close()
    assert len(ends) > 11
    assert (tmp_path / "raw").stat().st_size == 1 << 20
