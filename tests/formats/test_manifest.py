"""The promise: a manifest is ours, whole and unchanged, or a stock server's, or refused; nothing in between.

Method: manifests drawn by Hypothesis; every single flipped bit; every cut; a table of lines that stock servers write
and of lines they would refuse.
"""

from __future__ import annotations

import re
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durakv_formats import (
    FormatError,
    LimitError,
    Manifest,
    ManifestFile,
    UnsupportedVersionError,
    decode_manifest,
    encode_manifest,
)
from durakv_formats.checksum import crc32c
from durakv_formats.limits import MANIFEST_BYTES_MAX, MANIFEST_LINE_BYTES_MAX, SEGMENT_NUMBER_MAX, SEQ_MAX

IDENTITY = bytes(range(16))
FILES = (
    ManifestFile("appendonly.aof.3.base.dkv", 3, "b", last=1000),
    ManifestFile("appendonly.aof.4.incr.aof", 4, "i", first=1001, last=2000, bytes=12345),
    ManifestFile("appendonly.aof.5.incr.aof", 5, "i", first=2040),
)
MANIFEST = Manifest(IDENTITY, 9, 1500, FILES)
TEXT = (
    b"#DKVM1 000102030405060708090a0b0c0d0e0f 0000000000000009 00000000000005dc %08x\n"
    b"file appendonly.aof.3.base.dkv seq 3 type b dkv-last 1000\n"
    b"file appendonly.aof.4.incr.aof seq 4 type i dkv-first 1001 dkv-last 2000 dkv-bytes 12345\n"
    b"file appendonly.aof.5.incr.aof seq 5 type i dkv-first 2040\n"
)
STOCK = (
    b"file appendonly.aof.2.base.rdb seq 2 type b\n"
    b"file appendonly.aof.1.base.rdb seq 1 type h\n"
    b"file appendonly.aof.1.incr.aof seq 1 type h\n"
    b"file appendonly.aof.2.incr.aof seq 2 type i startoffset 1234 endoffset 5678\n"
)

names = st.one_of(
    st.from_regex(r"appendonly\.aof\.[1-9][0-9]?\.(base\.dkv|incr\.aof)", fullmatch=True),
    st.binary(min_size=1, max_size=20)
    .filter(lambda name: not re.search(rb"[/\0]", name) and name not in (b".", b".."))
    .map(lambda name: name.decode("utf-8", "surrogateescape")),
)


@st.composite
def manifests(draw: st.DrawFn) -> Manifest:
    files: list[ManifestFile] = []
    seq = draw(st.integers(0, 1000))
    if draw(st.booleans()):
        files.append(ManifestFile(draw(names), draw(st.integers(1, SEGMENT_NUMBER_MAX)), "b", last=seq))
    if draw(st.booleans()):
        files.append(ManifestFile(draw(names), draw(st.integers(1, SEGMENT_NUMBER_MAX)), "h"))
    number = 0
    for is_last in draw(st.sampled_from([(), (True,), (False, True), (False, False, False)])):
        number += draw(st.integers(1, 1000))
        first = seq + draw(st.integers(1, 50))
        seq = first + draw(st.integers(-1, 100))
        if is_last:
            capacity = draw(st.none() | st.integers(0, SEQ_MAX))
            files.append(ManifestFile(draw(names), number, "i", first=first, capacity=capacity))
        else:
            files.append(ManifestFile(draw(names), number, "i", first, seq, draw(st.integers(0, SEQ_MAX))))
    identity = draw(st.binary(min_size=16, max_size=16))
    return Manifest(identity, draw(st.integers(0, SEQ_MAX)), draw(st.integers(0, SEQ_MAX)), tuple(files))


def resealed(lines: bytes) -> bytes:
    """Those lines under a header whose checksum is right."""
    head = b"#DKVM1 000102030405060708090a0b0c0d0e0f 0000000000000009 00000000000005dc "
    return head + b"%08x\n" % crc32c(head + lines) + lines


@given(manifests())
def test_every_manifest_survives(manifest: Manifest) -> None:
    assert decode_manifest(encode_manifest(manifest)) == manifest


def test_the_text_is_what_the_page_says() -> None:
    data = encode_manifest(MANIFEST)
    covered = re.sub(rb"[0-9a-f]{8}\n", b"", data, count=1)
    assert data == TEXT % crc32c(covered)
    decoded = decode_manifest(data)
    assert decoded.base == FILES[0]
    assert decoded.segments == FILES[1:]
    assert not decoded.foreign
    assert [file.sealed for file in decoded.files] == [True, True, False]


@given(manifests(), st.data())
def test_no_flipped_bit_of_any_manifest_is_accepted(manifest: Manifest, data: st.DataObject) -> None:
    damaged = bytearray(encode_manifest(manifest))
    bit = data.draw(st.integers(0, 8 * len(damaged) - 1))
    damaged[bit // 8] ^= 1 << bit % 8
    with pytest.raises(FormatError):
        decode_manifest(bytes(damaged))


@pytest.mark.parametrize(
    "manifest", [MANIFEST, Manifest(IDENTITY, 1, 0, ()), Manifest(IDENTITY, 1, 0, (ManifestFile("a", 1, "h"),))]
)
def test_no_single_flipped_bit_is_ever_accepted(manifest: Manifest) -> None:
    data = encode_manifest(manifest)
    for bit in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(FormatError):
            decode_manifest(bytes(damaged))


def test_no_part_of_a_manifest_is_a_manifest() -> None:
    data = encode_manifest(MANIFEST)
    for cut in range(len(data)):
        with pytest.raises(FormatError):
            decode_manifest(data[:cut])
        with pytest.raises(FormatError):
            decode_manifest(data[cut + 1 :])
    with pytest.raises(FormatError):
        decode_manifest(data + b"#\n")


@given(
    st.one_of(
        st.binary(),
        st.lists(
            st.sampled_from(
                [b"file", b" ", b"a", b"1", b"seq", b"type", b"b", b"\n", b'"', b"\\", b"'", b"\\x4", b"#", b"dkv-last"]
            )
        ).map(b"".join),
    )
)
def test_noise_is_refused_by_name_or_is_a_stock_manifest(data: bytes) -> None:
    try:
        manifest = decode_manifest(data)
    except FormatError as failure:
        offset = failure.offset
    else:
        assert manifest.foreign
        assert manifest.files
        return
    assert 0 <= offset <= len(data)


@given(
    st.lists(
        st.sampled_from(
            [
                b"file ",
                b"file a seq 1 type b",
                b" dkv-first 3",
                b" dkv-last 2",
                b"\n",
                b"file b seq 2 type i",
                b" dkv-bytes 9",
                b" dkv-first 3",
            ]
        )
    ).map(b"".join)
)
def test_lines_under_a_good_checksum_are_still_checked(lines: bytes) -> None:
    try:
        manifest = decode_manifest(resealed(lines))
    except FormatError:
        return
    assert decode_manifest(encode_manifest(manifest)) == manifest


def test_a_stock_servers_manifest_is_read() -> None:
    manifest = decode_manifest(STOCK)
    assert manifest.foreign
    assert manifest.base == ManifestFile("appendonly.aof.2.base.rdb", 2, "b")
    assert manifest.segments == (ManifestFile("appendonly.aof.2.incr.aof", 2, "i"),)
    assert len(manifest.files) == 4
    with pytest.raises(FormatError):
        encode_manifest(manifest)


@pytest.mark.parametrize(
    ("quoted", "name"),
    [
        (b'"a b"', "a b"),
        (rb'"a\"b\\\x41\x0a\n\r\t\a\b\q"', 'a"b\\A\n\n\r\t\a\bq'),
        (rb"'a\'b\n'", "a'b\\n"),
        (b'"caf\\xc3\\xa9"', "café"),
        ("café".encode(), "café"),
        (b'"\\xff"', "\udcff"),
    ],
)
def test_names_in_quotes_are_read(quoted: bytes, name: str) -> None:
    manifest = decode_manifest(b"file %b seq 1 type b\n" % quoted)
    assert manifest.files[0].name == name
    again = Manifest(IDENTITY, 1, 0, manifest.files)
    assert decode_manifest(encode_manifest(again)) == again


def test_comments_unknown_pairs_and_the_case_of_keys_do_not_matter() -> None:
    lines = b"# hello\nFILE a SEQ 1 Type b later-key 3 DKV-last 5\n#DKVM9 not in the first line\n"
    assert decode_manifest(resealed(lines)).files == (ManifestFile("a", 1, "b", last=5),)


@pytest.mark.parametrize(
    "lines",
    [
        b"",
        b"# only a comment\n",
        b"\n",
        b"file a seq 1 type b",
        b"file a seq 1 type b\n\n",
        b"file a seq 1\n",
        b"file a seq 1 type\n",
        b"file a seq 1 key value\n",
        b"seq 1 type b key value\n",
        b"file a seq 0 type b\n",
        b"file a seq -1 type b\n",
        b"file a seq 1_0 type b\n",
        b"file a seq 01 type b\n",
        b"file a seq 4294967296 type b\n",
        b"file a seq 99999999999999999999 type b\n",
        b"file a seq 1 type x\n",
        b"file a seq 1 type B\n",
        b"file a file b seq 1 type b\n",
        b"file a seq 1 type b k 1 K 2\n",
        b"file a seq 1 seq 1 type b\n",
        b"file a seq 1 type b k v k v\n",
        b"file ../a seq 1 type b\n",
        b"file .. seq 1 type b\n",
        b'file "" seq 1 type b\n',
        b'file "a\\x00" seq 1 type b\n',
        b"file a\0 seq 1 type b\n",
        b"file a seq 1 type b key \0\n",
        b"#\0\nfile a seq 1 type b\n",
        b'file "a seq 1 type b\n',
        b'file "a"b seq 1 type b\n',
        b'file a"b" seq 1 type b\n',
        b'file "a"seq 1 type b\n',
        b"file " + b"a" * 256 + b" seq 1 type b\n",
        b"file a seq 1 type b\nfile b seq 2 type b\n",
        b"file a seq 1 type i\nfile b seq 2 type b\n",
        b"file a seq 2 type i\nfile b seq 2 type i\n",
        b"file a seq 2 type i\nfile b seq 1 type i\n",
        b"#" + b"x" * MANIFEST_LINE_BYTES_MAX + b"\nfile a seq 1 type b\n",
        b"file a seq 1 type b " + b"k v " * 300 + b"\n",
    ],
)
def test_what_a_stock_server_would_refuse_is_refused(lines: bytes) -> None:
    with pytest.raises(FormatError):
        decode_manifest(lines)
    if lines.startswith((b"file", b"\n")):
        with pytest.raises(FormatError):
            decode_manifest(resealed(lines))


@pytest.mark.parametrize(
    "lines",
    [
        b"file a seq 1 type i dkv-first 0\n",
        b"file a seq 1 type i dkv-first 5 dkv-last 3\n",
        b"file a seq 1 type i dkv-first 5 dkv-bytes 3\n",
        b"file a seq 1 type i dkv-first 5 dkv-last 5 dkv-capacity 4096\n",
        b"file a seq 1 type b dkv-last 9223372036854775808\n",
        b"file a seq 1 type i dkv-first 5 dkv-last -1\n",
        b"file a seq 1 type b dkv-last 5\nfile b seq 2 type i dkv-first 5\n",
        b"file a seq 1 type i dkv-first 1 dkv-last 5\nfile b seq 2 type i dkv-first 4\n",
        b"file a seq 1 type i dkv-first 1\nfile b seq 2 type i dkv-first 2\n",
    ],
)
def test_an_order_of_seqs_that_cannot_be_is_refused(lines: bytes) -> None:
    with pytest.raises(FormatError):
        decode_manifest(resealed(lines))


def test_a_segment_may_be_sealed_empty() -> None:
    files = (ManifestFile("a", 1, "i", first=5, last=4, bytes=94), ManifestFile("b", 2, "i", first=5))
    assert decode_manifest(encode_manifest(Manifest(IDENTITY, 1, 0, files))).files == files


def test_pairs_of_ours_without_our_header_are_damage() -> None:
    with pytest.raises(FormatError, match="header"):
        decode_manifest(TEXT.split(b"\n", 1)[1])
    with pytest.raises(FormatError, match="header"):
        decode_manifest(b"file a seq 1 type i dkv-later 1\n")


def test_a_newer_manifest_is_refused_by_its_version() -> None:
    with pytest.raises(UnsupportedVersionError) as refused:
        decode_manifest(b"#DKVM2 whatever it says\n" + STOCK)
    assert refused.value.version == "manifest 2"


def file(kind: Literal["b", "i"] = "i", name: str = "a", seq: int = 1, first: int | None = None) -> ManifestFile:
    return ManifestFile(name, seq, kind, first)


@pytest.mark.parametrize(
    "manifest",
    [
        Manifest(None, 1, 0, FILES),
        Manifest(b"short", 1, 0, FILES),
        Manifest(IDENTITY, -1, 0, FILES),
        Manifest(IDENTITY, SEQ_MAX + 1, 0, FILES),
        Manifest(IDENTITY, 1, -1, FILES),
        Manifest(IDENTITY, 1, 0, FILES[::-1]),
        Manifest(IDENTITY, 1, 0, (file(name="a/b"),)),
        Manifest(IDENTITY, 1, 0, (file(name=""),)),
        Manifest(IDENTITY, 1, 0, (file(name="\ud800"),)),
        Manifest(IDENTITY, 1, 0, (file(seq=0),)),
        Manifest(IDENTITY, 1, 0, (file(seq=-1),)),
        Manifest(IDENTITY, 1, 0, (file(first=-1),)),
        Manifest(IDENTITY, 1, 0, (file("b"), file("b"))),
    ],
)
def test_what_could_not_be_read_again_is_not_written(manifest: Manifest) -> None:
    with pytest.raises(FormatError):
        encode_manifest(manifest)


def test_the_size_of_a_manifest_is_bounded() -> None:
    with pytest.raises(LimitError):
        decode_manifest(b"#\n" * MANIFEST_BYTES_MAX)
    many = tuple(ManifestFile(f"appendonly.aof.{n}.incr.aof", n, "i", n, n, n) for n in range(1, 60_000))
    with pytest.raises(LimitError):
        encode_manifest(Manifest(IDENTITY, 1, 0, many))
    some = many[:1000]
    assert decode_manifest(encode_manifest(Manifest(IDENTITY, 1, 0, some))).files == some
