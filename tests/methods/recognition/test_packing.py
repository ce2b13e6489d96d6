"""Every method whose parameters may be packed gives the same numbers in a stack of networks as alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from suite import registry
from suite.places import Places
from suite.runs import resolve_run
from suite.train.storage.reporter import Silent
from suite.work.execute import execute
from suite.work.machine import Machine
from suite.work.packing import run_packed
from tests.methods.recognition.worlds import SMALL

WORLD = f"planted-verbs[{','.join(f'{name}={value}' for name, value in SMALL.items())}]"
COMMON = {"lr": 1e-3, "hidden": 16, "batch": 50}
VARIED: dict[str, list[dict[str, Any]]] = {
    "em-apl": [{"beta": 0.02, "warmup": 1}, {"beta": 0.5, "alpha": 0.4, "warmup": 1}],
    "entropy-maximization": [{"alpha": 0.1}, {"alpha": 0.4}],
    "focal": [{"gamma": 1.0}, {"gamma": 3.0, "alpha": 0.5}],
    "label-smoothing": [{"epsilon": 0.05}, {"epsilon": 0.3}],
    "mask-bce": [{"neighbours": 5}, {"tau": 0.3}],
    "negative-label-smoothing": [{"epsilon": 0.05}, {"epsilon": 0.3}],
    "pseudo-single-bce": [{"neighbours": 10, "refresh": 2}, {"neighbours": 20, "refresh": 2}],
    "weak-assume-negative": [{"negatives": 0.5}, {"negatives": 4.0}],
}
RATES = [{"lr": 1e-3}, {"lr": 4e-3, "weight_decay": 0.01}]
TRAINED = [name for name, m in registry.methods().items() if m.task == "recognition" and "lr" in m.hypers]


@pytest.mark.parametrize("name", TRAINED)
def test_a_stack_gives_what_each_gives_alone(name: str, tmp_path: Path) -> None:
    places, machine = Places(str(tmp_path)), Machine()
    choices = VARIED.get(name, RATES)
    specs = [resolve_run(name, WORLD, {**COMMON, **choice}, epochs=4) for choice in choices]
    packed = run_packed(specs, places, machine, "", Silent())
    for spec, together in zip(specs, packed, strict=True):
        assert together is not None, f"{name} was not packed"
        alone = execute(spec, places, machine=machine)
        assert alone.run["status"] == together.run["status"] == "finished"
        assert _rows(alone.metrics) == pytest.approx(_rows(together.metrics), abs=1e-9)
        assert _rows(alone.metrics), "nothing was measured"


def _rows(metrics: list[dict[str, Any]]) -> dict[tuple[str, ...], float]:
    names = ("split", "selection", "metric", "label", "threshold")
    return {tuple(str(row[name]) for name in names): row["value"] for row in metrics}
