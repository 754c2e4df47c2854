"""What programs say on their standard output: one short line for each thing, checked as it comes.

    issued N    the driver is about to ask for this number        found N       the number is there, and right
    acked N     the program said that it has it                   wrong TEXT    something is there that should not be
    synced N    it said that all up to it is durable              repaired      it had to be repaired first

Drivers have to flush each line: what is told late is taken for having happened late.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import IO

from durakv_fuzz.program.subject import Found, Teller

LINE_BYTES_MAX = 1000
"""A longer line is an error: nobody waits for the end of what may have none."""
NUMBER_DIGITS_MAX = 9
WRONG_MAX = 100

_TOLD = re.compile(rb"(issued|acked|synced|found) ([0-9]{1,%d})" % NUMBER_DIGITS_MAX)
_SHOWN_BYTES = 60


class ProtocolError(Exception):
    """A driver or checker said what means nothing; names the line."""

    def __init__(self, who: str, line_number: int, reason: str) -> None:
        super().__init__(f"line {line_number} of {who}: {reason}")
        self.who = who
        self.line_number = line_number


def read_lines(pipe: IO[bytes], who: str) -> Iterator[tuple[int, bytes]]:
    """Lines without their ends, each as soon as it is complete, with their numbers from 1."""
    waiting = b""
    number = 0
    while data := os.read(pipe.fileno(), 65536):
        *lines, waiting = (waiting + data).split(b"\n")
        for line in lines:
            number += 1
            if len(line) > LINE_BYTES_MAX:
                raise ProtocolError(who, number, f"it is longer than {LINE_BYTES_MAX} bytes")
            yield number, line.rstrip(b"\r")
        if len(waiting) > LINE_BYTES_MAX:
            raise ProtocolError(who, number + 1, f"it is longer than {LINE_BYTES_MAX} bytes")
    if waiting:
        raise ProtocolError(who, number + 1, f"it has no end: {_shown(waiting)}")


def tell_lines(pipe: IO[bytes], who: str, numbers: range, teller: Teller) -> int:
    """Pass on what a driver tells; return how many numbers it issued.

    Numbers have to be issued in order, and nothing can be acknowledged or synced that was not issued, nor twice.
    """
    issued = 0
    acked: set[int] = set()
    for line_number, line in read_lines(pipe, who):
        match = _TOLD.fullmatch(line)
        if match is None or match[1] == b"found":
            raise ProtocolError(who, line_number, f"{_shown(line)} is none of 'issued N', 'acked N', 'synced N'")
        number = int(match[2])
        if match[1] == b"issued":
            if issued == len(numbers):
                raise ProtocolError(who, line_number, f"{number} is issued, and all {issued} numbers were already")
            if number != numbers[issued]:
                raise ProtocolError(who, line_number, f"{number} is issued where {numbers[issued]} comes next")
            issued += 1
            teller.issued(number)
        elif number not in numbers[:issued]:
            raise ProtocolError(who, line_number, f"{number} was not issued yet")
        elif match[1] == b"synced":
            teller.synced(number)
        elif number in acked:
            raise ProtocolError(who, line_number, f"{number} was acknowledged before")
        else:
            acked.add(number)
            teller.acked(number)
    return issued


def found_in_lines(pipe: IO[bytes], who: str) -> Found:
    """What a checker found."""
    numbers: set[int] = set()
    wrong: list[str] = []
    repaired = False
    for line_number, line in read_lines(pipe, who):
        match = _TOLD.fullmatch(line)
        if match is not None and match[1] == b"found":
            numbers.add(int(match[2]))
        elif line.startswith(b"wrong "):
            if len(wrong) < WRONG_MAX:
                wrong.append(line[len(b"wrong ") :].decode(errors="backslashreplace"))
        elif line == b"repaired":
            repaired = True
        else:
            raise ProtocolError(who, line_number, f"{_shown(line)} is none of 'found N', 'wrong TEXT', 'repaired'")
    return Found(frozenset(numbers), tuple(wrong), needed_repair=repaired)


def _shown(line: bytes) -> str:
    return repr(line[:_SHOWN_BYTES])[1:] + ("..." if len(line) > _SHOWN_BYTES else "")
