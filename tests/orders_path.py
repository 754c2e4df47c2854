"""Importing this makes the modules of the tutorial importable, as they are for a script in its folder."""

from __future__ import annotations

import sys
from pathlib import Path

ORDERS = Path(__file__).parents[1] / "docs" / "orders"

if str(ORDERS) not in sys.path:
    sys.path.append(str(ORDERS))
