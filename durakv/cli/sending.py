"""A running server as a target: the effects that make each key, and then a look at what came of them.

    send     for every key  DEL key  and its effects, in pipelines of bounded bytes; every reply is looked at
    check    for every key  DUMP key  PEXPIRETIME key; the payloads, put together, are an RDB file

    payload  := type:byte content version:u16 crc64:u64          what DUMP answers
    file     := magic version ( type key content )* 0xFF 0:u64   what is read

What may expire while it is looked at is not compared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from io import BytesIO

from durakv.cli.exits import CORRUPTION, Failure
from durakv.cli.keys import Key, Summed
from durakv.cli.output import Progress
from durakv.client.redis_client import RedisClient, Refusal, Reply, connected
from durakv.client.redis_url import ServerUrl
from durakv.clock import SystemClock
from durakv.keyspace.digest import Digest, digest_of_key
from durakv.keyspace.kinds import rebuild
from durakv.keyspace.rdb import from_entry
from durakv.machine import Command
from durakv_formats.errors import FormatError
from durakv_formats.rdb import Entry, Kind, crc64, read_rdb

PIPELINE_BYTES = 256 << 10
_PIPELINE_COMMANDS = 4096
_COMMAND_BYTES = 16
_LIFE_MS_MIN = 60_000
_VALKEY_VERSION = 80
_TRAILER_BYTES = 10
_NEEDED = "Redis 7.0 or Valkey is needed, and a user who may run everything but administration"


def send(
    url: ServerUrl, keys: Callable[[], Iterable[Key]], progress: Progress | None, *, replace: bool, timeout: float
) -> Digest:
    """Make the keys in a server and compare what it holds then; what they sum up to.

    Raises Failure if the server holds keys and they may not be replaced, at the first command that it refuses, and at
    the first key that it does not hold as it was sent.
    """
    with connected(url, timeout) as client:
        _look_at(client, replace=replace)
        sent = Summed(keys())
        _send(client, sent, progress)
        _check(client, keys())
    return sent.digest


def _look_at(client: RedisClient, *, replace: bool) -> None:
    answer = client.run(b"PEXPIRETIME", b"durakv")
    if isinstance(answer, Refusal):
        raise client.failure(f"it refused PEXPIRETIME: {answer.message}. {_NEEDED}; for others: export to a file")
    answer = client.run(b"INFO", b"keyspace")
    if isinstance(answer, Refusal) or not isinstance(answer, bytes):
        raise client.failure(f"it does not say whether it holds keys (INFO): {answer!r}. {_NEEDED}")
    holds = [line.split(b",")[0].decode(errors="replace") for line in answer.split(b"\r\n") if line.startswith(b"db")]
    if holds and not replace:
        raise client.failure(
            f"it holds keys already ({', '.join(holds)}); nothing was sent. Name an empty server, or write over keys "
            "of the same name with --replace, which leaves the others"
        )


# --- sending ----------------------------------------------------------------------------------------------------------


def _send(client: RedisClient, keys: Iterable[Key], progress: Progress | None) -> None:
    waiting: list[tuple[Key, Command]] = []
    size = done = 0
    database = 0
    for key in keys:
        commands: list[Command] = rebuild(key.name, key.value, key.deadline)
        if key.database != database:
            database = key.database
            commands = [(b"SELECT", b"%d" % database), *commands]
        for command in commands:
            waiting.append((key, command))
            size += sum(map(len, command)) + _COMMAND_BYTES
            if size >= PIPELINE_BYTES:
                _flush(client, waiting)
                done, size, waiting = done + size, 0, []
                if progress is not None:
                    progress(done, 0)
    _flush(client, waiting)


def _flush(client: RedisClient, waiting: list[tuple[Key, Command]]) -> None:
    replies = client.run_all(command for _, command in waiting)
    for (key, command), reply in zip(waiting, replies, strict=True):
        if isinstance(reply, Refusal):
            name = command[0].decode()
            remedy = "; deadlines of fields need Redis 7.4 or Valkey 9" if name == "HPEXPIREAT" else ""
            raise client.failure(
                f"it refused {name} for the key {key.name[:64]!r} of database {key.database}: {reply.message}{remedy}. "
                "What was sent before is there; start again with --replace"
            )


# --- checking ---------------------------------------------------------------------------------------------------------


def _check(client: RedisClient, keys: Iterable[Key]) -> None:
    client.run(b"SELECT", b"0")
    database = 0
    for portion in _portions(keys):
        commands: list[Command] = []
        for key in portion:
            if key.database != database:
                database = key.database
                commands.append((b"SELECT", b"%d" % database))
            commands += [(b"DUMP", key.name), (b"PEXPIRETIME", key.name)]
        replies = client.run_all(commands)
        answers = [reply for command, reply in zip(commands, replies, strict=True) if command[0] != b"SELECT"]
        payloads, deadlines = answers[::2], answers[1::2]
        held = _digests(client, portion, payloads, deadlines)
        expired_by = SystemClock().time_ms() + _LIFE_MS_MIN
        for key, digest in zip(portion, held, strict=True):
            if digest != key.digest and key.lives(expired_by):
                raise Failure(
                    f"{client.failure('the key')} {key.name[:64]!r} of database {key.database} is not what was sent: "
                    "somebody else writes to this server, or it removes keys to save memory",
                    CORRUPTION,
                )


def _portions(keys: Iterable[Key]) -> Iterator[list[Key]]:
    portion: list[Key] = []
    size = 0
    for key in keys:
        portion.append(key)
        size += len(key.value) if type(key.value) is bytes else key.value.size_bytes()
        if size >= PIPELINE_BYTES or len(portion) * 2 >= _PIPELINE_COMMANDS:
            yield portion
            portion, size = [], 0
    if portion:
        yield portion


def _digests(client: RedisClient, keys: list[Key], payloads: list[Reply], deadlines: list[Reply]) -> list[int | None]:
    """The digests of what a server holds; None for a key that it does not."""
    file = BytesIO()
    present: list[int] = []
    for index, (key, payload, deadline) in enumerate(zip(keys, payloads, deadlines, strict=True)):
        for reply in (payload, deadline):
            if isinstance(reply, Refusal):
                raise client.failure(f"everything was sent, but it cannot be looked at: {reply.message}. {_NEEDED}")
        if payload is None:
            continue
        if len(payload) <= _TRAILER_BYTES or crc64(payload[:-8]) != int.from_bytes(payload[-8:], "little"):
            raise client.failure(f"its answer to DUMP of the key {key.name[:64]!r} is damaged")
        if not present:
            version = int.from_bytes(payload[-10:-8], "little")
            file.write(b"VALKEY%03d" % version if version >= _VALKEY_VERSION else b"REDIS%04d" % version)
        present.append(index)
        file.write(payload[:1] + b"\x80" + len(key.name).to_bytes(4, "big") + key.name + payload[1:-_TRAILER_BYTES])
    found: list[int | None] = [None] * len(keys)
    if not present:
        return found
    file.write(b"\xff" + bytes(8))
    file.seek(0)
    try:
        entries = [record for record in read_rdb(file.read) if isinstance(record, Entry)]
    except FormatError as error:
        raise client.failure(f"everything was sent, but its answer to DUMP cannot be read: {error}") from error
    for index, entry in zip(present, entries, strict=True):
        deadline = None if deadlines[index] == -1 else deadlines[index]
        value = None if entry.kind is Kind.MODULE else from_entry(entry)
        if value is not None:
            found[index] = digest_of_key(keys[index].database, entry.key, value, deadline)
    return found
