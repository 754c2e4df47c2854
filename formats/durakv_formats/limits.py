"""The bounds of every length and count.  A reader checks them before it believes a number; a writer keeps to them."""

from __future__ import annotations

BULK_BYTES_MAX = 512 << 20
"""One byte string of a command, as in stock servers."""

COMMAND_ARGUMENTS_MAX = 1 << 20
"""Byte strings of one command, its name included."""

COMMAND_BYTES_MIN = 10
"""The shortest command there is: one empty byte string, ``*1 CRLF $0 CRLF CRLF``."""

COMMAND_BYTES_MAX = 1 << 30
"""One command in its encoded form."""

BATCH_COMMANDS_MAX = 1 << 24
"""Commands of one batch."""

BATCH_BYTES_MAX = 1 << 30
"""The payload of one log frame."""

ANNOTATION_BYTES_MAX = 128
"""The longest ``#`` line we write into a log, line end included."""

STOCK_ANNOTATION_BYTES_MAX = 1023
"""The longest ``#`` line that stock servers skip, line end included."""

SEQ_MAX = (1 << 63) - 1
"""The largest seq, generation and size in any file: what a signed 64-bit integer of another language holds."""

SEGMENT_NUMBER_MAX = (1 << 32) - 1
"""The largest number N in a file name."""

MANIFEST_BYTES_MAX = 4 << 20
"""A whole manifest."""

MANIFEST_LINE_BYTES_MAX = 1024
"""A line of a manifest, line end included, as in stock servers."""

MANIFEST_NAME_BYTES_MAX = 255
"""A file name in a manifest: one component of a path."""

BLOCK_RAW_BYTES_MAX = 1 << 30
"""A snapshot block before compression."""

BLOCK_COUNT_MAX = (1 << 32) - 1
"""What a snapshot block may say it holds, and how many columns or rows a columns payload may have."""

SLOT_COUNT_MAX = 16384
"""Slots of a snapshot."""

CONTENT_BYTES_MAX = 32
"""The word in a snapshot's header that says what its blocks hold."""
