"""The bytes: codecs for every file format, without any input or output."""

from __future__ import annotations

from durakv_formats.columns import KIND_EXPIRY, KIND_STRING, Column, decode_columns, encode_columns
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
