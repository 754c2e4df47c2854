"""What ends the work with a server before it is done.  No message has a password in it."""

from __future__ import annotations

from durakv.errors import DurakvError


class BadUrl(DurakvError):
    """This is no address of a server; the message does not repeat it."""


class ServerError(DurakvError):
    """The server cannot be reached or refuses what is needed; the message names it and says what to do."""
