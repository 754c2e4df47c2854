"""``durakv stats``: how large a directory is and up to where it goes, without opening it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from durakv.cli.loading import load_keyspace
from durakv.cli.output import json_option, print_json, print_lines, size
from durakv.cli.places import existing_place
from durakv.directory import MANIFEST_NAME, debris, read_manifest
from durakv.errors import Corruption, DirectoryError
from durakv.keyspace.digest import digest_of
from durakv.keyspace.values import DATABASE_COUNT
from durakv.snapshot.reader import read_base
from durakv.storage.filesystem import Filesystem
from durakv_formats.manifest import Manifest, ManifestFile


@click.command()
@click.argument("directory", metavar="DIR")
@click.option("--keys", is_flag=True, help="Load everything and count the keys of each database.")
@click.option("--digest", "digest_too", is_flag=True, help="As --keys, and show the digest of all that is held.")
@json_option
def stats(directory: str, keys: bool, digest_too: bool, as_json: bool) -> None:
    """Show sizes, numbers and files of a data directory; read-only.

    The figures come from the manifest and the first bytes of the files, so they are there at once and nothing is
    checked (`durakv verify` does that).  With --keys the whole directory is loaded, as an open would, but not opened.

    Two directories with the same digest hold the same keys, values and deadlines; import and export show it, too.
    Expired keys that were not deleted yet count.
    """
    filesystem = existing_place(directory)
    manifest = read_manifest(filesystem)
    if manifest is None:
        raise DirectoryError(f"{filesystem.describe()} holds no {MANIFEST_NAME}, so there is nothing to count")
    figures = _figures(filesystem, manifest)
    if keys or digest_too:
        keyspace, report = load_keyspace(filesystem, quiet=as_json)
        figures["last_seq"] = report.last_seq
        figures["databases"] = {
            str(number): len(keyspace.store(number)) for number in range(DATABASE_COUNT) if len(keyspace.store(number))
        }
        if digest_too:
            figures["digest"] = str(digest_of(keyspace))
    if as_json:
        print_json(figures)
    else:
        print_lines(_lines(figures))


def _figures(filesystem: Filesystem, manifest: Manifest) -> dict[str, Any]:
    files = [_file(filesystem, entry) for entry in manifest.files if entry.kind != "h"]
    base = [item["bytes"] for item in files if item["role"] == "base"]
    log = [item["bytes"] for item in files if item["role"] == "log"]
    last = manifest.segments[-1].last if manifest.segments else manifest.base.last if manifest.base else 0
    return {
        "directory": filesystem.describe(),
        "written_by": "a stock server" if manifest.foreign else "durakv",
        "identity": None if manifest.identity is None else manifest.identity.hex(),
        "generation": manifest.generation,
        "closed": all(segment.sealed for segment in manifest.segments) and not manifest.foreign,
        "promised_seq": manifest.synced_seq,
        "last_seq": last,
        "base_bytes": sum(base),
        "log_bytes": sum(log),
        "segments": len(log),
        "files": files,
        "debris": debris(filesystem, manifest),
        "free_bytes": filesystem.free_bytes(),
    }


def _file(filesystem: Filesystem, entry: ManifestFile) -> dict[str, Any]:
    try:
        file = filesystem.open(entry.name)
    except FileNotFoundError:
        raise Corruption(
            entry.name, 0, "the manifest names this file, but it is missing", "Restore it from a copy"
        ) from None
    try:
        figures: dict[str, Any] = {
            "name": entry.name,
            "role": "base" if entry.kind == "b" else "log",
            "bytes": file.size(),
            "first_seq": entry.first,
            "last_seq": entry.last,
        }
    finally:
        file.close()
    if entry.name.endswith(".dkv"):
        with read_base(filesystem, entry.name) as reader:
            header = reader.header
        figures |= {"content": header.content, "slots": header.slot_count, "created_ms": header.created_ms}
    return figures


def _lines(figures: dict[str, Any]) -> Iterator[str]:
    yield f"directory   {figures['directory']}"
    yield f"written by  {figures['written_by']}, identity {figures['identity']}, manifest {figures['generation']}"
    state = "closed" if figures["closed"] else "not closed: open, or its owner died"
    last = "not known without reading the log" if figures["last_seq"] is None else figures["last_seq"]
    yield f"state       {state}; last number {last}, promised as synced up to {figures['promised_seq']}"
    yield f"base        {size(figures['base_bytes'])}"
    yield f"log         {size(figures['log_bytes'])} in {figures['segments']} segments"
    for item in figures["files"]:
        yield f"            {item['name']}: {size(item['bytes'])}"
    for name in figures["debris"]:
        yield f"debris      {name}: the next open removes it"
    yield f"free        {size(figures['free_bytes'])}"
    for number, count in figures.get("databases", {}).items():
        yield f"database    {number}: {count} keys"
    if "digest" in figures:
        yield f"digest      {figures['digest']}"
