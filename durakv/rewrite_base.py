"""Making a base: merged in a child process or here, or written from the frozen machine, in bounded steps.

It ends as a whole file, durable, under a temporary name; nothing here touches the manifest.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Protocol

from durakv import journal
from durakv.clock import Clock
from durakv.commit import Commit
from durakv.directory import Directory, base_temporary
from durakv.machine import SlottedMachine
from durakv.options import Options
from durakv.storage.filesystem import Filesystem
from durakv_formats.manifest import Manifest, ManifestFile

if TYPE_CHECKING:  # otherwise where it is used: most programs end before they rewrite
    from durakv.image import Image, ImageWriter, RdbImage, RdbImageWriter
    from durakv.merge import MergeResult, MergeTask, SealedFile
    from durakv.merge_process import MergeProcess
    from durakv.snapshot.codec import BaseCodec

ALONE_SECONDS = 0.25
"""Once nobody has written for so long, a base is synced in larger steps, which a writer who comes may wait for."""


class Pipeline(Protocol):
    """What a rewrite asks of whoever drives the commit pipeline: the runner."""

    @property
    def commit(self) -> Commit:
        """The pipeline."""
        ...

    @property
    def lock(self) -> threading.Lock:
        """Held while a batch is applied."""
        ...

    def rotate(self, then: Callable[[int], None] | None = None, /) -> int:
        """Seal the log up to a number, call ``then`` with it before any later batch, and return it."""
        ...

    def poison(self, failure: BaseException, /) -> None:
        """Take no more writes (C7)."""
        ...


class BaseMaker:
    """Makes one base after the other; each step says whether the next one should follow at once.

    Steps that are given up end the child.  What they leave of the file is for the caller to remove.
    """

    def __init__(
        self,
        runner: Pipeline,
        directory: Directory,
        *,
        options: Options,
        clock: Clock,
        child: bool,
        codec: BaseCodec | None = None,
    ) -> None:
        """``child``: merge in a child process, if the filesystem has a ``path`` that a child can open.

        A child knows the released versions only, so with a ``codec`` of others the merge is done here.
        """
        self.progress = 0.0
        """How much of a merge under way is done, from 0 to 1."""
        self.merged: MergeResult | None = None
        """What the last merge did; None after a base that was made from the live machine."""
        self.process: MergeProcess | None = None
        """The child process at work."""
        self.child_peak_bytes = 0
        """The most memory that the last child process held."""
        self._runner = runner
        self._directory = directory
        self._filesystem = directory.filesystem
        self._options = options
        self._clock = clock
        self._codec = codec
        path = getattr(self._filesystem, "path", None)
        self._path: str | None = path if child and codec is None and isinstance(path, str) else None

    def merge(
        self, number: int, seq: int, log: list[SealedFile], machine: SlottedMachine, *, base_bytes: int
    ) -> Generator[bool, None, int]:
        """Of the base in force and the sealed log; returns its size.  Raises Unmergeable.

        ``base_bytes``: the size of the base in force, whose entry in the manifest does not tell.
        """
        from durakv.merge import merge_steps
        from durakv.merge_process import Unimportable, can_start_child

        task = self._task(number, seq, log, machine, base_bytes)
        if self._path is not None and can_start_child():
            try:
                return (yield from self._merge_in_child(self._path, task))
            except Unimportable as reason:
                self._path = None
                journal.warning(
                    "%s: merging in this process: %s",
                    self._filesystem.describe(),
                    reason,
                    about="rewrite",
                    event="merged_here",
                )
                remove(self._filesystem, base_temporary(number))
        steps = merge_steps(self._filesystem, task, self._codec)
        try:
            while True:
                try:
                    self.progress = next(steps)
                except StopIteration as finished:
                    merged: MergeResult = finished.value
                    self.merged = merged
                    return merged.bytes
                yield True
        finally:
            steps.close()

    def write_image(self, number: int, seq: int, image: Image | RdbImage) -> Generator[bool, None, int]:
        """Of the frozen machine; returns its size."""
        writer = self._image_writer(number, seq, image)
        try:
            while True:
                size = writer.step(self._runner.lock)
                if size is not None:
                    self.merged = None
                    return size
                yield True
        except (Exception, GeneratorExit):
            writer.abort()
            raise

    def _task(
        self, number: int, seq: int, log: list[SealedFile], machine: SlottedMachine, base_bytes: int
    ) -> MergeTask:
        from durakv.merge import MergeTask

        manifest = self._directory.manifest
        base = manifest.base if manifest.base is not None and not is_plain(manifest.base) else None
        return MergeTask(
            identity=_identity(manifest).hex(),
            base_name=None if base is None else base.name,
            base_number=0 if base is None else base.seq,
            base_seq=0 if base is None or base.last is None else base.last,
            log=tuple(log),
            log_bytes=sum(base_bytes if file.bytes is None else file.bytes for file in log),
            number=number,
            seq=seq,
            merger=machine.merger,
            content=machine.content,
            slot_count=machine.slot_count,
            memory_bytes=self._options.rewrite_memory_bytes,
            created_ms=self._clock.time_ms(),
        )

    def _merge_in_child(self, path: str, task: MergeTask) -> Generator[bool, None, int]:
        from durakv.merge_process import MergeProcess

        process = self.process = MergeProcess(path, task)
        try:
            while True:
                busy = process.step()
                self.progress = process.progress
                if process.result is not None:
                    break
                yield busy
        except (Exception, GeneratorExit):
            process.abort()
            raise
        finally:
            self.process = None
        self.merged = process.result
        self.child_peak_bytes = process.peak_bytes
        return process.result.bytes

    def _image_writer(self, number: int, seq: int, image: Image | RdbImage) -> ImageWriter | RdbImageWriter:
        from durakv.image import ImageWriter, RdbImage, RdbImageWriter
        from durakv.stock_base import rdb_facts
        from durakv_formats.snapshot import SnapshotHeader

        identity = _identity(self._directory.manifest)
        if isinstance(image, RdbImage):
            facts = rdb_facts(identity=identity, number=number, seq=seq)
            return RdbImageWriter(self._filesystem, base_temporary(number, "rdb"), facts, image, self._watch())
        header = SnapshotHeader(
            identity=identity,
            seq=seq,
            number=number,
            slot_count=image.slot_count,
            content=image.content,
            created_ms=self._clock.time_ms(),
        )
        return ImageWriter(self._filesystem, base_temporary(number), header, image, self._watch(), self._codec)

    def _watch(self) -> Callable[[], bool]:
        """Whether somebody has written lately, to be asked again and again."""
        commit, monotonic = self._runner.commit, self._clock.monotonic
        seen, since = commit.applied_seq, monotonic()

        def busy() -> bool:
            nonlocal seen, since
            now = monotonic()
            if commit.applied_seq != seen:
                seen, since = commit.applied_seq, now
            return now - since < ALONE_SECONDS

        return busy


def remove(filesystem: Filesystem, name: str) -> None:
    """Remove a file that does not count; if the disk will not, it is debris for the next open."""
    try:
        with contextlib.suppress(FileNotFoundError):
            filesystem.remove(name)
    except OSError as failure:
        journal.warning(
            "%s: %s could not be removed: %s",
            filesystem.describe(),
            name,
            failure,
            about="rewrite",
            event="not_removed",
            name=name,
        )


def is_plain(base: ManifestFile) -> bool:
    """Whether a base is a stock server's: the first part of the log then, unless it begins with an RDB file."""
    return base.kind == "b" and not base.name.endswith(".dkv")


def _identity(manifest: Manifest) -> bytes:
    assert manifest.identity is not None, "an engine's directory has an identity"
    return manifest.identity
