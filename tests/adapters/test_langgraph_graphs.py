"""The promise: a graph that stopped to ask goes on where it was when its process is another one, and its past stays.

Method: real graphs of LangGraph, in both ways, closed and opened again between the question and the answer.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

import durakv
from tests.hosts import host

host("langgraph.graph")

from langgraph.types import Command  # noqa: E402

from durakv.adapters.langgraph import DurakvSaver  # noqa: E402
from tests.adapters.crash_langgraph import audit  # noqa: E402
from tests.adapters.langgraph_graphs import delta_log, story  # noqa: E402

CONFIG: Any = {"configurable": {"thread_id": "t"}}
BEGINNING = {"document": "d" * 5000}
END = ["begin", "ask", "finish yes"]


@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
def test_an_interrupted_graph_goes_on_after_reopening(tmp_path: Path, durability: str) -> None:
    with DurakvSaver.open(tmp_path) as saver:
        asked = story(saver).invoke(BEGINNING, CONFIG, durability=durability)
        assert asked["__interrupt__"][0].value == {"question": 1}
    with DurakvSaver.open(tmp_path) as saver:
        assert story(saver).get_state(CONFIG).next == ("ask",)
        assert story(saver).invoke(Command(resume="yes"), CONFIG, durability=durability)["steps"] == END
    with DurakvSaver.open(tmp_path) as saver:
        assert story(saver).get_state(CONFIG).values == {**BEGINNING, "steps": END, "answer": "yes"}
        audit(saver.db)


@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
def test_an_interrupted_graph_goes_on_in_another_loop(tmp_path: Path, durability: str) -> None:
    async def ask() -> None:
        async with DurakvSaver.open(tmp_path) as saver:
            asked = await story(saver).ainvoke(BEGINNING, CONFIG, durability=durability)
            assert asked["__interrupt__"][0].value == {"question": 1}

    async def answer() -> None:
        async with DurakvSaver.open(tmp_path) as saver:
            told = await story(saver).ainvoke(Command(resume="yes"), CONFIG, durability=durability)
            assert told["steps"] == END
            history = [state async for state in story(saver).aget_state_history(CONFIG)]
            assert history[0].next == ()
            audit(saver.db)

    asyncio.run(ask())
    asyncio.run(answer())


def test_one_saver_serves_loop_after_loop_and_threads(tmp_path: Path) -> None:
    with DurakvSaver.open(tmp_path) as saver:
        graph = story(saver)
        asyncio.run(graph.ainvoke(BEGINNING, CONFIG))
        assert asyncio.run(graph.ainvoke(Command(resume="yes"), CONFIG))["steps"] == END
        assert graph.get_state(CONFIG).values["steps"] == END


def test_a_graph_goes_back_in_time_and_forks(tmp_path: Path) -> None:
    with DurakvSaver.open(tmp_path) as saver:
        graph = story(saver)
        graph.invoke(BEGINNING, CONFIG)
        graph.invoke(Command(resume="yes"), CONFIG)
    with DurakvSaver.open(tmp_path) as saver:
        graph = story(saver)
        past = next(state for state in graph.get_state_history(CONFIG) if state.next == ("ask",))
        fork = graph.update_state(past.config, {"steps": ["changed"]})
        assert graph.get_state(fork).values["steps"] == ["begin", "changed"]
        asked = graph.invoke(None, fork)
        assert asked["__interrupt__"][0].value == {"question": 2}
        assert graph.invoke(Command(resume="no"), CONFIG)["steps"] == ["begin", "changed", "ask", "finish no"]
        ends = [state.values["steps"][-1] for state in graph.get_state_history(CONFIG) if not state.next]
        assert ends == ["finish no", "finish yes"]
        saver.copy_thread("t", "u")
        saver.prune(["t"])
        assert len([*graph.get_state_history(CONFIG)]) == 1
        other: Any = {"configurable": {"thread_id": "u"}}
        assert graph.get_state(other).values == graph.get_state(CONFIG).values
        assert len([*graph.get_state_history(other)]) > 5
        audit(saver.db)


def test_a_run_names_its_level_and_the_metadata_does_not_tell_of_it(tmp_path: Path) -> None:
    config: Any = {"configurable": {"thread_id": "t", "durakv_durability": "written"}}
    with DurakvSaver.open(tmp_path, fsync="no") as saver:
        story(saver).invoke(BEGINNING, config, durability="sync")
        assert saver.db.status().unsynced_commands > 0
        assert all("durakv_durability" not in found.metadata for found in saver.list(None))
        story(saver).invoke(Command(resume="yes"), CONFIG, durability="sync")
        assert saver.db.status().unsynced_commands == 0


def test_a_saver_shares_its_database(tmp_path: Path) -> None:
    with durakv.open(tmp_path) as db:
        story(DurakvSaver(db)).invoke(BEGINNING, CONFIG)
        story(DurakvSaver(db.select(1))).invoke(BEGINNING, CONFIG)
        db.set(b"mine", b"value")
        DurakvSaver(db).delete_thread("t")
        assert db.get(b"mine") == b"value"
        assert story(DurakvSaver(db)).get_state(CONFIG).values == {}
        assert story(DurakvSaver(db.select(1))).invoke(Command(resume="yes"), CONFIG)["steps"] == END


def test_a_delta_channel_is_rebuilt_after_reopening_and_pruning(tmp_path: Path) -> None:
    builder = delta_log(host("langgraph.channels.delta").DeltaChannel)
    expected: list[str] = []
    for turn in range(4):
        with DurakvSaver.open(tmp_path) as saver:
            graph = builder.compile(checkpointer=saver)
            told = graph.invoke({"items": [f"turn {turn}"]}, CONFIG)
            expected += [f"turn {turn}", f"node saw {len(expected) + 1}"]
            assert told["items"] == expected
            saver.prune(["t"])
            assert graph.get_state(CONFIG).values["items"] == expected
            audit(saver.db)
