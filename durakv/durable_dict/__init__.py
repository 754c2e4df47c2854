"""A mutable mapping in a data directory, with keys and values of your types."""

from durakv.durable_dict.mapping import DurableDict

__all__ = ["DurableDict"]
