"""Outcomes to fill ledgers with, as a run would leave them."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta

import pyarrow as pa

from suite.results.schema import Outcome


def outcome(method="mask-bce", seed=0, dataset="planted-verbs", value=0.5, status="finished", **row) -> Outcome:
    """A small outcome: two metrics (one a class), a curve of three points, two predictions."""
    run = hashlib.sha256(f"{method}{seed}{dataset}{row.get('params')}".encode()).hexdigest()[:16]
    started = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=seed)
    base = {
        "run": run, "method": method, "title": method.upper(), "task": "recognition", "dataset": dataset,
        "protocol": "default", "seed": seed, "params": json.dumps({"lr": 0.001}), "status": status, "started": started,
        "seconds": 2.0, "hardware": "{}", "versions": "{}",
    }  # fmt: skip
    metrics = [
        {"split": split, "selection": selection, "metric": metric, "label": label, "threshold": None, "value": value}
        for split in ("validation", "test")
        for selection in ("validation", "last", "oracle")
        for metric, label in (("top-set", ""), ("AP", "run"), ("AP", "walk"))
    ]
    curves = [
        {"phase": "train", "epoch": e, "step": 10 * e, "split": "train", "metric": "loss", "value": 1.0 / (e + 1)}
        for e in range(3)
    ]
    predictions = pa.table(
        {
            "split": ["test"] * 2,
            "selection": ["validation"] * 2,
            "item": ["a", "b"],
            "scores": pa.array([[0.1, 0.9], [0.3, seed / 10]], pa.list_(pa.float32())),
        }
    )
    return Outcome({**base, **row}, metrics, curves, predictions)
