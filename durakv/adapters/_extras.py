"""What an adapter says where the program that it is for is missing."""

from __future__ import annotations


def not_installed(extra: str, error: ImportError) -> ImportError:
    """The error that an import of the host met, with the remedy; to be raised from it."""
    return type(error)(f"{error}; install what this needs with: pip install 'durakv[{extra}]'", name=error.name)
