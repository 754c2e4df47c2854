"""The changes that delete and copy, as functions to be decided one after the other, each in a batch of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeAlias

import durakv
from durakv.adapters import _langgraph_removal as removal
from durakv.adapters._langgraph_config import string, thread_name
from durakv.adapters._langgraph_records import raw, threads
from durakv.adapters._langgraph_store import copy_thread

Step: TypeAlias = Callable[[durakv.View, durakv.Batch], None]


def deletion(thread_id: str) -> Step:
    """Delete a thread."""
    return partial(removal.delete_thread, thread=thread_name(thread_id))


def run_deletions(db: durakv.Database, run_ids: Sequence[str]) -> list[Step]:
    """Delete the checkpoints of runs: a step for each thread that has some."""
    runs = frozenset(raw(string("run_id", run)) for run in _listed("run_ids", run_ids))
    return [
        partial(removal.delete_runs, thread=thread, runs=runs)
        for thread in db.read(threads)
        if db.read(partial(removal.of_runs, thread=thread, runs=runs))
    ]


def prunings(thread_ids: Sequence[str], strategy: str) -> list[Step]:
    """Prune threads: a step for each."""
    names = [thread_name(thread) for thread in _listed("thread_ids", thread_ids)]
    if strategy == "delete":
        return [deletion(thread) for thread in names]
    if strategy == "keep_latest":
        return [partial(removal.prune, thread=thread) for thread in names]
    raise ValueError(f"a strategy is 'keep_latest' or 'delete', not {strategy!r}")


def _listed(name: str, given: Sequence[str]) -> Sequence[str]:
    # A string is a sequence of strings, too: one name would be taken for the names of its letters.
    if isinstance(given, str):
        raise TypeError(f"{name} is a list of names; for one, write [{given!r}]")
    return given


def copy(source_thread_id: str, target_thread_id: str) -> Step:
    """Copy a thread."""
    return partial(copy_thread, source=thread_name(source_thread_id), target=thread_name(target_thread_id))
