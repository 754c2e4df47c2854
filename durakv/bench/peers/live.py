"""A server that runs already, as a store: its settings are its own, and it is left as it was found.

Every key that is written begins with ``durakv-bench:``; at the end all such keys are removed, and nothing else is
touched.  A server that would take no write is refused before anything is measured.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from durakv.bench.peers.server_store import SocketSession
from durakv.bench.peers.servers import EVERYSEC_NOTE
from durakv.bench.results import Counters, Promise
from durakv.bench.store import Session, Setting
from durakv.client.errors import ServerError
from durakv.client.redis_client import TIMEOUT_SECONDS, RedisClient, Refusal, Reply, connected
from durakv.client.redis_url import ServerUrl, parse_url

PREFIX = b"durakv-bench:"

_PROBE = PREFIX + b"probe"
_SCANNED = b"1000"
_DEFAULT_ONLY = "what is measured goes to database 0: leave the number out of the address"
_REMEDIES = {
    "READONLY": "it is a replica: name its primary",
    "MOVED": "it is a node of a cluster: name a server of its own",
    "NOPERM": "allow the user +set, +scan, +unlink, +config|get, +info and the keys durakv-bench:*",
    "OOM": "its memory is full",
    "MISCONF": "its disk refuses its files; its log says why",
}
_UNKNOWN_NOTE = "it does not tell how it syncs (CONFIG GET), so the least is taken as promised"
_NOT_DURING_REWRITES_NOTE = "no-appendfsync-on-rewrite is on: while its file is rewritten, nothing is synced"


def against(text: str) -> list[Setting]:
    """The server at an address, with the one setting that it has.

    Raises BadUrl if this is no address, and ServerError if the server cannot be reached, wants a password that was not
    given, or takes no writes.
    """
    url = parse_url(text)
    if url.database:
        raise ServerError(f"{url.name}: {_DEFAULT_ONLY}")
    with connected(url, TIMEOUT_SECONDS) as client:
        info = _info(client)
        _check_writes(client)
        setting, promise, note = _promise(client, info)
    name = "Valkey" if info.get("server_name") == "valkey" else "redis-server"
    version = info.get("valkey_version") or info.get("redis_version", "")
    setting = f"{setting} at {url.name}"
    return [Setting(name, setting, promise, partial(_LiveStore, name, setting, promise, url), version, note)]


class _LiveStore:
    """The server; only connections and keys are ours."""

    many = "pipeline"

    def __init__(self, name: str, setting: str, promise: Promise, url: ServerUrl, directory: Path) -> None:
        self.name = name
        self.setting = setting
        self.promise = promise
        self._url = url

    def session(self) -> Session:
        return SocketSession(self._url, PREFIX)

    def settle(self) -> None:
        """Nothing: when it syncs is its own business."""

    def counters(self) -> Counters:
        """Of a process that may be on another machine, nothing is known but the memory of which it tells."""
        with connected(self._url, TIMEOUT_SECONDS) as client:
            told = _info(client).get("used_memory_rss", "")
        return Counters(user_bytes=0, rss_bytes=int(told) if told.isdigit() else None)

    def close(self) -> None:
        """Remove the keys."""
        with connected(self._url, TIMEOUT_SECONDS) as client:
            cursor = b"0"
            while True:
                cursor, keys = _accepted(client, b"SCAN", cursor, b"MATCH", PREFIX + b"*", b"COUNT", _SCANNED)
                if keys:
                    _accepted(client, b"UNLINK", *keys)
                if cursor == b"0":
                    return


def _promise(client: RedisClient, info: dict[str, str]) -> tuple[str, Promise, str]:
    """Its setting, what an acknowledgement means with it, and what else has to be known."""
    appendonly = _config(client, b"appendonly") or {"1": "yes", "0": "no"}.get(info.get("aof_enabled", ""))
    policy = _config(client, b"appendfsync")
    if appendonly == "no":
        return "no append-only file", Promise.NOTHING, ""
    if appendonly is None:
        return "setting unknown", Promise.NOTHING, _UNKNOWN_NOTE
    if policy is None:
        return "appendfsync unknown", Promise.PROCESS, _UNKNOWN_NOTE
    if policy == "always" and _config(client, b"no-appendfsync-on-rewrite") != "no":
        return "appendfsync always", Promise.PROCESS, _NOT_DURING_REWRITES_NOTE
    if policy == "always":
        return "appendfsync always", Promise.POWER, ""
    return f"appendfsync {policy}", Promise.PROCESS, EVERYSEC_NOTE if policy == "everysec" else ""


def _config(client: RedisClient, name: bytes) -> str | None:
    """One parameter; None from a server that keeps it to itself."""
    answer = client.run(b"CONFIG", b"GET", name)
    if isinstance(answer, Refusal) or not answer:
        return None
    return str(answer[1], "utf-8", "replace")


def _info(client: RedisClient) -> dict[str, str]:
    """What INFO tells; nothing, if this user may not ask."""
    answer = client.run(b"INFO")
    if isinstance(answer, Refusal):
        return {}
    lines = (line.partition(":") for line in answer.decode(errors="replace").splitlines())
    return {name: value for name, colon, value in lines if colon}


def _check_writes(client: RedisClient) -> None:
    _accepted(client, b"SET", _PROBE, b"")
    _accepted(client, b"UNLINK", _PROBE)


def _accepted(client: RedisClient, *command: bytes) -> Reply:
    """The reply to a command that is needed; raises ServerError if it is refused."""
    answer = client.run(*command)
    if isinstance(answer, Refusal):
        remedy = _REMEDIES.get(answer.message.partition(" ")[0])
        why = f"it refuses {command[0].decode()}: {answer.message}"
        raise client.failure(f"{why}; {remedy}" if remedy else why)
    return answer
