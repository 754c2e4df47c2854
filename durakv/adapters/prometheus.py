"""Metrics for Prometheus: every counter of an engine, read when somebody scrapes and at no other time.

    from prometheus_client import REGISTRY
    REGISTRY.register(DurakvCollector(db))
    REGISTRY.register(DurakvCollector(orders, labels={"store": "orders"}).add(sessions, labels={"store": "sessions"}))

The names are those of ``Engine.counters`` behind ``durakv_``.  Give all engines of a process to one collector: a
registry takes each name once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

from durakv.adapters._extras import not_installed

try:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
except ImportError as error:
    raise not_installed("prometheus", error) from error
from prometheus_client.registry import Collector

import durakv

__all__ = ["DurakvCollector", "Store"]

HELP = {
    "up": "1 while the engine takes writes, 0 once it is closed or dead",
    "degraded": "1 while somebody should look at it: a slow disk, no room, rewrites that fail",
    "poisoned": "1 after a failed write or fsync, until the directory is opened again",
    "stalled": "1 while writers wait for a slow disk",
    "applied_seq": "Number of the last command in memory",
    "written_seq": "Number of the last command that survives the death of the process",
    "synced_seq": "Number of the last command that survives a loss of power",
    "unsynced_commands": "Commands that a loss of power would take now",
    "unsynced_bytes": "Bytes of the log that a loss of power would take now",
    "unsynced_age_seconds": "Age of the oldest command that a loss of power would take now",
    "pending_bytes": "Bytes that even the death of the process would take now",
    "sync_under_way_seconds": "How long the sync under way has lasted; 0 if there is none",
    "logged_bytes_total": "Bytes of the batches logged since the open",
    "writes_total": "Writes to the log since the open",
    "syncs_total": "Syncs of the log that returned since the open",
    "rotations_total": "Segments of the log that were sealed and replaced since the open",
    "healed_total": "Full disks that were healed in place since the open",
    "log_bytes": "Size of the log",
    "base_bytes": "Size of the base",
    "segments": "Segments of the log",
    "slots_to_load": "Slots of the base that a lazy open has not loaded yet",
    "rewriting": "1 while a rewrite is under way",
    "rewrite_progress_ratio": "How far the rewrite under way is, from 0 to 1",
    "rewrites_total": "Rewrites that ended well since the open",
    "rewrite_failures_total": "Rewrites that failed since the open",
    "rewrite_failures_in_a_row": "Rewrites that failed since the last one that ended well",
    "recovery_seconds": "How long reading the directory took at the open",
    "recovery_commands": "Commands replayed from the log at the open",
    "recovery_unclean": "1 if the directory was not closed before this open",
    "recovery_cut_bytes": "Bytes of a torn tail that the open cut off",
}
"""What each counter of an engine is; the part of its name behind ``durakv_`` is the key."""


class Store(Protocol):
    """An Engine, Database, AsyncEngine or AsyncDatabase."""

    def counters(self) -> dict[str, int | float]:
        """See ``durakv.Engine.counters``."""
        ...

    def status(self) -> durakv.Status:
        """See ``durakv.Engine.status``."""
        ...


class DurakvCollector(Collector):
    """A collector for ``prometheus_client``: one engine, or several that labels tell apart.

    A scrape costs what ``status()`` of each engine does, waits for no disk and never raises.  An engine that was closed
    exports ``durakv_up 0`` and nothing else; ``remove`` forgets it.
    """

    def __init__(self, store: Store | None = None, *, labels: Mapping[str, str] | None = None) -> None:
        """Begin with one engine, or with none."""
        self._stores: list[tuple[Store, dict[str, str]]] = []
        if store is not None:
            self.add(store, labels=labels)

    def add(self, store: Store, *, labels: Mapping[str, str] | None = None) -> DurakvCollector:
        """Collect from one more engine; ValueError unless its labels have the same names and other values."""
        own = dict(labels or {})
        for _, others in self._stores:
            if others.keys() != own.keys():
                raise ValueError(f"labels {sorted(own)}: the other engines have {sorted(others)}; use the same names")
            if others == own:
                raise ValueError(f"labels {own}: another engine has the same ones; give one of them another value")
        self._stores = [*self._stores, (store, own)]
        return self

    def remove(self, store: Store) -> None:
        """Forget an engine; ValueError if it was not added."""
        kept = [entry for entry in self._stores if entry[0] is not store]
        if len(kept) == len(self._stores):
            raise ValueError("this engine was not added")
        self._stores = kept

    def describe(self) -> list[CounterMetricFamily | GaugeMetricFamily]:
        """Every metric without a value, for a registry to see a name that is taken."""
        return [_family(name, []) for name in HELP]

    def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
        """Every metric with the values of now."""
        stores = self._stores
        label_names = list(stores[0][1]) if stores else []
        read = [(_read(store), [labels[name] for name in label_names]) for store, labels in stores]
        for name in HELP:
            family = _family(name, label_names)
            for values, label_values in read:
                if name in values:
                    family.add_metric(label_values, values[name])
            if family.samples:
                yield family


def _read(store: Store) -> dict[str, int | float]:
    values = store.counters()
    closed = not values["up"] and store.status().poisoned is None
    # What a closed engine last was is no news, and its successor may be counted under the same labels.
    return {"up": 0} if closed else values


def _family(name: str, label_names: list[str]) -> CounterMetricFamily | GaugeMetricFamily:
    kind = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
    return kind(f"durakv_{name}", HELP[name], labels=label_names)
