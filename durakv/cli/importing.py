"""``durakv import``: a file, a stream, another directory or a running server into a directory, in batches."""

from __future__ import annotations

import os

import click

import durakv
from durakv.cli import exits
from durakv.cli.importer import Importer
from durakv.cli.output import json_option, print_json, progress
from durakv.cli.places import place_of
from durakv.cli.sources import opened
from durakv.client.redis_client import TIMEOUT_SECONDS
from durakv.collector import without_collections
from durakv.durability import Durability
from durakv.storage.posix import PosixFilesystem

timeout_option = click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=TIMEOUT_SECONDS,
    show_default=True,
    help="How many seconds a server may say nothing.",
)


@click.command(name="import")
@click.argument("directory", metavar="DIR")
@click.argument("source", metavar="SOURCE", default="-")
@click.option("--resume", is_flag=True, help="Go on with an import that was interrupted.")
@click.option(
    "--durability",
    type=click.Choice([level.name.lower() for level in Durability]),
    default=Durability.WRITTEN.name.lower(),
    show_default=True,
    help="What each batch waits for.  Whatever it is, everything is synced when the command ends.",
)
@timeout_option
@json_option
@click.pass_context
def import_(
    ctx: click.Context, directory: str, source: str, resume: bool, durability: str, timeout: float, as_json: bool
) -> None:
    """Take what SOURCE holds into DIR, which is created if it is missing.

    \b
    SOURCE is one of
      a file, or - for standard input: RESP (what `durakv export` and `redis-cli
        --pipe` speak, a stock server's append-only file, a log segment of
        durakv), or an RDB file, which commands may follow;
      a directory of durakv or of a stock server (appendonlydir, or what holds
        it), which is only read;
      a running server: redis://[user:password@]host[:port][/db] or
        unix:///path/socket; a password may be in REDISCLI_AUTH instead.

    An RDB file is looked through before anything is taken.  A server is copied as its replica would, to a temporary
    file ($TMPDIR); what is written to it afterwards is not taken, so stop its writers first.  Keys that have expired
    are left out, keys of the same name are replaced.

    Commands are taken in batches of some hundred; MULTI to EXEC is never divided.  At the first command that is refused
    the import ends: everything before it is in, nothing of its group is.

    Each batch says in the same record of the log how far it goes (the key durakv:import, gone at the end), so an import
    that was killed is continued with --resume and takes nothing twice.  A file or stream goes on in the middle, and has
    to be the same up to there, which is checked.  A directory or a server is taken again as it is now; if DIR was empty
    before, it is emptied first, else keys that the source has lost meanwhile stay.

    At the end a digest of all DIR holds is shown (`durakv stats --digest` shows it, too).  Unless commands were taken,
    it is compared with what there was before and what came; a difference is told as corruption.
    """
    filesystem = PosixFilesystem(place_of(directory))
    where = filesystem.describe()
    if os.path.isdir(source) and os.path.realpath(place_of(source)) == os.path.realpath(where):
        raise click.UsageError("DIR and SOURCE are the same directory")
    with opened(source, quiet=as_json, timeout=timeout) as taken:
        options = durakv.Options(active_expiry=False)  # what was there stays countable until the end
        with durakv.open(None, filesystem=filesystem, options=options) as db:
            importer = Importer(db, taken, Durability[durability.upper()], where, resume=resume)
            with without_collections(), progress("import", quiet=as_json) as bar:
                digest = importer.run(bar)
    given = importer.source_digest
    if as_json:
        print_json(
            {
                "directory": where,
                "source": taken.name,
                "commands": importer.commands,
                "batches": importer.batches,
                "keys": digest.keys,
                "digest": str(digest),
                "source_keys": None if given is None else given.keys,
                "source_digest": None if given is None else str(given),
            }
        )
    else:
        click.echo(f"{where}: {importer.commands} commands in {importer.batches} batches, {digest.keys} keys now")
        checked = "" if given is None else f", as it has to be with the {given.keys} keys of {taken.name}"
        click.echo(f"digest {digest}{checked}")
    ctx.exit(exits.TOLD if db.report.cut is not None or taken.was_cut else exits.OK)
