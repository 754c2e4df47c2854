"""The promise: a stock server reads our manifest and our log, and does no harm where it cannot.

Method: a real ``redis-server`` is started on directories made by the encoders.  Left out where there is none.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from durakv_formats import (
    CommandDecoder,
    FrameDecoder,
    FrameError,
    Manifest,
    ManifestFile,
    SnapshotEncoder,
    SnapshotHeader,
    decode_manifest,
    encode_batch,
    encode_frame,
    encode_manifest,
)
from tests.keyspace.stock_server import find_program

SERVER = find_program("redis-server") or ""
CLIENT = find_program("redis-cli") or ""

pytestmark = pytest.mark.skipif(not SERVER or not CLIENT, reason="there is no redis-server here")

SEGMENT = ManifestFile("appendonly.aof.2.incr.aof", 2, "i", first=1)
MANIFEST = Manifest(bytes(16), 1, 0, (SEGMENT,))
BATCHES = [
    [[b"SET", b"greeting", b"hello"]],
    [[b"SELECT", b"3"], [b"SET", b"line", b"a\r\n#DKV1 b"], [b"SELECT", b"0"]],
    [[b"RPUSH", b"list", b"x"], [b"RPUSH", b"list", b"y"]],
]


def log() -> bytes:
    data = encode_frame(b"", seq=0, count=0, synced_seq=0, identity=0, segment=2)
    seq = 0
    for batch in BATCHES:
        seq += len(batch)
        data += encode_frame(encode_batch(batch), seq=seq, count=len(batch), synced_seq=0, identity=0, segment=2)
    return data


def prepare(root: Path, manifest: Manifest, files: dict[str, bytes]) -> Path:
    directory = root / "appendonlydir"
    directory.mkdir()
    (directory / "appendonly.aof.manifest").write_bytes(encode_manifest(manifest))
    for name, data in files.items():
        (directory / name).write_bytes(data)
    return directory


def arguments(root: Path) -> list[str]:
    return [
        SERVER,
        "--dir",
        str(root),
        "--port",
        "0",
        "--unixsocket",
        str(root / "s"),
        "--appendonly",
        "yes",
        "--save",
        "",
    ]


@contextmanager
def server(root: Path) -> Iterator[None]:
    """A stock server on ``root``, stopped cleanly at the end."""
    with subprocess.Popen(arguments(root), stdout=subprocess.DEVNULL, cwd=root) as process:
        try:
            deadline = time.monotonic() + 20
            while ask(root, ["PING"]) != "PONG":
                assert process.poll() is None, "the server refused the directory"
                assert time.monotonic() < deadline
                time.sleep(0.02)
            yield
        finally:
            process.terminate()


def ask(root: Path, words: Sequence[str]) -> str:
    done = subprocess.run([CLIENT, "-s", str(root / "s"), *words], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def test_our_log_is_loaded_and_appended_to(tmp_path: Path) -> None:
    directory = prepare(tmp_path, MANIFEST, {SEGMENT.name: log()})
    with server(tmp_path):
        assert ask(tmp_path, ["GET", "greeting"]) == "hello"
        assert ask(tmp_path, ["-n", "3", "STRLEN", "line"]) == "10"
        assert ask(tmp_path, ["LRANGE", "list", "0", "-1"]) == "x\ny"
        assert ask(tmp_path, ["SET", "written by", "a stock server"]) == "OK"
    data = (directory / SEGMENT.name).read_bytes()
    decoder = FrameDecoder(0, 2)
    decoder.feed(data)
    with pytest.raises(FrameError) as end:
        list(iter(decoder.next_frame, None))
    assert end.value.kind == "foreign"
    assert end.value.offset == decoder.offset == len(log())
    commands = CommandDecoder(decoder.offset)
    commands.feed(data[decoder.offset :])
    assert commands.next_command() == [b"SELECT", b"0"]
    assert commands.next_command() == [b"SET", b"written by", b"a stock server"]
    assert commands.offset == len(data)
    manifest = decode_manifest((directory / "appendonly.aof.manifest").read_bytes())
    assert manifest.foreign or manifest == MANIFEST, "a stock server keeps it as it is or (since Redis 8) drops ours"


def test_a_rewrite_by_a_stock_server_drops_what_is_ours(tmp_path: Path) -> None:
    directory = prepare(tmp_path, MANIFEST, {SEGMENT.name: log()})
    with server(tmp_path):
        ask(tmp_path, ["BGREWRITEAOF"])
        deadline = time.monotonic() + 20
        while (manifest := decode_manifest((directory / "appendonly.aof.manifest").read_bytes())).base is None:
            assert time.monotonic() < deadline
            time.sleep(0.02)
    assert manifest.foreign
    assert manifest.base is not None
    assert manifest.base.name == "appendonly.aof.1.base.rdb"


def test_our_base_is_refused_and_left_alone(tmp_path: Path) -> None:
    encoder = SnapshotEncoder(SnapshotHeader(bytes(16), 0, 1, 1, "keyspace", 0))
    base = encoder.header_bytes() + encoder.footer()
    files = (ManifestFile("appendonly.aof.1.base.dkv", 1, "b", last=0), SEGMENT)
    contents = {files[0].name: base, SEGMENT.name: log()}
    directory = prepare(tmp_path, Manifest(bytes(16), 1, 0, files), contents)
    done = subprocess.run(arguments(tmp_path), capture_output=True, text=True, check=False, timeout=30, cwd=tmp_path)
    assert done.returncode != 0
    assert "Bad file format" in done.stdout
    assert {name: (directory / name).read_bytes() for name in contents} == contents
