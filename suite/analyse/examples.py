"""Examples of what a recorded run predicted for its test split, drawn for its page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from suite.analyse.detad import false_positives
from suite.analyse.frames import on_frames
from suite.analyse.label_sets import label_sets, spread
from suite.analyse.subject import Subject
from suite.analyse.timeline import figure
from suite.data import load
from suite.evaluate.segments import Segments
from suite.places import Places
from suite.report.figures import fragment
from suite.results.ledger import Ledger
from suite.tasks import task

COUNT = 4  # examples on a page
ERRORS = "Errors at tIoU 0.5: percent of each type among the best n · G detections of a class with G instances"


def examples(row: Mapping[str, Any], ledger: Ledger, places: Places, count: int = COUNT) -> dict[str, str]:
    """Heading to HTML for ``count`` test items of the run with this row of the ledger, spread over the split.

    Timelines beside the annotation and the profile of errors where predictions are segments, label sets with the best
    scores where they are scores per class, people on frames where there are frames; empty for a run without predictions
    on record. Raises what loading its dataset raises.
    """
    served = task(row["task"])
    rows = ledger.predictions(row["run"]).to_arrow()
    if not len(rows):
        return {}
    data = load(row["dataset"], row["task"], places.root, places.cache, protocol=row["protocol"], seed=row["seed"])
    samples = data.split("test")
    found = served.from_rows(rows, samples)
    if served.predictions is Segments:
        one = Subject(row, data, samples, found)
        return {**_timelines(one, count), ERRORS: error_profile(false_positives(one))}
    scores, labels = _first(found, "logits", "scores"), _first(samples, "truth", "labels")
    if scores is None or labels is None or scores.shape != labels.shape:
        return {}  # a task from outside, whose predictions are something else
    shown = {"Label sets": label_sets(samples.ids.tolist(), data.classes, labels, scores, count)}
    if getattr(samples, "frames", None) is not None:
        shown |= on_frames(samples, data.classes, labels, scores, count)
    return shown


def _first(owner: Any, *names: str) -> np.ndarray | None:
    """The first of the fields ``names`` that ``owner`` has, as an array."""
    found = next((getattr(owner, name) for name in names if hasattr(owner, name)), None)
    return None if found is None else np.asarray(found)


def _timelines(one: Subject, count: int) -> dict[str, str]:
    """Videos of the protocol that hold an annotated segment, darker bars where the run is surer."""
    annotated = np.intersect1d(one.videos, one.samples.segments.video)
    chosen = spread(annotated, count)
    return {
        f"{one.samples.ids[video]}: annotation and detections, darker where surer": fragment(
            figure([one], str(one.samples.ids[video])), f"timeline-{place}"
        )
        for place, video in enumerate(chosen)
    }


def error_profile(rows: Sequence[Mapping[str, Any]]) -> str:
    """DETAD's types of detections (:func:`suite.analyse.detad.false_positives`) as a table."""
    from markupsafe import Markup

    counts = [name for name in rows[0] if name not in ("type", "gain")]
    names = ["", *counts, "mAP gained without them, points"]
    head = Markup("").join(
        Markup('<th scope="col"{}>{}</th>').format(Markup(' class="number"') if place else "", name)
        for place, name in enumerate(names)
    )
    number, line = Markup('<td class="number">{:.1f}</td>'), Markup('<tr><th scope="row">{}</th>{}</tr>')
    lines = [
        line.format(row["type"], Markup("").join(number.format(row[name]) for name in (*counts, "gain")))
        for row in rows
    ]
    area = Markup('<div class="scroll inside" tabindex="0" role="region" aria-label="Errors by type">{}</div>')
    table = Markup('<table class="plain runs"><tr>{}</tr>{}</table>').format(head, Markup("").join(lines))
    return str(area.format(table))


def row_of(ledger: Ledger, run: str) -> dict[str, Any]:
    """The ledger's row of a run."""
    return ledger.runs().filter(pl.col("run") == run).row(0, named=True)
