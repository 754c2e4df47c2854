"""The promise: every call that returned is read from a trace, with its times; and no line is silently misread.

Method: lines as strace 6.1 printed them for a redis-server, and as it would print what that one did not do.
"""

from __future__ import annotations

import pytest

from durakv.bench.strace_log import Call, StraceError, parse

LOG = """\
27507 1795728383.048987 openat(AT_FDCWD, "appendonlydir/appendonly.aof.1.incr.aof", O_WRONLY|O_APPEND) = 7 <0.000046>
27507 1795728383.049000 openat(AT_FDCWD, "/no(such) = 1", O_RDONLY) = -1 ENOENT (No such file or directory) <0.000003>
27507 1795728383.500000 write(7, ""..., 142) = 142 <0.000008>
27509 1795728384.000350 fdatasync(7 <unfinished ...>
27507 1795728384.001292 write(8, ""..., 5 <unfinished ...>
27509 1795728384.001331 <... fdatasync resumed>) = 0 <0.000974>
27507 1795728384.001447 <... write resumed>) = 5 <0.000132>
27507 1795728384.001500 openat(AT_FDCWD, "x", O_RDONLY <unfinished ...>
27509 1795728384.001600 --- SIGALRM {si_signo=SIGALRM, si_code=SI_KERNEL} ---
27507 1795728384.001700 <... openat resumed>) = 9 <0.000200>
27507 1795728384.002000 close(3)        = 0 <0.000007>
27509 1795728384.003000 fdatasync(7 <unfinished ...>
27507 1795728384.004000 write(7, ""..., 9) = ?
27509 1795728384.005000 +++ killed by SIGKILL +++
27507 1795728384.005001 +++ exited with 0 +++
"""


def test_every_call_that_returned_is_read() -> None:
    calls = list(parse(LOG.splitlines(keepends=True)))
    base = 1795728383_000000
    assert [(call.thread, call.name, call.result, call.started_us - base, call.ended_us - base) for call in calls] == [
        (27507, "openat", 7, 48_987, 49_033),
        (27507, "openat", -1, 49_000, 49_003),
        (27507, "write", 142, 500_000, 500_008),
        (27509, "fdatasync", 0, 1_000_350, 1_001_324),
        (27507, "write", 5, 1_001_292, 1_001_424),
        (27507, "openat", 9, 1_001_500, 1_001_700),
        (27507, "close", 0, 1_002_000, 1_002_007),
    ]
    assert [call.descriptor for call in calls if call.name != "openat"] == [7, 7, 8, 3]
    assert calls[0].arguments.startswith('AT_FDCWD, "appendonlydir/appendonly.aof.1.incr.aof", O_WRONLY|')
    assert calls[1].arguments == 'AT_FDCWD, "/no(such) = 1", O_RDONLY'
    assert calls[4].arguments == '8, ""..., 5'


def test_arguments_that_came_late_are_joined() -> None:
    lines = [
        '1 5.000001 openat(AT_FDCWD, "a",  <unfinished ...>',
        "1 5.000003 <... openat resumed>O_RDONLY) = 3 <0.000002>",
    ]
    (call,) = parse(lines)
    assert call == Call(1, "openat", 'AT_FDCWD, "a", O_RDONLY', 3, 5_000_001, 5_000_003)


@pytest.mark.parametrize(
    "line",
    [
        "strace: Process 12 attached",
        "1795728384.005001 write(1, 2, 3) = 3 <0.000001>",
        "1 5.000001 write(1",
        "1 5.000001 <... write resumed>) = 3 <0.000001>",
        "1 5.000001 what is this",
    ],
)
def test_a_line_that_is_not_understood_is_refused(line: str) -> None:
    with pytest.raises(StraceError, match="this"):
        list(parse([line]))
