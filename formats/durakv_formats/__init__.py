"""The bytes: codecs for every file format, without any input or output."""

from __future__ import annotations

from durakv_formats.errors import FormatError, LimitError, UnsupportedVersionError
from durakv_formats.frame import HEADER_BYTES, Frame, FrameDecoder, FrameError, encode_frame, find_frames
from durakv_formats.resp import CommandDecoder, decode_batch, encode_batch, encode_command

__all__ = [
    "HEADER_BYTES",
    "CommandDecoder",
    "FormatError",
    "Frame",
    "FrameDecoder",
    "FrameError",
    "LimitError",
    "UnsupportedVersionError",
    "decode_batch",
    "encode_batch",
    "encode_command",
    "encode_frame",
    "find_frames",
]
