"""Where in the program a thread is while it waits in a system call: for anybody who makes it wait.

No unwinder: the words of its stack that look like return addresses are taken, which are those that point into code
right behind an instruction that calls.  What an earlier call left behind on the stack looks the same, so a frame too
many is possible; a return address that was signed (pointer authentication) is not recognised.  Good for telling call
sites apart and for naming them, no proof.
"""

from __future__ import annotations

import platform
from bisect import bisect_right
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path

from durakv_fuzz.injector.processes import GONE, read_memory
from durakv_fuzz.injector.symbols import symbols_of

_STACK_BYTES_MAX = 64 << 10
_STEP = 4 << 10
_CALL_BYTES_MAX = 7
_MAPPINGS_MAX = 4096


@dataclass(frozen=True, slots=True)
class _Code:
    start: int
    end: int
    offset: int
    path: str


def call_stack(thread: int, depth: int = 8) -> tuple[str, ...]:
    """Up to so many frames, innermost first, as ``redis-server: flushAppendOnlyFile+0x1b4``; it may take milliseconds.

    The first is the instruction behind the system call.  Where a file has no name for a place, its offset in the file
    stands.  Empty if the thread runs, is gone, or may not be looked at.  Of a Python program it is the interpreter's.
    """
    try:
        words = Path(f"/proc/{thread}/syscall").read_text().split()
        mappings = Path(f"/proc/{thread}/maps").read_text(errors="surrogateescape").splitlines()[:_MAPPINGS_MAX]
    except (*GONE, PermissionError):
        return ()
    if len(words) < 3:
        return ()
    stack, counter = int(words[-2], 16), int(words[-1], 16)
    codes = _codes(mappings)
    frames = [_named(codes, counter)]
    if codes:
        lowest, highest = codes[0].start, codes[-1].end
        for offset in range(0, _STACK_BYTES_MAX, _STEP):
            data = read_memory(thread, stack + offset, _STEP)
            for word in memoryview(data[: len(data) - len(data) % 8]).cast("Q"):
                if len(frames) >= depth:
                    return tuple(frames[:depth])
                if lowest < word < highest and (code := _code_at(codes, word)) and _returns(thread, code, word):
                    frames.append(_named(codes, word))
            if len(data) < _STEP:
                break
    return tuple(frames[:depth])


def _codes(mappings: list[str]) -> list[_Code]:
    """What is mapped to be executed, by address, as the kernel lists it."""
    codes: list[_Code] = []
    for line in mappings:
        fields = line.split(None, 5)
        if len(fields) == 6 and "x" in fields[1] and fields[5].startswith("/"):
            start, _, end = fields[0].partition("-")
            path = fields[5].removesuffix(" (deleted)")
            codes.append(_Code(int(start, 16), int(end, 16), int(fields[2], 16), path))
    return codes


def _code_at(codes: list[_Code], address: int) -> _Code | None:
    index = bisect_right(codes, address, key=attrgetter("start")) - 1
    return codes[index] if index >= 0 and address < codes[index].end else None


def _named(codes: list[_Code], address: int) -> str:
    code = _code_at(codes, address)
    if code is None:
        return f"{address:#x}"
    return f"{code.path.rpartition('/')[2]}: {symbols_of(code.path).name(address - code.start + code.offset)}"


def _returns(thread: int, code: _Code, address: int) -> bool:
    """Whether the instruction before this address calls."""
    size = min(_CALL_BYTES_MAX, address - code.start)
    before = read_memory(thread, address - size, size)
    return _is_call_x86(before) if platform.machine() == "x86_64" else _is_call_arm(before)


def _is_call_x86(before: bytes) -> bool:
    if before[-5:-4] == b"\xe8":
        return True
    for length in (2, 3, 4, 6, 7):
        if before[-length:][:1] == b"\xff" and len(before) >= length and before[-length + 1] >> 3 & 7 == 2:
            mode, register = before[-length + 1] >> 6, before[-length + 1] & 7
            extra = 0 if mode == 3 else int(register == 4) + {0: 4 if register == 5 else 0, 1: 1, 2: 4}[mode]
            if length == 2 + extra:
                return True
    return False


def _is_call_arm(before: bytes) -> bool:
    if len(before) < 4:
        return False
    instruction = int.from_bytes(before[-4:], "little")
    return instruction & 0xFC000000 == 0x94000000 or instruction & 0xFFFFFC1F == 0xD63F0000
