"""Damage to a directory at rest (F6): is it noticed, and is the directory then left alone?

    damaged = damage(image, others, choose)
    judgement = judge_damaged(damaged, expectation, witness(damaged.image, setup))

What decays was closed cleanly, so every byte of it was promised.  It has to be refused by name; only a file that counts
for nothing may be damaged without anybody noticing, and then the state is whole.  After an unclean end the last
promises are not all known (the contract says so): what comes back has to be a prefix (C1), and to hold what a batch
vouches for that stands behind the damage (C8).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from durakv.directory import LOCK_NAME, MANIFEST_NAME, segment_name
from durakv_formats.frame import HEADER_BYTES
from durakv_fuzz.choose import Choose
from durakv_fuzz.image import Image
from durakv_fuzz.oracle import Expectation, Found, Judgement, Verdict, Violation, judge
from durakv_fuzz.trace import SECTOR_BYTES
from durakv_fuzz.witness import Witness

_Files = dict[str, bytes]


@dataclass(frozen=True, slots=True)
class Damaged:
    """A directory after some decay."""

    image: Image
    what: str
    name: str
    """The file it is about."""
    may_open: bool
    """Whether it may be overlooked, as long as the state is whole."""
    width: int | None = None
    """At most so many bytes are not what they were; None if nothing is known of that."""


@dataclass(frozen=True, slots=True)
class Others:
    """Where files may come from by mistake."""

    older: Sequence[Image] = ()
    """The same directory, earlier."""
    twins: Sequence[Image] = ()
    """Other directories in which the same was done."""


def damage(image: Image, others: Others, choose: Choose) -> Damaged | None:
    """Damage one directory in one way; None if it comes out as it was."""
    names = sorted(name for name in image.files if name != LOCK_NAME)
    if not names:
        return None
    decay = _DECAYS[choose(len(_DECAYS), "decay")]
    name = names[choose(len(names), "file")]
    files = dict(image.files)
    what = decay(files, name, others, choose)
    if what is None or files == dict(image.files):
        return None
    return Damaged(Image(files), f"{name}: {what}", name, may_open=decay in _MAY_OPEN, width=_WIDTHS.get(decay))


def judge_damaged(damaged: Damaged, expectation: Expectation, seen: Witness, *, clean: bool) -> Judgement:
    """Judge what an open of it found."""
    if seen.found is None:
        if seen.touched:
            return Judgement(Violation(Verdict.TOUCHED, f"{damaged.what}: it was refused, but changed"))
        if not seen.named:
            return Judgement(Violation(seen.verdict, f"{damaged.what}: {seen.refusal}"))
        return Judgement(None)
    if not clean:
        return _judge_form(damaged, expectation, seen.found)
    outcome = judge(expectation, replace(seen.found, left_over=()))
    if outcome.violation is not None:
        reason = f"{damaged.what}: it was opened, and {outcome.violation.reason}"
        return Judgement(Violation(Verdict.UNDETECTED, reason))
    if not damaged.may_open:
        return Judgement(Violation(Verdict.UNDETECTED, f"{damaged.what}: it was opened as if nothing were wrong"))
    return outcome


def _judge_form(damaged: Damaged, expectation: Expectation, found: Found) -> Judgement:
    least = _vouched(expectation, damaged.width)
    why = "a later batch says that they were synced"
    lenient = replace(expectation, least=least, why=why, told_seq=0, numbered=0)
    outcome = judge(lenient, replace(found, left_over=(), last_seq=max(found.last_seq, expectation.told_seq)))
    if outcome.violation is None:
        return outcome
    verdict = outcome.violation.verdict
    verdict = Verdict.UNDETECTED if verdict is Verdict.LOST_ACKED else verdict
    return Judgement(Violation(verdict, f"{damaged.what}: {outcome.violation.reason}"))


def _vouched(expectation: Expectation, width: int | None) -> int:
    """For how many batches the log vouches still, if so many bytes in a row are damaged, wherever that hurts most.

    That is where one byte of the last batch is hit, and the rest of the damage lies before it.
    """
    if width is None:
        return 0
    written = [*zip(expectation.batches, expectation.vouch(), strict=False)]
    width -= 1
    for batch, count in reversed(written[:-1]):
        if width <= 0:
            return count
        width -= HEADER_BYTES + sum(len(part) for command in batch.commands for part in command)
    return 0


# --- the ways ---------------------------------------------------------------------------------------------------------


def _flip(files: _Files, name: str, _others: Others, choose: Choose) -> str | None:
    data = files[name]
    if not data:
        return None
    offset, bit = choose(len(data), "offset"), choose(8, "bit")
    files[name] = data[:offset] + bytes([data[offset] ^ 1 << bit]) + data[offset + 1 :]
    return f"bit {bit} of byte {offset} was flipped"


def _flip_header(files: _Files, name: str, _others: Others, choose: Choose) -> str | None:
    """In a frame's header, or in the manifest's; a digit becomes another one more often than not."""
    data = files[name]
    starts = [index for index in range(len(data)) if data.startswith(b"#DKV", index)]
    if not starts:
        return None
    offset = starts[choose(len(starts), "header")] + choose(min(len(data), HEADER_BYTES), "offset")
    bit = choose(3, "bit")
    files[name] = data[:offset] + bytes([data[offset] ^ 1 << bit]) + data[offset + 1 :]
    return f"bit {bit} of byte {offset} was flipped"


def _zero(files: _Files, name: str, _others: Others, choose: Choose) -> str | None:
    """One that holds something."""
    data = files[name]
    start = SECTOR_BYTES * choose(1 + len(data.rstrip(b"\0")) // SECTOR_BYTES, "sector")
    stop = min(len(data), start + SECTOR_BYTES)
    files[name] = data[:start] + bytes(stop - start) + data[stop:]
    return f"bytes {start} to {stop} were zeroed"


def _truncate(files: _Files, name: str, _others: Others, choose: Choose) -> str | None:
    data = files[name]
    if not data:
        return None
    size = choose(len(data), "size")
    files[name] = data[:size]
    return f"it was cut from {len(data)} to {size} bytes"


def _remove(files: _Files, name: str, _others: Others, _choose: Choose) -> str | None:
    del files[name]
    if all(other == LOCK_NAME for other in files):
        return None  # nothing is left that could tell; it is a new directory now
    return "it is missing"


def _misdirect(files: _Files, name: str, _others: Others, choose: Choose) -> str | None:
    """A sector holds what should be in another one."""
    data = files[name]
    source_name = sorted(files)[choose(len(files), "source file")]
    source = files[source_name]
    count, source_count = -(-len(data) // SECTOR_BYTES), -(-len(source) // SECTOR_BYTES)
    if not count or not source_count:
        return None
    target, origin = choose(count, "sector") * SECTOR_BYTES, choose(source_count, "source") * SECTOR_BYTES
    patch = source[origin : origin + SECTOR_BYTES][: len(data) - target]
    files[name] = data[:target] + patch + data[target + len(patch) :]
    return f"its sector at {target} holds the one at {origin} of {source_name}"


def _swap(files: _Files, name: str, _others: Others, choose: Choose) -> str | None:
    """Two files of a kind have each other's content."""
    others = [other for other in sorted(files) if other != name and other[-4:] == name[-4:]]
    if not others:
        return None
    other = others[choose(len(others), "other file")]
    files[name], files[other] = files[other], files[name]
    return f"it has the content of {other} and the other way round"


def _from_twin(files: _Files, name: str, others: Others, choose: Choose) -> str | None:
    return _replace(files, name, others.twins, choose, "of another directory")


def _from_before(files: _Files, name: str, others: Others, choose: Choose) -> str | None:
    return _replace(files, name, others.older, choose, "of an earlier time")


def _replace(files: _Files, name: str, images: Sequence[Image], choose: Choose, what: str) -> str | None:
    holding: list[Mapping[str, bytes]] = [image.files for image in images if name in image.files]
    if not holding:
        return None
    files[name] = holding[choose(len(holding), "image")][name]
    return f"it is the one {what}"


def _duplicate(files: _Files, name: str, _others: Others, choose: Choose) -> str | None:
    other = segment_name(50 + choose(2, "number"))
    if name == MANIFEST_NAME or other in files:
        return None
    files[other] = files[name]
    return f"there is a copy of it as {other}"


def _append(files: _Files, name: str, _others: Others, choose: Choose) -> str | None:
    tail = (b"\0", b"x", files[name][:200], bytes(600))[choose(4, "tail")]
    files[name] += tail
    return f"{len(tail)} bytes were appended"


_Decay = Callable[[_Files, str, Others, Choose], "str | None"]
_DECAYS: tuple[_Decay, ...] = (
    _flip,
    _flip,
    _flip_header,
    _flip_header,
    _flip_header,
    _zero,
    _zero,
    _truncate,
    _remove,
    _misdirect,
    _swap,
    _from_twin,
    _from_before,
    _duplicate,
    _append,
)
_MAY_OPEN: tuple[_Decay, ...] = (_duplicate, _append, _from_before)
_WIDTHS: dict[_Decay, int] = {_flip: 1, _flip_header: 1, _zero: SECTOR_BYTES, _misdirect: SECTOR_BYTES}
