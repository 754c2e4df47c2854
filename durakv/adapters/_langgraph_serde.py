"""Between LangGraph's objects and what is stored: everything that a serializer makes or reads is here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    get_checkpoint_metadata,
)
from langgraph.checkpoint.serde.base import SerializerProtocol

import durakv
from durakv.adapters._langgraph_config import address_of, config_of, without_level
from durakv.adapters._langgraph_keys import Place, text
from durakv.adapters._langgraph_records import Found, Write, pack, raw, unpack_value, unpack_write, unraw
from durakv.adapters._langgraph_store import NewCheckpoint, put


class TaskWrites(NamedTuple):
    """What a task has written, to be stored together with its checkpoint."""

    task_id: str
    writes: Sequence[tuple[str, Any]]
    task_path: str = ""


class Putting:
    """A checkpoint on its way into the store."""

    def __init__(
        self,
        serde: SerializerProtocol,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
        tasks: Iterable[TaskWrites] = (),
    ) -> None:
        """Serialize what the store cannot have yet: the checkpoint, and the values whose versions are new."""
        address = address_of(config)
        content = dict(checkpoint)
        self._values = cast("dict[str, Any]", content.pop("channel_values"))
        self._serde = serde
        versions = checkpoint["channel_versions"]
        told = get_checkpoint_metadata(without_level(config), metadata)
        run = told.get("run_id")
        deferred = told.get("counters_since_delta_snapshot") or {}
        if not checkpoint["id"]:
            raise ValueError("a checkpoint needs an id that is not empty: no config could point at it")
        place = Place(address.thread, address.namespace or "", checkpoint["id"])
        self._new = NewCheckpoint(
            place=place,
            parent=address.id,
            checkpoint=serde.dumps_typed(content),
            metadata=serde.dumps_typed(told),
            run=run if isinstance(run, str) else None,
            versions={channel: versions.get(channel) for channel in self._values},
            packed={},
            deferred=[channel for channel in deferred if channel not in self._values],
        )
        self._writes: dict[bytes, Write] = {}
        for task in tasks:
            self._writes.update(pack_writes(serde, *task))
        self.config = address.config(place)
        """What points at the checkpoint."""
        self.pack(channel for channel in self._values if channel in new_versions or versions.get(channel) is None)

    def decide(self, state: durakv.View, batch: durakv.Batch) -> list[str]:
        """Store it, or say which values to ``pack`` before."""
        return put(state, batch, self._new, self._writes)

    def pack(self, channels: Iterable[str]) -> None:
        """Serialize the values of channels."""
        for channel in channels:
            self._new.packed[channel] = pack(self._serde.dumps_typed(self._values[channel]))


def pack_writes(
    serde: SerializerProtocol, task_id: str, writes: Sequence[tuple[str, Any]], task_path: str
) -> dict[bytes, Write]:
    """A task's writes by their fields: one for each place in the list, and one for each special channel."""
    packed: dict[bytes, Write] = {}
    for position, (channel, value) in enumerate(writes):
        index = WRITES_IDX_MAP.get(channel, position)
        field = text(task_id) + b"%d" % index
        packed[field] = Write(raw(task_path), raw(task_id), index, raw(channel), serde.dumps_typed(value))
    return packed


def restored(serde: SerializerProtocol, found: Found, thread: str | int) -> CheckpointTuple:
    """The checkpoint as LangGraph wants it."""
    place, record = found.place, found.record
    content = serde.loads_typed(record.checkpoint)
    values = {channel: serde.loads_typed(unpack_value(value)) for channel, value in found.values.items()}
    # The order in which a run applies the writes of a super-step: LangGraph's ``writes_sort_key``.
    writes = sorted(map(unpack_write, found.writes), key=lambda write: (write.path, write.task, write.index))
    parent = None if record.parent is None else place._replace(id=unraw(record.parent))
    return CheckpointTuple(
        config=config_of(place, thread),
        checkpoint=cast("Checkpoint", {**content, "channel_values": values}),
        metadata=serde.loads_typed(record.metadata),
        parent_config=None if parent is None else config_of(parent, thread),
        pending_writes=[(unraw(write.task), unraw(write.channel), serde.loads_typed(write.value)) for write in writes],
    )


def matches(serde: SerializerProtocol, found: Found, wanted: Mapping[str, Any] | None) -> bool:
    """Whether the metadata has all that a filter asks for."""
    if not wanted:
        return True
    metadata: Mapping[str, Any] = serde.loads_typed(found.record.metadata)
    return all(metadata.get(key) == value for key, value in wanted.items())
