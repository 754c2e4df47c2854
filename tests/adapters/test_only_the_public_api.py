"""The promise: adapters and documented programs stand on what durakv exports, so that anybody could have written them.

Method: every import in ``durakv/adapters`` and in the programs that ``docs`` shows is read from the source.  Of durakv
there may be ``durakv`` with its public names, ``durakv.aio``, ``durakv.testing``; for adapters each other; and for what
is shown the laboratory's kit for services.  What makes the pages themselves is no program of a reader's.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import durakv

ROOT = Path(__file__).parents[2]
ADAPTERS = ROOT / "durakv/adapters"
SHOWN = ("orders", "patterns")
SOURCES = sorted([*ADAPTERS.rglob("*.py"), *(path for name in SHOWN for path in (ROOT / "docs" / name).rglob("*.py"))])
OURS = {"durakv", "durakv_formats", "durakv_fuzz"}
MODULES = ("durakv", "durakv.aio", "durakv.testing")
KIT = ("durakv_fuzz.pytest_plugin", "durakv_fuzz.service")
"""For a reader's tests, and for no adapter."""


PUBLIC = {*durakv.__all__, "testing", "adapters", "__version__"}


def forbidden(source: str, *, adapter: bool) -> list[str]:
    """The imports, and the names of ``durakv``, that are durakv's own."""
    found: list[str] = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                found += [name.name for name in names if not _is_allowed(name.name, adapter=adapter)]
            case ast.ImportFrom(level=level, module=module, names=names):
                where = "." * level + (module or "")
                if where == "durakv":
                    found += [f"durakv.{name.name}" for name in names if name.name not in PUBLIC]
                elif not _is_allowed(where, adapter=adapter):
                    found.append(where)
            case ast.Attribute(value=ast.Name(id="durakv"), attr=attribute) if attribute not in PUBLIC:
                found.append(f"durakv.{attribute}")
            case _:
                pass
    return found


def _is_allowed(module: str, *, adapter: bool) -> bool:
    """Relative imports are siblings, of an adapter only."""
    top = module.partition(".")[0]
    if top and top not in OURS:
        return True
    return module in (MODULES if adapter else MODULES + KIT) or (
        adapter and module.startswith((".", "durakv.adapters")) and ".." not in module
    )


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_it_uses_nothing_but_the_public_api(path: Path) -> None:
    assert forbidden(path.read_text(encoding="utf-8"), adapter=path.is_relative_to(ADAPTERS)) == []


def test_there_is_something_to_look_at() -> None:
    assert ROOT / "docs/patterns/durable_queue.py" in SOURCES


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import durakv, durakv.aio, json\nfrom durakv import Database, testing\ndurakv.open('x')", []),
        ("from durakv.adapters._common import pack\nfrom ._common import pack", []),
        ("import durakv.engine", ["durakv.engine"]),
        ("from durakv.keyspace.database import Database", ["durakv.keyspace.database"]),
        ("from durakv import engine", ["durakv.engine"]),
        ("import durakv\ndurakv.commit.Commit", ["durakv.commit"]),
        ("from ..engine import Engine", ["..engine"]),
        ("def f():\n    import durakv_formats", ["durakv_formats"]),
        ("import durakv_fuzz.service", ["durakv_fuzz.service"]),
    ],
)
def test_what_is_not_public_is_noticed(source: str, found: list[str]) -> None:
    assert forbidden(source, adapter=True) == found


def test_a_documented_program_imports_no_adapters_sibling() -> None:
    assert forbidden("from durakv.adapters._common import pack", adapter=False) == ["durakv.adapters._common"]
