"""Which modules make numbers, by where they live."""

from __future__ import annotations

from functools import cache

# The rooms whose code computes what a run reports: arrays, labels, losses, weights, scores, metrics.
ROOMS = (
    "methods",
    "suite.data",
    "suite.evaluate",
    "suite.hyper",
    "suite.method",
    "suite.phases",
    "suite.tasks",
    "suite.train",
    "suite.weights",
)
# Folders of these names inside them hold what only moves bytes, and what scores predictions that are there already.
ASIDE = {"storage", "scoring"}


@cache
def makes_numbers(module: str) -> bool:
    """Whether ``module`` (a dotted name) may change what a run reports."""
    inside = any(module == room or module.startswith(f"{room}.") for room in ROOMS)
    return inside and not ASIDE & set(module.split("."))
