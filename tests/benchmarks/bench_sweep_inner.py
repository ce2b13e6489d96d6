"""Settings of post-processing parameters tried a second, over cached scores, beside calling the evaluator for each.

``python -m tests.benchmarks.bench_sweep_inner``: thresholds of a recognition method, and suppression and thresholds of
a localization method, on planted data.
"""

from __future__ import annotations

import tempfile
import time
import warnings
from typing import Any

from suite.places import Places
from suite.runs import resolve_run
from suite.spec.base import validate
from suite.spec.sweep import SweepSpec
from suite.sweep.history import known_objectives
from suite.sweep.inner import Scored, _judged, spread
from suite.sweep.problem import problems
from suite.work.execute import execute
from suite.work.preparation import Machine

CASES: list[tuple[str, str, dict[str, Any], str, dict[str, Any], int]] = [
    (
        "label-smoothing",
        "planted-verbs",
        {"threshold": {"low": 0.01, "high": 1.0}},
        "F1 own threshold",
        {"hidden": 64},
        2000,
    ),
    ("action-selection", "planted-videos", {"nms_threshold": {}, "class_threshold": {}}, "mAP", {"hidden": 64}, 40),
]


def main() -> None:
    """Measure and print."""
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        places = Places(folder)
        for method, world, space, metric, params, count in CASES:
            values = {"name": "bench", "methods": [method], "datasets": [world], "space": space, "objective": metric}
            problem = problems(validate(SweepSpec, {**values, "params": params}, "the benchmark"))[0]
            outcome = execute(resolve_run(method, world, params, epochs=2), places, machine=Machine(checkpoints=False))
            run = Scored.of(outcome)
            settings, objectives = spread(problem.space, count), known_objectives(problem)
            _judged([run], settings[:2], objectives)
            start = time.process_time()
            _judged([run], settings, objectives)
            fast = len(settings) / (time.process_time() - start)
            data, samples, scores = run.prepared.data, run.prepared.data.validation, run.points["validation"]
            start = time.process_time()
            for setting in settings[:20]:
                run.prepared.task.evaluate(run.method(setting).decode(scores["validation"], samples), samples, data)
            plain = 20 / (time.process_time() - start)
            print(f"{method} on {world}, {metric}: {fast:.0f} settings a second, {fast / plain:.1f} times one by one")


if __name__ == "__main__":
    main()
