"""Commands as RESP arrays of bulk strings, the payload of the log.  The layout is specified in formats/resp.md.

    command := "*" argc CRLF ( "$" length CRLF byte[length] CRLF )*argc
    batch   := command                                      one command
             | MULTI command*n EXEC                         n > 1 commands

There is exactly one encoding of a command: decimal numbers without sign or leading zeros, and nothing else is read.
"""

from __future__ import annotations

from collections.abc import Sequence

from durakv_formats.command_decoder import CommandDecoder, decode_short
from durakv_formats.compiled import plain_batch
from durakv_formats.errors import FormatError, LimitError
from durakv_formats.limits import (
    BATCH_BYTES_MAX,
    BATCH_COMMANDS_MAX,
    BULK_BYTES_MAX,
    COMMAND_ARGUMENTS_MAX,
    COMMAND_BYTES_MAX,
)

__all__ = ["CommandDecoder", "decode_batch", "encode_batch", "encode_command"]

_CRLF = b"\r\n"
_MULTI = b"*1\r\n$5\r\nMULTI\r\n"
_EXEC = b"*1\r\n$4\r\nEXEC\r\n"

_CACHED = 2048
_ARRAY_HEADS = tuple(b"*%d" % count for count in range(_CACHED))
_BULK_HEADS = tuple(b"\r\n$%d\r\n" % size for size in range(_CACHED))


def encode_command(command: Sequence[bytes]) -> bytes:
    """The encoded form of one command.  Raises LimitError if it has no name or is too large."""
    if not command:
        raise LimitError(0, "a command has a name at least")
    try:
        parts = [_ARRAY_HEADS[len(command)]]
        for argument in command:
            parts.append(_BULK_HEADS[len(argument)])
            parts.append(argument)
    except IndexError:
        return _encode_long(command)
    parts.append(_CRLF)
    return b"".join(parts)


def encode_batch(commands: Sequence[Sequence[bytes]]) -> bytes:
    """The payload of a batch: the command itself, or several between MULTI and EXEC.

    Raises LimitError for an empty batch, and for one that is too large.
    """
    if plain_batch is not None and (plain := plain_batch(commands)) is not None:
        return plain
    if len(commands) == 1:
        return encode_command(commands[0])
    if not commands:
        raise LimitError(0, "a batch holds one command at least")
    if len(commands) > BATCH_COMMANDS_MAX:
        raise LimitError(0, f"a batch of {len(commands)} commands; {BATCH_COMMANDS_MAX} are allowed")
    payload = b"".join((_MULTI, *map(encode_command, commands), _EXEC))
    if len(payload) > BATCH_BYTES_MAX:
        raise LimitError(0, f"a batch of {len(payload)} bytes; {BATCH_BYTES_MAX} are allowed")
    return payload


def decode_batch(payload: bytes, count: int) -> list[list[bytes]]:
    """The ``count`` commands of a frame's payload, without MULTI and EXEC.

    Raises FormatError if the payload is not exactly what ``encode_batch`` makes of ``count`` commands.
    """
    if count == 1:
        # One short command per frame is the common case of a log, so it is worth a way without a decoder.
        single = decode_short(payload)
        if single is not None:
            return [single]
    elif not 1 < count <= BATCH_COMMANDS_MAX:
        raise LimitError(0, f"a batch of {count} commands; 1 to {BATCH_COMMANDS_MAX} are allowed")
    decoder = CommandDecoder()
    decoder.feed(payload)
    expected = count if count == 1 else count + 2
    commands = decoder.take(expected)
    if len(commands) < expected:
        raise FormatError(decoder.offset, f"the payload ends before its {count} commands")
    if decoder.offset != len(payload):
        raise FormatError(decoder.offset, f"the payload goes on after its {count} commands")
    if count > 1:
        if commands[0] != [b"MULTI"] or commands[-1] != [b"EXEC"]:
            raise FormatError(0, "a batch of several commands stands between MULTI and EXEC")
        del commands[0], commands[-1]
    return commands


def _encode_long(command: Sequence[bytes]) -> bytes:
    """As ``encode_command``, for counts and sizes beyond the prepared heads."""
    if len(command) > COMMAND_ARGUMENTS_MAX:
        raise LimitError(0, f"a command of {len(command)} byte strings; {COMMAND_ARGUMENTS_MAX} are allowed")
    parts = [b"*%d" % len(command)]
    for argument in command:
        if len(argument) > BULK_BYTES_MAX:
            raise LimitError(0, f"a byte string of {len(argument)} bytes; {BULK_BYTES_MAX} are allowed")
        parts += (b"\r\n$%d\r\n" % len(argument), argument)
    parts.append(_CRLF)
    size = sum(map(len, parts))
    if size > COMMAND_BYTES_MAX:
        raise LimitError(0, f"a command of {size} bytes; {COMMAND_BYTES_MAX} are allowed")
    return b"".join(parts)
