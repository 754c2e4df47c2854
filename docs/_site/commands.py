"""The directive ``commands``: a section for every command of ``durakv``, made from the command line itself."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import click
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from durakv.cli.app import app as durakv


class Commands(SphinxDirective):
    """``.. commands::``, without content."""

    def run(self) -> list[nodes.Node]:
        """See :class:`SphinxDirective`."""
        return [self._section(context) for context in walk()]

    def _section(self, context: click.Context) -> nodes.section:
        name = context.command_path
        section = nodes.section(ids=[nodes.make_id(name)])
        section += nodes.title(text=name)
        usage = context.command.get_usage(context).removeprefix("Usage: ")
        section += nodes.literal_block(text=" ".join(usage.split()), language="text")
        for text in (context.command.help, context.command.epilog):
            section += list(_prose(text or ""))
        rows = [row for param in context.command.params if (row := param.get_help_record(context))]
        if rows:
            section += _options(rows)
        self.state.document.note_implicit_target(section)
        return section


def walk(context: click.Context | None = None) -> Iterator[click.Context]:
    """``durakv`` and every command below it, each after the group that it is in."""
    if context is None:
        context = click.Context(durakv, info_name="durakv")
    yield context
    if isinstance(context.command, click.Group):
        for name in context.command.list_commands(context):
            command = context.command.get_command(context, name)
            if command is not None and not command.hidden:
                yield from walk(click.Context(command, info_name=name, parent=context))


def _prose(text: str) -> Iterator[nodes.Node]:
    """Paragraphs as click reads them: one that begins with ``\\b`` keeps its lines."""
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        if paragraph.startswith("\b"):
            yield nodes.literal_block(text=paragraph.removeprefix("\b").strip("\n"), language="text")
        elif paragraph.strip():
            yield nodes.paragraph(text=" ".join(paragraph.split()))


def _options(rows: list[tuple[str, str]]) -> nodes.definition_list:
    found = nodes.definition_list()
    for option, text in rows:
        term = nodes.term("", "", nodes.literal(text=option))
        found += nodes.definition_list_item("", term, nodes.definition("", nodes.paragraph(text=text)))
    return found


def setup(app: Sphinx) -> dict[str, bool]:
    """For Sphinx."""
    app.add_directive("commands", Commands)
    return {"parallel_read_safe": True}
