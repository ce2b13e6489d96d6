"""Which modules make numbers, by where they live."""

from __future__ import annotations

from pathlib import Path

# The rooms whose code computes what a run reports: arrays, labels, losses, weights, scores, metrics.
ROOMS = ("methods", "suite.data", "suite.evaluate", "suite.hyper", "suite.method", "suite.tasks", "suite.train")
# A folder of this name inside them holds what only moves bytes.
ASIDE = "storage"


def makes_numbers(module: str) -> bool:
    """Whether ``module`` (a dotted name) may change what a run reports."""
    inside = any(module == room or module.startswith(f"{room}.") for room in ROOMS)
    return inside and ASIDE not in module.split(".")


def modules() -> list[str]:
    """Every module of the suite and of the shipped methods that makes numbers, sorted."""
    import methods
    import suite

    found = []
    for package in (suite, methods):
        root = Path(str(package.__path__[0]))
        for path in root.rglob("*.py"):
            parts = [package.__name__, *path.relative_to(root).with_suffix("").parts]
            found.append(".".join(parts).removesuffix(".__init__"))
    return sorted(name for name in found if makes_numbers(name))
