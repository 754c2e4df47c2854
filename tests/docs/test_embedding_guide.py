"""The promise: the guide to embedding tells of every error that there is, and its limits are those of the formats.

Method: its tables are compared with the package.
"""

from __future__ import annotations

import re
from pathlib import Path

import durakv
from durakv.bench.units import rate
from durakv_formats import limits

GUIDE = (Path(__file__).parents[2] / "docs/embedding.md").read_text(encoding="utf-8")


def test_its_table_of_errors_has_every_public_one_and_no_other() -> None:
    table = GUIDE.partition("## Errors, and what to do")[2].partition("Besides them:")[0]
    told = re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)
    public = {name: getattr(durakv, name) for name in durakv.__all__}
    errors = {name for name, value in public.items() if isinstance(value, type) and issubclass(value, Exception)}
    assert sorted(told) == sorted(errors)


def test_its_limits_are_those_of_the_formats() -> None:
    for words in (
        f"| a byte string: a key, a value, a part of a command | {limits.BULK_BYTES_MAX >> 20} MiB |",
        f"| parts of a command | {rate(limits.COMMAND_ARGUMENTS_MAX)} |",
        f"| a command, and a whole batch, encoded | {limits.COMMAND_BYTES_MAX >> 30} GiB |",
        f"| commands of a batch | {rate(limits.BATCH_COMMANDS_MAX)} |",
    ):
        assert words in GUIDE
    assert limits.COMMAND_BYTES_MAX == limits.BATCH_BYTES_MAX == 1 << 30
