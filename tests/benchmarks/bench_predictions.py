"""How long ``suite evaluate`` takes over a file of 2,000,000 predictions, by the form it is written in.

``python -m tests.benchmarks.bench_predictions [COUNT]``; each form in a process of its own.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from suite.evaluate.segments import Segments
from suite.tasks.localization.scoring.forms import THUMOS_CLASSES
from tests.benchmarks.bench_evaluate import planted

COUNT = 2_000_000
FORMS = ("json", "txt", "parquet")
NUMBERS = sorted(THUMOS_CLASSES)  # classes are called by their names, and by these numbers in THUMOS's text


def written(folder: Path, count: int, forms: tuple[str, ...] = FORMS) -> Path:
    """Predictions on 2,000 videos as ``found.FORM`` and 20,000 annotations as the returned file."""
    truth, found = planted(2000, len(NUMBERS), 20_000, count)
    database: dict[str, Any] = {f"v{video}": {"subset": "test", "annotations": []} for video in range(2000)}
    for video, label, start, end in zip(truth.video, truth.label, truth.start.tolist(), truth.end.tolist()):
        database[f"v{video}"]["annotations"].append({"label": _name(label), "segment": [start, end]})
    (folder / "truth.json").write_text(json.dumps({"database": database}))
    found = found.take(np.argsort(found.video, kind="stable"))
    for form in forms:
        {"json": _json, "txt": _text, "parquet": _parquet}[form](found, folder / f"found.{form}")
    return folder / "truth.json"


def _name(label: int) -> str:
    return THUMOS_CLASSES[NUMBERS[label]]


def _rows(found: Segments) -> zip[tuple[Any, ...]]:
    score = np.asarray(found.score).tolist()
    return zip(found.video.tolist(), found.label.tolist(), found.start.tolist(), found.end.tolist(), score)


def _json(found: Segments, file: Path) -> None:
    videos: dict[str, list[dict[str, Any]]] = {}
    for video, label, start, end, score in _rows(found):
        row = {"label": _name(label), "score": score, "segment": [start, end]}
        videos.setdefault(f"v{video}", []).append(row)
    with file.open("w") as out:
        json.dump({"results": videos}, out)


def _text(found: Segments, file: Path) -> None:
    with file.open("w") as out:
        for video, label, start, end, score in _rows(found):
            out.write(f"v{video} {start} {end} {NUMBERS[label]} {score}\n")


def _parquet(found: Segments, file: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {"item": [f"v{video}" for video in found.video], "label": [_name(label) for label in found.label]}
    pq.write_table(pa.table(columns | {"start": found.start, "end": found.end, "score": np.asarray(found.score)}), file)


def scored(file: Path, truth: Path, resamples: int) -> str:
    """What one call costs this process: seconds, CPU seconds, GiB at most; and the mAP."""
    from suite.places import Places
    from suite.scoring import Against, score_file

    wall, cpu = time.monotonic(), time.process_time()
    _, report = score_file(file, Against(truth=truth, resamples=resamples), Places())
    wall, cpu = time.monotonic() - wall, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return f"{wall:.0f} s, {cpu:.1f} s of CPU, {peak:.1f} GiB (mAP {report.metrics[0]['value']:.6f})"


def main() -> None:
    """See the module."""
    if sys.argv[1:2] == ["--one"]:
        print(scored(Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])))
        return
    count = int(sys.argv[1]) if len(sys.argv) > 1 else COUNT
    with tempfile.TemporaryDirectory() as folder:
        truth = written(Path(folder), count)
        for form in FORMS:
            for resamples in (0, 1000):
                words = ["--one", f"{folder}/found.{form}", str(truth), str(resamples)]
                command = [sys.executable, "-m", "tests.benchmarks.bench_predictions", *words]
                said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
                print(f"{count:,} predictions as {form}, {resamples} resamples: {said}; target 10 s of CPU without")


if __name__ == "__main__":
    main()
