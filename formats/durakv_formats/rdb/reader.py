"""Reads RDB files of every version that stock servers wrote up to 15, and Valkey's.

    for record in read_rdb(file.read):
        if isinstance(record, Entry): ...

Streaming: memory is that of the largest value.  What is damaged, unknown or unfinished raises, with the place; until
``End`` came nothing vouches for what was read, because the checksum stands at the end.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator
from itertools import repeat
from struct import Struct

from durakv_formats.errors import FormatError, UnsupportedContentError, UnsupportedVersionError
from durakv_formats.rdb.blocks import BLOCK_KEY, FACT_PREFIX, Mark, decode_mark
from durakv_formats.rdb.packed import decode_intset, decode_listpack, decode_ziplist, decode_zipmap
from durakv_formats.rdb.source import Source
from durakv_formats.rdb.streams import read_stream
from durakv_formats.rdb.values import Aux, Block, End, Entry, Function, Header, Kind, ModuleData, Record, Value

VERSION_MAX = 15
VALKEY_VERSIONS = (80, 81)
_CHECKSUM_SINCE = 5
CHECKSUM_REASON = "the checksum of the file"
"""How the refusal begins of a file in which everything reads, and the checksum over it is another."""
DATABASE_MAX = (1 << 31) - 1

_MAGIC_BYTES = 9
_INT32 = Struct("<i").unpack
_INT64 = Struct("<q").unpack
_UINT64 = Struct("<Q").unpack
_DOUBLE = Struct("<d").unpack

_SLOT_IMPORT_OR_KEY_META, _SLOT_INFO, _FUNCTION2, _FUNCTION_BEFORE_RELEASE, _MODULE_AUX = range(0xF3, 0xF8)
_IDLE, _FREQ, _AUX, _RESIZE, _EXPIRE_MS, _EXPIRE_S, _SELECT, _END = range(0xF8, 0x100)

_MODULE_ID_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_PLAIN_NODE, _PACKED_NODE = 1, 2
_STREAMS = {15: 1, 19: 2, 21: 3, 26: 4, 27: 5}
"""The generation of a stream by its type."""
_TYPES = frozenset({*range(28)} - {8})


def read_rdb(read: Callable[[int], bytes]) -> Generator[Record, None, Source]:
    """The records of a file, Header first and End last; ``read(size)`` gives up to so many bytes, none at the end.

    It returns the source, whose ``rest()`` is what was read beyond the file.  Raises FormatError, LimitError or
    UnsupportedVersionError.
    """
    source = Source(read)
    header = _read_header(source)
    yield header
    yield from _Body(source, header).records()
    return source


def resume_rdb(
    read: Callable[[int], bytes], header: Header, database: int, offset: int
) -> Generator[Record, None, Source]:
    """The records from a place in the middle of a file, behind a block; the checksum at its end is not looked at."""
    source = Source(read, offset)
    body = _Body(source, header, database=database, is_whole=False)
    yield from body.records()
    return source


def _read_header(source: Source) -> Header:
    magic = source.exactly(_MAGIC_BYTES)
    is_valkey = magic.startswith(b"VALKEY")
    digits = magic[6:] if is_valkey else magic[5:]
    if not (is_valkey or magic.startswith(b"REDIS")) or not digits.isdigit():
        raise FormatError(0, "not an RDB file: the first bytes are others")
    version = int(digits)
    if version not in VALKEY_VERSIONS if is_valkey else not 1 <= version <= VERSION_MAX:
        raise UnsupportedVersionError(0, magic.decode())
    return Header(version, is_valkey)


class _Body:
    """Everything behind the header."""

    def __init__(self, source: Source, header: Header, *, database: int = 0, is_whole: bool = True) -> None:
        self._source = source
        self._header = header
        self._is_whole = is_whole
        self._database = database
        self._deadline: int | None = None
        self._keys = 0
        self._is_ours = False
        """Whether a fact of ours stands in it: such a file always has a checksum."""

    def records(self) -> Iterator[Record]:
        """Up to the end."""
        source = self._source
        begin: int | None = None
        while True:
            start = source.offset
            code = source.byte()
            if code < _SLOT_IMPORT_OR_KEY_META:
                yield self._entry(code, start if begin is None else begin)
                begin = None
            elif code == _END:
                if begin is not None:
                    raise FormatError(start, "the file ends between a key's deadline and the key")
                yield self._end()
                return
            elif code in (_EXPIRE_MS, _EXPIRE_S, _IDLE, _FREQ):
                begin = start if begin is None else begin
                self._hint(code)
            else:
                yield from self._other(code, start)

    def _entry(self, code: int, start: int) -> Entry:
        source = self._source
        if code not in _TYPES:
            raise UnsupportedContentError(start, f"a value of the type {code}")
        key = source.string()
        kind, value = self._value(code, start)
        entry = Entry(self._database, key, kind, value, self._deadline, start)
        self._deadline = None
        self._keys += 1
        return entry

    def _hint(self, code: int) -> None:
        source = self._source
        if code == _EXPIRE_MS:
            (self._deadline,) = _INT64(source.exactly(8))
        elif code == _EXPIRE_S:
            self._deadline = 1000 * _INT32(source.exactly(4))[0]
        elif code == _IDLE:
            source.length()  # how long it was not used: of no meaning elsewhere
        else:
            source.byte()  # how often it was used

    def _other(self, code: int, start: int) -> Iterator[Record]:
        source = self._source
        if code == _SELECT:
            self._database = source.length()
            if self._database > DATABASE_MAX:
                raise FormatError(start, f"there is no database {self._database}")
        elif code in (_RESIZE, _SLOT_INFO):
            for _ in range(2 if code == _RESIZE else 3):
                source.length()  # how many keys to expect, and of which slot
        elif code == _AUX:
            size, crc = source.block()
            fact = Aux(source.string(), source.string())
            self._is_ours = self._is_ours or fact.key.startswith(FACT_PREFIX)
            if fact.key != BLOCK_KEY:
                yield fact
                return
            mark = _checked_mark(fact.value, size, crc, start)
            source.begin_block()
            yield Block(mark.number, mark.database, source.offset)
        elif code == _FUNCTION2:
            yield Function(source.string())
        elif code == _MODULE_AUX:
            module = _module_name(source.length())
            self._skip_module(module)
            yield ModuleData(module)
        elif code == _FUNCTION_BEFORE_RELEASE:
            raise UnsupportedContentError(start, "functions in a release candidate of Redis 7.0")
        else:
            what = "a slot that is being imported" if self._header.is_valkey else "a key's metadata of Redis 8.6"
            raise UnsupportedContentError(start, f"the record {code:#04x} ({what})")

    def _end(self) -> End:
        source = self._source
        if self._header.version < _CHECKSUM_SINCE and not self._header.is_valkey:
            return End(self._keys, is_checked=False)
        start = source.offset
        expected = source.crc
        (stored,) = _UINT64(source.exactly(8))
        if not self._is_whole:
            return End(self._keys, is_checked=False)
        is_checked = stored == expected
        if not is_checked and (stored != 0 or self._is_ours):
            raise FormatError(start, f"{CHECKSUM_REASON} is {expected:016x}, but {stored:016x} is stored")
        return End(self._keys, is_checked=is_checked)

    # --- values -------------------------------------------------------------------------------------------------------

    def _value(self, code: int, start: int) -> tuple[Kind, Value]:
        source = self._source
        if code == 0:
            return Kind.STRING, source.string()
        if code in (1, 10, 14, 18):
            return Kind.LIST, [*self._list(code)]
        if code in (2, 11, 20):
            return Kind.SET, _distinct(self._set(code), start, "a set")
        if code in (3, 5, 12, 17):
            return Kind.ZSET, self._zset(code, start)
        if code in (4, 9, 13, 16, 22, 23, 24, 25):
            return Kind.HASH, self._hash(code, start)
        if code in _STREAMS:
            return Kind.STREAM, read_stream(source, _STREAMS[code])
        if code == 7:
            module = _module_name(source.length())
            self._skip_module(module)
            return Kind.MODULE, module.encode()
        module = _module_name(source.length())
        raise UnsupportedContentError(start, f"a value of the module {module}, written before Redis 4.0")

    def _list(self, code: int) -> Iterator[bytes]:
        source = self._source
        if code == 1:
            yield from source.strings(source.length())
        elif code == 10:
            start = source.offset
            yield from decode_ziplist(source.string(), start)
        elif code == 14:
            for _ in range(source.length()):
                start = source.offset
                yield from decode_ziplist(source.string(), start)
        else:
            for _ in range(source.length()):
                start = source.offset
                container = source.length()
                data = source.string()
                if container == _PLAIN_NODE:
                    yield data
                elif container == _PACKED_NODE:
                    yield from decode_listpack(data, start)
                else:
                    raise FormatError(start, f"a node of a list in the unknown container {container}")

    def _set(self, code: int) -> Iterator[bytes]:
        source = self._source
        if code == 2:
            return iter(source.strings(source.length()))
        start = source.offset
        return iter((decode_intset if code == 11 else decode_listpack)(source.string(), start))

    def _zset(self, code: int, start: int) -> list[tuple[bytes, float]]:
        source = self._source
        if code in (3, 5):
            score = self._old_score if code == 3 else self._score
            pairs = [(source.string(), score()) for _ in range(source.length())]
        else:
            blob = source.offset
            parts = (decode_ziplist if code == 12 else decode_listpack)(source.string(), blob)
            pairs = [(member, _as_score(text, blob)) for member, text in _in_pairs(parts, blob)]
        _distinct((member for member, _ in pairs), start, "a sorted set")
        if any(math.isnan(score) for _, score in pairs):
            raise FormatError(start, "a sorted set with a score that is not a number")
        return pairs

    def _score(self) -> float:
        value: float = _DOUBLE(self._source.exactly(8))[0]
        return value

    def _old_score(self) -> float:
        size = self._source.byte()
        if size >= 253:
            return {253: math.nan, 254: math.inf, 255: -math.inf}[size]
        start = self._source.offset
        return _as_score(self._source.exactly(size), start)

    def _hash(self, code: int, start: int) -> list[tuple[bytes, bytes, int | None]]:
        fields = [*(self._fields(code) if code in (4, 9, 13, 16) else self._expiring_fields(code))]
        _distinct((field for field, _, _ in fields), start, "a hash")
        return fields

    def _fields(self, code: int) -> Iterator[tuple[bytes, bytes, int | None]]:
        source = self._source
        if code == 4:
            parts = source.strings(2 * source.length())
            yield from zip(parts[::2], parts[1::2], repeat(None))
            return
        start = source.offset
        decode = {9: decode_zipmap, 13: decode_ziplist, 16: decode_listpack}[code]
        for field, value in _in_pairs(decode(source.string(), start), start):
            yield field, value, None

    def _expiring_fields(self, code: int) -> Iterator[tuple[bytes, bytes, int | None]]:
        source = self._source
        if code == 22 and self._header.is_valkey:
            for _ in range(source.length()):
                field, value = source.string(), source.string()
                (deadline,) = _INT64(source.exactly(8))
                yield field, value, None if deadline == -1 else deadline
            return
        # 22 and 23 are those of a release candidate of Redis 7.4, which had no common minimum.
        least = _INT64(source.exactly(8))[0] if code in (24, 25) else 0
        if code in (22, 24):
            for _ in range(source.length()):
                after = source.length()
                deadline = None if after == 0 else after + least - (1 if code == 24 else 0)
                yield source.string(), source.string(), deadline
            return
        start = source.offset
        parts = decode_listpack(source.string(), start)
        if len(parts) % 3:
            raise FormatError(start, "fields with deadlines that are no triplets")
        for field, value, text in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
            if not text.isdigit():
                raise FormatError(start, f"{text[:32]!r} is not a deadline")
            yield field, value, int(text) or None

    def _skip_module(self, module: str) -> None:
        """Pass over data of a module: a sequence of values that say how long they are."""
        source = self._source
        while True:
            start = source.offset
            code = source.length()
            if code == 0:
                return
            if code in (1, 2):
                source.length()
            elif code in (3, 4):
                source.exactly(4 if code == 3 else 8)
            elif code == 5:
                source.string()
            else:
                raise FormatError(start, f"data of the module {module} with the unknown code {code}")


def _checked_mark(text: bytes, size: int, crc: int, start: int) -> Mark:
    mark = decode_mark(text)
    if mark is None:
        raise FormatError(start, f"{text[:64]!r} is not what stands behind a block")
    if (mark.size, mark.crc32c) != (size, crc):
        raise FormatError(start, f"block {mark.number}, which ends here, is damaged: its checksum is another")
    return mark


def _module_name(identity: int) -> str:
    """Nine letters of six bits, and ten bits of a version."""
    letters = (identity >> 10 + 6 * index & 63 for index in reversed(range(9)))
    return "".join(_MODULE_ID_LETTERS[letter] for letter in letters)


def _distinct(parts: Iterator[bytes], start: int, what: str) -> list[bytes]:
    """The parts as a list; raises if one is there twice."""
    found = [*parts]
    if len(set(found)) != len(found):
        raise FormatError(start, f"{what} with an element that is there twice")
    return found


def _in_pairs(parts: list[bytes], start: int) -> Iterator[tuple[bytes, bytes]]:
    if len(parts) % 2:
        raise FormatError(start, "pairs of which the last has one half")
    return zip(parts[::2], parts[1::2], strict=True)


def _as_score(text: bytes, start: int) -> float:
    try:
        return float(text)
    except ValueError:
        raise FormatError(start, f"{text[:32]!r} is not a score") from None
