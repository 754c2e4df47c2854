"""Programs that are a little simpler than another one: what a shrinker tries."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace

from durakv_fuzz.script import Action, Script, Setup, Step

_PER_COMMAND = 3
_BEFORE_COMMANDS = {Action.WRITE: (3, 0), Action.MEANWHILE: (0, 3, 0)}
"""The usual arguments in front of a batch's commands: it waits, for the policy's own level."""

_PLAIN = Setup()


def shorter(script: Script, count: int) -> Iterator[Script]:
    """Without so many steps in a row; the last ones first, because what comes after a failure is idle."""
    for start in reversed(range(0, len(script), count)):
        yield script[:start] + script[start + count :]


def simpler_step(step: Step) -> Iterator[Step]:
    """With fewer commands, and with arguments nearer to the usual ones."""
    arguments = step.arguments
    usual = _BEFORE_COMMANDS.get(step.action, ())
    if usual:
        for start in range(len(usual), len(arguments), _PER_COMMAND):
            if len(arguments) > len(usual) + _PER_COMMAND:
                yield Step(step.action, arguments[:start] + arguments[start + _PER_COMMAND :])
    for index, argument in enumerate(arguments):
        plain = usual[index] if index < len(usual) else 0
        if argument == plain:
            continue
        for nearer in dict.fromkeys((plain, plain + (argument - plain) // 2)):
            if nearer != argument:
                yield Step(step.action, (*arguments[:index], nearer, *arguments[index + 1 :]))


def simpler_setup(setup: Setup) -> Iterator[Setup]:
    """With one option as it usually is."""
    for field in fields(Setup):
        usual = getattr(_PLAIN, field.name)
        if getattr(setup, field.name) != usual and field.name != "identity":
            yield replace(setup, **{field.name: usual})


def complexity(script: Script) -> tuple[int, int]:
    """What simpler means: fewer steps, then smaller arguments."""
    distance = 0
    for step in script:
        usual = _BEFORE_COMMANDS.get(step.action, ())
        for index, argument in enumerate(step.arguments):
            distance += 1 + abs(argument - (usual[index] if index < len(usual) else 0))
    return len(script), distance
