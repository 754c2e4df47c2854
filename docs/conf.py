"""How the pages become a site: `sphinx-build -W --keep-going -b html docs OUT`.

The pages are those that GitHub shows, in docs/, specs/, formats/ and fuzz/, and their links go from one folder to
another.  So Sphinx reads from the root of the repository, where every relative link leads to what it names, and no page
is copied or written twice.  Nothing is fetched.
"""

import sys
from pathlib import Path

from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "formats"), str(ROOT / "fuzz"), str(ROOT / "docs/_site")]

import durakv  # noqa: E402 - what is documented is this tree, whatever else is installed

project = "durakv"
author = "the durakv authors"
version = release = durakv.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "commands", "docstrings", "facades"]
root_doc = "docs/index"
source_suffix = {".md": "markdown"}
include_patterns = ["docs/**", "specs/**", "formats/**", "fuzz/README.md", "*.md"]
exclude_patterns = [
    "docs/README.md",  # the list of pages for GitHub; docs/index.md includes it
    "docs/_site",
    "**/__pycache__",
    "**/node_modules",
]

myst_heading_anchors = 4

nitpicky = True  # of every name in a signature: it leads somewhere, or is Python's own (docstrings.py)
nitpick_ignore_regex = [
    ("py:.*", r"(huey|langgraph|prometheus_client|scrapy)\..*"),  # the hosts' own, and nothing is fetched
    ("py:.*", r"durakv_fuzz\..*"),  # what the laboratory is made of
    ("py:.*", r"durakv_formats\.snapshot_v1\.Codec"),
]
highlight_language = "text"
smartquotes = False  # `--quick` is typed in as it stands
autoclass_content = "both"
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
toc_object_entries_show_parents = "hide"

html_theme = "furo"
html_title = f"durakv {release}"
html_extra_path = ["_site/root"]
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False  # there is a LICENSE, and no date to keep right
html_theme_options = {"navigation_with_keys": True}


_LISTS = {"specs/README": "0*\n1*\nmodels/README", "formats/README": "*\nkaitai/README"}
"""Pages that list the others of their folder, in a table for everybody; Sphinx wants to be told again."""


def list_pages(_app: Sphinx, page: str, source: list[str]) -> None:
    """Give the pages of a folder their place in the site's tree."""
    if page in _LISTS:
        source[0] += f"\n```{{toctree}}\n:hidden:\n:glob:\n\n{_LISTS[page]}\n```\n"


def setup(app: Sphinx) -> None:
    """Read from the root, though this file is in docs/."""
    app.srcdir = ROOT
    app.connect("source-read", list_pages)
    app.add_lexer("hex", TextLexer)  # the examples in formats/
