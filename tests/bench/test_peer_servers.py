"""The promise: a server is started where it is told and ends with its store, a live one is left as it was found, and
what ``redis-benchmark`` prints is understood.

Method: real servers, and one that is given every setting that changes what it promises.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from durakv.bench import peers
from durakv.bench.peers import redis_benchmark
from durakv.bench.peers.servers import REDIS, RunningServer
from durakv.bench.results import Promise, Shape
from durakv.client.errors import BadUrl, ServerError
from durakv.client.redis_client import RedisClient, connected
from tests.keyspace.stock_server import REQUIRED


def program() -> str:
    """The server; skips the test, visibly, where there is none."""
    found = REDIS.find()
    if found is None:
        if os.environ.get(REQUIRED):
            pytest.fail(f"no redis-server on this machine, and {REQUIRED} is set")
        pytest.skip("no redis-server on this machine: none is measured")
    return found


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    server = RunningServer(program(), tmp_path, "always")
    yield server
    server.close()


@pytest.fixture
def client(server: RunningServer) -> Iterator[RedisClient]:
    with connected(server.url, 10) as client:
        yield client


# --- started here -----------------------------------------------------------------------------------------------------


def test_a_directory_with_a_long_path_is_reached_by_a_link_that_goes_with_the_server(tmp_path: Path) -> None:
    directory = tmp_path / ("x" * 60) / ("y" * 60)
    directory.mkdir(parents=True)
    server = RunningServer(program(), directory, "no")
    link = Path(server.url.path).parent
    assert link.is_symlink()
    assert link.resolve() == directory.resolve()
    server.close()
    assert not link.parent.exists()
    assert (directory / "appendonlydir").is_dir()


def test_a_server_that_does_not_start_says_why_and_leaves_nothing_running(tmp_path: Path) -> None:
    (tmp_path / "appendonlydir").write_text("in the way")
    with pytest.raises(ServerError, match=r"it did not start: .*append"):
        RunningServer(program(), tmp_path, "always")
    with socket.socket(socket.AF_UNIX) as probe, pytest.raises(OSError):
        probe.connect(os.fspath(tmp_path / "socket"))


def test_a_refused_write_and_a_server_that_went_away_end_the_session(tmp_path: Path) -> None:
    program()
    store: Any = peers.settings_of("redis-server")[0].open(tmp_path)
    try:
        session = store.session()
        with connected(store._server.url, 10) as client:
            client.run(b"REPLICAOF", b"127.0.0.1", b"1")
            with pytest.raises(ServerError, match="it refused a write: READONLY"):
                session.put(b"key", b"value")
    finally:
        store.close()
    with pytest.raises(ServerError, match="connection"):
        session.put(b"key", b"value")
    session.close()


# --- live -------------------------------------------------------------------------------------------------------------


def test_only_keys_of_its_own_are_written_and_they_are_gone_at_the_end(
    server: RunningServer, client: RedisClient, tmp_path: Path
) -> None:
    client.run(b"SET", b"theirs", b"1")
    (setting,) = peers.against(f"unix://{server.url.path}")
    assert client.run(b"DBSIZE") == 1, "asking left something behind"
    assert (setting.name, setting.promise, setting.note) == ("redis-server", Promise.POWER, "")
    assert setting.setting == f"appendfsync always at {server.url.name}"
    store = setting.open(tmp_path)
    session = store.session()
    session.put(b"one", b"1")
    session.put_many([(b"%d" % number, b"2") for number in range(3000)])
    session.close()
    assert client.run(b"GET", b"durakv-bench:one") == b"1"
    assert client.run(b"DBSIZE") == 3002
    assert (store.counters().rss_bytes or 0) > 0
    store.close()
    assert client.run(b"KEYS", b"*") == [b"theirs"]


@pytest.mark.parametrize(
    ("config", "promise", "told", "noted"),
    [
        ((b"appendfsync", b"everysec"), Promise.PROCESS, "appendfsync everysec", "two seconds"),
        ((b"appendfsync", b"no"), Promise.PROCESS, "appendfsync no", ""),
        ((b"no-appendfsync-on-rewrite", b"yes"), Promise.PROCESS, "appendfsync always", "while its file is rewritten"),
        ((b"appendonly", b"no"), Promise.NOTHING, "no append-only file", ""),
    ],
)
def test_what_a_live_server_promises_is_read_from_its_settings(
    server: RunningServer, client: RedisClient, config: tuple[bytes, bytes], promise: Promise, told: str, noted: str
) -> None:
    assert client.run(b"CONFIG", b"SET", *config) == b"OK"
    (setting,) = peers.against(f"unix://{server.url.path}")
    assert setting.promise is promise
    assert setting.setting.startswith(f"{told} at ")
    assert noted in setting.note
    assert bool(noted) == bool(setting.note)


@pytest.mark.parametrize(
    ("allowed", "promise", "told"),
    [
        ((b"+info",), Promise.PROCESS, "appendfsync unknown"),
        ((), Promise.NOTHING, "setting unknown"),
    ],
)
def test_of_a_server_that_keeps_its_settings_to_itself_the_least_is_taken(
    server: RunningServer, client: RedisClient, allowed: tuple[bytes, ...], promise: Promise, told: str
) -> None:
    user = (b"me", b"on", b">secret", b"~durakv-bench:*", b"+set", b"+scan", b"+unlink", *allowed)
    assert client.run(b"ACL", b"SETUSER", *user) == b"OK"
    (setting,) = peers.against(f"unix://me:secret@{server.url.path}")
    assert (setting.promise, setting.setting.partition(" at ")[0]) == (promise, told)
    assert "does not tell" in setting.note
    assert "secret" not in str(setting)


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ((b"REPLICAOF", b"127.0.0.1", b"1"), "refuses SET: READONLY .*: name its primary"),
        ((b"CONFIG", b"SET", b"requirepass", b"secret"), "it wants a password"),
        ((b"CONFIG", b"SET", b"maxmemory", b"1"), "refuses SET: OOM .*; its memory is full"),
        ((b"ACL", b"SETUSER", b"default", b"-set"), "refuses SET: NOPERM .*; allow the user"),
    ],
)
def test_a_server_that_takes_no_writes_is_refused_with_a_remedy(
    server: RunningServer, client: RedisClient, command: tuple[bytes, ...], told: str
) -> None:
    assert client.run(*command) == b"OK"
    with pytest.raises(ServerError, match=told):
        peers.against(f"unix://{server.url.path}")


def test_an_address_that_cannot_be_measured_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadUrl):
        peers.against("redis://")
    with pytest.raises(ServerError, match="database 0"):
        peers.against("redis://127.0.0.1:1/3")
    with pytest.raises(ServerError, match="cannot connect"):
        peers.against(f"unix://{tmp_path}/nobody")


# --- redis-benchmark --------------------------------------------------------------------------------------------------


def test_the_load_generator_writes_as_long_as_it_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    program()
    if redis_benchmark.find() is None:
        assert not os.environ.get(REQUIRED), f"no redis-benchmark on this machine, and {REQUIRED} is set"
        pytest.skip("no redis-benchmark on this machine: it is not run")
    found = peers.external(tmp_path, (10, 1000))
    assert {(one.shape, one.width) for one in found} == {
        *((Shape.CLIENTS, 50), (Shape.CLIENTS, 64)),
        *((Shape.PIPELINE, 16), (Shape.PIPELINE, 64)),
    }
    assert {one.value_bytes for one in found} == {10, 1000}
    for one in (found[0], found[-1]):
        measured = one.measure(0.05)
        assert measured.seconds >= 0.02
        assert measured.writes == pytest.approx(measured.rate * measured.seconds)
        assert measured.latency is not None
        assert 0 < measured.latency.count <= measured.writes
        assert 0 < measured.latency.p50_us <= measured.latency.p99_us <= measured.latency.max_us
    assert not list(tmp_path.iterdir()), "a server's directory is left"


PRINTED = """\
SET: rps=0.0 (overall: nan) avg_msec=nan (overall: nan)\r====== SET ======
  1000 requests completed in 0.04 seconds
  50 parallel clients

Latency by percentile distribution:
0.000% <= 0.100 milliseconds (cumulative count 1)
50.000% <= 0.200 milliseconds (cumulative count 500)
75.000% <= 0.300 milliseconds (cumulative count 750)
100.000% <= 1.300 milliseconds (cumulative count 1000)

Cumulative distribution of latencies:
0.000% <= 0.103 milliseconds (cumulative count 1)

Summary:
  throughput summary: 25000.00 requests per second
"""


def test_percentiles_are_read_from_the_distribution() -> None:
    found = redis_benchmark.read(PRINTED)
    assert (found.writes, found.seconds, found.rate) == (1000, 0.04, 25000.0)
    assert found.latency is not None
    assert found.latency.count == 1000
    assert found.latency.p50_us == pytest.approx(200)
    assert found.latency.p90_us == pytest.approx(900)
    assert found.latency.p99_us == pytest.approx(1260)
    assert found.latency.max_us == pytest.approx(1300)


def test_what_another_program_prints_is_refused() -> None:
    with pytest.raises(ServerError, match=r"version has to be 6\.2"):
        redis_benchmark.read("SET: 25000.00 requests per second\n")
