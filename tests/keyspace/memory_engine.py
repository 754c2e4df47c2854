"""The engine's way of running a state machine, without a disk: decide, log, apply."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from durakv.durability import Durability
from durakv.keyspace import Keyspace
from durakv.machine import Command

R = TypeVar("R")


class MemoryEngine:
    """A log in a list."""

    def __init__(self, machine: Keyspace) -> None:
        self.machine = machine
        self.log: list[list[Command]] = []

    def apply(self, commands: Sequence[Command]) -> None:
        self.log.append(list(commands))
        for command in commands:
            self.machine.apply(command)

    def transact(
        self,
        decide: Callable[[], tuple[Sequence[Command], R]],
        durability: Durability | None = None,
    ) -> R:
        commands, answer = decide()
        if commands:
            self.apply(commands)
        return answer
