"""Codecs: how the values, and the keys, of a ``DurableDict`` become bytes and come back.

    TextCodec()          str, as UTF-8
    BytesCodec()         bytes, as they are
    JsonCodec()          what JSON can say, readable by anything
    MsgpackCodec(T)      msgpack; with a type, nothing but values of that type goes in or comes out
    PickleCodec()        almost any Python object, for files that nobody else can write

A codec refuses what it cannot bring back by raising whatever it likes; a value that is refused is never logged.  One of
your own needs ``encode``, ``decode`` and a ``name``, which is kept in the store so that another codec is refused.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar, cast, overload

import msgspec

T = TypeVar("T")


class Codec(Protocol[T]):
    """How values of one type become bytes and come back.

    ``decode(encode(value))`` must be as good as ``value``.  A codec of keys must be *injective* too: keys that differ
    have bytes that differ, and keys that are equal have equal bytes, for it is by these that they are found.
    Any thread may call it, and it must not call the dict that it serves.
    """

    @property
    def name(self) -> str:
        """What is stored beside the data.  Change it when bytes of before can no longer be decoded."""
        ...

    def encode(self, value: T, /) -> bytes:
        """The bytes of a value; raises for one that could not be brought back."""
        ...

    def decode(self, data: bytes, /) -> T:
        """The value that these bytes are of; raises for bytes that are of none."""
        ...


class BytesCodec:
    """Bytes as they are."""

    name = "bytes"

    def encode(self, value: bytes, /) -> bytes:
        """The same; TypeError for anything else, also for what can change, as a bytearray."""
        if not isinstance(value, bytes):
            raise TypeError(f"BytesCodec takes bytes, not {type(value).__name__}")
        return bytes(value)

    def decode(self, data: bytes, /) -> bytes:
        """The same."""
        return data


class TextCodec:
    """Text, as UTF-8."""

    name = "text"

    def encode(self, value: str, /) -> bytes:
        """Raises TypeError for anything else, and UnicodeEncodeError for halves of surrogate pairs."""
        if not isinstance(value, str):
            raise TypeError(f"TextCodec takes str, not {type(value).__name__}")
        return value.encode()

    def decode(self, data: bytes, /) -> str:
        """Raises UnicodeDecodeError."""
        return data.decode()


class JsonCodec:
    """JSON by the standard library, in UTF-8 and without spaces.

    What comes back is what JSON can say: a tuple comes back as a list, and the keys of an inner dict as strings.  NaN
    and infinities are refused, for no JSON has them.
    """

    name = "json"

    def encode(self, value: Any, /) -> bytes:
        """Raises TypeError or ValueError for what JSON cannot say."""
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()

    def decode(self, data: bytes, /) -> Any:
        """Raises ValueError."""
        return json.loads(data)


class MsgpackCodec(Generic[T]):
    """Msgpack by msgspec: smaller and faster than JSON, and with bytes, and times that have a zone.

    With a type (``int``, ``list[str]``, a dataclass, a ``msgspec.Struct``) values come back as that type, and each is
    decoded once before it is stored, so that no value goes in that would not come out.  Without one, tuples come back
    as lists, objects as dicts, and dates, times without a zone and UUIDs as text.  What msgpack writes as what the type
    takes goes in too, and comes out as the type: a UUID for ``str``, a subclass without what it adds.  As a codec of
    keys it is injective for ``int``, ``str``, ``bytes`` and tuples of these, if that type is named.
    """

    name = "msgpack"

    @overload
    def __init__(self, type: type[T], /) -> None: ...
    @overload
    def __init__(self: MsgpackCodec[Any], type: Any = None, /) -> None: ...

    def __init__(self, type: Any = None, /) -> None:
        """For values of this type; for whatever msgpack can say if there is none."""
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode: Callable[[bytes], Any] = msgspec.msgpack.Decoder(Any if type is None else type).decode
        self._is_typed = type is not None

    def encode(self, value: T, /) -> bytes:
        """Raises TypeError for what msgpack cannot say, and msgspec.ValidationError for a value of another type."""
        data = self._encode(value)
        if self._is_typed:
            self._decode(data)
        return data

    def decode(self, data: bytes, /) -> T:
        """Raises msgspec.DecodeError, or msgspec.ValidationError, which is one."""
        return cast("T", self._decode(data))


class PickleCodec:
    """Almost any Python object, by pickle.

    **Warning: reading a pickle runs whatever code it names.**  Whoever can write into the data directory can run code
    in your process.  Use it only for files that nobody else can write, and never for files that came from elsewhere.
    Pickles also name your classes by module: rename one, and what was stored no longer decodes.
    """

    name = "pickle"

    def encode(self, value: Any, /) -> bytes:
        """Raises whatever pickle raises: PicklingError, TypeError, AttributeError."""
        return pickle.dumps(value)

    def decode(self, data: bytes, /) -> Any:
        """Raises whatever pickle, or a class that it names, raises."""
        return pickle.loads(data)
