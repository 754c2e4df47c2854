"""Commands as typed calls: the arguments checked and encoded, and the way back from a reply to a Python value.

The facades (``database.py``, ``batch.py``) differ only in how they run a request, so each command is written here
once.  Keys and values are ``bytes``; text is refused rather than encoded in silence.  Numbers may be numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar

from durakv.errors import Limit
from durakv.machine import Command
from durakv_formats.limits import BULK_BYTES_MAX, COMMAND_ARGUMENTS_MAX

T = TypeVar("T")

Argument: TypeAlias = bytes | int | float


@dataclass(frozen=True, slots=True)
class Request(Generic[T]):
    """A command, and what turns its reply into the caller's value."""

    command: Command
    convert: Callable[[Any], T]


def encode(arguments: Iterable[Argument]) -> Command:
    """The arguments as byte strings; raises TypeError or Limit for what is none, before anything is logged."""
    command = tuple([argument if type(argument) is bytes else _encode(argument) for argument in arguments])
    if len(command) > COMMAND_ARGUMENTS_MAX:
        raise Limit(f"a command of {len(command)} arguments; {COMMAND_ARGUMENTS_MAX} are allowed")
    for argument in command:
        if len(argument) > BULK_BYTES_MAX:
            raise Limit(f"an argument of {len(argument)} bytes; {BULK_BYTES_MAX} are allowed")
    return command


def _encode(argument: object) -> bytes:
    if isinstance(argument, bytes):
        return bytes(argument)
    if isinstance(argument, int) and not isinstance(argument, bool):
        return b"%d" % argument
    if isinstance(argument, float):
        return repr(argument).encode()
    hint = "; encode it first" if isinstance(argument, str) else ""
    raise TypeError(f"keys and values are bytes, numbers int or float, not {type(argument).__name__}{hint}")


def _bytes(value: bytes) -> bytes:
    """A key or a value, for which a number will not do."""
    if not isinstance(value, bytes):
        raise TypeError(f"keys and values are bytes, not {type(value).__name__}")
    return value


def _request(convert: Callable[[Any], T], *arguments: Argument) -> Request[T]:
    return Request(encode(arguments), convert)


# --- from replies to values -------------------------------------------------------------------------------------------


def as_it_is(reply: Any) -> Any:
    """The reply itself."""
    return reply


def _nothing(_reply: Any) -> None:
    return None


def _yes(reply: Any) -> bool:
    return reply is not None and reply != 0


def _cursor(reply: Any) -> tuple[int, list[bytes]]:
    cursor, keys = reply
    return int(cursor), keys


# --- strings ----------------------------------------------------------------------------------------------------------


def get(key: bytes) -> Request[bytes | None]:
    """GET"""
    return _request(as_it_is, b"GET", _bytes(key))


def mget(keys: Iterable[bytes]) -> Request[list[bytes | None]]:
    """MGET"""
    return _request(as_it_is, b"MGET", *map(_bytes, keys))


def set_(
    key: bytes,
    value: bytes,
    *,
    nx: bool = False,
    xx: bool = False,
    get: bool = False,
    keepttl: bool = False,
    ex: int | None = None,
    px: int | None = None,
    exat: int | None = None,
    pxat: int | None = None,
) -> Request[Any]:
    """SET: True if it was set; with ``get``, what the key held before."""
    words = [word for word, wanted in ((b"NX", nx), (b"XX", xx), (b"GET", get), (b"KEEPTTL", keepttl)) if wanted]
    spans = _spans(ex, px, exat, pxat)
    return _request(as_it_is if get else _yes, b"SET", _bytes(key), _bytes(value), *words, *spans)


def _spans(ex: int | None, px: int | None, exat: int | None, pxat: int | None) -> list[Argument]:
    spans: list[Argument] = []
    for name, number in ((b"EX", ex), (b"PX", px), (b"EXAT", exat), (b"PXAT", pxat)):
        if number is not None:
            spans += (name, number)
    return spans


def mset(values: Mapping[bytes, bytes]) -> Request[None]:
    """MSET"""
    return _request(_nothing, b"MSET", *_pairs(values))


def msetnx(values: Mapping[bytes, bytes]) -> Request[bool]:
    """MSETNX"""
    return _request(_yes, b"MSETNX", *_pairs(values))


def _pairs(values: Mapping[bytes, bytes]) -> list[bytes]:
    return [_bytes(part) for pair in values.items() for part in pair]


def getdel(key: bytes) -> Request[bytes | None]:
    """GETDEL"""
    return _request(as_it_is, b"GETDEL", _bytes(key))


def getex(
    key: bytes,
    *,
    persist: bool = False,
    ex: int | None = None,
    px: int | None = None,
    exat: int | None = None,
    pxat: int | None = None,
) -> Request[bytes | None]:
    """GETEX"""
    words = [b"PERSIST"] if persist else []
    return _request(as_it_is, b"GETEX", _bytes(key), *words, *_spans(ex, px, exat, pxat))


def append(key: bytes, tail: bytes) -> Request[int]:
    """APPEND"""
    return _request(as_it_is, b"APPEND", _bytes(key), _bytes(tail))


def strlen(key: bytes) -> Request[int]:
    """STRLEN"""
    return _request(as_it_is, b"STRLEN", _bytes(key))


def getrange(key: bytes, start: int, end: int) -> Request[bytes]:
    """GETRANGE"""
    return _request(as_it_is, b"GETRANGE", _bytes(key), start, end)


def setrange(key: bytes, offset: int, part: bytes) -> Request[int]:
    """SETRANGE"""
    return _request(as_it_is, b"SETRANGE", _bytes(key), offset, _bytes(part))


def incrby(key: bytes, increment: int) -> Request[int]:
    """INCRBY"""
    return _request(as_it_is, b"INCRBY", _bytes(key), increment)


def decrby(key: bytes, decrement: int) -> Request[int]:
    """DECRBY"""
    return _request(as_it_is, b"DECRBY", _bytes(key), decrement)


def incrbyfloat(key: bytes, increment: float) -> Request[float]:
    """INCRBYFLOAT"""
    return _request(float, b"INCRBYFLOAT", _bytes(key), increment)


# --- deadlines --------------------------------------------------------------------------------------------------------


def expire(
    name: bytes, key: bytes, when: int, *, nx: bool = False, xx: bool = False, gt: bool = False, lt: bool = False
) -> Request[bool]:
    """EXPIRE, PEXPIRE, EXPIREAT or PEXPIREAT, as ``name`` says"""
    words = [word for word, wanted in ((b"NX", nx), (b"XX", xx), (b"GT", gt), (b"LT", lt)) if wanted]
    return _request(_yes, name, _bytes(key), when, *words)


def lifetime(name: bytes, key: bytes) -> Request[int]:
    """TTL, PTTL, EXPIRETIME or PEXPIRETIME, as ``name`` says"""
    return _request(as_it_is, name, _bytes(key))


def persist(key: bytes) -> Request[bool]:
    """PERSIST"""
    return _request(_yes, b"PERSIST", _bytes(key))


# --- keys -------------------------------------------------------------------------------------------------------------


def delete(keys: Iterable[bytes]) -> Request[int]:
    """DEL"""
    return _request(as_it_is, b"DEL", *map(_bytes, keys))


def exists(keys: Iterable[bytes]) -> Request[int]:
    """EXISTS"""
    return _request(as_it_is, b"EXISTS", *map(_bytes, keys))


def type_(key: bytes) -> Request[bytes]:
    """TYPE"""
    return _request(bytes, b"TYPE", _bytes(key))


def rename(key: bytes, newkey: bytes) -> Request[None]:
    """RENAME"""
    return _request(_nothing, b"RENAME", _bytes(key), _bytes(newkey))


def renamenx(key: bytes, newkey: bytes) -> Request[bool]:
    """RENAMENX"""
    return _request(_yes, b"RENAMENX", _bytes(key), _bytes(newkey))


def copy(source: bytes, destination: bytes, *, database: int | None = None, replace: bool = False) -> Request[bool]:
    """COPY"""
    options: list[Argument] = [] if database is None else [b"DB", database]
    if replace:
        options.append(b"REPLACE")
    return _request(_yes, b"COPY", _bytes(source), _bytes(destination), *options)


def move(key: bytes, database: int) -> Request[bool]:
    """MOVE"""
    return _request(_yes, b"MOVE", _bytes(key), database)


# --- whole databases --------------------------------------------------------------------------------------------------


def scan(
    cursor: int, *, match: bytes | None = None, count: int | None = None, kind: bytes | None = None
) -> Request[tuple[int, list[bytes]]]:
    """SCAN"""
    options: list[Argument] = []
    for name, argument in ((b"MATCH", match), (b"COUNT", count), (b"TYPE", kind)):
        if argument is not None:
            options += (name, argument)
    return _request(_cursor, b"SCAN", cursor, *options)


def keys(pattern: bytes) -> Request[list[bytes]]:
    """KEYS"""
    return _request(as_it_is, b"KEYS", _bytes(pattern))


def randomkey() -> Request[bytes | None]:
    """RANDOMKEY"""
    return _request(as_it_is, b"RANDOMKEY")


def dbsize() -> Request[int]:
    """DBSIZE"""
    return _request(as_it_is, b"DBSIZE")


def flush(name: bytes) -> Request[None]:
    """FLUSHDB or FLUSHALL, as ``name`` says"""
    return _request(_nothing, name)
