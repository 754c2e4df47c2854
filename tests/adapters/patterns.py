"""The patterns that the documentation shows, as modules to import."""

from __future__ import annotations

import sys
from pathlib import Path

PATTERNS = Path(__file__).parents[2] / "docs/patterns"
if str(PATTERNS) not in sys.path:
    sys.path.append(str(PATTERNS))

from durable_counter import DurableCounters  # noqa: E402
from durable_queue import DurableQueue  # noqa: E402

__all__ = ["PATTERNS", "DurableCounters", "DurableQueue"]
