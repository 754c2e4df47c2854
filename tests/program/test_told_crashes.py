"""The promise: a broken promise is told so that people see what happened, in what order, and what became of it.

Method: a short program that loses a write; its table of calls, the roles of its files, and the pages that show them.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser

import msgspec
import pytest

from durakv_fuzz.choose import kindest
from durakv_fuzz.enumerate import State, TreeState
from durakv_fuzz.losses import Losses
from durakv_fuzz.model import Model
from durakv_fuzz.program.call_fates import CallFates, Fate
from durakv_fuzz.program.investigate import without_private_paths
from durakv_fuzz.program.oracle import ACKED, ISSUED
from durakv_fuzz.program.path_roles import roles_of, what_settles
from durakv_fuzz.program.report_files import render_html, render_junit
from durakv_fuzz.program.seen import Report, Seen, SeenFinding, TimelineRow
from durakv_fuzz.program.survey_page import render_survey
from durakv_fuzz.program.timeline_rows import BEFORE, in_words, rows_around
from durakv_fuzz.smaller_tree import minimal_crash
from durakv_fuzz.timeline import Timeline
from durakv_fuzz.trace import Kind, Operation
from durakv_fuzz.tree_model import crash_tree
from tests.fuzz_disk.trees import Program
from tests.fuzz_disk.trees import seen as seen_in

FINDING = SeenFinding(
    "LOST_ACKED",
    "1 of 2 numbers <gone>",
    "ordered",
    "first",
    True,
    9,
    ["lost: #4 write a.tmp [0, 5)"],
    "x.crash.zip",
    "write a.tmp [0, 5) was lost though rename a.tmp -> a, which came later, survived",
    "what was written is settled by an fsync of a.tmp",
    {"a.tmp": "temporary"},
    [
        TimelineRow("call", "write a.tmp [0, 5)", 4, 5, "lost", "p/1"),
        TimelineRow("barrier", "fsync a.tmp", 6, 7, "", "p/2"),
        TimelineRow("note", "acknowledged 1", 8),
        TimelineRow("crash", "the crash: power loss", 9),
        TimelineRow("later", "rename a.tmp -> a", 9, 10),
    ],
)


def seen(setting: str = "full", promise: str = "always", program: str = "store") -> Seen:
    return Seen(
        program,
        setting,
        promise,
        '"all is kept"',
        {program: "1.0"},
        verdicts={"ordered": {"KEPT": 5, "LOST_ACKED": 2}, "killed": {"KEPT": 4}},
        losses={"killed": (1, 3)},
        findings=[FINDING],
        skipped={"xfs": "no mkfs.xfs"},
    )


def report(*of: Seen) -> Report:
    return Report("durakv-programs", 1, "2026-01-02T03:04:05+00:00", "a machine", list(of))


def saved(appends: int = 0) -> Timeline:
    """A save that does not wait for its data; before it a log grows."""
    program = Program()
    program.create("log")
    program.sync_directory()
    for number in range(appends):
        program.trace.note(ISSUED, number)
        program.write("log", b"entry", 5 * number)
        program.trace.note(ACKED, number)
        if number % 2:
            program.sync("log")
    program.create("a.tmp")
    program.write("a.tmp", b"hello")
    program.rename("a.tmp", "a")
    return Timeline(program.trace)


def crash(timeline: Timeline) -> TreeState:
    """Of which everything but the new data survives."""
    write = of_kind(timeline, Kind.WRITE)[-1]
    end = timeline.trace.seq
    everything, _ = Losses.made(crash_tree, timeline, end, Model.POWER_LOSS)
    (question,) = [question for question in everything.questions if question.number == write.start]
    losses, tree = Losses.made(crash_tree, timeline, end, Model.POWER_LOSS, {question.key: 0})
    return State(end, Model.POWER_LOSS, losses.crash().answers, "", tree, 0.0)


def of_kind(timeline: Timeline, kind: Kind) -> list[Operation]:
    return [call for call in timeline.trace.operations if call.kind is kind]


def rows(timeline: Timeline) -> list[TimelineRow]:
    state = crash(timeline)
    return rows_around(timeline, state, CallFates.of(timeline, state), [])


def test_the_table_tells_what_became_of_each_call() -> None:
    told = [(row.kind, row.what, row.fate) for row in rows(saved())]
    assert told == [
        ("call", "create log", "settled"),
        ("barrier", "fsync directory .", ""),
        ("call", "create a.tmp", "kept"),
        ("call", "write a.tmp [0, 5)", "lost"),
        ("call", "rename a.tmp -> a", "kept"),
        ("crash", "the crash: power loss", ""),
    ]


def test_a_long_run_is_told_by_its_end_and_what_was_said_stays_between_the_calls() -> None:
    table = rows(saved(appends=200))
    assert table[0].kind == "gap"
    assert re.fullmatch(r"\d+ calls that are not shown; asked to keep 0 to \d+; acknowledged 0 to \d+", table[0].what)
    assert sum(row.kind in ("call", "barrier") for row in table) == BEFORE
    last = next(index for index, row in enumerate(table) if row.what == "write log [990, 1000), in 2 calls")
    assert table[last - 1].what == "asked to keep 198"
    assert table[last + 1].what == "asked to keep 199; acknowledged 198 to 199"
    assert table[last + 2].what == "fsync log"


def test_writes_in_a_row_are_one_line() -> None:
    program = Program()
    program.create("log")
    for number in range(9):
        program.trace.note(ACKED, number)
        program.write("log", b"entry", 5 * number)
    program.sync("log")
    program.sync_directory()
    timeline = Timeline(program.trace)
    state = State(timeline.trace.seq, Model.POWER_LOSS, (), "", crash_tree(timeline, timeline.trace.seq, kindest), 0.0)
    table = rows_around(timeline, state, CallFates.of(timeline, state), [])
    assert [row.what for row in table[:4]] == [
        "create log",
        "acknowledged 0",
        "write log [0, 45), in 9 calls",
        "acknowledged 1 to 8",
    ]


def test_the_roles_of_files_and_what_settles_a_call_come_from_what_the_program_did() -> None:
    timeline = saved(appends=6)
    append, write = of_kind(timeline, Kind.WRITE)[0], of_kind(timeline, Kind.WRITE)[-1]
    (rename,) = of_kind(timeline, Kind.RENAME)
    assert roles_of(timeline, [append.start, write.start, rename.start]) == {
        "log": "a log: appended to 6 times in this run",
        "a.tmp": "temporary: it is renamed to a later",
        "a": "given by a rename",
    }
    assert what_settles(timeline, write.start).endswith("an fsync of a.tmp")
    assert what_settles(timeline, rename.start).endswith("an fsync of the directory that a is in")


def test_a_witness_is_told_in_the_words_of_people() -> None:
    timeline = saved()
    found = minimal_crash(timeline, lambda state: dict(seen_in(state.image)).get("a") == b"", crash(timeline))
    assert in_words(found.witness) == (
        "write a.tmp [0, 5) was lost though rename a.tmp -> a, which came later, survived"
    )


@pytest.mark.parametrize(("model", "left"), [(Model.POWER_LOSS, b""), (Model.ORDERED_ZERO_TAIL, bytes(11))])
def test_a_write_that_was_lost_too_does_not_survive_in_the_witness(model: Model, left: bytes) -> None:
    program = Program()
    program.create("log")
    program.sync_directory()
    program.write("log", b"first")
    program.write("log", b"second", 5)
    timeline = Timeline(program.trace)
    end = timeline.trace.seq

    def loses_data(count: int, label: str, /) -> int:
        return count - 1 if left and label.startswith("size") else 0

    losses, tree = Losses.made(crash_tree, timeline, end, model, otherwise=loses_data)
    assert dict(seen_in(tree)) == {"log": left}
    state = State(end, model, losses.crash().answers, "", tree, 0.0)
    found = minimal_crash(timeline, lambda state: dict(seen_in(state.image)).get("log") == left, state, attempts=1)
    assert "survived" not in found.witness
    assert set(CallFates.of(timeline, found.state).calls.values()) == {Fate.SETTLED, Fate.LOST}


def test_nobody_reads_where_a_program_happened_to_be_started() -> None:
    text = (
        "NotFound: '/tmp/durakv-recorder-40-27-31-x_7/tree/CURRENT' and /var/tmp/durakv-block-1-2-3-y/mounted/a: gone"
    )
    assert without_private_paths(text) == "NotFound: '{dir}/CURRENT' and {dir}/a: gone"


class Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.rows: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in ("script", "link", "img", "iframe")
        assert not any(name in ("src", "href") or name.startswith("on") for name, _ in attrs)
        if tag not in ("meta", "br"):
            self.open.append(tag)
        if tag == "tr":
            self.rows.append(dict(attrs).get("class") or "")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_one_well_formed_file_and_shows_the_crash() -> None:
    text = render_html(report(seen()))
    elements = Elements()
    elements.feed(text)
    assert elements.open == []
    assert [row for row in elements.rows if row] == ["call lost", "barrier", "note", "crash", "later"]
    assert "<gone>" not in text
    assert "&lt;gone&gt;" in text
    assert '<span class="badge ordered"' in text
    assert "<code>write a.tmp [0, 5)</code> was lost though <code>rename a.tmp -&gt; a</code>" in text
    assert "url(" not in text
    assert "@import" not in text


def test_the_survey_is_fair() -> None:
    text = render_survey(report(seen(), seen("off", "none"), seen("wal+full", program="sqlite")))
    assert "| full | always | 4, loss 1 | **LOST_ACKED 2** / 7 |" in text
    assert "| off | none | 4, loss 1 | LOST_ACKED 2 / 7 |" in text, "nothing was promised, so nothing is broken"
    assert "`off`, LOST_ACKED" not in text
    assert "| wal+full ⚖ |" in text
    assert "0 of 1 controls were clean; not clean: sqlite wal+full (ordered)" in text
    assert text.count('"all is kept"') == 3, "the documents are quoted beside each"
    assert "Not tried on xfs: no mkfs.xfs." in text


def test_a_setting_that_promises_nothing_fails_no_test() -> None:
    assert b'failures="1"' in render_junit(report(seen(), seen("off", "none")))


def test_a_report_is_read_as_it_was_written() -> None:
    before = report(seen())
    assert msgspec.json.decode(msgspec.json.encode(before), type=Report) == before
