"""The rewrite: a new base in the place of the old one and the sealed log, while writers go on.

    check     is there room for both?                                     else nothing is begun
    rotate    the log up to here is sealed; writers go on in a new segment
    make      a new base under a temporary name: merged in a child process, or from the live machine in slices
    publish   rename it, sync the directory, one manifest swap
    clean     remove what the manifest no longer names

Until the swap nothing that counts has changed, after it everything has: a crash leaves the old base and log or the new
base, and beside them debris that the next open removes.  A failure before the swap removes what was written, is told
in the status, and is tried again later.  Only where the disk itself is in doubt, that is when a sync of the directory
or the swap failed, is the engine poisoned (C7): either manifest may be what a crash leaves.

A step machine like the commit pipeline: ``step`` does one bounded piece and never waits for the child.
"""

from __future__ import annotations

import threading
from collections.abc import Generator
from typing import TYPE_CHECKING, TypeAlias

from durakv import journal
from durakv.background import TICK_SECONDS
from durakv.clock import Clock
from durakv.commit import Commit
from durakv.directory import NO_SPACE, Directory, base_name, base_temporary, next_base_number, replace_base
from durakv.errors import Closed, DiskFull, DurakvError
from durakv.log.segment import TRIM_BYTES
from durakv.machine import RdbMachine, SlottedMachine, StateMachine, Unmergeable
from durakv.options import BaseFormat, Options
from durakv.rewrite_base import BaseMaker, Pipeline, is_plain, remove
from durakv_formats.manifest import Manifest, ManifestFile

if TYPE_CHECKING:  # otherwise where it is used: most programs end before they rewrite
    from durakv.image import Image, RdbImage
    from durakv.merge import SealedFile
    from durakv.snapshot.codec import BaseCodec

FAILURES_FORGIVEN = 3
"""Before this many failures in a row an automatic rewrite is tried again at once, as stock servers do."""

DELAY_SECONDS_MAX = 3600.0

Steps: TypeAlias = Generator[bool, None, None]
"""Pieces of work; each says whether the next one should follow at once."""


class RewriteHandle:
    """A rewrite that was asked for, to wait on."""

    def __init__(self, commit: Commit) -> None:
        self._commit = commit
        self._ended = threading.Event()
        self._failure: DurakvError | None = None

    def done(self) -> bool:
        """Whether it has ended, well or not, or never will because the engine is poisoned."""
        return self._ended.is_set() or self._commit.poison is not None

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for its end; False when the time ran out."""
        return self._ended.wait(timeout)

    def result(self) -> None:
        """Raise what made it fail; call it when it is done."""
        if self._ended.is_set():
            if self._failure is not None:
                raise self._failure
        else:
            self._commit.refuse()

    def end(self, failure: DurakvError | None = None) -> None:
        """Tell its outcome; for the rewrite."""
        self._failure = failure
        self._ended.set()


class Rewrite:
    """Rewrites on request, and by itself when the log has grown.

    ``step`` and ``close`` exclude each other; everything else may be called from any thread at any time.
    """

    def __init__(
        self,
        runner: Pipeline,
        directory: Directory,
        machine: StateMachine,
        *,
        options: Options,
        clock: Clock,
        base_bytes: int,
        child: bool,
        codec: BaseCodec | None = None,
    ) -> None:
        """``child`` and ``codec`` as for :class:`BaseMaker`."""
        self.base_bytes = base_bytes
        """The size of the base in force."""
        self.rewrites = 0
        """How many ended well."""
        self.failures = 0
        """How many failed since the last one that ended well."""
        self.failed = 0
        """How many failed in all."""
        self.error: str | None = None
        """Why the last one failed; None after one that ended well."""
        self.maker = BaseMaker(runner, directory, options=options, clock=clock, child=child, codec=codec)
        """Makes the base; it knows how far that has come."""
        self._runner = runner
        self._commit = runner.commit
        self._directory = directory
        self._filesystem = directory.filesystem
        self._machine = machine
        self._options = options
        self._clock = clock
        self._guard = threading.Lock()
        self._requests: list[RewriteHandle] = []
        self._serving: list[RewriteHandle] = []
        self._stepping = threading.Lock()
        self._work: Steps | None = None
        self._closed = False
        self._not_before = 0.0
        self._counted: tuple[Manifest | None, int] = (None, 0)

    @property
    def running(self) -> bool:
        """Whether a rewrite is under way."""
        return self._work is not None

    def request(self) -> RewriteHandle:
        """Ask for a rewrite of everything logged so far; if one is under way, another follows it.

        It is begun at once, whatever failed before.  Raises Poisoned or Closed.
        """
        self._commit.refuse()
        handle = RewriteHandle(self._commit)
        with self._guard:
            if self._closed:
                raise Closed("the engine is closed; open the directory again")
            self._requests.append(handle)
        return handle

    # --- stepping -------------------------------------------------------------------------------------------------

    def step(self) -> bool:
        """Do one bounded piece of work, if any is due; return whether to call again at once."""
        with self._stepping:
            if self._work is None:
                if self._closed or not (self._requests or self._is_due()):
                    return False
                with self._guard:
                    self._serving, self._requests = self._requests, []
                self._work = self._rewrite()
            try:
                return next(self._work)
            except StopIteration:
                self._end(None)
            except Exception as failure:  # noqa: BLE001 - the machine's code runs in here; the engine must go on
                self._end(failure)
            except BaseException:
                self._work = None
                raise
            return True

    def close(self, *, forced: bool = False) -> None:
        """End the rewrite under way, if any, and begin no other; whoever waits for one is told.

        It waits for the step under way.  Raises Closed when the engine is closed by force meanwhile, unless this is
        ``forced`` itself.
        """
        with self._guard:
            self._closed = True
        while not self._stepping.acquire(timeout=TICK_SECONDS):
            if not forced and isinstance(self._commit.poison, Closed):
                self._commit.refuse()
        try:
            work, self._work = self._work, None
            if work is not None:
                work.close()
            closed = Closed("the engine was closed before the rewrite ended")
            for handle in (*self._serving, *self._requests):
                handle.end(closed)
            self._serving, self._requests = [], []
        finally:
            self._stepping.release()

    def _end(self, failure: Exception | None) -> None:
        self._work = None
        self.maker.progress = 0.0
        told = None if failure is None else _told(failure)
        if told is None:
            self.failures = 0
            self.error = None
            self._not_before = 0.0
        else:
            self.failures += 1
            self.error = str(told)
            self._not_before = self._clock.monotonic() + _delay_seconds(self.failures)
            self.failed += 1
            directory = self._filesystem.describe()
            journal.warning(
                "%s: rewrite failed: %s",
                directory,
                told,
                about="rewrite",
                event="rewrite_failed",
                directory=directory,
                failures=self.failures,
            )
        serving, self._serving = self._serving, []
        for handle in serving:
            handle.end(told)

    # --- when -----------------------------------------------------------------------------------------------------

    @property
    def log_bytes(self) -> int:
        """The size of the log that a rewrite would do away with."""
        segment = self._commit.segment
        return self._commit.sealed_bytes + (0 if segment.is_worthless else segment.offset)

    def _is_due(self) -> bool:
        """Whether the log has grown enough for a rewrite that nobody asked for."""
        options = self._options
        log_bytes = self.log_bytes
        grown = (
            options.rewrite_percentage > 0
            and self.base_bytes + log_bytes > options.rewrite_bytes_min
            and 100 * log_bytes >= options.rewrite_percentage * self.base_bytes
        )
        scattered = 0 < options.rewrite_segments_max < self._segment_count()
        return (grown or scattered) and log_bytes > 0 and self._clock.monotonic() >= self._not_before

    def _segment_count(self) -> int:
        manifest = self._directory.manifest
        if self._counted[0] is not manifest:
            self._counted = manifest, len(manifest.segments)
        return self._counted[1]

    # --- one rewrite ----------------------------------------------------------------------------------------------

    def _rewrite(self) -> Steps:
        self.maker.progress = 0.0
        self._check_room()
        yield True
        machine = self._machine
        if self._options.base_format is BaseFormat.RDB:
            yield from self._rewrite_as_rdb(machine)
            return
        if isinstance(machine, SlottedMachine) and not self._is_rdb(self._directory.manifest.base):
            seq = self._runner.rotate()
            yield True
            try:
                yield from self._replace(seq, machine)
            except Unmergeable as reason:
                journal.info(
                    "%s: making the base from memory: %s",
                    self._filesystem.describe(),
                    reason,
                    about="rewrite",
                    event="made_from_memory",
                )
            else:
                return
        from durakv.image import freeze

        frozen: list[Image] = []
        seq = self._runner.rotate(lambda _seq: frozen.append(freeze(machine)))
        yield True
        yield from self._replace(seq, frozen[0])

    def _rewrite_as_rdb(self, machine: StateMachine) -> Steps:
        if not isinstance(machine, RdbMachine):
            raise DurakvError(f"base_format='rdb': {type(machine).__name__} has no form as an RDB file; choose 'dkv'")
        from durakv.image import freeze_rdb

        frozen: list[RdbImage] = []
        seq = self._runner.rotate(lambda _seq: frozen.append(freeze_rdb(machine)))
        yield True
        yield from self._replace(seq, frozen[0])

    def _is_rdb(self, base: ManifestFile | None) -> bool:
        """Whether the base begins with an RDB file, which can be read neither slot by slot nor as a part of the log."""
        if base is None or not is_plain(base):
            return False
        from durakv.stock_base import MAGIC_BYTES, is_rdb

        file = self._filesystem.open(base.name)
        try:
            return is_rdb(file.read_at(MAGIC_BYTES, 0))
        finally:
            file.close()

    def _check_room(self) -> None:
        """Refuse while it costs nothing.  The log must keep room as well: two more segments."""
        need = self.base_bytes + self.log_bytes + 2 * self._options.segment_bytes
        free = self._filesystem.free_bytes()
        if free < need:
            raise DiskFull(
                f"{self._filesystem.describe()}: a rewrite may need {need} bytes beside what is there, "
                f"but only {free} are free; nothing was begun. Free some space"
            )

    def _replace(self, seq: int, source: SlottedMachine | Image | RdbImage) -> Steps:
        """Make a base of everything up to ``seq`` and publish it."""
        manifest = self._directory.manifest
        replaced, log = _sealed(manifest, seq)
        if not log:
            return  # what is there is a base already, or nothing at all
        number = next_base_number(self._filesystem, manifest)
        suffix = "rdb" if self._options.base_format is BaseFormat.RDB else "dkv"
        try:
            if isinstance(source, SlottedMachine):
                size = yield from self.maker.merge(number, seq, log, source, base_bytes=self.base_bytes)
            else:
                size = yield from self.maker.write_image(number, seq, source)
            yield True
            self._filesystem.rename(base_temporary(number, suffix), base_name(number, suffix))
        except (Exception, GeneratorExit):
            remove(self._filesystem, base_temporary(number, suffix))
            remove(self._filesystem, base_name(number, suffix))  # a rename that failed may have been done
            raise
        yield from self._publish(number, seq, size, replaced, suffix)

    def _publish(self, number: int, seq: int, size: int, replaced: list[ManifestFile], suffix: str) -> Steps:
        names = {file.name for file in replaced}
        try:
            self._sync_directory()
            yield True
            self._swap(number, seq, names, suffix)
        except (Exception, GeneratorExit):
            if self._commit.poison is None:
                remove(self._filesystem, base_name(number, suffix))
            raise
        with self._runner.lock:
            self._commit.sealed_bytes -= sum(file.bytes or 0 for file in replaced if file.kind == "i")
        self.base_bytes = size
        self.rewrites += 1
        directory = self._filesystem.describe()
        journal.info(
            "%s: rewrote the log up to number %d into a base of %d bytes",
            directory,
            seq,
            size,
            about="rewrite",
            event="rewritten",
            directory=directory,
            last_seq=seq,
            base_bytes=size,
        )
        left = sorted(names)
        try:
            while left:
                yield True
                yield from self._shrink(left[-1])
                remove(self._filesystem, left.pop())
        except GeneratorExit:
            for name in left:
                remove(self._filesystem, name)
            raise
        self._sync_directory()

    def _swap(self, number: int, seq: int, names: set[str], suffix: str) -> None:
        try:
            self._directory.swap(
                lambda manifest: replace_base(manifest, number, last=seq, replaced=names, suffix=suffix),
                synced_seq=seq,
            )
        except OSError as failure:
            self._runner.poison(failure)
            self._commit.refuse()

    def _sync_directory(self) -> None:
        # The descriptor is shared: this call may have taken the one report of a failure that concerned a rotation.
        try:
            self._filesystem.sync_directory()
        except OSError as failure:
            self._runner.poison(failure)
            self._commit.refuse()

    def _shrink(self, name: str) -> Steps:
        """Give back a large file bit by bit before it is removed.

        Removing it at once has the kernel empty its page cache in one go, in which writers may not run.
        """
        try:
            file = self._filesystem.open(name, writable=True)
            try:
                for size in range(file.size() - TRIM_BYTES, 0, -TRIM_BYTES):
                    file.truncate(size)
                    yield True
            finally:
                file.close()
        except OSError as failure:
            journal.info(
                "%s: %s could not be made smaller: %s",
                self._filesystem.describe(),
                name,
                failure,
                about="rewrite",
                event="not_shrunk",
                name=name,
            )


def _sealed(manifest: Manifest, seq: int) -> tuple[list[ManifestFile], list[SealedFile]]:
    """The files that a base up to ``seq`` replaces, and those among them that are log."""
    from durakv.merge import SealedFile

    replaced: list[ManifestFile] = []
    log: list[SealedFile] = []
    prior = 0
    for file in manifest.files:
        if file.kind == "h" or file.last is None or file.last > seq:
            continue
        replaced.append(file)
        if file.kind == "i" or is_plain(file):
            log.append(SealedFile(file.name, file.seq, prior, file.last, file.bytes))
        prior = file.last
    return replaced, log


def _delay_seconds(failures: int) -> float:
    """How long an automatic rewrite waits after so many failures in a row: 0, 0, then 1, 2, 4 ... 60 minutes."""
    if failures < FAILURES_FORGIVEN:
        return 0.0
    return min(DELAY_SECONDS_MAX, 60.0 * (1 << min(failures - FAILURES_FORGIVEN, 10)))


def _told(failure: Exception) -> DurakvError:
    """What whoever waits is told."""
    if isinstance(failure, DurakvError):
        return failure
    if isinstance(failure, OSError) and failure.errno in NO_SPACE:
        told: DurakvError = DiskFull(f"no room for a new base: {failure}; everything is as it was. Free some space")
    else:
        told = DurakvError(f"the rewrite failed: {type(failure).__name__}: {failure}; everything is as it was")
    told.__cause__ = failure
    return told
