"""Every error a caller of the engine can meet; a class exists only where a caller would act differently.

Messages name the file, the offset and the remedy; the fields carry the same for programs.
"""

from __future__ import annotations

from typing import NoReturn

__all__ = [
    "Closed",
    "CodecError",
    "CommandError",
    "Corruption",
    "DirectoryError",
    "DiskFull",
    "DurakvError",
    "Limit",
    "Locked",
    "Poisoned",
    "UnsupportedVersion",
    "WrongType",
]


class DurakvError(Exception):
    """The base of every error the engine raises on purpose."""


class Closed(DurakvError):
    """The engine was closed; open the directory again."""


class Locked(DurakvError):
    """Another process (or another engine of this one) owns the directory (C10)."""


class Poisoned(DurakvError):
    """A write or an fsync failed, so nothing more can be promised until the directory is reopened (C7).

    ``cause`` is the failure; reads go on.
    """

    def __init__(self, message: str, *, cause: BaseException | None = None) -> None:
        super().__init__(message)
        self.cause = cause


class DiskFull(DurakvError):
    """There is no room for this batch; nothing of it was logged or applied.  Free some space and repeat it."""


class DirectoryError(DurakvError):
    """The directory cannot be used as a data directory as it is: missing, not readable, not ours to change."""


class Corruption(DurakvError):
    """Data that was promised is damaged or missing (C8, C11).  Nothing on disk was touched.

    ``name`` is the file, ``offset`` the byte at which the damage was noticed, ``reason`` what was found.
    """

    def __init__(self, name: str, offset: int, reason: str, remedy: str = "") -> None:
        text = f"{name} at byte {offset}: {reason}"
        super().__init__(f"{text}. {remedy}" if remedy else text)
        self.name = name
        self.offset = offset
        self.reason = reason
        self.remedy = remedy

    def __reduce__(self) -> tuple[type[Corruption], tuple[str, int, str, str]]:
        return type(self), (self.name, self.offset, self.reason, self.remedy)


class UnsupportedVersion(DurakvError):
    """A file was written by a newer version, or in a format this version does not read.  It was not touched (C12)."""

    def __init__(self, name: str, version: str, remedy: str = "") -> None:
        text = f"{name}: version or format {version} is not supported"
        super().__init__(f"{text}. {remedy}" if remedy else text)
        self.name = name
        self.version = version
        self.remedy = remedy

    def __reduce__(self) -> tuple[type[UnsupportedVersion], tuple[str, str, str]]:
        return type(self), (self.name, self.version, self.remedy)


class Limit(DurakvError, ValueError):
    """An argument is larger than the formats allow; nothing was logged."""


class CommandError(DurakvError):
    """A command was refused, with Redis's own words (``ERR ...``); nothing was logged."""


class WrongType(CommandError):
    """The key holds a value of another type (``WRONGTYPE ...``); nothing was logged."""


class CodecError(DurakvError):
    """What is stored is not of this codec: another one was named when it was made, or it does not decode.

    ``key`` is the key whose value does not decode, the stored bytes if it is the key itself, and None if it is about
    the whole ``DurableDict``.  Nothing was changed; open it with the codec that wrote it.
    """

    def __init__(self, message: str, *, key: object = None) -> None:
        super().__init__(message)
        self.key = key


def refuse_copy(value: object, remedy: str) -> NoReturn:
    """Raise TypeError for whoever would copy or pickle what belongs to one open directory."""
    raise TypeError(f"{type(value).__name__} cannot be copied or pickled: it belongs to an open directory; {remedy}")
