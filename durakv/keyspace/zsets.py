"""The commands on sorted sets, one at a time; ``zset_operations`` has those on several."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable

from durakv.errors import CommandError
from durakv.keyspace.command import NO_KEYS, Call, CommandSpec
from durakv.keyspace.elements import element_scan, random_elements, take_count, take_keys
from durakv.keyspace.integers import parse_positive
from durakv.keyspace.kinds import rebuild
from durakv.keyspace.kinds.zset import SortedSet, exact_score
from durakv.keyspace.replies import Reply, syntax_error
from durakv.keyspace.scores import format_score, parse_score
from durakv.keyspace.zset_ranges import Pair, Selection, lex_bounds, parse_selection, rank_bounds, score_bounds
from durakv.machine import Command

_NOTHING: dict[bytes, float] = {}
_CONDITIONS = frozenset({b"NX", b"XX", b"GT", b"LT", b"CH", b"INCR"})


def find_scores(call: Call, key: bytes) -> dict[bytes, float]:
    """Scores by member, not to be changed; none if the key is absent."""
    value = call.find_container(key, SortedSet)
    return _NOTHING if value is None else value.scores


def pairs_reply(pairs: Iterable[Pair], *, with_scores: bool) -> list[Reply]:
    """Members, and their scores behind them if they are wanted."""
    if not with_scores:
        return [member for _, member in pairs]
    return [word for score, member in pairs for word in (member, format_score(score))]


# --- adding -----------------------------------------------------------------------------------------------------------


def zadd(call: Call, command: Command) -> Reply:
    """ZADD key [NX | XX] [GT | LT] [CH] [INCR] score member ...: how many are new, with CH how many changed."""
    place = 2
    while place < len(command) and command[place].upper() in _CONDITIONS:
        place += 1
    return _add(call, command[1], {word.upper() for word in command[2:place]}, command[place:])


def zincrby(call: Call, command: Command) -> Reply:
    """ZINCRBY key increment member"""
    return _add(call, command[1], {b"INCR"}, command[2:])


def _add(call: Call, key: bytes, conditions: set[bytes], words: Command) -> Reply:
    if not words or len(words) % 2:
        raise syntax_error()
    if conditions >= {b"NX", b"XX"}:
        raise CommandError("ERR XX and NX options at the same time are not compatible")
    if len(conditions & {b"GT", b"LT", b"NX"}) > 1:
        raise CommandError("ERR GT, LT, and/or NX options at the same time are not compatible")
    increments = b"INCR" in conditions
    if increments and len(words) > 2:
        raise CommandError("ERR INCR option supports a single increment-element pair")
    scores = [parse_score(word) for word in words[::2]]
    value = call.meet_container(key, SortedSet)
    held = _NOTHING if value is None else value.scores
    changed: dict[bytes, float] = {}
    added = updated = 0
    result: float | None = None
    for given, member in zip(scores, words[1::2], strict=True):
        current = changed.get(member, held.get(member))
        score = _new_score(current, given, conditions)
        if score is None:
            continue
        result = score
        if current is None:
            added += 1
        elif score != current:
            updated += 1
        else:
            continue
        changed[member] = score
    if changed:
        call.log(b"ZADD", key, *(word for member, score in changed.items() for word in (exact_score(score), member)))
    if increments:
        return None if result is None else format_score(result)
    return added + (updated if b"CH" in conditions else 0)


def _new_score(current: float | None, given: float, conditions: set[bytes]) -> float | None:
    """The score that a member gets, None if a condition speaks against it."""
    if current is None:
        return None if b"XX" in conditions else given
    if b"NX" in conditions:
        return None
    score = current + given if b"INCR" in conditions else given
    if math.isnan(score):
        raise CommandError("ERR resulting score is not a number (NaN)")
    if (b"GT" in conditions and score <= current) or (b"LT" in conditions and score >= current):
        return None
    return score


# --- reading ----------------------------------------------------------------------------------------------------------


def zcard(call: Call, command: Command) -> Reply:
    """ZCARD key"""
    return len(find_scores(call, command[1]))


def zscore(call: Call, command: Command) -> Reply:
    """ZSCORE key member"""
    score = find_scores(call, command[1]).get(command[2])
    return None if score is None else format_score(score)


def zmscore(call: Call, command: Command) -> Reply:
    """ZMSCORE key member ..."""
    scores = find_scores(call, command[1])
    return [None if (score := scores.get(member)) is None else format_score(score) for member in command[2:]]


def zrank(call: Call, command: Command) -> Reply:
    """ZRANK key member, ZREVRANK key member"""
    value = call.find_container(command[1], SortedSet)
    score = None if value is None else value.scores.get(command[2])
    if value is None or score is None:
        return None
    rank = value.order.bisect_left((score, command[2]))
    return len(value) - 1 - rank if call.name == b"zrevrank" else rank


def zcount(call: Call, command: Command) -> Reply:
    """ZCOUNT key min max"""
    return _count(call, command[1], Selection(score_bounds(command[2], command[3]), reverse=False))


def zlexcount(call: Call, command: Command) -> Reply:
    """ZLEXCOUNT key min max"""
    return _count(call, command[1], Selection(lex_bounds(command[2], command[3]), reverse=False))


def _count(call: Call, key: bytes, selection: Selection) -> int:
    value = call.find_container(key, SortedSet)
    if value is None:
        return 0
    start, stop = selection.bounds(value)
    return stop - start


_RANGES: dict[bytes, tuple[bytes | None, bool | None]] = {
    b"zrange": (None, None),
    b"zrevrange": (b"BYRANK", True),
    b"zrangebyscore": (b"BYSCORE", False),
    b"zrevrangebyscore": (b"BYSCORE", True),
    b"zrangebylex": (b"BYLEX", False),
    b"zrevrangebylex": (b"BYLEX", True),
}


def zrange(call: Call, command: Command) -> Reply:
    """ZRANGE key start stop [BYSCORE | BYLEX] [REV] [LIMIT offset count] [WITHSCORES], and its five older forms"""
    by, reverse = _RANGES[call.name]
    selection = parse_selection(command, 2, by=by, reverse=reverse)
    value = call.find_container(command[1], SortedSet)
    return pairs_reply(selection.pairs(value), with_scores=selection.with_scores)


def zrandmember(call: Call, command: Command) -> Reply:
    """ZRANDMEMBER key [count [WITHSCORES]]"""
    if len(command) == 2:
        scores = find_scores(call, command[1])
        return random.choice(list(scores)) if scores else None
    chosen = random_elements(command, b"WITHSCORES", lambda: list(find_scores(call, command[1]).items()))
    return pairs_reply(((score, member) for member, score in chosen), with_scores=len(command) > 3)


def zscan(call: Call, command: Command) -> Reply:
    """ZSCAN key cursor [MATCH pattern] [COUNT n]: all of it in one step."""
    chosen = element_scan(
        command,
        lambda: [(member, format_score(score)) for member, score in find_scores(call, command[1]).items()],
    )
    return [b"0", [word for pair in chosen.pairs for word in pair]]


# --- removing ---------------------------------------------------------------------------------------------------------


def zrem(call: Call, command: Command) -> Reply:
    """ZREM key member ...: how many were there."""
    value = call.meet_container(command[1], SortedSet)
    scores = _NOTHING if value is None else value.scores
    present = [member for member in dict.fromkeys(command[2:]) if member in scores]
    return _remove(call, command[1], value, present)


def _remove(call: Call, key: bytes, value: SortedSet | None, members: list[bytes]) -> int:
    if value is not None and len(members) == len(value):
        call.log(b"DEL", key)
    else:
        call.log_each(b"ZREM", key, members)
    return len(members)


def zremrangebyrank(call: Call, command: Command) -> Reply:
    """ZREMRANGEBYRANK key start stop"""
    return _remove_range(call, command[1], Selection(rank_bounds(command[2], command[3]), reverse=False))


def zremrangebyscore(call: Call, command: Command) -> Reply:
    """ZREMRANGEBYSCORE key min max"""
    return _remove_range(call, command[1], Selection(score_bounds(command[2], command[3]), reverse=False))


def zremrangebylex(call: Call, command: Command) -> Reply:
    """ZREMRANGEBYLEX key min max"""
    return _remove_range(call, command[1], Selection(lex_bounds(command[2], command[3]), reverse=False))


def _remove_range(call: Call, key: bytes, selection: Selection) -> int:
    value = call.meet_container(key, SortedSet)
    return _remove(call, key, value, [member for _, member in selection.pairs(value)])


def zpop(call: Call, command: Command) -> Reply:
    """ZPOPMIN key [count], ZPOPMAX key [count]"""
    if len(command) > 3:
        raise syntax_error()
    count = 1 if len(command) == 2 else parse_positive(command[2])
    popped = _pop(call, command[1], call.meet_container(command[1], SortedSet), call.name == b"zpopmax", count)
    return pairs_reply(popped, with_scores=True)


def _pop(call: Call, key: bytes, value: SortedSet | None, highest: bool, count: int) -> list[Pair]:
    if value is None or not count:
        return []
    size = len(value)
    start, stop = (max(0, size - count), size) if highest else (0, min(count, size))
    pairs = list(value.order.islice(start, stop, reverse=highest))
    _remove(call, key, value, [member for _, member in pairs])
    return pairs


def zmpop(call: Call, command: Command) -> Reply:
    """ZMPOP numkeys key ... MIN | MAX [COUNT n]: from the first sorted set that is there."""
    keys, rest = take_keys(command, 1)
    if not rest or rest[0].upper() not in (b"MIN", b"MAX"):
        raise syntax_error()
    count = take_count(rest[1:])
    for key in keys:
        value = call.find_container(key, SortedSet)
        if value is not None:
            popped = _pop(call, key, value, rest[0].upper() == b"MAX", count)
            return [key, [[member, format_score(score)] for score, member in popped]]
    return None


def zrangestore(call: Call, command: Command) -> Reply:
    """ZRANGESTORE destination source start stop [BYSCORE | BYLEX] [REV] [LIMIT offset count]"""
    selection = parse_selection(command, 3, stores=True)
    pairs = selection.pairs(call.find_container(command[2], SortedSet))
    return store_scores(call, command[1], {member: score for score, member in pairs})


def store_scores(call: Call, key: bytes, scores: dict[bytes, float]) -> int:
    """Log what makes the key hold these, whatever it held; return how many there are."""
    if scores:
        call.effects += rebuild(key, SortedSet(scores), None)
    elif call.find(key) is not None:
        call.log(b"DEL", key)
    return len(scores)


COMMANDS = (
    CommandSpec(b"zadd", -4, zadd, writes=True),
    CommandSpec(b"zincrby", 4, zincrby, writes=True),
    CommandSpec(b"zcard", 2, zcard, writes=False),
    CommandSpec(b"zscore", 3, zscore, writes=False),
    CommandSpec(b"zmscore", -3, zmscore, writes=False),
    CommandSpec(b"zrank", 3, zrank, writes=False),
    CommandSpec(b"zrevrank", 3, zrank, writes=False),
    CommandSpec(b"zcount", 4, zcount, writes=False),
    CommandSpec(b"zlexcount", 4, zlexcount, writes=False),
    *(CommandSpec(name, -4, zrange, writes=False) for name in _RANGES),
    CommandSpec(b"zrandmember", -2, zrandmember, writes=False),
    CommandSpec(b"zscan", -3, zscan, writes=False),
    CommandSpec(b"zrem", -3, zrem, writes=True),
    CommandSpec(b"zremrangebyrank", 4, zremrangebyrank, writes=True),
    CommandSpec(b"zremrangebyscore", 4, zremrangebyscore, writes=True),
    CommandSpec(b"zremrangebylex", 4, zremrangebylex, writes=True),
    CommandSpec(b"zpopmin", -2, zpop, writes=True),
    CommandSpec(b"zpopmax", -2, zpop, writes=True),
    CommandSpec(b"zmpop", -4, zmpop, writes=True, keys=NO_KEYS),
    CommandSpec(b"zrangestore", -5, zrangestore, writes=True, keys=(1, 2, 1)),
)
