"""Genuine RDB files, as Redis and Valkey write them."""

from durakv_formats.rdb.reader import read_rdb, resume_rdb
from durakv_formats.rdb.source import crc64
from durakv_formats.rdb.values import (
    Aux,
    Block,
    Consumer,
    End,
    Entry,
    Function,
    Group,
    Header,
    Kind,
    ModuleData,
    PendingEntry,
    Record,
    Stream,
    Value,
)
from durakv_formats.rdb.writer import CannotCarry, RdbWriter, Target

__all__ = [
    "Aux",
    "Block",
    "CannotCarry",
    "Consumer",
    "End",
    "Entry",
    "Function",
    "Group",
    "Header",
    "Kind",
    "ModuleData",
    "PendingEntry",
    "RdbWriter",
    "Record",
    "Stream",
    "Target",
    "Value",
    "crc64",
    "read_rdb",
    "resume_rdb",
]
