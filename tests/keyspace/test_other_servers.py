"""The promise: from what later servers answer, this keyspace differs where it is said to (specs/07-keyspace.md), and
nowhere else.

Method: random commands of every family go to a server of the package index and to a keyspace; every reply and the
final state are compared, but for the table in ``other_servers``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.keyspace.differential import SETTINGS, differences
from tests.keyspace.families import FAMILIES
from tests.keyspace.other_servers import DIFFERENCES
from tests.keyspace.stock_server import StockServer, stock_server
from tests.newer_servers import NEWER_SERVERS

COMMANDS = 2000
SPECIFICATION = Path(__file__).parents[2] / "specs" / "07-keyspace.md"


@pytest.fixture(scope="module", params=NEWER_SERVERS, ids=str)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StockServer]:
    directory = tmp_path_factory.mktemp("newer")
    with stock_server(directory, *SETTINGS, binary=request.param.binary()) as running:
        yield running


@pytest.mark.parametrize("family", FAMILIES)
def test_every_reply_is_that_of_redis_7_or_known_to_differ(server: StockServer, family: str) -> None:
    assert next(differences(server, 3000, COMMANDS, FAMILIES[family]), None) is None


@pytest.mark.parametrize("reason", [difference.reason for difference in DIFFERENCES])
def test_what_is_known_is_written_down(reason: str) -> None:
    assert reason in " ".join(SPECIFICATION.read_text().split())
