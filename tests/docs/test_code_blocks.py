"""The promise: what a page shows can be typed in as it stands.

Method: all Python of a page is run as one program in an empty folder, unless a mark says why not; what is shown as a
part of a file is compared with the file.  Every `durakv` command is parsed by the command line itself, and every extra
that is installed by name is looked for.  Pages that need a program which is not installed are skipped, or fail if
DURAKV_REQUIRE_HOSTS is set.
"""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from durakv.cli.app import app
from tests.docs.pages import NOT_RUN, PAGES, ROOT, Block, blocks, name, program
from tests.hosts import host

LANGUAGES = {"python", "console", "text", "hex", "json", "yaml", "ini", "toml", "promql"}
HOSTS = {"fastapi", "httpx", "huey", "langgraph", "prometheus_client", "scrapy", "starlette", "twisted", "uvicorn"}
ADAPTERS = {"prometheus": "prometheus_client"}
"""What an adapter is for, where it is not called like it."""
README = ROOT / "README.md"
"""Its blocks are programs of their own, which test_readme.py runs."""

WITH_PYTHON = [page for page in PAGES if page != README and program(page)]


def hosts_of(source: str) -> set[str]:
    """The modules of host programs that a program imports, itself or by an adapter."""
    modules: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            modules |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    found = {module for module in modules if module.partition(".")[0] in HOSTS}
    for module in modules:
        if module.startswith("durakv.adapters."):
            adapter = module.split(".")[2]
            found |= {ADAPTERS.get(adapter, adapter)} & HOSTS
    return {module for module in found if not module.rpartition(".")[2][:1].isupper()}


@pytest.mark.parametrize("page", WITH_PYTHON, ids=name)
def test_the_python_of_a_page_runs_as_one_program(page: Path, tmp_path: Path) -> None:
    source = program(page)
    needed = hosts_of(source)
    for module in sorted({module.partition(".")[0] for module in needed}):
        host(module)
    file = tmp_path / "page.py"
    file.write_text(source, encoding="utf-8")
    folder = tmp_path / "empty"
    folder.mkdir()
    # What a host warns of is its own affair; durakv's and the page's is an error.
    strict = [] if needed else ["-W", "error"]
    done = subprocess.run(
        [sys.executable, *strict, str(file)], cwd=folder, capture_output=True, text=True, check=False, timeout=100
    )
    assert done.returncode == 0, f"{name(page)}, lines as on the page:\n{done.stdout}{done.stderr}"


def test_there_are_pages_whose_python_is_run() -> None:
    named = {name(page) for page in WITH_PYTHON}
    assert {"docs/index.md", "docs/embedding.md", "docs/choosing-a-policy.md"} <= named


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_what_is_not_run_says_why_and_a_part_of_a_file_is_in_it(page: Path) -> None:
    found = blocks(page)
    for block in found:
        part = re.match(r"a part of (\S+?)(,|$)", block.not_run or "")
        if part is not None:
            assert block.text in (ROOT / part[1]).read_text(encoding="utf-8"), f"line {block.line}"
    marks = len(re.findall(r"^<!-- not run", page.read_text(encoding="utf-8"), re.MULTILINE))
    assert marks == sum(block.language == "python" and block.not_run is not None for block in found), (
        f"a mark that is not {NOT_RUN.pattern!r}, or not right before a piece of Python"
    )


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_piece_of_code_says_what_it_is(page: Path) -> None:
    """Pieces of another kind would be looked at by nobody; one with braces is a directive of the site."""
    known = LANGUAGES if ROOT / "docs" in page.parents else LANGUAGES | {""}  # specs and formats draw what is no code
    for block in blocks(page):
        assert block.language in known or re.fullmatch(r"\{[\w-]+\}.*", block.language), f"line {block.line}"


# --- commands ---------------------------------------------------------------------------------------------------------


def shown(block: Block) -> Iterator[list[str]]:
    """The commands after the prompts of a console, word by word, without comments; pipes and lists taken apart."""
    for match in re.finditer(r"^\$ ((?:.*\\\n)*.*)", block.text, re.MULTILINE):
        words = shlex.shlex(match[1].replace("\\\n", " "), posix=True, punctuation_chars=True)
        words.whitespace_split = True
        command: list[str] = []
        for word in [*words, ";"]:
            if set(word) <= set(";&|"):
                while command and re.match(r"\w+=", command[0]):
                    command.pop(0)
                if command:
                    yield command
                command = []
            else:
                command.append(word)


def check_command(words: list[str]) -> None:
    """Let the command line parse it, without doing any of it; raises UsageError as it would."""
    command: click.Command = app
    context = click.Context(app, info_name="durakv")
    rest = words
    while isinstance(command, click.Group):
        below = command.list_commands(context)
        if not rest or rest[0] not in below:
            if context.info_name != "bench" or rest[:1] in (["--help"], ["-h"]):
                break
            rest = ["run", *rest]  # `durakv bench --quick`
        found = command.get_command(context, rest[0])
        assert found is not None, "it is in the list"
        context = click.Context(found, info_name=rest[0], parent=context)
        command, rest = found, rest[1:]
    values, arguments, _ = command.make_parser(context).parse_args(list(rest))
    if arguments and not context.allow_extra_args:
        raise click.UsageError(f"{context.command_path} does not take {arguments[0]!r}", context)
    if arguments and isinstance(command, click.Group):
        raise click.UsageError(f"{context.command_path} has no command {arguments[0]!r}", context)
    for param in command.params:
        for value in [values.get(param.name)] if not param.multiple else values.get(param.name) or []:
            if isinstance(param.type, click.Choice) and isinstance(value, str):
                param.type.convert(value, param, context)


CONSOLES = [(page, block) for page in PAGES for block in blocks(page) if block.language == "console"]


@pytest.mark.parametrize(("page", "block"), CONSOLES, ids=[f"{name(page)}:{block.line}" for page, block in CONSOLES])
def test_every_command_that_is_shown_exists_with_its_options(page: Path, block: Block) -> None:
    for words in shown(block):
        if words[0] == "durakv":
            try:
                check_command(words[1:])
            except click.UsageError as wrong:
                pytest.fail(f"{name(page)}: {shlex.join(words)}: {wrong.format_message()}", pytrace=False)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_extra_that_is_installed_exists(page: Path) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for extras in re.findall(r"pip install [^`\n]*?(?:durakv|\.)\[([\w,-]+)\]", page.read_text(encoding="utf-8")):
        assert set(extras.split(",")) <= set(project["optional-dependencies"])


def test_commands_that_do_not_exist_are_seen() -> None:
    block = Block(
        "console", "$ cd x && durakv bench --quickly | cat   # --nothing\n$ A=1 durakv \\\n  fuzz frobnicate\n", 1, ""
    )
    assert list(shown(block)) == [
        ["cd", "x"], ["durakv", "bench", "--quickly"], ["cat"], ["durakv", "fuzz", "frobnicate"]
    ]  # fmt: skip
    for wrong in (["bench", "--quickly"], ["fuzz", "frobnicate"], ["frobnicate"], ["bench", "--policy", "seldom"]):
        with pytest.raises(click.UsageError):
            check_command(wrong)
    for right in ([], ["--version"], ["bench", "--quick"], ["fuzz", "program", "--", "a", "--b"], ["fuzz", "--help"]):
        check_command(right)


def test_the_first_page_names_every_extra() -> None:
    """Those that can be installed are looked for above; here none is left out."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    page = (ROOT / "docs/index.md").read_text(encoding="utf-8")
    install = page[page.index("## Install") : page.index("## First steps")]
    assert [extra for extra in extras if not re.search(rf"\b{extra}\b", install)] == []
