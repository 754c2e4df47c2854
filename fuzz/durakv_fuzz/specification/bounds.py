"""How far the models are explored: what CI can afford, for each policy."""

from __future__ import annotations

from durakv_fuzz.specification.explore import Bounds

SMALL = (
    Bounds(numbers=2, capacity=2, crashes=2, faults=1, policy="everysec"),
    Bounds(numbers=3, capacity=2, crashes=2, faults=0, policy="always"),
    Bounds(numbers=3, capacity=1, crashes=1, faults=1, policy="no"),
)
"""For all three machines."""

READABLE = (
    Bounds(numbers=3, capacity=2, crashes=2, faults=1, policy="everysec"),
    Bounds(numbers=4, capacity=2, crashes=2, faults=1, policy="always"),
    Bounds(numbers=3, capacity=2, crashes=2, faults=1, policy="no"),
)
"""For Spin and TLC; the ``.cfg`` files beside the models."""

LARGE = (
    Bounds(numbers=4, capacity=2, crashes=2, faults=1, policy="everysec"),
    Bounds(numbers=4, capacity=2, crashes=3, faults=1, policy="always"),
    Bounds(numbers=4, capacity=2, crashes=2, faults=2, policy="no"),
)
"""For Spin."""

MISTAKEN = Bounds(numbers=3, capacity=2, crashes=2, faults=1, policy="everysec")
"""Where mistakes are looked for."""
