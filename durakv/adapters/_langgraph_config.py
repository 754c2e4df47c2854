"""What callers say: where a checkpoint is, and how durable it has to be; here it is checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, cast

from langchain_core.runnables import RunnableConfig

import durakv
from durakv.adapters._langgraph_keys import Place

DURABILITY_KEY = "durakv_durability"
"""In ``config["configurable"]``: what this run or call waits for, a ``durakv.Durability`` or its name.

LangGraph's own ``durability=`` says when a graph stores and is another matter, so it has another name.
"""


class Address(NamedTuple):
    """What a config points at."""

    thread: str
    namespace: str | None
    """None if the config names none, which stands for the root or for all."""
    id: str | None
    given_thread: str | int
    """The thread as the caller named it."""

    @property
    def place(self) -> Place:
        """The checkpoint that is named; only if one is."""
        assert self.id is not None, "the caller has looked"
        return Place(self.thread, self.namespace or "", self.id)

    def config(self, place: Place) -> RunnableConfig:
        """The config that points at a checkpoint of this thread."""
        return config_of(place, self.given_thread)


def config_of(place: Place, thread: str | int) -> RunnableConfig:
    """The config that points at a checkpoint."""
    return {"configurable": {"thread_id": thread, "checkpoint_ns": place.namespace, "checkpoint_id": place.id}}


def address_of(config: RunnableConfig) -> Address:
    """What the config points at.  Raises ValueError or TypeError for one that points at nothing."""
    configurable = configurable_of(config)
    if configurable.get("thread_id") is None:
        raise ValueError("the config names no thread; call the graph with config={'configurable': {'thread_id': ...}}")
    given = configurable["thread_id"]
    namespace = configurable.get("checkpoint_ns")
    return Address(
        thread_name(given),
        None if namespace is None else string("checkpoint_ns", namespace),
        checkpoint_id(config),
        given,
    )


def checkpoint_id(config: RunnableConfig | None) -> str | None:
    """The checkpoint that the config names; LangGraph says None or nothing for none."""
    identifier = None if config is None else configurable_of(config).get("checkpoint_id")
    return string("checkpoint_id", identifier) if identifier else None


def thread_name(thread: object) -> str:
    """A thread's name; numbers are names too, as in LangGraph's other savers: thread 7 is thread "7"."""
    if isinstance(thread, int) and not isinstance(thread, bool):
        return str(thread)
    return string("thread_id", thread)


def configurable_of(config: RunnableConfig) -> Mapping[str, Any]:
    """What LangGraph keeps for savers in a config."""
    return config.get("configurable") or {}


def level_of(config: RunnableConfig, default: durakv.Durability) -> durakv.Durability:
    """The level that the config names, or the saver's."""
    named = configurable_of(config).get(DURABILITY_KEY)
    return default if named is None else parse_level(named)


def parse_level(level: object) -> durakv.Durability:
    """A level, or the name of one: configs that travel as JSON have only names."""
    if isinstance(level, durakv.Durability):
        return level
    if isinstance(level, str) and level.upper() in durakv.Durability.__members__:
        return durakv.Durability[level.upper()]
    names = ", ".join(repr(each.name.lower()) for each in durakv.Durability)
    raise ValueError(
        f"{DURABILITY_KEY} is a durakv.Durability or one of {names}, not {level!r}; "
        "'sync', 'async' and 'exit' are LangGraph's own: graph.invoke(..., durability=...)"
    )


def without_level(config: RunnableConfig) -> RunnableConfig:
    """The config as the metadata should know it: how durable a checkpoint had to be says nothing about what it is."""
    kept = dict(config)
    for part in ("configurable", "metadata"):
        told = cast("Mapping[str, Any] | None", kept.get(part))
        if told and DURABILITY_KEY in told:
            kept[part] = {key: value for key, value in told.items() if key != DURABILITY_KEY}
    return cast("RunnableConfig", kept)


def string(name: str, value: object) -> str:
    """A value that has to be a string."""
    if not isinstance(value, str):
        raise TypeError(f"{name} is a str, not {type(value).__name__}: {value!r}")
    return value
