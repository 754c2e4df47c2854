"""The promise: whatever DurakvSaver acknowledged is there after a crash, whole and equal, and no half of anything.

Method: lives of a saver over a few threads: checkpoints that share a document with their parents, forks, writes of
tasks, both at once, prunings, copies, deletions, rewrites.  A fact is what a thread shows after a call: its checkpoints
with parents, documents and writes.  After a crash each thread shows the state of its last acknowledged fact, or one
that was begun later; all values are those that belong to the names, and the keys fit each other one to one.

    python -m tests.adapters.crash_langgraph --kills 200 --cuts 10000
"""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import Callable, Coroutine, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import Checkpoint, CheckpointTuple

import durakv
from durakv.adapters import _langgraph_keys as keys
from durakv.adapters import _langgraph_records as records
from durakv.adapters.langgraph import DURABILITY_KEY, DurakvSaver, TaskWrites
from durakv_fuzz.service import Environment, Facts, Service, Told, main, say

THREADS = ("a", "a\0", "b:é")
STEPS = 9
LIFE = b"life"

Made = tuple[str, str | None, str, tuple[str, ...]]
"""A checkpoint as facts tell of it: its id, its parent's, the document's version, and the tasks that wrote."""
State = tuple[Made, ...]
"""The checkpoints of a thread, oldest first."""
Fact = tuple[str, str, State]
"""A name that no other fact has, the thread, and what it shows then."""
MakeSaver = Callable[[durakv.Database], DurakvSaver]


class Call(NamedTuple):
    """One call of the saver, in both ways, and what its thread shows then."""

    thread: str
    after: State
    do: Callable[[DurakvSaver], object]
    await_it: Callable[[DurakvSaver], Coroutine[Any, Any, object]]
    level: durakv.Durability


def config(thread: str, identifier: str | None, level: durakv.Durability | None = None) -> RunnableConfig:
    named: dict[str, Any] = {"thread_id": thread, "checkpoint_ns": "", "checkpoint_id": identifier}
    return {"configurable": named if level is None else {**named, DURABILITY_KEY: level.name.lower()}}


def document(version: str) -> str:
    return f"document {version} " * 40


def checkpoint(made: Made) -> Checkpoint:
    identifier, _, version, _ = made
    return {
        "v": 1,
        "id": identifier,
        "ts": "2026-01-01T00:00:00+00:00",
        "channel_values": {"log": f"log {identifier}", "document": document(version)},
        "channel_versions": {"log": identifier, "document": version},
        "versions_seen": {},
        "updated_channels": None,
    }


def task_writes(identifier: str, task: str) -> list[tuple[str, Any]]:
    return [("log", f"{task} on {identifier}"), ("document", {"of": task})]


# --- what a life does -------------------------------------------------------------------------------------------------


def next_call(source: random.Random, states: dict[str, State], thread: str, name: str) -> Call:
    """Some call on a thread; ``name`` is like no other, and greater than those before."""
    state = states[thread]
    level = source.choice((durakv.Durability.SYNCED, durakv.Durability.SYNCED, durakv.Durability.WRITTEN))
    choice = source.random()
    synced = durakv.Durability.SYNCED
    if state and choice < 0.08:
        return Call(
            thread, (), lambda saver: saver.delete_thread(thread), lambda saver: saver.adelete_thread(thread), synced
        )
    if state and choice < 0.2:
        return Call(
            thread, state[-1:], lambda saver: saver.prune([thread]), lambda saver: saver.aprune([thread]), synced
        )
    empty = [other for other in states if not states[other] and other != thread]
    if state and choice < 0.3 and empty:
        target = source.choice(empty)
        return Call(
            target,
            state,
            lambda saver: saver.copy_thread(thread, target),
            lambda saver: saver.acopy_thread(thread, target),
            synced,
        )
    if state and choice < 0.55:
        identifier, parent, version, tasks = state[-1]
        wrote = (config(thread, identifier, level), task_writes(identifier, name), name, name)
        changed = (identifier, parent, version, (*tasks, name))
        return Call(
            thread,
            (*state[:-1], changed),
            lambda saver: saver.put_writes(*wrote),
            lambda saver: saver.aput_writes(*wrote),
            level,
        )
    # Most are children of the newest, some of another one: a fork.
    before = None if not state else state[-1] if source.random() < 0.8 else source.choice(state)
    inherited = before is not None and source.random() < 0.7
    tasks = (f"{name}x", f"{name}y") if choice > 0.85 else ()
    made = (name, before and before[0], before[2] if before is not None and inherited else name, tasks)
    versions = {"log": name} if inherited else {"log": name, "document": name}
    put = (
        config(thread, made[1], level),
        checkpoint(made),
        {"source": "loop", "step": len(state), "run_id": name},
        versions,
        [TaskWrites(task, task_writes(name, task), task) for task in tasks],
    )
    return Call(
        thread,
        (*state, made),
        lambda saver: saver.put_with_writes(*cast("Any", put)),
        lambda saver: saver.aput_with_writes(*cast("Any", put)),
        level,
    )


def begin_life(db: durakv.Database) -> int:
    """A number that no life before had, whatever crashes."""
    with db.batch(durability=durakv.Durability.SYNCED) as batch:
        life = batch.incr(LIFE)
    return life.value


def drive(make: MakeSaver, env: Environment, told: Told, source: random.Random) -> None:
    db = opened(env, source.choice(("always", "everysec")))
    saver = make(db)
    life = begin_life(db)
    states = {thread: shown(saver, thread) for thread in THREADS}
    for step in range(STEPS):
        call = next_call(source, states, source.choice(THREADS), f"{life:04d}-{step:04d}")
        fact: Fact = (f"{life:04d}-{step:04d}", call.thread, call.after)
        told.began(fact)
        call.do(saver)
        told.acked(fact, call.level)
        states[call.thread] = call.after
        if source.random() < 0.15:
            db.rewrite()
        if source.random() < 0.2:
            env.clock.advance(1.1)
            db.engine.step()
    if source.random() < 0.5:
        db.close()


def opened(env: Environment, fsync: str) -> durakv.Database:
    small = durakv.Options(segment_bytes=8192)
    return durakv.open(None, filesystem=env.filesystem, clock=env.clock, background=False, fsync=fsync, options=small)


# --- what a crash must leave ------------------------------------------------------------------------------------------


def check(env: Environment, facts: Facts) -> None:
    db = opened(env, "always")
    look(db, facts)


def look(db: durakv.Database, facts: Facts) -> None:
    audit(db)
    saver = DurakvSaver(db)
    began = [cast("Fact", fact) for fact in facts.began]
    acked = [cast("Fact", fact) for fact in facts.acked]
    for thread in THREADS:
        promised = [fact for fact in acked if fact[1] == thread]
        since = began.index(promised[-1]) if promised else 0
        allowed = [fact[2] for fact in began[since:] if fact[1] == thread]
        if not promised:
            allowed.append(())
        state = shown(saver, thread)
        assert state in allowed, f"thread {thread!r} shows {state}, and may show {allowed}"


def shown(saver: DurakvSaver, thread: str) -> State:
    """What a thread shows, when everything in it is as it was stored."""
    return tuple(_made(found) for found in reversed([*saver.list(config(thread, None))]))


def _made(found: CheckpointTuple) -> Made:
    stored = found.checkpoint
    identifier, version = stored["id"], str(stored["channel_versions"]["document"])
    parent = None if found.parent_config is None else str(found.parent_config["configurable"]["checkpoint_id"])
    writes = found.pending_writes or []
    tasks = tuple(dict.fromkeys(task for task, _, _ in writes))
    made = (identifier, parent, version, tasks)
    assert stored == checkpoint(made), f"checkpoint {identifier} is not as it was stored: {stored}"
    assert found.metadata.get("run_id") == identifier, f"the metadata of {identifier} is another's"
    whole = [(task, *write) for task in tasks for write in task_writes(identifier, task)]
    assert writes == whole, f"the writes for {identifier} are not whole: {writes}"
    return made


def audit(db: durakv.Database) -> None:
    """Every key has its place in an index, every place its key, and every value somebody who names it."""
    expected = {LIFE: b""}
    threads = set(map(records.unraw, db.smembers(keys.THREADS)))
    for thread in threads:
        index = keys.index_key(thread)
        members = db.zrange(index, 0, -1)
        assert members, f"thread {thread!r} is named and has no index"
        named: set[bytes] = set()
        for member in members:
            expected[keys.entry_key(thread, member)] = member
            if member[:1] == keys.CHECKPOINT:
                record = records.find_record(cast("durakv.View", db), keys.place_of(thread, member))
                assert record is not None, f"the index of {thread!r} names a checkpoint that is not there: {member!r}"
                named.update(record.values)
        values = {member for member in members if member[:1] == keys.VALUE}
        assert values == named, f"thread {thread!r} has values {values}, and its checkpoints name {named}"
        expected[index] = b""
    expected |= {keys.FORMAT: b"", **({keys.THREADS: b""} if threads else {})}
    there = set(db.scan_iter()) | {LIFE, keys.FORMAT}
    assert there == set(expected), f"keys without a place, or places without a key: {there ^ set(expected)}"


def service(make: MakeSaver = DurakvSaver) -> Service:
    """The subject, or one with a saver that is broken on purpose."""
    return Service(partial(drive, make), check)


# --- real processes ---------------------------------------------------------------------------------------------------


def work(directory: str) -> None:
    """One life that ends by being killed; every second one is asyncio's."""
    with durakv.open(directory, fsync="always", options=durakv.Options(segment_bytes=1 << 16)) as db:
        saver = DurakvSaver(db)
        life = begin_life(db)
        source = random.Random(life)
        states = {thread: shown(saver, thread) for thread in THREADS}
        if life % 2:
            for thread, name in _names(source, life):
                _tell(saver, next_call(source, states, thread, name), states, name)
        else:
            asyncio.run(_work_in_tasks(saver, source, states, life))


def _names(source: random.Random, life: int) -> Iterator[tuple[str, str]]:
    for step in range(3000):
        yield source.choice(THREADS), f"{life:04d}-{step:04d}"


def _tell(saver: DurakvSaver, call: Call, states: dict[str, State], name: str) -> None:
    say(began=(name, call.thread, call.after))
    call.do(saver)
    say(acked=(name, call.thread, call.after))
    states[call.thread] = call.after


async def _work_in_tasks(saver: DurakvSaver, source: random.Random, states: dict[str, State], life: int) -> None:
    """A task for each thread, all at once: calls of different threads share batches of the disk, not of the log."""
    for step in range(1000):
        calls: dict[str, tuple[str, Call]] = {}
        for number, thread in enumerate(THREADS):
            name = f"{life:04d}-{step * len(THREADS) + number:04d}"
            call = next_call(source, states, thread, name)
            if call.thread == thread:  # a copy would change the thread of another task
                calls[thread] = name, call
        await asyncio.gather(*(_tell_in_task(saver, call, states, name) for name, call in calls.values()))


async def _tell_in_task(saver: DurakvSaver, call: Call, states: dict[str, State], name: str) -> None:
    say(began=(name, call.thread, call.after))
    await call.await_it(saver)
    say(acked=(name, call.thread, call.after))
    states[call.thread] = call.after


def check_files(directory: Path, facts: Facts) -> None:
    with durakv.open(directory) as db:
        look(db, facts)


def driver() -> Sequence[str]:
    return [sys.executable, "-m", __spec__.name if __name__ == "__main__" else __name__, "--work"]


if __name__ == "__main__":
    if sys.argv[1:2] == ["--work"]:
        work(sys.argv[2])
    else:
        main(service=service(), argv=driver(), check=check_files)
