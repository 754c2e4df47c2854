"""The address of a running server: ``redis://[user:password@]host[:port][/db]`` or ``unix://[user:password@]/socket``.

A password never appears in anything that is told: not in ``name``, and no error repeats what it was given, because a
password with a ``/`` or ``#`` in it may stand anywhere in an address that is not one.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from durakv.client.errors import BadUrl
from durakv.keyspace.values import DATABASE_COUNT

PASSWORD_VARIABLE = "REDISCLI_AUTH"
"""Where a password is looked for that the address does not have, as redis-cli does."""

_SCHEMES = ("redis", "unix")
_REFUSED = {"rediss": "TLS is not spoken here; let a tunnel such as stunnel speak it"}
_PORT = 6379
_FORMS = "redis://[user:password@]host[:port][/db] or unix://[user:password@]/path/socket"
_ESCAPE = "in a user or password, write what is no letter or digit as %XX"


@dataclass(frozen=True, slots=True)
class ServerUrl:
    """Where a server is, and who asks."""

    host: str = ""
    port: int = 0
    path: str = ""
    """The socket's, if it is one of this machine."""
    user: str = ""
    password: str = field(default="", repr=False)
    database: int | None = None
    """The only one that is wanted; None for all."""

    @property
    def name(self) -> str:
        """The address without its secrets."""
        if self.path:
            return f"unix://{self.path}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"redis://{host}:{self.port}" + ("" if self.database is None else f"/{self.database}")


def is_url(text: str) -> bool:
    """Whether this is meant as a server's address and not as a file."""
    return text.partition("://")[0].lower() in (*_SCHEMES, *_REFUSED) and "://" in text


def parse_url(text: str) -> ServerUrl:
    """The address in its parts; raises BadUrl, which does not repeat it."""
    scheme = text.partition("://")[0].lower()
    if scheme in _REFUSED:
        raise BadUrl(f"{scheme}: {_REFUSED[scheme]}")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise BadUrl(f"the server's address has no valid host and port: {_FORMS}; {_ESCAPE}") from None
    if parts.query or parts.fragment:
        raise BadUrl(f"the server's address has a '?' or '#': {_FORMS}; {_ESCAPE}")
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    password = password or os.environ.get(PASSWORD_VARIABLE, "")
    if user and not password:
        raise BadUrl(f"the server's address has a user but no password; {PASSWORD_VARIABLE} may hold it")
    if scheme == "unix":
        if parts.hostname or not parts.path:
            raise BadUrl("the path of a socket begins with a slash: unix:///path/socket")
        return ServerUrl(path=unquote(parts.path), user=user, password=password)
    if not parts.hostname:
        raise BadUrl(f"the server's address has no host: {_FORMS}; {_ESCAPE}")
    return ServerUrl(parts.hostname, port or _PORT, "", user, password, _database(parts.path))


def _database(path: str) -> int | None:
    if path in ("", "/"):
        return None
    if re.fullmatch(r"/[0-9]{1,5}", path) and int(path[1:]) < DATABASE_COUNT:
        return int(path[1:])
    last = DATABASE_COUNT - 1
    raise BadUrl(f"behind host and port, the server's address has a database from 0 to {last}; {_ESCAPE}")
