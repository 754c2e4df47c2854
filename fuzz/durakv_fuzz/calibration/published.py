"""The page that tells the calibration to readers: what was asked, what was seen, and how far a model may be trusted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from durakv_fuzz.calibration.comparison import ORDERED_FILESYSTEMS, Calibration, Row
from durakv_fuzz.calibration.litmus import DONE, OTHER_SYNCED
from durakv_fuzz.model import Model

COMMAND = "durakv fuzz calibrate --write docs/calibration.md"

_WORDS = {Model.POWER_LOSS: "posix", Model.ORDERED_ZERO_TAIL: "ordered, zero tail", Model.ORDERED: "ordered"}

_WORDS_MAX = 6

_INTRODUCTION = f"""\
# Calibration: the model of a disk, and real disks

<!-- made by `{COMMAND}`; what is written here is lost -->

The crash laboratory decides what a power cut may leave by a model. A model that allows too little would miss losses;
one that allows what no disk does would accuse programs of losses that nobody will ever see. So the model is tested like
a program. Each workload below is a few system calls with one question. It ran on each real file system, on a device
that records every sector and every flush. The device was cut at each of its events, with what had not been flushed
lost, kept or torn (the superblocks of ext4 and btrfs are never torn: they rely on that). The file system mounted what
was left, and that was compared with what the models allow of the same calls, gone through without exception.

- **posix** is the model of what durakv promises ([fault model](../specs/02-fault-model.md), F1 to F3): only a sync
  orders anything. Whatever is seen anywhere has to be allowed by it, or no verdict of the laboratory means anything.
- **ordered** is a milder disk, for telling how likely a loss is (F4): changes of names survive in their order, as on
  file systems with a journal, and files grow in order. With a *zero tail*, a file may have grown before its data was
  written, and reads as zeros there.
"""

_READING = """\
## What was seen

Each cell has what a crash left after the last call had returned and before another file was synced. `old` and `new` are
the contents before and after; `old+zeros` begins like the old content and ends in zeros; `part of new` is cut short;
`mixed` has parts of several. **Bold** is what the ordered model does not allow, not even with a zero tail. Of the
ordered model, what it allows only with a zero tail is in brackets. A cell with one word is a promise kept, as far as so
many cuts can tell.
"""


def render_markdown(calibration: Calibration) -> str:
    """The whole page."""
    return "\n".join(
        [
            _INTRODUCTION,
            *_grounds(calibration),
            "",
            *_verdict(calibration),
            "",
            _READING,
            *_table(calibration, DONE),
            "",
            "## After another file's sync",
            "",
            "The same, once fsync of a file that has nothing to do with it had returned. A journal that keeps",
            "everything in order has committed the litmus with it; nothing promises that.",
            "",
            *_table(calibration, OTHER_SYNCED),
            "",
            *_beyond(calibration),
            *_never(calibration),
        ]
    )  # fmt: skip


def summary(calibration: Calibration) -> Iterator[str]:
    """The verdict in a few lines, for a terminal."""
    for ground in calibration.grounds:
        beyond = len(calibration.disagreements(Model.ORDERED_ZERO_TAIL, [ground.name]))
        yield (
            f"{ground.name}: {calibration.states(ground.name):,} states of the device; "
            f"{len(calibration.disagreements(Model.POWER_LOSS, [ground.name]))} outcomes beyond posix, "
            f"{beyond} beyond ordered with a zero tail"
        )
    for name, reason in calibration.skipped.items():
        yield f"{name}: not observed: {reason}"
    for model, word in _WORDS.items():
        seen, total = calibration.spread(model)
        yield f"{word}: of {total:,} pairs of step and outcome that it allows, {seen:,} were seen"
    for disagreement in calibration.unsound():
        yield f"UNSOUND: {disagreement}"


def _grounds(calibration: Calibration) -> Iterator[str]:
    yield f"- date: {calibration.date}; {calibration.seconds:.0f} s"
    yield f"- kernel: Linux {calibration.kernel}"
    for ground in calibration.grounds:
        yield f"- {ground.name}: {ground.maker}; `{ground.command}`; mounted {ground.options}"
    for name, reason in calibration.skipped.items():
        yield f"- {name}: not observed: {reason}"


def _verdict(calibration: Calibration) -> Iterator[str]:
    names = [ground.name for ground in calibration.grounds]
    yield f"| | {' | '.join(names)} |"
    yield f"|---|{'---|' * len(names)}"
    yield f"| states of the device | {_cells(f'{calibration.states(name):,}' for name in names)} |"
    for model, word in _WORDS.items():
        counts = (len(calibration.disagreements(model, [name])) for name in names)
        yield f"| outcomes that *{word}* does not allow | {_cells(map(str, counts))} |"


def _table(calibration: Calibration, step: str) -> Iterator[str]:
    names = [ground.name for ground in calibration.grounds]
    yield f"| litmus | {' | '.join(names)} | ordered | posix |"
    yield f"|---|{'---|' * (len(names) + 2)}"
    for row in calibration.rows:
        mild = row.outcomes(row.allowed[Model.ORDERED], step)
        tailed = row.outcomes(row.allowed[Model.ORDERED_ZERO_TAIL], step)
        cells = [_observed(row, name, step, tailed) for name in names]
        cells.append(_shortened([*map(_code, mild), *(f"({_code(each)})" for each in tailed if each not in mild)]))
        cells.append(_shortened([_code(each) for each in row.outcomes(row.allowed[Model.POWER_LOSS], step)]))
        yield f"| *{row.litmus.name}*: {row.litmus.question} | {_cells(cells)} |"


def _observed(row: Row, filesystem: str, step: str, tailed: Sequence[str]) -> str:
    observation = row.observed.get(filesystem)
    if observation is None:
        return "not run"
    words = (
        _code(outcome) if outcome in tailed else f"**{_code(outcome)}**"
        for outcome in row.outcomes(observation.seen, step)
    )
    return ", ".join(words) or "no cut fell here"


def _beyond(calibration: Calibration) -> Iterator[str]:
    yield "## What the ordered model does not allow"
    yield ""
    found = calibration.disagreements(Model.ORDERED_ZERO_TAIL)
    for each in found:
        yield f"- {each.filesystem}, *{each.litmus}*, after *{each.step}*: {_code(each.outcome)}"
    if not found:
        yield "Nothing that was seen."
    elif not calibration.disagreements(Model.ORDERED_ZERO_TAIL, ORDERED_FILESYSTEMS):
        yield ""
        yield f"None of it on {' or '.join(ORDERED_FILESYSTEMS)}, which the ordered model describes."
    yield ""


def _never(calibration: Calibration) -> Iterator[str]:
    yield "## What is allowed and was not seen"
    yield ""
    yield "A model allows more than the disks at hand do, and has to: file systems differ, and so do devices."
    yield ""
    yield "| model | pairs of step and outcome that it allows | of them seen on some file system |"
    yield "|---|---|---|"
    for model, word in _WORDS.items():
        seen, total = calibration.spread(model)
        yield f"| {word} | {total:,} | {seen:,} ({seen / max(1, total):.0%}) |"
    yield ""


def _shortened(words: Sequence[str]) -> str:
    """A model may allow dozens."""
    more = len(words) - _WORDS_MAX
    return ", ".join(words) if more < 2 else ", ".join([*words[:_WORDS_MAX], f"{more} more"])


def _cells(values: Iterable[str]) -> str:
    return " | ".join(values)


def _code(word: str) -> str:
    return f"`{word}`"
