r"""How a line of a stock server's text falls into words: bare ones, "quoted \x00 ones" and 'simply quoted ones'.

A word that is written gets quotes only if it needs them, as stock servers do.
"""

from __future__ import annotations

import re

_SPACES = b" \t\r\v\f"
_BARE = re.compile(rb"[!#-&(-\[\]-~]+")
_ESCAPES = {ord("n"): b"\n", ord("r"): b"\r", ord("t"): b"\t", ord("b"): b"\b", ord("a"): b"\a"}
_LETTERS = {value[0]: b"\\" + bytes([key]) for key, value in _ESCAPES.items()} | {0x22: b'\\"', 0x5C: b"\\\\"}
_HEX = re.compile(rb"\\x([0-9a-fA-F]{2})")


class FormatWordError(ValueError):
    """The line does not fall into words at ``index``."""

    def __init__(self, index: int, reason: str) -> None:
        super().__init__(index, reason)
        self.index = index
        self.reason = reason


def split_words(line: bytes) -> list[bytes]:
    """The words of a line without its line end; raises FormatWordError for an open or a badly closed quote."""
    if not any(byte in line for byte in (b'"', b"'", b"\n")):
        return line.split()  # at the same spaces; an open reads its manifest several times
    words: list[bytes] = []
    index = 0
    while True:
        while index < len(line) and line[index] in _SPACES:
            index += 1
        if index == len(line):
            return words
        if line[index] in b"\"'":
            word, index = _quoted(line, index)
        else:
            start = index
            while index < len(line) and line[index] not in _SPACES and line[index] not in b"\"'":
                index += 1
            word = line[start:index]
        if index < len(line) and line[index] not in _SPACES:
            raise FormatWordError(index, "a word does not end where its quotes begin or end")
        words.append(word)


def join_word(word: bytes) -> bytes:
    """The word as it stands in a line."""
    if _BARE.fullmatch(word):
        return word
    return b'"%b"' % b"".join(
        _LETTERS.get(byte, bytes([byte]) if 32 <= byte < 127 else b"\\x%02x" % byte) for byte in word
    )


def _quoted(line: bytes, start: int) -> tuple[bytes, int]:
    quote = line[start]
    double = quote == 0x22
    word = bytearray()
    index = start + 1
    while index < len(line):
        byte = line[index]
        if byte == quote:
            return bytes(word), index + 1
        if byte == 0x5C and double and (code := _HEX.match(line, index)) is not None:
            word.append(int(code[1], 16))
            index += 4
        elif byte == 0x5C and index + 1 < len(line) and (double or line[index + 1] == quote):
            word += _ESCAPES.get(line[index + 1], line[index + 1 : index + 2]) if double else b"'"
            index += 2
        else:
            word.append(byte)
            index += 1
    raise FormatWordError(start, "a quote that is not closed")
