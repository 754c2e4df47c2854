"""A program that uses the engine on a simulated disk, does what a script says, and notes what it was told.

    session = Session(SimulatedDisk(image, clock=clock), setup, clock=clock)
    session.open()
    for step in script: session.perform(step)

There are no threads: time passes only in steps, the background gets its turns in ``ADVANCE``, and a second writer
comes in while a barrier is under way (``MEANWHILE``), which is when the engine has given up its lock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from durakv.clock import ManualClock
from durakv.durability import Durability, FsyncPolicy
from durakv.engine import Engine
from durakv.errors import Closed, Corruption, DiskFull, DurakvError, Locked, Poisoned
from durakv.keyspace.decider import Decider
from durakv.keyspace.expiry import Expiry
from durakv.keyspace.machine import EXPIRY_VISITS_MAX, Keyspace
from durakv.machine import Batch, Command, StateMachine
from durakv.receipt import Receipt
from durakv.recovery import recover
from durakv.report import RecoveryReport, Status
from durakv_fuzz import told
from durakv_fuzz.armed import ArmedFaults, Endless
from durakv_fuzz.disk import SimulatedDisk
from durakv_fuzz.faults import AfterFailedSync, Fault
from durakv_fuzz.image import Image
from durakv_fuzz.machines import Digest, make_machine, state_of
from durakv_fuzz.oracle import Verdict
from durakv_fuzz.plain_disk import PlainDisk
from durakv_fuzz.script import DEADLINE_MS, Script, Setup, Step, nearest
from durakv_fuzz.trace import Operation

TICK_SECONDS = 0.05
"""How often the engine's own thread would look for work."""

STEPS_MAX = 64
"""A rewrite of the laboratory is over after that many; whoever has still more to do goes on with the next tick."""

EXPOSED_SECONDS_MAX = 1.0 + 1e-6
"""How old an unsynced write may be while the status calls itself healthy (C4)."""

POLICIES = tuple(FsyncPolicy)
LEVELS: tuple[Durability | None, ...] = (*Durability, None)


class Session:
    """See the module.  ``first_batch``: batches of earlier lives have smaller names."""

    def __init__(self, disk: SimulatedDisk, setup: Setup, *, clock: ManualClock, first_batch: int = 1) -> None:
        self.disk = disk
        self.disk.windows = setup.windows
        self.setup = setup
        self.engine: Engine | None = None
        self.next_batch = first_batch
        self._clock = clock
        self._machine = make_machine(setup.machine)
        self._receipts: deque[tuple[int, Receipt]] = deque()
        self._told = {Durability.WRITTEN: 0, Durability.SYNCED: 0}
        self._seen = {Durability.WRITTEN: 0, Durability.SYNCED: 0}
        self._poisoned = False
        # A resumed machine's cache still has what an earlier life could not get rid of, and fails for it.
        stuck = any(operation.after == AfterFailedSync.STICKY for operation in disk.trace.operations)
        self._faults = ArmedFaults(stuck=stuck)
        self._second: list[_SecondWriter] = []
        self._exposed: deque[tuple[int, float]] = deque()
        """Numbers that were WRITTEN and not yet SYNCED when last looked at, and since when."""
        self._depth = 0
        self._prepare_disk()

    @classmethod
    def start(cls, setup: Setup, image: Image | None = None, *, first_batch: int = 1) -> Session:
        """A session on a disk of its own."""
        clock = ManualClock()
        disk = SimulatedDisk(clock=clock) if image is None else SimulatedDisk(image, clock=clock)
        return cls(disk, setup, clock=clock, first_batch=first_batch)

    def run(self, script: Script) -> None:
        """Open, if it is not open, and perform every step."""
        if self.engine is None:
            self.open(self.setup.policy)
        for step in script:
            self.perform(step)

    def perform(self, step: Step) -> None:
        """Do one step.  Nothing that the engine may raise leaves here; what it may not is noted as such."""
        action: Callable[..., None] = getattr(self, f"_{step.action}")
        self._faults.begin_step()
        try:
            action(*step.arguments)
            self._look()
        except Endless as failure:
            self._broken(f"{step}: {failure}", Verdict.HANG)
        except Exception as failure:  # noqa: BLE001 - whatever it is, it belongs into the record
            self._broken(f"{step} raised {type(failure).__name__}: {failure}")

    def spared(self) -> list[int]:
        """For each failure still to come, how many calls it lets pass first."""
        return self._faults.spared()

    # --- life -----------------------------------------------------------------------------------------------------

    def open(self, policy: FsyncPolicy) -> None:
        """Open the directory and note what came back; if the disk will not let us, that."""
        self._machine = make_machine(self.setup.machine)
        self._receipts.clear()
        self._told = {Durability.WRITTEN: 0, Durability.SYNCED: 0}
        self._seen = {Durability.WRITTEN: 0, Durability.SYNCED: 0}
        self._exposed.clear()
        self._poisoned = False
        failures = self._faults.failures
        try:
            engine = self._make_engine(self._machine, policy)
        except Endless as failure:
            self._broken(f"open: {failure}", Verdict.HANG)
            return
        except (DurakvError, OSError) as failure:
            self._note(told.Failed("open", f"{type(failure).__name__}: {failure}"))
            if isinstance(failure, Corruption):
                self._broken(f"it does not open: {failure}", Verdict.CORRUPT)
            elif self._faults.failures == failures and self.disk.capacity_bytes is None and not self._faults.stuck:
                self._broken(f"it does not open: {type(failure).__name__}: {failure}", Verdict.NO_START)
            return
        self.engine = engine
        self._note(opened(engine.report, engine.applied_seq, policy, self._recovered()))

    def _recovered(self) -> Digest:
        """What the open found."""
        if not (self.engine and self.engine.report.lazy):
            return state_of(self._machine)
        # A look at everything would load everything, and nothing would be left to load beside the life that follows.
        twin = make_machine(self.setup.machine)
        recover(PlainDisk(self.disk.image()), twin, clock=self._clock, entropy=self.setup.entropy)
        return state_of(twin)

    def _make_engine(self, machine: StateMachine, policy: FsyncPolicy) -> Engine:
        return Engine(
            None,
            machine,
            options=self.setup.options(),
            fsync=policy,
            filesystem=self.disk,
            clock=self._clock,
            background=False,
            entropy=self.setup.entropy,
        )

    def _intrude(self) -> None:
        """Somebody else opens the directory: as long as it has an owner, that is refused (C10)."""
        if self.engine is not None:
            try:
                self._make_engine(make_machine(self.setup.machine), self.engine.fsync)
            except Locked:
                return
            except (DurakvError, OSError) as failure:
                self._failed("a second open", failure)
            else:
                self._broken("the directory was opened although it has an owner")

    def _reopen(self, policy: int = 0) -> None:
        self._close()
        self.open(nearest(POLICIES, policy))

    def _close(self) -> None:
        if self.engine is not None:
            engine, self.engine = self.engine, None
            try:
                engine.close()
            except (DurakvError, OSError) as failure:
                self._failed("close", failure)
            else:
                self._note(told.Closed())

    def _kill(self, policy: int = 0) -> None:
        self._note(told.Killed())
        self.engine = None
        self.disk = SimulatedDisk.resume(self.disk.trace, self.disk.trace.seq, clock=self._clock)
        self._prepare_disk()
        self.open(nearest(POLICIES, policy))

    # --- writing --------------------------------------------------------------------------------------------------

    def _write(self, level: int = 3, how: int = 0, *commands: int) -> None:
        if self.engine is not None:
            self._submit(self.engine, nearest(LEVELS, level), how, commands, blocking=True)

    def _submit(
        self, engine: Engine, level: Durability | None, how: int, arguments: tuple[int, ...], *, blocking: bool
    ) -> None:
        commands = self.setup.commands(self.next_batch, arguments)
        batch = self._invoke(commands)
        if how >= 2 and blocking:
            self._apply(engine, level, batch, commands, deciding=how > 2)
            return
        try:
            receipt = engine.submit(commands, level, blocking=blocking)
        except BlockingIOError as failure:
            assert not blocking, "only a second writer asked not to be held up"
            self._note(told.Refused(batch, str(failure)))
            return
        except (Poisoned, Closed, DiskFull, OSError) as failure:
            # OSError where a slot has to be read first, that is before anything is logged.
            self._refused(batch, failure)
            return
        self._note(told.Numbered(batch, receipt.seq))
        if how == 1:
            self._receipts.append((batch, receipt))
        else:
            self._await(batch, receipt)

    def _invoke(self, commands: Sequence[Command]) -> int:
        """Name a batch that is about to be handed to the engine."""
        batch = self.next_batch
        self.next_batch = batch + 1
        self._note(told.Invoked(batch, tuple(commands)))
        return batch

    def _apply(self, engine: Engine, level: Durability | None, batch: int, commands: Batch, *, deciding: bool) -> None:
        """Submit and wait in one call.  It tells no number, so nobody else may get one meanwhile."""
        level = level if level is not None else engine.fsync.default_durability
        before = engine.applied_seq
        self._depth += 1
        try:
            if deciding:
                engine.transact(lambda: (commands, None), level)
            else:
                engine.apply(commands, level)
        except (Poisoned, Closed, DiskFull, OSError) as failure:
            if engine.applied_seq == before:
                self._refused(batch, failure)
            else:
                self._failed(f"batch {batch}", failure)
            return
        finally:
            self._depth -= 1
        self._note(told.Numbered(batch, engine.applied_seq))
        self._promise(level, engine.applied_seq)

    def _await(self, batch: int, receipt: Receipt) -> None:
        try:
            receipt.result()
        except (Poisoned, Closed) as failure:
            self._failed(f"batch {batch}", failure)
        else:
            self._promise(receipt.durability, receipt.seq)

    def _wait(self) -> None:
        if self._receipts:
            self._await(*self._receipts.popleft())

    def _sync(self) -> None:
        if self.engine is not None:
            seq = self.engine.applied_seq
            if self._attempt("sync", self.engine.sync):
                self._promise(Durability.SYNCED, seq)

    def _read(self, level: int = 0) -> None:
        """What a reader saw who asked for a level is promised at that level (C14)."""
        engine = self.engine
        wanted = nearest(tuple(Durability), level)
        if engine is not None:
            seq = engine.applied_seq
            if self._attempt("read", lambda: engine.read(lambda: None, wanted)):
                self._promise(wanted, seq)
            self._see()

    def _see(self) -> None:
        """Somebody reads everything."""
        if self.engine is not None:
            try:
                seen = state_of(self._machine)
            except OSError as failure:  # a slot that could not be read
                self._failed("a look at everything", failure)
            else:
                self._note(told.Seen(seen))

    def _expire(self, batches: int = 0) -> None:
        """The keyspace's own task makes a round; other machines know no time."""
        machine = self._machine
        if self.engine is not None and isinstance(machine, Keyspace):
            decider = Decider(machine, ManualClock(time_ms=DEADLINE_MS + self.next_batch - batches))
            for _ in range(0, machine.slot_count, EXPIRY_VISITS_MAX):
                Expiry(self, decider).step()
            self._see()

    def transact(
        self, decide: Callable[[], tuple[Sequence[Command], bool]], durability: Durability | None = None
    ) -> bool:
        """For :class:`Expiry`, whose engine this is: what it decides is a batch like any other.

        Nobody else writes meanwhile, so it may as well be decided beforehand.
        """
        effects, found = decide()
        if effects and self.engine is not None:
            self._apply(self.engine, durability, self._invoke(effects), effects, deciding=True)
        return found

    # --- the background, and time -----------------------------------------------------------------------------------

    def _step(self, count: int = 1) -> None:
        if self.engine is not None:
            for _ in range(count):
                try:
                    if not self.engine.step():
                        break
                except OSError as failure:  # a slot that could not be read; the engine's own thread would try again
                    self._failed("a step", failure)

    def _advance(self, milliseconds: int = 50) -> None:
        left = milliseconds / 1000
        while left > 0:
            tick = min(TICK_SECONDS, left)
            self._clock.advance(tick)
            left -= tick
            self._step(STEPS_MAX)
            self._look()

    def _starve(self, milliseconds: int = 50) -> None:
        self._clock.advance(milliseconds / 1000)
        self._note(told.Starved(milliseconds / 1000))

    def _policy(self, which: int = 0) -> None:
        engine, policy = self.engine, nearest(POLICIES, which)
        if engine is None:
            return
        seq = engine.applied_seq
        if policy is FsyncPolicy.NO:
            self._note(told.Policy(policy))  # from the moment it was asked for, less is promised
        if self._attempt("set_fsync", lambda: engine.set_fsync(policy)):
            self._note(told.Policy(policy))
            if policy is FsyncPolicy.ALWAYS:
                self._promise(Durability.SYNCED, seq)

    def _rewrite(self, wait: int = 0) -> None:
        engine = self.engine
        if engine is not None:
            self._attempt("rewrite", lambda: engine.rewrite(wait=bool(wait)))

    # --- trouble --------------------------------------------------------------------------------------------------

    def _fault(
        self,
        spared: int = 0,
        calls: int = 0,
        error: int = 0,
        done: int = 0,
        after: int = 0,
        milliseconds: int = 0,
        times: int = 1,
    ) -> None:
        self._faults.arm(spared, calls, error, done, after, milliseconds, times)

    def _mend(self) -> None:
        self._faults.clear()
        self.disk.capacity_bytes = None

    def _room(self, count: int = 0) -> None:
        self.disk.capacity_bytes = sum(map(len, self.disk.image().files.values())) + count
        self._faults.failures += 1

    def _meanwhile(self, spared: int = 0, level: int = 3, how: int = 0, *commands: int) -> None:
        self._second.append(_SecondWriter(spared, level, how, commands))

    def _plan(self, operation: Operation) -> Fault | None:
        return self._faults.plan(operation)

    def _during(self, _barrier: Operation) -> None:
        """A second writer gets its turn; once at a time, and only where a thread of its own would not have to wait."""
        engine = self.engine
        if engine is None or self._depth or engine._runner.lock.locked():
            return
        for armed in self._second:
            if armed.spared:
                armed.spared -= 1
                continue
            self._second.remove(armed)
            self._depth += 1
            try:
                how = 1 if engine.committing else armed.how
                self._submit(engine, nearest(LEVELS, armed.level), how, armed.commands, blocking=False)
            finally:
                self._depth -= 1
            return

    # --- telling --------------------------------------------------------------------------------------------------

    def _attempt(self, what: str, call: Callable[[], object]) -> bool:
        try:
            call()
        except DurakvError as failure:
            self._failed(what, failure)
            return False
        return True

    def _refused(self, batch: int, failure: Exception) -> None:
        self._note(told.Refused(batch, f"{type(failure).__name__}: {failure}"))
        self._excuse("a batch", failure)

    def _failed(self, what: str, failure: Exception) -> None:
        self._note(told.Failed(what, f"{type(failure).__name__}: {failure}"))
        self._excuse(what, failure)

    def _excuse(self, what: str, failure: Exception) -> None:
        if not self._faults.failures:
            self._broken(f"{what} failed on a disk that refused nothing: {type(failure).__name__}: {failure}")

    def _broken(self, reason: str, verdict: Verdict = Verdict.BROKEN) -> None:
        self._note(told.Broken(reason, verdict))

    def _look(self) -> None:
        """Anybody may read the positions, which say what survives which crash."""
        engine = self.engine
        if engine is None:
            return
        status = engine.status()
        self._check_exposure(status)
        poisoned = status.poisoned
        if poisoned is not None and not self._poisoned:
            self._poisoned = True
            self._note(told.Poisoned(poisoned))
        positions = {Durability.SYNCED: engine.synced_seq, Durability.WRITTEN: engine.written_seq}
        if not positions[Durability.SYNCED] <= positions[Durability.WRITTEN] <= engine.applied_seq:
            self._broken(f"the positions are out of order: {positions}, applied {engine.applied_seq}")
        for level, seq in positions.items():
            if seq < self._seen[level]:
                self._broken(f"{level.name} went back from {self._seen[level]} to {seq}")
            self._seen[level] = seq
            self._promise(level, seq)

    def _check_exposure(self, status: Status) -> None:
        """Whoever watches the status must learn that the window grows (C4)."""
        exposed = self._exposed
        while exposed and exposed[0][0] <= status.synced_seq:
            exposed.popleft()
        if exposed and status.policy is not FsyncPolicy.NO and status.healthy:
            age = self._clock.monotonic() - exposed[0][1]
            if age > EXPOSED_SECONDS_MAX:
                self._broken(f"number {exposed[0][0]} is unsynced for {age:.2f} s, and the status says all is well")

    def _promise(self, level: Durability, seq: int) -> None:
        """Note a promise, if it is news."""
        if level is not Durability.APPLIED and seq > self._told[level]:
            self._told[level] = seq
            if level is Durability.WRITTEN:
                self._exposed.append((seq, self._clock.monotonic()))
            self._note(told.Promised(level, seq))

    def _note(self, word: told.Word) -> None:
        self.disk.note(type(word).__name__, word)

    def _prepare_disk(self) -> None:
        self.disk.faults = self._plan
        self.disk.during = self._during


@dataclass(slots=True, eq=False)
class _SecondWriter:
    spared: int
    level: int
    how: int
    commands: tuple[int, ...]


def opened(report: RecoveryReport, applied_seq: int, policy: FsyncPolicy, state: Digest) -> told.Opened:
    """What a caller sees who opens a directory."""
    return told.Opened(policy, state, applied_seq, report.last_seq, tuple(report.lines()))
