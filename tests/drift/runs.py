"""Small runs of every task, and their numbers; ``python -m tests.drift.runs`` prints them as JSON."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from suite.places import Places
from suite.runs import resolve_run
from suite.work.execute import execute
from suite.work.machine import Machine

FILE = Path(__file__).with_name("numbers.json")
OTHERS = Path(__file__).with_name("numbers-others.json")  # of the other supported Python versions
DIGITS = 6

VERBS = "planted-verbs[train=200,validation=100,test=100,verbs=12]"
VIDEOS = (
    "planted-videos[videos=48,video_seconds=30.0,classes=3,class_snr=6.0,actionness_snr=4.0,context=0.0,labelled=0.5]"
)
ACTORS = "planted-actors[train_videos=30,validation_videos=10,test_videos=10,labelled=0.3]"

RUNS: dict[str, tuple[str, str, dict[str, Any], int]] = {
    "assume-negative": ("assume-negative", VERBS, {}, 3),
    "mask-bce": ("mask-bce", VERBS, {}, 3),
    "role": ("role", VERBS, {}, 2),
    "topk-mil": ("topk-mil", VIDEOS, {}, 2),
    "asl": ("asl", VIDEOS, {}, 2),
    "npl": ("npl", VIDEOS, {"preset": "small"}, 1),
    "supervised-actors": ("supervised-actors", ACTORS, {}, 2),
    "fixmatch-actors": ("fixmatch-actors", ACTORS, {}, 2),
}


def measured(name: str, folder: Path) -> dict[str, float]:
    """Test metrics, without those of single classes, where validation chose, and the last training losses."""
    method, dataset, values, epochs = RUNS[name]
    outcome = execute(
        resolve_run(method, dataset, values, epochs=epochs), Places(str(folder)), machine=Machine(checkpoints=False)
    )
    assert outcome.run["status"] == "finished", outcome.run["error"]
    found = {
        _key(row): row["value"]
        for row in outcome.metrics
        if row["split"] == "test" and row["selection"] == "validation" and not row["label"]
    }
    losses = {f"loss: {row['metric']}": row["value"] for row in outcome.curves if row["split"] == "train"}
    return {key: round(float(value), DIGITS) for key, value in sorted({**found, **losses}.items())}


def all_measured() -> dict[str, dict[str, float]]:
    """:func:`measured` of every run."""
    with tempfile.TemporaryDirectory() as folder:
        return {name: measured(name, Path(folder)) for name in RUNS}


def _key(row: Any) -> str:
    return row["metric"] if row["threshold"] is None else f"{row['metric']} @{row['threshold']:.3g}"


if __name__ == "__main__":
    print(json.dumps(all_measured()))
