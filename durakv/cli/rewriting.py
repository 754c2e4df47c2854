"""``durakv rewrite``: open a directory, rewrite its log into a new base, close it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, wait

import click

import durakv
from durakv.cli import exits
from durakv.cli.output import json_option, print_json, progress, size
from durakv.cli.places import existing_place

_LOOK_SECONDS = 0.1


@click.command()
@click.argument("directory", metavar="DIR")
@click.option(
    "--base-format",
    type=click.Choice([str(base) for base in durakv.BaseFormat]),
    default=str(durakv.BaseFormat.DKV),
    show_default=True,
    help="The format of the new base: ours, or that of stock servers, which can then take over the directory.",
)
@json_option
@click.pass_context
def rewrite(ctx: click.Context, directory: str, base_format: str, as_json: bool) -> None:
    """Rewrite the log into a new base, so that the directory shrinks and opens faster.

    It opens the directory as its owner.  A crash at any moment leaves what was there.
    """
    filesystem = existing_place(directory)
    with progress("open", quiet=as_json) as bar:
        options = durakv.Options(base_format=durakv.BaseFormat(base_format))
        db = durakv.open(None, filesystem=filesystem, create=False, progress=bar, options=options)
    with db:
        was = _size(db.status())
        with progress("rewrite", quiet=as_json) as bar, ThreadPoolExecutor(1) as pool:
            rewriting = pool.submit(db.rewrite)
            while bar is not None and not wait([rewriting], _LOOK_SECONDS).done:
                bar(round(db.status().rewrite_progress * was), was)
            rewriting.result()
        now = _size(db.status())
    if as_json:
        print_json({"directory": filesystem.describe(), "bytes_before": was, "bytes_after": now})
    else:
        click.echo(f"{filesystem.describe()}: {size(was)} before, {size(now)} now")
    ctx.exit(exits.TOLD if db.report.cut is not None else exits.OK)


def _size(status: durakv.Status) -> int:
    return status.log_bytes + status.base_bytes
