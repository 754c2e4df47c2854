"""The commands on what was delivered to consumers and is not acknowledged yet."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from durakv.errors import CommandError
from durakv.keyspace.command import NO_CLOCK, Call, CommandSpec
from durakv.keyspace.integers import parse_integer
from durakv.keyspace.kinds.by_id import Id
from durakv.keyspace.kinds.stream import Stream
from durakv.keyspace.kinds.stream_effects import no_group
from durakv.keyspace.kinds.stream_group import Delivery, Group
from durakv.keyspace.kinds.stream_id import ID_MIN, format_id, parse_end, parse_id, parse_start
from durakv.keyspace.replies import Reply, printable, syntax_error
from durakv.keyspace.stream_groups import find_group, log_consumer, log_deliveries, log_read, once_more
from durakv.keyspace.streams import entry_reply, now
from durakv.machine import Command

_SCAN_COUNT_DEFAULT = 100
_SCAN_COUNT_MAX = ((1 << 63) - 1) // 16
_LOOKS_PER_CLAIM = 10


def _must_find(call: Call, key: bytes, name: bytes) -> tuple[Stream, Group]:
    found = find_group(call, key, name)
    if found is None:
        raise no_group(key, name)
    return found


def _log_acks(call: Call, key: bytes, name: bytes, ids: Iterable[Id]) -> None:
    texts = list(map(format_id, ids))
    if texts:
        call.log(b"XACK", key, name, *texts)


def xack(call: Call, command: Command) -> Reply:
    """XACK key group id ...: how many were pending."""
    _, key, name = command[:3]
    found = find_group(call, key, name)
    if found is None:
        return 0
    pending = [id_ for id_ in dict.fromkeys(map(parse_id, command[3:])) if id_ in found[1].pending]
    _log_acks(call, key, name, pending)
    return len(pending)


# --- looking ----------------------------------------------------------------------------------------------------------


def xpending(call: Call, command: Command) -> Reply:
    """XPENDING key group [[IDLE ms] start end count [consumer]]"""
    if len(command) == 3:
        return _summary(_must_find(call, command[1], command[2])[1])
    if not 6 <= len(command) <= 9:
        raise syntax_error()
    rest, idle_ms = command[3:], 0
    if rest[0].upper() == b"IDLE":
        idle_ms = parse_integer(rest[1])
        rest = rest[2:]
        if len(rest) < 3:
            raise syntax_error()
    count = max(0, parse_integer(rest[2]))
    start, end = parse_start(rest[0]), parse_end(rest[1])
    _, group = _must_find(call, command[1], command[2])
    if len(rest) < 4:
        found = group.pending.items(start)
    elif rest[3] in group.consumers:
        found = group.pending_of(rest[3], start)
    else:
        return []
    replies: list[Reply] = []
    for id_, delivery in found:
        if id_ > end or len(replies) >= count:
            break
        elapsed_ms = call.now_ms - delivery.time_ms
        if not idle_ms or elapsed_ms >= idle_ms:
            replies.append([format_id(id_), delivery.consumer, max(0, elapsed_ms), delivery.count])
    return replies


def _summary(group: Group) -> Reply:
    first, last = group.pending.first(), group.pending.last()
    if first is None or last is None:
        return [0, None, None, None]
    pending = {name: consumer.pending for name, consumer in sorted(group.consumers.items(), key=lambda item: item[0])}
    consumers: list[Reply] = [[name, b"%d" % count] for name, count in pending.items() if count]
    return [len(group.pending), format_id(first), format_id(last), consumers]


# --- claiming ---------------------------------------------------------------------------------------------------------


class _Claim(msgspec.Struct):
    """What XCLAIM is told after the ids."""

    time_ms: int
    count: int = -1
    forces: bool = False
    is_brief: bool = False
    last_id: Id = ID_MIN

    @classmethod
    def parse(cls, options: Command, now_ms: int) -> _Claim:
        claim = cls(now_ms)
        rest = iter(range(len(options)))
        for index in rest:
            option = options[index].upper()
            if option == b"FORCE":
                claim.forces = True
            elif option == b"JUSTID":
                claim.is_brief = True
            elif option in (b"IDLE", b"TIME", b"RETRYCOUNT", b"LASTID") and index + 1 < len(options):
                claim._take(option, options[next(rest)], now_ms)
            else:
                raise CommandError(f"ERR Unrecognized XCLAIM option '{printable(options[index])}'")
        if claim.time_ms < 0 or NO_CLOCK < now_ms < claim.time_ms:
            claim.time_ms = now_ms
        return claim

    def _take(self, option: bytes, argument: bytes, now_ms: int) -> None:
        if option == b"LASTID":
            self.last_id = parse_id(argument)
            return
        number = _integer(argument, f"Invalid {option.decode()} option argument for XCLAIM")
        if option == b"IDLE":
            self.time_ms = now_ms - number
        elif option == b"TIME":
            self.time_ms = number
        else:
            self.count = number


def xclaim(call: Call, command: Command) -> Reply:
    """XCLAIM key group consumer min-idle-ms id ... [IDLE ms | TIME ms] [RETRYCOUNT n] [FORCE] [JUSTID] [LASTID id]"""
    _, key, name, consumer = command[:4]
    value, group = _must_find(call, key, name)
    idle_ms = _integer(command[4], "Invalid min-idle-time argument for XCLAIM")
    ids = _leading_ids(command[5:])
    claim = _Claim.parse(command[5 + len(ids) :], call.now_ms)
    # The base that a server makes of plain commands says when, and asks for no idle time: that needs no clock.
    now_ms = call.now_ms if idle_ms <= 0 <= claim.time_ms else now(call)
    gone: list[Id] = []
    made: dict[Id, Delivery] = {}
    replies: list[Reply] = []
    for id_ in ids:
        before = made.get(id_) or group.pending.get(id_)
        fields = value.entries.get(id_)
        if fields is None:
            if before is not None:
                gone.append(id_)
            continue
        if before is None:
            if not claim.forces:
                continue
            count = 1
        elif idle_ms > 0 and now_ms - before.time_ms < idle_ms:
            continue
        else:
            count = before.count
        if claim.count >= 0:
            count = claim.count
        elif not claim.is_brief:
            count = once_more(count)
        made[id_] = Delivery(consumer, claim.time_ms, count)
        replies.append(format_id(id_) if claim.is_brief else entry_reply(id_, fields))
    if made and consumer not in group.consumers:
        log_consumer(call, key, name, consumer)
    if claim.last_id > group.last_id:
        log_read(call, key, name, claim.last_id, group.entries_read)
    _log_acks(call, key, name, dict.fromkeys(gone))
    log_deliveries(call, key, name, max(group.last_id, claim.last_id), made.items())
    return replies


def _leading_ids(arguments: Command) -> list[Id]:
    ids: list[Id] = []
    for argument in arguments:
        try:
            ids.append(parse_id(argument))
        except CommandError:
            break
    return ids


def _integer(text: bytes, refusal: str) -> int:
    try:
        return parse_integer(text)
    except CommandError as error:
        raise CommandError(f"ERR {refusal}") from error


def xautoclaim(call: Call, command: Command) -> Reply:
    """XAUTOCLAIM key group consumer min-idle-ms start [COUNT n] [JUSTID]"""
    _, key, name, consumer = command[:4]
    idle_ms = _integer(command[4], "Invalid min-idle-time argument for XAUTOCLAIM")
    start = parse_start(command[5])
    count, is_brief = _scan_options(command[6:])
    value, group = _must_find(call, key, name)
    now_ms = now(call)
    gone: list[Id] = []
    made: list[tuple[Id, Delivery]] = []
    replies: list[Reply] = []
    pending = group.pending.items(start)
    looks = count * _LOOKS_PER_CLAIM
    while looks and len(made) + len(gone) < count and (found := next(pending, None)) is not None:
        looks -= 1
        id_, before = found
        fields = value.entries.get(id_)
        if fields is None:
            gone.append(id_)
        elif idle_ms <= 0 or now_ms - before.time_ms >= idle_ms:
            made.append((id_, Delivery(consumer, now_ms, before.count if is_brief else once_more(before.count))))
            replies.append(format_id(id_) if is_brief else entry_reply(id_, fields))
    if made and consumer not in group.consumers:
        log_consumer(call, key, name, consumer)
    _log_acks(call, key, name, gone)
    log_deliveries(call, key, name, group.last_id, made)
    following, _ = next(pending, (ID_MIN, None))
    return [format_id(following), replies, [format_id(id_) for id_ in gone]]


def _scan_options(options: Command) -> tuple[int, bool]:
    count, is_brief = _SCAN_COUNT_DEFAULT, False
    rest = iter(options)
    for option in rest:
        if option.upper() == b"JUSTID":
            is_brief = True
            continue
        argument = next(rest, None)
        if option.upper() != b"COUNT" or argument is None:
            raise syntax_error()
        count = _integer(argument, "COUNT must be > 0")
        if not 0 < count <= _SCAN_COUNT_MAX:
            raise CommandError("ERR COUNT must be > 0")
    return count, is_brief


COMMANDS = (
    CommandSpec(b"xack", -4, xack, writes=True),
    CommandSpec(b"xpending", -3, xpending, writes=False),
    CommandSpec(b"xclaim", -6, xclaim, writes=True),
    CommandSpec(b"xautoclaim", -6, xautoclaim, writes=True),
)
