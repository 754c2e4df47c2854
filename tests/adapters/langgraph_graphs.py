"""A graph that the tests of the LangGraph checkpointer run: it counts, keeps a document, and stops to ask."""

from __future__ import annotations

import operator
from typing import Annotated, Any

from langgraph.graph import END, START, StateGraph
from langgraph.types import interrupt
from typing_extensions import TypedDict


class Story(TypedDict, total=False):
    """The state."""

    document: str
    steps: Annotated[list[str], operator.add]
    answer: str


def begin(state: Story) -> Story:
    return {"steps": ["begin"]}


def ask(state: Story) -> Story:
    return {"answer": interrupt({"question": len(state["steps"])}), "steps": ["ask"]}


def finish(state: Story) -> Story:
    return {"steps": [f"finish {state['answer']}"]}


def story(saver: Any) -> Any:
    """The graph, compiled on a saver."""
    builder: Any = StateGraph(Story)
    for node in (begin, ask, finish):
        builder.add_node(node.__name__, node)
    builder.add_edge(START, "begin")
    builder.add_edge("begin", "ask")
    builder.add_edge("ask", "finish")
    builder.add_edge("finish", END)
    return builder.compile(checkpointer=saver)


def extend(items: list[str], writes: list[list[str]]) -> list[str]:
    return [*items, *(item for write in writes for item in write)]


def see(state: Any) -> Any:
    return {"items": [f"node saw {len(state['items'])}"]}


def delta_log(delta_channel: Any) -> Any:
    """A graph with a delta channel, which not every LangGraph has; still to be compiled."""
    typed: Any = TypedDict
    builder: Any = StateGraph(typed("Log", {"items": Annotated[list[str], delta_channel(extend)]}))
    builder.add_node("see", see)
    builder.add_edge(START, "see")
    builder.add_edge("see", END)
    return builder
