"""The command and its table of subcommands."""

from __future__ import annotations

import importlib
from typing import Any

import click

from durakv import __version__
from durakv.cli.exits import EXIT_CODES, INTERRUPTED, Failure, failure
from durakv.cli.output import tell, telling_log
from durakv.errors import DurakvError
from durakv_formats.errors import FormatError

COMMANDS = {
    "bench": "durakv.cli.bench:bench",
    "demo": "durakv.cli.demo:demo",
    "export": "durakv.cli.exporting:export",
    "fuzz": "durakv.cli.fuzzing:fuzz",
    "import": "durakv.cli.importing:import_",
    "inspect": "durakv.cli.inspecting:inspect",
    "repair": "durakv.cli.repairing:repair",
    "rewrite": "durakv.cli.rewriting:rewrite",
    "stats": "durakv.cli.stats:stats",
    "verify": "durakv.cli.verifying:verify",
}
"""Where each subcommand is; imported only when it is called, or when help lists it."""


class App(click.Group):
    """A group that imports a subcommand when it is called, and turns errors into one line and an exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """See :class:`click.Group`."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """See :class:`click.Group`."""
        place = COMMANDS.get(cmd_name)
        if place is None:
            return None
        module, _, name = place.partition(":")
        command = getattr(importlib.import_module(module), name)
        assert isinstance(command, click.Command), "the table leads to commands"
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """See :class:`click.Group`."""
        try:
            with telling_log():
                return super().invoke(ctx)
        except BrokenPipeError:
            raise  # the reader of our output went away, which click takes quietly
        except (DurakvError, FormatError, OSError) as error:
            ended = failure(error)
        except Failure as error:
            ended = error
        except KeyboardInterrupt:
            ended = Failure("interrupted", INTERRUPTED)
        tell(str(ended))
        raise click.exceptions.Exit(ended.code)


@click.group(cls=App, epilog=EXIT_CODES, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="durakv", message="%(prog)s %(version)s")
def app() -> None:
    """A durability engine for Python services: look into its directories, check, repair and move them.

    DIR is the path that was given to durakv.open: the files are in DIR/appendonlydir.  That directory itself, and one
    written by a stock redis-server, are taken as well.
    """
