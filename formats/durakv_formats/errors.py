"""What a decoder raises, and nothing else: bytes from disk never cause any other exception.

``offset`` counts bytes from the start of what the decoder was given (a file, if it was fed a file).
"""

from __future__ import annotations


class FormatError(ValueError):
    """The bytes are not what the format page allows.  ``offset`` is where, ``reason`` is why."""

    def __init__(self, offset: int, reason: str) -> None:
        super().__init__(offset, reason)
        self.offset = offset
        self.reason = reason

    def __str__(self) -> str:
        return f"byte {self.offset}: {self.reason}"


class LimitError(FormatError):
    """A length or a count is beyond what the format allows (``limits``), whether read or about to be written."""


class UnsupportedVersionError(FormatError):
    """The bytes say they were written in a version, or a variant, that this reader does not know (C12)."""

    def __init__(self, offset: int, version: str) -> None:
        super().__init__(offset, f"version {version} is newer than this reader, or unknown to it")
        self.args = (offset, version)
        self.version = version


class UnsupportedContentError(UnsupportedVersionError):
    """The bytes are whole, and hold something that this reader does not know; ``version`` says what (C12)."""

    def __init__(self, offset: int, what: str) -> None:
        FormatError.__init__(self, offset, f"{what}, which this reader does not know")
        self.args = (offset, what)
        self.version = what
