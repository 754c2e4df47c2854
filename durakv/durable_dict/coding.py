"""Both codecs of a durable dict, and what it says when stored bytes are of neither."""

from __future__ import annotations

from typing import Generic, TypeVar, cast

from durakv.codecs import Codec, TextCodec
from durakv.errors import CodecError

K = TypeVar("K")
V = TypeVar("V")


class Coding(Generic[K, V]):
    """Keys and values as the fields of a hash, and what they hold."""

    def __init__(self, key: Codec[K] | None, value: Codec[V]) -> None:
        """Take two codecs, text where there is none for keys; TypeError for what is none."""
        key = cast("Codec[K]", TextCodec()) if key is None else key
        for which, codec in (("key", key), ("value", value)):
            if isinstance(codec, type) or not all(hasattr(codec, name) for name in ("name", "encode", "decode")):
                raise TypeError(f"{which}= is an instance of a codec, such as durakv.JsonCodec(), not {codec!r}")
        self.key = key
        self.value = value

    def field_of(self, key: K) -> bytes:
        """The bytes of a key; raises what its codec raises."""
        return _checked(self.key.name, self.key.encode(key))

    def data_of(self, value: V) -> bytes:
        """The bytes of a value; raises what its codec raises."""
        return _checked(self.value.name, self.value.encode(value))

    def key_of(self, field: bytes) -> K:
        """The key that is stored as these bytes."""
        try:
            return self.key.decode(field)
        except Exception as error:
            raise CodecError(f"the key stored as {field!r} does not decode: {_said(error)}", key=field) from error

    def value_of(self, key: K, data: bytes) -> V:
        """The value of this key that is stored as these bytes."""
        try:
            return self.value.decode(data)
        except Exception as error:
            raise CodecError(f"the value of {key!r} does not decode: {_said(error)}", key=key) from error


def _checked(codec: str, data: object) -> bytes:
    if not isinstance(data, bytes):
        raise TypeError(f"the codec {codec!r} made {type(data).__name__}, not bytes")
    return data


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
