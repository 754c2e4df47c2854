"""The saver for threads; ``langgraph`` has what it promises."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
)
from langgraph.checkpoint.serde.base import SerializerProtocol

import durakv
import durakv.aio
from durakv.adapters._langgraph_config import address_of, checkpoint_id, level_of, parse_level
from durakv.adapters._langgraph_listing import listed
from durakv.adapters._langgraph_records import Found, check_format, find, find_latest
from durakv.adapters._langgraph_serde import Putting, TaskWrites, matches, pack_writes, restored
from durakv.adapters._langgraph_steps import Step, copy, deletion, prunings, run_deletions
from durakv.adapters._langgraph_store import put_writes


class SyncSaver(BaseCheckpointSaver[str]):
    """What ``DurakvSaver`` does without an event loop."""

    def __init__(
        self,
        db: durakv.Database,
        *,
        durability: durakv.Durability | str = durakv.Durability.SYNCED,
        serde: SerializerProtocol | None = None,
    ) -> None:
        """See ``DurakvSaver``."""
        super().__init__(serde=serde)
        if not isinstance(db, durakv.Database):
            hint = "; hand over its `.database`" if isinstance(db, durakv.aio.AsyncDatabase) else ""
            raise TypeError(f"a DurakvSaver stands on a durakv.Database, not on {type(db).__name__}{hint}")
        self.db = db
        self.durability = parse_level(durability)
        check_format(db)

    # --- reading ------------------------------------------------------------------------------------------------------

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """The checkpoint that the config names, or its thread's newest, with its writes; all of one moment."""
        address = address_of(config)

        def look(state: durakv.View) -> Found | None:
            if address.id is not None:
                return find(state, address.place)
            return find_latest(state, address.thread, address.namespace or "")

        found = self.db.read(look)
        return None if found is None else restored(self.serde, found, address.given_thread)

    def list(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> Iterator[CheckpointTuple]:
        """The checkpoints of a thread, or of all, newest first; each is read when it is asked for.

        One that was deleted meanwhile is passed over.  A namespace is read in pages, from its index; a thread without
        one, and all threads, are sorted first.
        """
        if limit is not None and limit <= 0:
            return
        address = None if config is None else address_of(config)
        left = limit
        for place in listed(self.db, address, checkpoint_id(before)):
            found = self.db.read(partial(find, place=place))
            if found is None or not matches(self.serde, found, filter):
                continue
            yield restored(self.serde, found, place.thread if address is None else address.given_thread)
            if left is not None:
                left -= 1
                if not left:
                    return

    # --- storing ------------------------------------------------------------------------------------------------------

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Store a checkpoint, its new values and its place in the index in one batch; return what points at it."""
        return self.put_with_writes(config, checkpoint, metadata, new_versions, ())

    def put_with_writes(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
        tasks: Sequence[TaskWrites],
    ) -> RunnableConfig:
        """``put`` a checkpoint together with writes that wait for *it*, in one batch: never one without the others."""
        level = level_of(config, self.durability)
        putting = Putting(self.serde, config, checkpoint, metadata, new_versions, tasks)
        while missing := self.db.transact(putting.decide, durability=level):
            putting.pack(missing)
        return putting.config

    def put_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Store the writes of a task in one batch; the checkpoint that they wait for need not be there yet."""
        decide, level = self._put_writes(config, writes, task_id, task_path)
        self.db.transact(decide, durability=level)

    def _put_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str
    ) -> tuple[Step, durakv.Durability]:
        address, level = address_of(config), level_of(config, self.durability)
        if address.id is None:
            raise ValueError("the config names no checkpoint_id, and writes belong to a checkpoint")
        place, packed = address.place, pack_writes(self.serde, task_id, writes, task_path)
        return partial(put_writes, place=place, writes=packed), level

    # --- deleting and copying -----------------------------------------------------------------------------------------

    def delete_thread(self, thread_id: str) -> None:
        """Delete all that a thread has, in one batch."""
        self._change([deletion(thread_id)])

    def delete_for_runs(self, run_ids: Sequence[str]) -> None:
        """Delete the checkpoints of runs, their writes, and values that no other one names; a batch for each thread.

        Their children keep pointing at them, and delta channels that were made of their writes lose these.
        """
        self._change(run_deletions(self.db, run_ids))

    def prune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """Delete all of the threads, or all but the newest checkpoint of each namespace; a batch for each thread.

        What the newest one's delta channels are made of stays with it; writes that wait for an older checkpoint that is
        not there go.  A crash may leave some threads pruned and others not, and none by half.
        """
        self._change(prunings(thread_ids, strategy))

    def copy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """Copy all that a thread has to one that has nothing, in one batch; ValueError if it has something."""
        self._change([copy(source_thread_id, target_thread_id)])

    def _change(self, steps: Sequence[Step]) -> None:
        # What survives is a prefix (C1), so waiting for the last step is waiting for all.
        for number, step in enumerate(steps, 1):
            level = self.durability if number == len(steps) else durakv.Durability.APPLIED
            self.db.transact(step, durability=level)

    # --- versions -----------------------------------------------------------------------------------------------------

    def get_next_version(self, current: str | None, channel: None) -> str:
        """A version greater than the current one, and like no other that follows it, in this process or another one.

        So forks of a thread never give two values the same version.
        """
        number = 0 if current is None else int(str(current).partition(".")[0])
        return f"{number + 1:032d}.{secrets.token_hex(8)}"
