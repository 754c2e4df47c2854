"""A program that is no part of the laboratory: a command line, with a driver and a checker that speak in lines.

    durakv fuzz program --ready REGEX --driver 'CMD' --check 'CMD' -- ./service {dir} {port}
    durakv fuzz program --check 'CMD' -- ./program {dir}                  it tells of its numbers itself

In every command these are replaced; the same is in the environment, for functions:

    {dir}    DURAKV_DIR     where the program keeps its files
    {port}   DURAKV_PORT    a TCP port of this machine that was free a moment before, another one for each start
    {first}  DURAKV_FIRST   the first number, for a driver
    {count}  DURAKV_COUNT   how many, for a driver

A service is ready when a line of its output matches ``--ready``, and is killed when its driver or checker has ended.
A checker that ends with another status than 0 says that the program refused what it found.
"""

from __future__ import annotations

import contextlib
import os
import re
import selectors
import shlex
import shutil
import socket
import subprocess
import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from durakv_fuzz.program.child import Tail, kill, outputs, spawn, stop
from durakv_fuzz.program.functions import as_found, is_function, load_function
from durakv_fuzz.program.lines import LINE_BYTES_MAX, found_in_lines, tell_lines
from durakv_fuzz.program.subject import Found, Plan, Promise, Teller

READY_SECONDS_MAX = 60.0
"""After so long a service that is not ready is given up; whoever cannot wait so long kills this process."""


class CommandFailed(Exception):
    """A command could not be started, or ended badly; with its last words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandSubject:
    """A program by its command line; see the module."""

    argv: tuple[str, ...]
    """The service, if ``ready`` is given, and otherwise the driver itself."""
    ready: re.Pattern[str] | None = None
    driver: str = ""
    """A command, or a function; only with a service, which does not tell of numbers itself."""
    checker: str
    """A command, or a function."""
    name: str = "program"
    setting: str = ""
    promise: Promise = Promise.ALWAYS
    documented: str = "as its owner says on the command line"
    window_seconds: float = 0.0
    plan: Plan = field(default_factory=Plan)

    def __post_init__(self) -> None:
        if not self.argv:
            raise ValueError("there is no command to test; name one after --")
        if (self.ready is None) != (not self.driver):
            raise ValueError("a service needs both --ready and --driver; a program that tells itself needs neither")

    def missing(self) -> str:
        """Why it cannot be run: a command that is not there."""
        commands = [self.argv[0], *(shlex.split(part)[0] for part in self._parts if not is_function(part))]
        for command in commands:
            if shutil.which(command) is None:
                return f"{command}: there is no such command"
        return ""

    def versions(self) -> Mapping[str, str]:
        """Nothing is known of it but its command line."""
        return {self.name: shlex.join(self.argv)}

    def prepare(self, directory: Path) -> None:
        """A service is started once and asked to end; a program that tells itself begins with an empty directory."""
        if self.ready is None:
            return
        with self._place(directory, range(0)) as words, self._service(words, politely=True):
            pass

    def drive(self, directory: Path, numbers: range, teller: Teller) -> None:
        """Run the driver; raises ``ProtocolError`` or ``CommandFailed`` if it does not do its part."""
        with self._place(directory, numbers) as words, self._service(words):
            if self.driver and is_function(self.driver):
                load_function(self.driver)(directory, numbers, teller)
                return
            argv = shlex.split(self.driver) if self.driver else self.argv
            with _running(argv, words) as process:
                told, complaints = outputs(process)
                said = Tail(complaints)
                issued = tell_lines(told, f"the driver {argv[0]}", numbers, teller)
                status = process.wait()
            if status:
                raise CommandFailed(f"the driver {argv[0]} {_ended(status)}: {said.last_words() or 'it said nothing'}")
            if not issued and numbers:
                raise CommandFailed(f"the driver {argv[0]} ended well and told of no number; first comes 'issued 0'")

    def check(self, directory: Path) -> Found:
        """Start the service again, if it is one, and run the checker."""
        with self._place(directory, range(0)) as words:
            try:
                with self._service(words):
                    return self._check(directory, words)
            except CommandFailed as failure:
                return Found(refusal=str(failure))

    def _check(self, directory: Path, words: Mapping[str, str]) -> Found:
        if is_function(self.checker):
            return as_found(load_function(self.checker)(directory), self.checker)
        argv = shlex.split(self.checker)
        with _running(argv, words) as process:
            told, complaints = outputs(process)
            said = Tail(complaints)
            found = found_in_lines(told, f"the checker {argv[0]}")
            status = process.wait()
        return Found(refusal=said.last_words() or f"the checker {_ended(status)}") if status else found

    @property
    def _parts(self) -> list[str]:
        return [part for part in (self.driver, self.checker) if part]

    @contextlib.contextmanager
    def _place(self, directory: Path, numbers: range) -> Generator[Mapping[str, str]]:
        """What is put into commands; in the environment of this process as well, for as long."""
        words = {
            "dir": os.fspath(directory),
            "port": str(_free_port()),
            "first": str(numbers.start),
            "count": str(len(numbers)),
        }
        before = dict(os.environ)
        os.environ.update({f"DURAKV_{word.upper()}": value for word, value in words.items()})
        try:
            yield words
        finally:
            for word in words:
                name = f"DURAKV_{word.upper()}"
                if name in before:
                    os.environ[name] = before[name]
                else:
                    del os.environ[name]

    @contextlib.contextmanager
    def _service(self, words: Mapping[str, str], *, politely: bool = False) -> Generator[None]:
        if self.ready is None:
            yield
            return
        with _running(self.argv, words, politely=politely) as process:
            _wait_until_ready(process, self.ready, self.argv[0])
            yield


@contextlib.contextmanager
def _running(
    argv: Sequence[str], words: Mapping[str, str], *, politely: bool = False
) -> Generator[subprocess.Popen[bytes]]:
    """A command with both its outputs in pipes; gone afterwards."""
    try:
        process = spawn([_filled(part, words) for part in argv], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    except OSError as error:
        raise CommandFailed(f"{argv[0]}: {error.strerror or error}") from error
    try:
        yield process
        if politely:
            stop(process)
    finally:
        kill(process)


def _filled(part: str, words: Mapping[str, str]) -> str:
    for word, value in words.items():
        part = part.replace(f"{{{word}}}", value)
    return part


def _wait_until_ready(process: subprocess.Popen[bytes], ready: re.Pattern[str], name: str) -> None:
    """Read both outputs until a line matches, and go on reading them beside, so that the service never waits."""
    pipes = dict.fromkeys(outputs(process), b"")
    last = b""
    late = time.monotonic() + READY_SECONDS_MAX
    with selectors.DefaultSelector() as selector:
        for pipe in pipes:
            selector.register(pipe, selectors.EVENT_READ)
        while selector.get_map():
            left = late - time.monotonic()
            if left <= 0:
                raise CommandFailed(f"{name} was not ready within {READY_SECONDS_MAX:g} seconds: {_text(last)}")
            for key, _ in selector.select(left):
                pipe = next(pipe for pipe in pipes if pipe is key.fileobj)
                data = os.read(pipe.fileno(), 65536)
                if not data:
                    selector.unregister(pipe)
                *lines, waiting = (pipes[pipe] + data).split(b"\n")
                pipes[pipe] = waiting[-LINE_BYTES_MAX:]
                for line in lines:
                    last = line if line.strip() else last
                    if ready.search(line.decode(errors="replace")):
                        for open_pipe in pipes:
                            Tail(open_pipe)
                        return
    status = process.wait()
    rest = next((waiting for waiting in pipes.values() if waiting.strip()), last)
    raise CommandFailed(f"{name} {_ended(status)} before it was ready: {_text(rest) or 'it said nothing'}")


def _text(line: bytes) -> str:
    return line[:LINE_BYTES_MAX].decode(errors="backslashreplace").strip()


def _ended(status: int) -> str:
    return f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
