"""Docstrings are plain text that ``help()`` shows as it stands; here they become what Sphinx reads.

An indented piece is shown as it is, names of Python's own are no references, and a name without its module is found.
"""

from __future__ import annotations

import builtins
import re
import sys
import typing
from collections.abc import Iterator

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.nodes import find_pending_xref_condition

NO_NAMES = re.compile(r"[A-Z]|One|Many|SupportsKeysAndGetItem")
"""Type variables, and what only type checkers know: they lead nowhere."""


def show_code(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Put a ``::`` before every indented piece that stands by itself."""
    lines[:] = list(_with_marks(lines))


def _with_marks(lines: list[str]) -> Iterator[str]:
    inside, before = False, ""
    for line in lines:
        indented = line.startswith("    ")
        if indented and not inside and not before.strip():
            yield "::"
            yield ""
        if line.strip():
            inside = indented
        before = line
        yield line


def unlink_pythons_own(app: Sphinx, doctree: nodes.document) -> None:
    """Let ``bytes`` and ``collections.abc.Callable`` be words: they are no names of ours, and nothing is fetched."""
    for node in list(doctree.findall(pending_xref)):
        if node.get("refdomain") == "py" and is_pythons_own(node["reftarget"]):
            node.replace_self((find_pending_xref_condition(node, "resolved") or node).children)


def is_pythons_own(name: str) -> bool:
    """Whether an annotation names something of Python's library by it, or any type."""
    module, _, last = name.partition("[")[0].rpartition(".")
    if NO_NAMES.fullmatch(last):
        return True
    if module:
        return module.partition(".")[0] in sys.stdlib_module_names
    return hasattr(builtins, last) or hasattr(typing, last)


def find_short(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.TextElement
) -> nodes.reference | None:
    """A reference to ``Reply`` leads to the only thing of that name."""
    if node.get("refdomain") != "py":
        return None
    python, ending = env.domains.python_domain, f".{node['reftarget']}"
    found = [name for name, known in python.objects.items() if name.endswith(ending) and not known.aliased]
    if len(found) != 1:
        return None
    return python.resolve_xref(env, node["refdoc"], app.builder, "obj", found[0], node, content)


def setup(app: Sphinx) -> dict[str, bool]:
    """For Sphinx."""
    app.connect("autodoc-process-docstring", show_code)
    app.connect("doctree-read", unlink_pythons_own)
    app.connect("missing-reference", find_short)
    return {"parallel_read_safe": True}
