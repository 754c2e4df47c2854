"""The bytes: codecs for every file format, without any input or output.

Names are imported when they are first used: a program that only appends to a log has no use for bases.
"""

from __future__ import annotations

TYPE_CHECKING = False  # what type checkers read as True
if TYPE_CHECKING:
    from durakv_formats.column_kinds import KIND_EXPIRY, KIND_STRING
    from durakv_formats.columns import Column, decode_columns, encode_columns
    from durakv_formats.errors import FormatError, LimitError, UnsupportedVersionError
    from durakv_formats.frame import HEADER_BYTES, Frame, FrameDecoder, FrameError, encode_frame, find_frames
    from durakv_formats.manifest import Manifest, ManifestFile, decode_manifest, encode_manifest
    from durakv_formats.resp import CommandDecoder, decode_batch, encode_batch, encode_command
    from durakv_formats.snapshot import MAGIC, SnapshotDecoder, SnapshotEncoder, SnapshotHeader, StoredBlock

__all__ = [
    "HEADER_BYTES",
    "KIND_EXPIRY",
    "KIND_STRING",
    "MAGIC",
    "Column",
    "CommandDecoder",
    "FormatError",
    "Frame",
    "FrameDecoder",
    "FrameError",
    "LimitError",
    "Manifest",
    "ManifestFile",
    "SnapshotDecoder",
    "SnapshotEncoder",
    "SnapshotHeader",
    "StoredBlock",
    "UnsupportedVersionError",
    "decode_batch",
    "decode_columns",
    "decode_manifest",
    "encode_batch",
    "encode_columns",
    "encode_command",
    "encode_frame",
    "encode_manifest",
    "find_frames",
]

_WHERE = {
    "column_kinds": "KIND_EXPIRY KIND_STRING",
    "columns": "Column decode_columns encode_columns",
    "errors": "FormatError LimitError UnsupportedVersionError",
    "frame": "HEADER_BYTES Frame FrameDecoder FrameError encode_frame find_frames",
    "manifest": "Manifest ManifestFile decode_manifest encode_manifest",
    "resp": "CommandDecoder decode_batch encode_batch encode_command",
    "snapshot": "MAGIC SnapshotDecoder SnapshotEncoder SnapshotHeader StoredBlock",
}
_HOME = {name: module for module, names in _WHERE.items() for name in names.split()}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'durakv_formats' has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(f"durakv_formats.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
