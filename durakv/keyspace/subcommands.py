"""Commands that are named by two words, such as XGROUP CREATE."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from durakv.errors import CommandError
from durakv.keyspace.command import Call
from durakv.keyspace.replies import Reply, Status, arity_error, printable
from durakv.machine import Command

Subcommands: TypeAlias = Mapping[bytes, tuple[int, Callable[[Call, Command], Reply]]]
"""By the second word in lower case: the arity, as a ``CommandSpec`` has it, and what decides."""

_QUOTED_BYTES_MAX = 128


def decide_subcommand(call: Call, command: Command, table: Subcommands) -> Reply:
    """The reply; raises CommandError for a word or a number of arguments that does not exist."""
    word = command[1].lower()
    if word not in table:
        raise CommandError(f"ERR unknown subcommand '{_quoted(command)}'. Try {_container(command)} HELP.")
    arity, decide = table[word]
    if len(command) != arity if arity >= 0 else len(command) < -arity:
        raise arity_error(call.name + b"|" + word)
    return decide(call, command)


def subcommand_syntax_error(command: Command) -> CommandError:
    """A subcommand with options that do not exist."""
    told = f"unknown subcommand or wrong number of arguments for '{_quoted(command)}'"
    return CommandError(f"ERR {told}. Try {_container(command)} HELP.")


def help_reply(command: Command, lines: Sequence[bytes]) -> Reply:
    """What HELP answers."""
    first = f"{_container(command)} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:".encode()
    return [Status(line) for line in (first, *lines, b"HELP", b"    Prints this help.")]


def _quoted(command: Command) -> str:
    return printable(command[1][:_QUOTED_BYTES_MAX])


def _container(command: Command) -> str:
    return command[0].upper().decode()
