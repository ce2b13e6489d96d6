"""What printed cells may name: metrics of the tasks' evaluators, curves that methods log, results of analyses."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import methods

# What `suite analyse` computes from recorded runs, under the names of the printed cells.
ANALYSES = {
    "DETAD background", "DETAD localization", "DETAD double detection", "DETAD wrong label",
    "context errors, relative change", "actionness errors, relative change",
}  # fmt: skip
EVALUATED = {
    "recognition": {"top-set", "top-1", "mAP", "IoU", "F1", "IoU calibrated", "F1 calibrated"},
    "weak-localization": {"mAP"},
    "semi-localization": {"mAP"},
    "actor-detection": {"mAP"},
}


@cache
def known_metrics(task: str) -> set[str]:
    """The metrics of a task and every name that its methods' ``analyses`` may log."""
    return EVALUATED[task] | _logged()


@cache
def _logged() -> set[str]:
    """Names of curves: keys and targets in the methods' sources (``score correlation`` is put together from two)."""
    folder = Path(methods.__path__[0])
    found = {"score correlation", "agreement correlation"}
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) < 40:
                found.add(node.value)
    return found
