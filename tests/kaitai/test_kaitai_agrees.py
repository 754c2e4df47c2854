"""The promise: the Kaitai Struct definitions in formats/kaitai say the same of a file as our reader does.

Method: every golden file, thousands of files that our writers made of values drawn by lot, a directory that the engine
made, cut and damaged ones; each is read by the generated parsers and by our decoders, which share no code, and all that
they found is compared field by field.
"""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

import durakv
from durakv_formats import decode_manifest, encode_batch, encode_frame
from durakv_formats.runs import decode_frames
from tests.kaitai import corpus
from tests.kaitai.checksum import checksum
from tests.kaitai.facts import LogFacts, ManifestFacts, SnapshotFacts
from tests.kaitai.generated.durakv_log import DurakvLog
from tests.kaitai.generated.durakv_snapshot import DurakvSnapshot
from tests.kaitai.generated_reader import GeneratedReader
from tests.kaitai.own_reader import OwnReader

OWN, GENERATED = OwnReader(), GeneratedReader()


def log_facts(log: corpus.Log) -> LogFacts:
    """What both find."""
    found = OWN.log(*log)
    assert GENERATED.log(*log) == found
    return found


def snapshot_facts(data: bytes) -> SnapshotFacts:
    """What both find."""
    found = OWN.snapshot(data)
    assert GENERATED.snapshot(data) == found
    return found


def manifest_facts(data: bytes) -> ManifestFacts | None:
    """What both find."""
    found = OWN.manifest(data)
    assert GENERATED.manifest(data) == found
    return found


def damaged(random: Random, data: bytes) -> bytes:
    """The same with one bit, or a few bytes, changed."""
    changed = bytearray(data)
    place = random.randrange(len(data))
    if random.random() < 0.7:
        changed[place] ^= 1 << random.randrange(8)
    else:
        changed[place : place + 4] = random.randbytes(len(changed[place : place + 4]))
    return bytes(changed)


def test_the_checksum_is_the_one_of_the_page() -> None:
    assert checksum(b"123456789") == 0xE3069283
    assert checksum(b"6789", checksum(b"12345")) == 0xE3069283


def test_both_find_the_same_in_every_golden_file() -> None:
    endings = [log_facts(log).ending for log in corpus.golden_logs()]
    assert {"end", "zeros"} <= {*endings}
    snapshots = [snapshot_facts(path.read_bytes()) for path in corpus.golden("*.dkv")]
    manifests = [manifest_facts(path.read_bytes()) for path in corpus.golden("*.manifest")]
    assert all(facts.ending == "end" and facts.blocks for facts in snapshots)
    assert all(facts is not None and facts.files for facts in manifests)
    read = len(endings) + len(snapshots) + len(manifests)
    others = {".trace", ""}  # the laboratory's own format, and .gitattributes
    assert read == len([path for path in corpus.GOLDEN.rglob("*") if path.is_file() and path.suffix not in others])


def test_a_whole_file_is_parsed_at_once_as_well() -> None:
    for log in corpus.golden_logs():
        frames = [r for r in DurakvLog.from_bytes(log.data).records if r.kind is DurakvLog.Kind.frame]
        assert [(r.offset, r.body.seq) for r in frames] == [(f.offset, f.seq) for f in log_facts(log).frames]
    for path in corpus.golden("*.dkv"):
        facts = snapshot_facts(path.read_bytes())
        *blocks, footer = DurakvSnapshot.from_bytes(path.read_bytes()).parts
        assert [part.body.slot for part in blocks] == [block.slot for block in facts.blocks]
        assert facts.footer is not None
        assert footer.body.file_bytes == facts.footer.file_bytes == path.stat().st_size


def test_both_find_the_same_in_logs_drawn_by_lot() -> None:
    random = Random(1)
    found = [log_facts(corpus.some_log(random)) for _ in range(2000)]
    assert {facts.ending for facts in found} == {"end", "zeros"}
    assert sum(len(facts.frames) for facts in found) > 4000
    assert sum(len(facts.unframed) for facts in found) > 500


def test_both_find_the_same_in_snapshots_drawn_by_lot() -> None:
    random = Random(2)
    found = [snapshot_facts(corpus.some_snapshot(random)) for _ in range(2000)]
    assert {facts.ending for facts in found} == {"end"}
    blocks = [block for facts in found for block in facts.blocks]
    assert {block.codec for block in blocks} == {0, 1}
    assert {kind for block in blocks for kind, *_ in block.columns or ()} == {*corpus.KINDS}


def test_both_find_the_same_in_manifests_drawn_by_lot() -> None:
    random = Random(3)
    found = [manifest_facts(corpus.some_manifest(random)) for _ in range(2000)]
    assert {file.kind for facts in found if facts is not None for file in facts.files} == {"b", "h", "i"}
    assert None not in found


@pytest.mark.parametrize(
    "text",
    [
        b"file a.rdb seq 2 type b\nfile a.aof seq 3 type i startoffset 1234 endoffset 5678\n",
        b"# somebody's\n FILE 'it\\'s \"it\\\"' SEQ 2  TYPE b \n",
        b"file\ta\r seq \v1 type\fb\t\n",
        b'file "\\x41\\xfF \\\\\\q\\n\\r\\t\\a\\b\\"" seq 1 type h\n',
    ],
)
def test_both_find_the_same_in_a_stock_servers_manifest(text: bytes) -> None:
    facts = manifest_facts(text)
    assert facts is not None
    assert facts.identity is None


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"file a seq 1 type b dkv-last 5\n",
        b"file a seq 1 type b",
        b"file 'a seq 1 type b\n",
        b'file "a"b seq 1 type b\n',
        b'file a"b" seq 1 type b\n',
        b"#DKVM2 whatever it says\nfile a seq 1 type b\n",
        b"#DKVM1\nfile a seq 1 type b\n",
        b"#DKVM1 \nfile a seq 1 type b\n",
        b"   \n",
        b"file a seq 01 type b\n",
        b"file a seq 1 seq 1 type b\n",
        b"file a seq 1 type b\n\n",
        b"file a seq 1 type b\0\n",
        b"#" + b"x" * 81 + b"\nfile a seq 1 type b\n",
        b"#" + b"x" * 1023 + b"\nfile a seq 1 type b\n",
    ],
)
def test_both_refuse_what_is_no_manifest(text: bytes) -> None:
    assert manifest_facts(text) is None


def test_both_find_the_same_in_a_directory_that_the_engine_made(tmp_path: Path) -> None:
    with durakv.open(tmp_path / "data") as db:
        for number in range(300):
            db.set(b"key %d" % number, b"value " * (number % 50))
            db.hset(b"hash", {b"%d" % number: b"x"})
            db.zadd(b"zset", {b"%d" % number: number / 7})
        db.execute(b"XADD", b"stream", b"1-1", b"field", b"value")
        db.execute(b"PEXPIRE", b"hash", b"10000000")
        db.rewrite()
        for number in range(100):
            db.rpush(b"list", b"%d" % number)
        [place] = tmp_path.rglob("appendonly.aof.manifest")
        manifest = place.read_bytes()
        facts = manifest_facts(manifest)
        assert facts is not None
        identity = int.from_bytes((decode_manifest(manifest).identity or b"")[:8], "big")
        commands, columns = 0, 0
        for file in facts.files:
            data = place.with_name(file.name.decode()).read_bytes()
            if file.kind == "b":
                columns += sum(len(block.columns or ()) for block in snapshot_facts(data).blocks)
            else:
                commands += sum(len(f.commands) for f in log_facts(corpus.Log(data, identity, file.seq)).frames)
        assert commands >= 100
        assert columns > 300


def test_both_find_the_same_end_of_a_log_that_was_cut_anywhere() -> None:
    [sealed, *_] = corpus.golden_logs()
    random = Random(4)
    logs = [sealed._replace(data=sealed.data[:cut]) for cut in range(len(sealed.data))]
    for _ in range(500):
        log = corpus.some_log(random)
        logs.append(log._replace(data=log.data[: random.randint(0, len(log.data))]))
    endings = [log_facts(log).ending for log in logs]
    assert endings.count("torn") > 1000


def test_both_find_the_same_end_of_a_snapshot_that_was_cut_anywhere() -> None:
    random = Random(5)
    golden = corpus.golden("*.dkv")[0].read_bytes()
    cuts = [golden[:cut] for cut in range(len(golden))]
    for _ in range(300):
        data = corpus.some_snapshot(random)
        cuts.append(data[: random.randrange(len(data))])
    assert {snapshot_facts(data).ending for data in cuts} == {"torn"}


def test_both_refuse_a_manifest_that_was_cut_anywhere() -> None:
    [data] = [path.read_bytes() for path in corpus.golden("v1/*.manifest")] or [b""]
    assert all(manifest_facts(data[:cut]) is None for cut in range(len(data)))


def test_both_find_the_same_before_damage() -> None:
    random = Random(6)
    endings: list[str] = []
    for _ in range(700):
        log = corpus.some_log(random)
        if log.data:
            endings.append(log_facts(log._replace(data=damaged(random, log.data))).ending)
        endings.append(snapshot_facts(damaged(random, corpus.some_snapshot(random))).ending)
        manifest_facts(damaged(random, corpus.some_manifest(random)))
    assert endings.count("bad") > 500


def test_the_columnar_reader_of_runs_finds_the_same() -> None:
    random = Random(7)
    for _ in range(200):
        identity, segment, seq = random.getrandbits(64), random.getrandbits(32), random.getrandbits(60) + 1
        count = random.randint(20, 60)
        frames = [
            encode_frame(
                encode_batch([[b"SET", random.randbytes(9).hex().encode(), b"x" * random.randint(0, 90)]]),
                seq=seq + index,
                count=1,
                synced_seq=random.randint(0, seq),
                identity=identity,
                segment=segment,
            )
            for index in range(count)
        ]
        data = b"".join(frames)
        run = decode_frames(data, 0, identity=identity, segment=segment, seq=seq)
        facts = GENERATED.log(data, identity, segment)
        assert run is not None
        assert (run.seq, run.synced_seq) == (facts.frames[-1].seq, max(frame.synced_seq for frame in facts.frames))
        assert [*run.ends] == [frame.end for frame in facts.frames]
        words = zip(run.names, run.keys, run.values, strict=True)
        assert list(words) == [frame.commands[0] for frame in facts.frames]
