"""What strace wrote, as finished calls.  It opens nothing: lines come in, calls go out.

It is the output of ``strace -f -ttt -T -s 0``: the thread, when the call began, the call, its result, how long it
took.  A call during which another thread was reported stands in two lines:

    27507 1795728379.981237 openat(AT_FDCWD, "a.aof", O_WRONLY|O_APPEND, 0644) = 7 <0.000018>
    27509 1795728384.000350 fdatasync(7 <unfinished ...>
    27509 1795728384.001331 <... fdatasync resumed>) = 0 <0.000974>
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

_LINE = re.compile(r"(?P<thread>\d+) +(?P<seconds>\d+)\.(?P<micros>\d{6}) (?P<rest>.*)")
_BEGUN = re.compile(r"(?P<name>\w+)\((?P<arguments>.*?),? +<unfinished \.\.\.>$")
_RESUMED = re.compile(r"<\.\.\. (?P<name>\w+) resumed>,? ?(?P<rest>.*)")
_END = r"\) += (?P<result>-?\d+|\?|0x[0-9a-f]+)(?P<error> [A-Z]\w+ \(.*\))?(?: <(?P<s>\d+)\.(?P<us>\d{6})>)?$"
_RETURNED = re.compile(r"(?P<arguments>.*?)" + _END)
_WHOLE = re.compile(r"(?P<name>\w+)\((?P<arguments>.*?)" + _END)

_MICROSECONDS = 1_000_000


class Call(NamedTuple):
    """One call that returned.  Times are microseconds of the real-time clock, whole numbers so that they compare."""

    thread: int
    name: str
    arguments: str
    """As strace prints them, without the parentheses."""
    result: int
    """-1 if it failed."""
    started_us: int
    ended_us: int

    @property
    def descriptor(self) -> int:
        """The first argument, of calls whose first argument is a file descriptor."""
        return int(self.arguments.partition(",")[0])


class StraceError(ValueError):
    """A line that this reader does not understand."""


def parse(lines: Iterable[str]) -> Iterator[Call]:
    """Yield every call when its end is reported; signals, exits and calls that never returned are passed over."""
    begun: dict[int, tuple[str, str, int]] = {}
    for text in lines:
        line = text.rstrip("\n")
        head = _LINE.fullmatch(line)
        if head is None:
            raise StraceError(f"this is no line of strace -f -ttt: {line!r}")
        thread = int(head["thread"])
        now_us = int(head["seconds"]) * _MICROSECONDS + int(head["micros"])
        rest = head["rest"]
        if rest.startswith(("+++", "---")):
            continue
        if (begin := _BEGUN.fullmatch(rest)) is not None:
            begun[thread] = begin["name"], begin["arguments"], now_us
        elif (resumed := _RESUMED.fullmatch(rest)) is not None:
            name, arguments, started_us = begun.pop(thread, ("", "", 0))
            returned = _RETURNED.fullmatch(resumed["rest"])
            if returned is None or name != resumed["name"]:
                raise StraceError(f"this ends a call that never began, or not as calls end: {line!r}")
            joined = ", ".join(part for part in (arguments, returned["arguments"].strip()) if part)
            call = _call(thread, name, joined, returned, started_us)
            if call is not None:
                yield call
        elif (whole := _WHOLE.fullmatch(rest)) is not None:
            call = _call(thread, whole["name"], whole["arguments"], whole, now_us)
            if call is not None:
                yield call
        else:
            raise StraceError(f"this is no call as strace -T prints one: {line!r}")


def _call(thread: int, name: str, arguments: str, end: re.Match[str], started_us: int) -> Call | None:
    if end["result"] == "?" or end["s"] is None:
        return None  # the process ended inside it
    took_us = int(end["s"]) * _MICROSECONDS + int(end["us"])
    return Call(thread, name, arguments, int(end["result"], 0), started_us, started_us + took_us)
