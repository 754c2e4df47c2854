"""The promise: what durakv exports fits on one screen, is documented, and has one name each.

Method: look at ``durakv.__all__``, at what it leads to, and at what importing it costs.
"""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

import durakv

SCREEN_LINES = 40

ALIASES = {"Command"}
"""Names for a type, which cannot carry a docstring of their own."""

SURVIVAL = {
    "Database": ("C2", "C3", "C14"),
    "Durability": ("survive",),
    "DurableDict": ("C1", "C2", "C3", "C14"),
    "Engine": ("C2", "C3", "C7"),
    "FsyncPolicy": ("C3", "C4", "C5"),
    "Receipt": ("C2", "C3"),
    "Status": ("C4",),
    "open": ("C2", "C3", "C4", "C5"),
}
"""Exports that promise something about a crash, and the clauses that they must cite."""


def test_the_public_names_fit_on_one_screen() -> None:
    assert len(durakv.__all__) <= SCREEN_LINES
    assert durakv.__all__ == sorted(durakv.__all__)


@pytest.mark.parametrize("name", durakv.__all__)
def test_every_export_is_there_and_documented(name: str) -> None:
    exported = getattr(durakv, name)
    assert name in dir(durakv)
    if name not in ALIASES:
        text = inspect.getdoc(exported)
        assert text, f"durakv.{name} has no docstring"
        first = text.splitlines()[0]
        assert first.endswith("."), f"the docstring of durakv.{name} does not begin with a sentence: {first!r}"


@pytest.mark.parametrize("name", SURVIVAL)
def test_what_survives_is_said_where_it_is_promised(name: str) -> None:
    exported = getattr(durakv, name)
    text = _whole_documentation(exported)
    for clause in SURVIVAL[name]:
        assert clause in text, f"durakv.{name} does not say {clause}"


def _whole_documentation(exported: object) -> str:
    return (inspect.getdoc(exported) or "") + (inspect.getsource(exported) if inspect.isclass(exported) else "")


def test_everything_has_exactly_one_public_name() -> None:
    exported = [getattr(durakv, name) for name in durakv.__all__]
    assert len({id(value) for value in exported}) == len(exported)
    for name in durakv.__all__:
        value = getattr(durakv, name)
        if inspect.isclass(value) or inspect.isfunction(value):
            assert value.__name__ == name


def test_the_public_methods_are_documented() -> None:
    for name in durakv.__all__:
        exported = getattr(durakv, name)
        if not inspect.isclass(exported) or not exported.__module__.startswith("durakv"):
            continue
        for attribute, value in vars(exported).items():
            if not attribute.startswith("_") and (inspect.isfunction(value) or isinstance(value, property)):
                assert inspect.getdoc(value), f"durakv.{name}.{attribute} has no docstring"


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        durakv.nothing  # noqa: B018
    assert not hasattr(durakv, "Nothing")


def test_importing_durakv_imports_nothing_else() -> None:
    script = (
        "import sys; before = set(sys.modules); import durakv; "
        "print(*sorted(set(sys.modules) - before - {'durakv', '__future__'}))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_errors_are_imported_without_the_engine() -> None:
    script = "import sys, durakv; durakv.Locked, durakv.Durability; print('durakv.engine' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
