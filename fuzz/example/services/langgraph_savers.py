"""The same agent on two checkpointers of LangGraph, and the same crashes for both: ``python langgraph_savers.py``.

A conversation of two nodes is asked number after number, with ``durability="sync"``.  When ``invoke`` has returned, the
number counts as acknowledged; after a crash the graph is started on what is left, and its state says which numbers it
knows.  SqliteSaver is used as its own documents show it (``from_conn_string``), DurakvSaver as it is by default.

    killed             SIGKILL of the real process
    power cut, ordered the disk in memory loses what was not synced, from some point on
    power cut, posix   the same, and in any order, as POSIX allows it

The first table is about LangGraph's ``durability``: a process dies at once when its second node begins, and it counts
how often the first step, which had ended, is there afterwards.  The second table tells of each kind of crash how many
there were, in how many an acknowledged number was gone, how many at most (the oldest loss), and how often the graph did
not start.  The exit status is 1 if a store broke what it promises.
"""

from __future__ import annotations

import argparse
import logging
import operator
import os
import signal
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import END, START, StateGraph
from typing_extensions import TypedDict

from durakv.adapters.langgraph import DurakvSaver
from durakv_fuzz.program.campaign import Limits
from durakv_fuzz.program.examine import Examination, examine
from durakv_fuzz.program.seen import Seen
from durakv_fuzz.program.subject import Plan, Promise, value_of
from durakv_fuzz.service import Facts, kill, say
from durakv_fuzz.targets.target import Embedded, key_of

CONFIG: Any = {"configurable": {"thread_id": "conversation"}}
NUMBERS = 20
TIERS = {"killed": "killed (simulated)", "ordered": "power cut, ordered", "posix": "power cut, posix"}
MODES: tuple[Any, ...] = ("sync", "async", "exit")


class Conversation(TypedDict):
    """The state: what was asked, and all that was ever answered."""

    question: int
    answers: Annotated[list[tuple[int, str]], operator.add]


def think(state: Conversation) -> Any:
    """A step that changes nothing."""
    return {"question": state["question"]}


def answer(state: Conversation) -> Any:
    """The step whose effect is looked for."""
    return {"answers": [(state["question"], value_of(state["question"]).decode())]}


class Kill(NamedTuple):
    """What was found after a SIGKILL."""

    lost: int
    """Numbers that were acknowledged and are gone."""
    refused: int
    wrong: int
    """Numbers that are there with an answer that was never given."""


class Agent:
    """The graph on a saver."""

    def __init__(self, make: Callable[[Path], Any], directory: Path) -> None:
        with ExitStack() as stack:
            saver = stack.enter_context(make(directory))
            builder: Any = StateGraph(Conversation)
            builder.add_node("think", think)
            builder.add_node("answer", answer)
            builder.add_edge(START, "think")
            builder.add_edge("think", "answer")
            builder.add_edge("answer", END)
            self._graph = builder.compile(checkpointer=saver)
            # So the files and tables are made when the store is opened, as in any program that resumes.
            self._graph.get_state(CONFIG)
            self.close = stack.pop_all().close

    def put(self, number: int, _value: bytes, /) -> bool:
        """Ask, and return when the graph has ended."""
        self._graph.invoke({"question": number}, CONFIG, durability="sync")
        return False

    def pairs(self) -> Iterator[tuple[bytes, bytes]]:
        """What the newest checkpoint knows; every older one is read too, with its writes.

        The newest one is asked for by name: without one LangGraph shows it with the writes of a step that had not
        ended, and the next question drops these.
        """
        for state in self._graph.get_state_history(CONFIG):
            assert state.config["configurable"]["checkpoint_id"]
        newest = self._graph.get_state(CONFIG).config
        if "checkpoint_id" not in newest["configurable"]:
            return  # the thread is empty
        for number, value in self._graph.get_state(newest).values.get("answers", ()):
            yield key_of(number), value.encode()


SAVERS: dict[str, Callable[[Path], Any]] = {
    "SqliteSaver": lambda directory: SqliteSaver.from_conn_string(str(directory / "checkpoints.sqlite")),
    "DurakvSaver": lambda directory: DurakvSaver.open(directory / "checkpoints"),
}


def subjects() -> Iterable[Embedded]:
    """Both, promising the same: what was acknowledged is kept."""
    for name, make in SAVERS.items():
        yield Embedded(
            name=name,
            setting="default",
            promise=Promise.ALWAYS,
            documented="a checkpoint that was stored is there",
            open=partial(Agent, make),
            release=lambda: {"langgraph": version("langgraph"), "SQLite": sqlite3.sqlite_version},
            module="langgraph",
        )


def work(name: str, directory: Path) -> None:
    """Ask until killed."""
    directory.mkdir(exist_ok=True)
    agent = Agent(SAVERS[name], directory)
    number = sum(1 for _ in agent.pairs())
    while True:
        say(began=number)
        agent.put(number, b"")
        say(acked=number)
        number += 1


def look(name: str, after: list[Kill], directory: Path, facts: Facts) -> None:
    """After a kill."""
    try:
        agent = Agent(SAVERS[name], directory)
        pairs = {int(key[1:]): value for key, value in agent.pairs()}
        agent.close()
    except Exception as error:  # noqa: BLE001 - told in the table, and above it
        tell(f"  {name} did not start: {error!r}")
        after.append(Kill(0, 1, 0))
        return
    lost = {fact for fact in facts.acked if isinstance(fact, int)} - pairs.keys()
    after.append(Kill(len(lost), 0, sum(value != value_of(number) for number, value in pairs.items())))


def tell(line: str) -> None:
    """At once: a campaign takes its time."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def row(name: str, crash: str, states: int, lossy: int, most: int, refused: int, wrong: int) -> str:
    """A line of the table."""
    return f"{name:14}{crash:20}{states:9,}{lossy:12,}{most:12,}{refused:12,}{wrong:8,}"


def rows(name: str, seen: Seen) -> Iterator[str]:
    """What the disk in memory saw."""
    for tier, crash in TIERS.items():
        if reason := seen.skipped.get(tier):
            yield f"{name:14}{crash:20}  not tried: {reason}"
            continue
        counts = seen.verdicts.get(tier, {})
        lossy, most = seen.losses.get(tier, (0, 0))
        wrong = counts.get("CORRUPT", 0) + counts.get("GAP", 0)
        yield row(
            name, crash, sum(counts.values()), lossy, most, counts.get("NO_START", 0) + counts.get("HANG", 0), wrong
        )


def die(state: Conversation) -> Any:
    """The second node, which the process does not survive."""
    os.kill(os.getpid(), signal.SIGKILL)


def is_kept(make: Callable[[Path], Any], directory: Path, mode: Any) -> bool:
    """Whether the first step is there after the death of the process in the second one."""
    builder: Any = StateGraph(Conversation)
    builder.add_node("answer", answer)
    builder.add_node("die", die)
    builder.add_edge(START, "answer")
    builder.add_edge("answer", "die")
    child = os.fork()
    if not child:
        with make(directory) as saver:
            builder.compile(checkpointer=saver).invoke({"question": 1}, CONFIG, durability=mode)
        os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), "the child ended in its second node"
    with make(directory) as saver:
        return bool(builder.compile(checkpointer=saver).get_state(CONFIG).values.get("answers"))


def modes(tries: int) -> Iterator[str]:
    """The first table."""
    yield f"{'store':14}" + "".join(f"{mode:>10}" for mode in MODES) + f"  of {tries} first steps that had ended, kept"
    for name, make in SAVERS.items():
        kept = dict.fromkeys(MODES, 0)
        for _ in range(tries):
            for mode in MODES:
                with tempfile.TemporaryDirectory() as directory:
                    kept[mode] += is_kept(make, Path(directory), mode)
        yield f"{name:14}" + "".join(f"{kept[mode]:10}" for mode in MODES)


def main() -> int:
    """Crash both, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="of power cuts, for each store")
    parser.add_argument("--kills", type=int, default=20, help="for each store")
    parser.add_argument("--modes", type=int, default=20, help="tries of each of LangGraph's durability modes")
    parser.add_argument("--work", nargs=2, metavar=("SAVER", "DIR"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work(options.work[0], Path(options.work[1]))
    logging.getLogger("durakv").setLevel(logging.ERROR)  # every open here follows a crash, and says so
    with closing(sqlite3.connect(":memory:")) as connection:
        (synchronous,) = connection.execute("PRAGMA synchronous").fetchone()
    tell("command: " + " ".join(["python", *sys.argv]))
    tell(f"langgraph {version('langgraph')}, langgraph-checkpoint-sqlite {version('langgraph-checkpoint-sqlite')}")
    tell(f"SQLite {sqlite3.sqlite_version}, journal_mode=WAL by SqliteSaver, synchronous={synchronous} by SQLite")
    for line in modes(options.modes) if options.modes else ():
        tell(line)
    tell(f"{'store':14}{'crash':20}{'crashes':>9}{'lost acked':>12}{'at most':>12}{'no start':>12}{'wrong':>8}")
    broken = False
    for subject in subjects():
        if options.kills:
            after: list[Kill] = []
            with tempfile.TemporaryDirectory() as directory:
                argv = [sys.executable, __file__, "--work", subject.name]
                killed = kill(argv, partial(look, subject.name, after), points=options.kills, directory=directory)
            lost, refused, wrong = zip(*after, strict=True) if after else ((), (), ())
            counts = sum(map(bool, lost)), max(lost, default=0), sum(refused), sum(map(bool, wrong))
            tell(row(subject.name, "SIGKILL", killed.kills, *counts))
            broken |= any(map(any, after))
        if options.seconds:
            limits = Limits(seconds=options.seconds, check_seconds=30.0)
            seen = examine(subject, Examination(limits=limits), Plan(count=NUMBERS))
            for line in rows(subject.name, seen):
                tell(line)
            for finding in seen.findings:
                tell(f"  {finding.life} life: {finding.verdict}, {finding.tier}: {finding.reason}; {finding.witness}")
            broken |= seen.is_broken
    return int(broken)


if __name__ == "__main__":
    sys.exit(main())
