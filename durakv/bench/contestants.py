"""What takes turns in a round: a store under one load, the raw loop, an external load generator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol, cast

from durakv.bench.durakv_store import Tasked, Windowed
from durakv.bench.kernel import device_write_bytes
from durakv.bench.latency import back_to_back, by_second, percentiles
from durakv.bench.load import Sample, batches, threads
from durakv.bench.raw import THE_RAW_LOOP, RawFile, record_bytes
from durakv.bench.results import Case, Counters, Latency, Promise, Round, Shape
from durakv.bench.store import Pair, Store
from durakv.bench.workload import KEY_BYTES, Pairs

RAW = "raw"
"""The store's name in a case of the raw loop."""


class Contestant(Protocol):
    """One case, to be measured again and again."""

    @property
    def case(self) -> Case:
        """What is measured, without rounds."""
        ...

    def measure(self, seconds: float, /) -> Round:
        """One turn of about so long; ``raw_rate`` is 0 as yet."""
        ...

    def settle(self) -> None:
        """Leave nothing that the next contestant would pay for."""
        ...


class StoreLoad:
    """An open store under one load.  The store is closed by whoever opened it."""

    def __init__(self, store: Store, case: Case, pairs: Pairs, device: str = "") -> None:
        """``device`` is the block device whose writes are counted, as ``major:minor``."""
        self.case = case
        self._store = store
        self._pairs = pairs
        self._device = device

    def measure(self, seconds: float, /) -> Round:
        """See :class:`Contestant`."""
        pairs = self._pairs.fresh()
        before, device_before = self._store.counters(), device_write_bytes(self._device)
        sample = self._run(pairs, seconds)
        after, device_after = self._store.counters(), device_write_bytes(self._device)
        written = sample.writes * (KEY_BYTES + self.case.value_bytes)
        return as_round(sample, counted(before, after, written, _difference(device_before, device_after)))

    def settle(self) -> None:
        """See :class:`Contestant`."""
        self._store.settle()

    def _run(self, pairs: Sequence[Pair], seconds: float) -> Sample:
        store, width = self._store, self.case.width
        match self.case.shape:
            case Shape.THREADS:
                return threads(store, pairs, width, seconds, self.case.offered_rate)
            case Shape.BATCH | Shape.PIPELINE:
                return batches(store, pairs, width, seconds)
            case Shape.WINDOW:
                return cast("Windowed", store).window(pairs, width, seconds)
            case Shape.TASKS:
                return cast("Tasked", store).tasks(pairs, width, seconds, self.case.offered_rate)
            case Shape.CLIENTS:
                raise AssertionError("clients are an external generator's; they are no load on a store of ours")


class RawLoad:
    """The raw loop, with a record of the size that a value makes in the log."""

    def __init__(self, directory: Path, value_bytes: int) -> None:
        self.case = Case(
            store=RAW,
            setting=THE_RAW_LOOP.name,
            promise=Promise.POWER,
            shape=Shape.THREADS,
            width=1,
            value_bytes=value_bytes,
        )
        self._file = RawFile(directory / f"raw-{value_bytes}", THE_RAW_LOOP, record_bytes(value_bytes))

    def measure(self, seconds: float, /) -> Round:
        """See :class:`Contestant`."""
        began, ends = self._file.loop(seconds)
        starts, latencies = back_to_back(began, ends)
        return as_round(Sample(began, (ends[-1] - began) / 1e9, len(ends), starts, latencies))

    def settle(self) -> None:
        """See :class:`Contestant`; everything is synced already."""

    def close(self) -> None:
        """Give its file back."""
        self._file.close()


class ExternalRound(Protocol):
    """What an external load generator says it did."""

    @property
    def writes(self) -> int:
        """Acknowledged."""
        ...

    @property
    def seconds(self) -> float:
        """How long they took."""
        ...

    @property
    def latency(self) -> Latency | None:
        """Of each, where it says so."""
        ...


class ExternalLoad:
    """An external load generator as a contestant."""

    def __init__(self, case: Case, measure: Callable[[float], ExternalRound]) -> None:
        self.case = case
        self._measure = measure

    def measure(self, seconds: float, /) -> Round:
        """See :class:`Contestant`."""
        told = self._measure(seconds)
        return Round(
            seconds=told.seconds,
            writes=told.writes,
            rate=told.writes / told.seconds,
            raw_rate=0.0,
            service=told.latency,
        )

    def settle(self) -> None:
        """See :class:`Contestant`; its server is left alone once it has answered."""


def as_round(sample: Sample, counters: Counters | None = None) -> Round:
    """What a sample comes to."""
    shown = sample.service_ns if sample.response_ns is None else sample.response_ns
    return Round(
        seconds=sample.seconds,
        writes=sample.writes,
        rate=sample.writes / sample.seconds,
        raw_rate=0.0,
        service=percentiles(sample.service_ns),
        response=None if sample.response_ns is None else percentiles(sample.response_ns),
        by_second=by_second(sample.starts_ns, shown, sample.began_ns),
        counters=counters,
    )


def counted(before: Counters, after: Counters, user_bytes: int, device_write_bytes: int | None) -> Counters:
    """What came between two readings; memory is that of the later one."""
    return Counters(
        user_bytes=user_bytes,
        syncs=_difference(before.syncs, after.syncs),
        log_writes=_difference(before.log_writes, after.log_writes),
        log_bytes=_difference(before.log_bytes, after.log_bytes),
        process_write_bytes=_difference(before.process_write_bytes, after.process_write_bytes),
        device_write_bytes=device_write_bytes,
        rss_bytes=after.rss_bytes,
    )


def _difference(before: int | None, after: int | None) -> int | None:
    return None if before is None or after is None else after - before
