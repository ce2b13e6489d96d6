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
from tests.benchmarks.rows import Row, least, record

COUNT, AIM = 2_000_000, 10.0  # predictions; seconds without resamples
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


def scored(what: str, file: Path, truth: Path, resamples: int) -> None:
    """What one call costs this process: CPU seconds, GiB at most; and the mAP."""
    from suite.places import Places
    from suite.scoring import Against, score_file

    start = time.process_time()
    _, report = score_file(file, Against(truth=truth, resamples=resamples), Places())
    taken = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    aim, share = None if resamples else AIM, least(file.read_bytes) / taken
    record(Row("predictions", what, "", None, taken, share, least=aim, bound="reading the file's bytes"))
    print(f"  {peak:.1f} GiB held at most, mAP {report.metrics[0]['value']:.6f}", flush=True)


def main() -> None:
    """See the module."""
    if sys.argv[1:2] == ["--one"]:
        scored(sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]), int(sys.argv[5]))
        return
    count = int(sys.argv[1]) if len(sys.argv) > 1 else COUNT
    with tempfile.TemporaryDirectory() as folder:
        truth = written(Path(folder), count)
        for form in FORMS:
            for resamples in (0, 1000):
                what = f"{count:,} predictions as {form}, {resamples} resamples"
                words = ["--one", what, f"{folder}/found.{form}", str(truth), str(resamples)]
                command = [sys.executable, "-m", "tests.benchmarks.bench_predictions", *words]
                subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
