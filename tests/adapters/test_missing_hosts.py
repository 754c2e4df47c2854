"""The promise: who imports an adapter without the program that it is for is told what to install.

Method: a fresh interpreter in which nothing of the host can be imported imports the adapter.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

ADAPTERS = {"huey": "huey", "langgraph": "langgraph", "prometheus": "prometheus_client", "scrapy": "scrapy"}
"""Each adapter, which is also the name of its extra, and the module that its program begins with."""


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_a_missing_program_is_named_with_the_extra_that_brings_it(adapter: str) -> None:
    host = ADAPTERS[adapter]
    source = f"import sys; sys.modules[{host!r}] = None; import durakv.adapters.{adapter}"
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=False, timeout=60)
    last = done.stderr.splitlines()[-1]
    assert last.startswith("ModuleNotFoundError: "), done.stderr
    assert host in last
    assert last.endswith(f"; install what this needs with: pip install 'durakv[{adapter}]'")
