"""The directive ``facade``: the methods that the facades of the keyspace share, kind by kind, as one facade has them.

    .. facade:: durakv.Database

Each is written once and returns ``Request[T]``; shown is what the facade returns, T or an awaitable of T.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from durakv.keyspace.methods import Methods

_REQUEST = re.compile(r"(?:~?[\w.]+\.)?Request\[(.*?)\](?= \||$)")
_SHAPES = {"durakv.Database": r"\1", "durakv.aio.AsyncDatabase": r"Awaitable[\1]"}


class Facade(SphinxDirective):
    """``.. facade:: CLASS``."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """See :class:`SphinxDirective`."""
        return self.parse_text_to_nodes("\n".join(_lines(self.arguments[0])))


def _lines(facade: str) -> Iterator[str]:
    module, _, name = facade.rpartition(".")
    own = vars(getattr(importlib.import_module(module), name))
    for kind in Methods.__bases__:
        yield from ("", f".. rubric:: {str(kind.__doc__).splitlines()[0].rstrip('.')}", "")
        for method in vars(kind):
            if not method.startswith("_") and method not in own:
                yield from (f".. automethod:: {facade}.{method}", "")


def returned(
    app: Sphinx, what: str, name: str, obj: object, options: object, signature: str | None, returns: str | None
) -> tuple[str | None, str | None] | None:
    """What the facade returns for a request."""
    shape = _SHAPES.get(name.rpartition(".")[0])
    if shape is None or returns is None or "Request[" not in returns:
        return None
    return signature, _REQUEST.sub(shape, returns)


def setup(app: Sphinx) -> dict[str, bool]:
    """For Sphinx."""
    app.add_directive("facade", Facade)
    app.connect("autodoc-process-signature", returned)
    return {"parallel_read_safe": True}
