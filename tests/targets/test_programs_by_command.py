"""The promise: a program without Python is driven and checked by what it prints, and whoever prints nonsense is named.

Method: the service of the examples, and tiny scripts that tell the truth, lie, babble, hang, or do not start.
"""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import pytest

from durakv_fuzz.program.commands import CommandFailed, CommandSubject
from durakv_fuzz.program.functions import FunctionError, as_found, is_function, load_function
from durakv_fuzz.program.lines import LINE_BYTES_MAX, ProtocolError
from durakv_fuzz.program.subject import Found
from tests.targets.remembering import Remembering, no_process_names

EXAMPLES = Path(__file__).parents[2] / "fuzz" / "example" / "programs"
PYTHON = shlex.quote(sys.executable)
NOTHING = f"{PYTHON} -c ''"


def example(checker: str = "", driver: str = "") -> CommandSubject:
    return CommandSubject(
        argv=(sys.executable, str(EXAMPLES / "kv_service.py"), "{dir}", "{port}"),
        ready=re.compile("ready"),
        driver=driver or f"{PYTHON} {EXAMPLES / 'kv_driver.py'} {{port}} {{first}} {{count}}",
        checker=checker or f"{PYTHON} {EXAMPLES / 'kv_check.py'} {{port}}",
    )


def speaking(script: str, checker: str = NOTHING) -> CommandSubject:
    """A program that tells of its numbers itself."""
    return CommandSubject(argv=(sys.executable, "-c", script, "{dir}"), checker=checker)


def checking(script: str) -> str:
    return f"{PYTHON} -c {shlex.quote(script)} {{dir}}"


def test_the_service_of_the_examples_keeps_what_it_acknowledged(place: Path) -> None:
    subject = example()
    assert subject.missing() == ""
    subject.prepare(place)
    told = Remembering()
    subject.drive(place, range(3, 23), told)
    assert told.issues == told.acks == list(range(3, 23))
    assert subject.check(place) == Found(frozenset(range(3, 23)))
    assert no_process_names(str(place)), "the service is gone"


def test_a_checker_reports_what_is_wrong_in_the_service(place: Path) -> None:
    subject = example()
    subject.drive(place, range(5), Remembering())
    with (place / "log").open("ab") as log:
        log.write(b"n3 another\nn9 half a li")
    found = subject.check(place)
    assert found.numbers == {0, 1, 2, 4}
    assert not found.refusal
    assert found.wrong == ("3: value another",)


def test_a_program_may_tell_of_its_numbers_itself(place: Path) -> None:
    subject = speaking(
        "import os, sys\n"
        "open(sys.argv[1] + '/x', 'w').write('1')\n"
        "print('issued 0\\nacked 0\\nsynced 0', flush=True)\n"
        "assert os.environ['DURAKV_COUNT'] == '2' and os.environ['DURAKV_DIR'] == sys.argv[1]",
        checking("import sys; print('found', open(sys.argv[1] + '/x').read()); print('wrong x'); print('repaired')"),
    )
    told = Remembering()
    subject.drive(place, range(2), told)
    assert (told.issues, told.acks, told.syncs) == ([0], [0], [0])
    assert subject.check(place) == Found(frozenset({1}), ("x",), needed_repair=True)


def test_a_teller_hears_of_a_number_before_the_program_goes_on(place: Path) -> None:
    class Waiting(Remembering):
        def acked(self, number: int) -> None:
            assert (place / f"{number}").exists()
            (place / f"heard-{number}").touch()

    speaking(
        "import os, sys, time\n"
        "for n in range(3):\n"
        "    print(f'issued {n}', flush=True)\n"
        "    open(f'{sys.argv[1]}/{n}', 'w').close()\n"
        "    print(f'acked {n}', flush=True)\n"
        "    while not os.path.exists(f'{sys.argv[1]}/heard-{n}'): time.sleep(0.001)"
    ).drive(place, range(3), Waiting())
    assert (place / "heard-2").exists()


@pytest.mark.parametrize(
    ("said", "line", "reason"),
    [
        ("hello", 1, "'hello' is none of 'issued N', 'acked N', 'synced N'"),
        ("acked 0", 1, "0 was not issued yet"),
        ("issued 1", 1, "1 is issued where 0 comes next"),
        ("issued 0\\nissued 0", 2, "0 is issued where 1 comes next"),
        ("issued 0\\nacked 0\\nacked 0", 3, "0 was acknowledged before"),
        ("issued 0\\nsynced 1", 2, "1 was not issued yet"),
        ("issued 0\\nissued 1\\nissued 2", 3, "2 is issued, and all 2 numbers were already"),
        ("issued -1", 1, "is none of"),
        ("issued 0 ", 1, "is none of"),
        ("issued 99999999999999999999", 1, "is none of"),
        ("found 0", 1, "is none of"),
        ("", 1, "'' is none of"),
    ],
)
def test_a_driver_that_lies_is_named_with_its_line(said: str, line: int, reason: str, place: Path) -> None:
    with pytest.raises(ProtocolError, match=re.escape(reason)) as raised:
        speaking(f"print('{said}')").drive(place, range(2), Remembering())
    assert raised.value.line_number == line
    assert f"line {line} of the driver {sys.executable}" in str(raised.value)


def test_a_line_without_an_end_is_not_waited_for(place: Path) -> None:
    endless = "import sys\nwhile True: sys.stdout.write('x' * 4096)"
    with pytest.raises(ProtocolError, match=rf"line 1 of .*longer than {LINE_BYTES_MAX} bytes"):
        speaking(endless).drive(place, range(2), Remembering())
    with pytest.raises(ProtocolError, match=r"line 2 of .*it has no end: 'acked 0'"):
        speaking("print('issued 0\\nacked 0', end='')").drive(place, range(2), Remembering())
    with pytest.raises(ProtocolError, match=r"line 1 of the checker .*: '\\xff' is none of 'found N'"):
        speaking("", checking("import os; os.write(1, bytes([255, 10]))")).check(place)


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("import sys; sys.exit('no space')", "ended with status 1: no space"),
        ("import os; os.kill(os.getpid(), 9)", "was killed by signal 9: it said nothing"),
        ("print('issued 0', flush=True); raise SystemExit(3)", "ended with status 3"),
        ("pass", "told of no number; first comes 'issued 0'"),
    ],
)
def test_a_driver_that_fails_is_an_error_in_its_own_words(script: str, reason: str, place: Path) -> None:
    with pytest.raises(CommandFailed, match=re.escape(reason)):
        speaking(script).drive(place, range(2), Remembering())


@pytest.mark.parametrize(
    ("script", "refusal"),
    [
        ("import sys; sys.exit('the log is broken')", "the log is broken"),
        ("print('found 1', flush=True); import os; os._exit(4)", "the checker ended with status 4"),
        ("import os; os.kill(os.getpid(), 11)", "the checker was killed by signal 11"),
    ],
)
def test_a_checker_that_fails_is_a_refusal(script: str, refusal: str, place: Path) -> None:
    assert speaking("", checking(script)).check(place) == Found(refusal=refusal)


def test_a_service_that_does_not_start_again_is_a_refusal_in_its_own_words(place: Path) -> None:
    subject = CommandSubject(
        argv=(sys.executable, "-c", "import sys; print('loading', flush=True); sys.exit('bad block 7')"),
        ready=re.compile("^ready$"),
        driver=NOTHING,
        checker=NOTHING,
    )
    found = subject.check(place)
    assert re.fullmatch(".* ended with status 1 before it was ready: (bad block 7|loading)", found.refusal)
    with pytest.raises(CommandFailed, match="before it was ready"):
        subject.drive(place, range(1), Remembering())


def test_a_service_that_babbles_never_waits_for_a_reader(place: Path) -> None:
    babbling = "import sys\nprint('ready', file=sys.stderr, flush=True)\nwhile True: print('x' * 1000)"
    subject = CommandSubject(
        argv=(sys.executable, "-c", babbling, "{dir}"),
        ready=re.compile("ready"),
        driver=f"{PYTHON} -c \"print('issued 0')\"",
        checker=NOTHING,
    )
    subject.drive(place, range(1), Remembering())
    assert no_process_names(str(place))


def test_drivers_and_checkers_may_be_functions(place: Path) -> None:
    source = place / "parts.py"
    source.write_text(
        "import os\n"
        "def drive(directory, numbers, teller):\n"
        "    for number in numbers:\n"
        "        teller.issued(number)\n"
        "        teller.acked(number)\n"
        "    (directory / 'port').write_text(os.environ['DURAKV_PORT'])\n"
        "def check(directory):\n"
        "    assert os.environ['DURAKV_PORT'] != (directory / 'port').read_text(), 'another one for each start'\n"
        "    return range(3)\n"
    )
    subject = example(f"{source}:check", f"{source}:drive")
    assert subject.missing() == ""
    told = Remembering()
    subject.drive(place, range(3), told)
    assert told.acks == [0, 1, 2]
    assert subject.check(place) == Found(frozenset({0, 1, 2}))


def test_functions_are_told_from_commands_and_found_or_not(place: Path) -> None:
    assert is_function("package.module:check")
    assert is_function("some where/check.py:check")
    assert not is_function("./check.sh --url http://localhost:80")
    assert not is_function("check")
    assert load_function("os.path:join")("a", "b") == "a/b"
    with pytest.raises(FunctionError, match="there is no such file"):
        load_function(f"{place}/none.py:check")
    with pytest.raises(FunctionError, match="No module named 'no_such'"):
        load_function("no_such.module:check")
    with pytest.raises(FunctionError, match=r"os\.path has no function 'chek'"):
        load_function("os.path:chek")
    with pytest.raises(FunctionError, match=r"has to return Found or numbers from 0, and there was None"):
        as_found(None, "x:check")
    with pytest.raises(FunctionError, match="there was -1"):
        as_found([1, -1], "x:check")


def test_a_command_line_that_cannot_work_is_refused_beforehand() -> None:
    with pytest.raises(ValueError, match="name one after --"):
        CommandSubject(argv=(), checker="x")
    with pytest.raises(ValueError, match="a service needs both --ready and --driver"):
        CommandSubject(argv=("x",), driver="x", checker="x")
    assert CommandSubject(argv=("no-such-program",), checker="true").missing() == (
        "no-such-program: there is no such command"
    )
    assert CommandSubject(argv=("true",), checker="no-such-check {dir}").missing() == (
        "no-such-check: there is no such command"
    )
