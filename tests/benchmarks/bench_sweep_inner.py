"""Settings of post-processing parameters tried a second, over kept scores, beside decoding and scoring each alone.

``python -m tests.benchmarks sweep_inner``: thresholds of a recognition method, suppression and thresholds of two
families of localization, on planted data. Both ways must give the same numbers.
"""

from __future__ import annotations

import tempfile
import time
import warnings
from typing import Any, NamedTuple

import numpy as np

from suite.places import Places
from suite.runs import resolve_run
from suite.spec.base import validate
from suite.spec.sweep import SweepSpec
from suite.sweep.fast import metric_values
from suite.sweep.history import known_objectives
from suite.sweep.inner import Scored, _judged, spread
from suite.sweep.problem import problems
from suite.work.execute import execute
from suite.work.machine import Machine
from tests.benchmarks.ceilings import SORTING, sorting
from tests.benchmarks.rows import Row, record


class Case(NamedTuple):
    """A search: how many settings together, and how many of them one by one."""

    method: str
    world: str
    space: dict[str, Any]
    metric: str
    params: dict[str, Any]
    together: int
    alone: int
    epochs: int | None = None


SHORT = {"preset": "small", "steps": 30, "semi_steps": 30, "evaluate_steps": 30}
PICKS: dict[str, Any] = {"nms_sigma": {}, "min_score": {}, "max_segments": {"low": 20, "high": 400}}
CASES = [
    Case(
        "label-smoothing", "planted-verbs", {"threshold": {"low": 0.01, "high": 1.0}}, "F1 own threshold",
        {"hidden": 64}, 2000, 20, 2,
    ),
    Case(
        "action-selection", "planted-videos", {"nms_threshold": {}, "class_threshold": {}}, "mAP",
        {"hidden": 64}, 1000, 20, 2,
    ),
    Case("actionformer", "planted-videos", PICKS, "mAP", SHORT, 100, 10),
    Case("bmn", "planted-videos", PICKS, "mAP", SHORT, 100, 10),
]  # fmt: skip


def main() -> None:
    """Measure and print."""
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        for case in CASES:
            values = {"name": "bench", "methods": [case.method], "datasets": [case.world], "space": case.space}
            values |= {"objective": case.metric, "params": case.params}
            problem = problems(validate(SweepSpec, values, "the benchmark"))[0]
            run = resolve_run(case.method, case.world, case.params, epochs=case.epochs)
            measure(case, problem, Scored.of(execute(run, Places(folder), machine=Machine(checkpoints=False))))


def measure(case: Case, problem: Any, run: Scored) -> None:
    """The rate of settings together and one by one, whose numbers must be equal."""
    settings, objectives = spread(problem.space, case.together), known_objectives(problem)
    few = settings[: case.alone]
    _judged([run], few[:2], objectives)
    start = time.process_time()
    found = _judged([run], settings, objectives)
    fast = (time.process_time() - start) / len(settings)
    data, scores = run.prepared.data, run.points["validation"]["validation"]
    start = time.process_time()
    alone = [
        metric_values(
            [run.method(s).decode(scores, data.validation)], data.validation, data, run.prepared.task, objectives
        )
        for s in few
    ]
    slow = (time.process_time() - start) / len(few)
    np.testing.assert_allclose(np.concatenate(alone), found[: len(few)], atol=1e-12)
    what = f"a setting of {', '.join(case.space)} of {case.method} on {case.world}, {len(settings)} in all"
    share, name = sorting(_one_row(scores)) / len(settings) / fast, f"{SORTING} for all settings"
    record(Row("sweep_inner", what, "decoding and scoring one by one", slow / fast, fast, share, 50.0, bound=name))


def _one_row(scores: Any) -> np.ndarray:
    """All the values of the scores that were kept."""
    return np.concatenate([np.asarray(value).ravel() for value in scores.values()])


if __name__ == "__main__":
    main()
