"""What pseudo-labels are worth against the withheld annotation, as curves of a run (NPL, Table 3, Figs. 3-5).

Only these analyses see the truth of unlabelled videos; learning never does.
"""

from __future__ import annotations

import numpy as np

from methods.semi_localization.parts import label_quality, pseudo_labels
from methods.semi_localization.parts.base import unlabelled_rows
from suite.evaluate.segments import Segments
from suite.method import Run


def analyse(run: Run) -> dict[str, float]:
    """All analyses by name; what cannot be computed (no pseudo-label, no ranking) is left out."""
    truth = run.data.train.segments
    hidden = truth.take(np.flatnonzero(~np.asarray(run.data.train.labelled)[truth.video]))
    values = {**_worth(run, hidden), **_separation(run, hidden), **_class_shares(run, hidden)}
    return {name: float(value) for name, value in values.items() if np.isfinite(value)}


def _worth(run: Run, hidden: Segments) -> dict[str, float]:
    """Table 3: class accuracy and overlap of the pseudo-labels, and how many there are per video."""
    kept = pseudo_labels.kept(run)
    worth = label_quality.quality(kept, hidden)
    videos = max(1, len(unlabelled_rows(run.data)))
    right = label_quality.correct(kept, hidden)
    return {
        "pseudo-label precision": float(right.mean()) if len(kept) else float("nan"),
        "pseudo class accuracy": worth.class_accuracy,
        "pseudo tIoU": worth.mean_tiou,
        "pseudo labels": worth.number / videos,
        "no pseudo-labels": float(not len(kept)),
        "ranked predictions": len(pseudo_labels.ranked(run)) / videos,
    }


def _separation(run: Run, hidden: Segments) -> dict[str, float]:
    """Figs. 3 and 5: how well score and agreement of neighbours order predictions by their overlap with the truth."""
    ranked = pseudo_labels.ranked(run)
    _, overlap = label_quality.nearest_truth(ranked, hidden)
    right = label_quality.correct(ranked, hidden)
    score, agreement = np.asarray(ranked.score), pseudo_labels.agreement(run)
    values = {}
    # Reliability is what NPL ranks by: the score over the ambiguity (eq. 5).
    for name, measure in (("score", score), ("agreement", agreement), ("reliability", score / -agreement)):
        if np.isnan(measure).any():  # the method does not measure agreement
            continue
        values[f"{name} correlation"] = label_quality.correlation(measure, overlap)
        values[f"{name} rank correlation"] = label_quality.rank_correlation(measure, overlap)
        values[f"precision of the best tenth by {name}"] = label_quality.precision_of_best(measure, right)
        tenths = label_quality.binned_overlap(measure, overlap)
        values |= {f"tIoU by {name}: {place}": value for place, value in enumerate(tenths, start=1)}
    if "reliability rank correlation" in values:
        gained = values["reliability rank correlation"] - values["score rank correlation"]
        values["rank correlation gained by agreement"] = gained
    return values


def _class_shares(run: Run, hidden: Segments) -> dict[str, float]:
    """Fig. 4: the classes of the pseudo-labels beside those of the truth."""
    kept, classes = pseudo_labels.kept(run), run.data.classes
    values = {
        "class imbalance": label_quality.class_imbalance(kept, hidden, len(classes)),
        "labelled classes": len(np.unique(run.data.train.known_segments().label)) / len(classes),
    }
    for stage, segments in (("truth", hidden), ("pseudo", kept)):
        shares = label_quality.class_shares(segments, len(classes))
        values |= {f"{stage}: {name}": share for name, share in zip(classes, shares, strict=True)}
    return values
