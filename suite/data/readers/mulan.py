"""MULAN multi-label sets as MATLAB files: complete label sets, from which single-positive training is made.

A file holds ``data`` (N, D) and ``target`` (C, N) in {-1, 1} or {0, 1}. Rows are split by a seeded permutation; a row
without any label can neither be annotated with one nor scored by example, so it is left out and counted. The single
training and validation labels are drawn once, each of a row's labels being as likely as the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from suite.data.reading import Reader
from suite.errors import DataError
from suite.hyper import Value
from suite.spec.card import DatasetCard
from suite.tasks.data import TaskData
from suite.tasks.recognition.samples import Clips
from suite.tasks.recognition.single_positive import draw_label, head_and_tail, one_hot

SHARES = {"train": 0.6, "validation": 0.1, "test": 0.3}


def read(card: DatasetCard, folder: Path, dials: Mapping[str, Value], task: str) -> TaskData[Clips]:
    """The three splits; ``facts["rows without a label"]`` counts what was left out.

    The dial ``draw`` seeds the split and the single labels; the card's option ``standardize`` scales features by the
    training rows.
    """
    features, truth = read_file(folder / card.files[0].path)
    labelled = np.flatnonzero(truth.any(axis=1))
    generator = np.random.default_rng([card.version, int(dials["draw"])])
    single = np.zeros(len(truth), dtype=np.int64)
    single[labelled] = draw_label(truth[labelled], generator)
    ends = np.round(np.cumsum(list(SHARES.values())) * len(labelled)).astype(int)
    parts = dict(zip(SHARES, np.split(generator.permutation(labelled), ends[:-1]), strict=True))
    if card.options.get("standardize"):
        train = features[parts["train"]]
        features = (features - train.mean(axis=0)) / np.maximum(train.std(axis=0), 1e-6)
    ids = np.array([f"row-{i:05d}" for i in range(len(truth))])
    clips = {}
    for name, rows in parts.items():
        # In the order of the file: which rows are in a split is random, how they lie in it need not be.
        rows = np.sort(rows)
        shown = one_hot(single[rows], truth.shape[1]) if name == "validation" else truth[rows]
        oracle = {"complete": truth[rows]}
        clips[name] = Clips(ids[rows], features[rows].astype(np.float32), single[rows], shown, ids[rows], oracle)
    facts = {
        "groups": head_and_tail(truth[labelled].sum(axis=0)),
        "cardinality": float(truth.sum(axis=1).mean()),
        "complete": ["train", "test"],
        "rows without a label": len(truth) - len(labelled),
        "unit": "row",
    }
    names = tuple(f"label-{i + 1:02d}" for i in range(truth.shape[1]))
    return TaskData.of(card.name, task, names, clips, facts)


def counts(card: DatasetCard, folder: Path, data: TaskData[Clips]) -> dict[str, int | float]:
    """What the file holds: rows, and labels per row to three decimals."""
    _, truth = read_file(folder / card.files[0].path)
    return {
        "rows": len(truth),
        "labels_per_row": round(float(truth.sum(axis=1).mean()), 3),
        "rows_without_labels": int((~truth.any(axis=1)).sum()),
    }


def read_file(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Features (N, D) float64 and label sets (N, C) bool of one file; :class:`DataError` when it is not such a file."""
    from scipy.io import loadmat

    try:
        content = loadmat(path)
        features, target = (_dense(content[name]) for name in ("data", "target"))
    except (OSError, ValueError, NotImplementedError, KeyError, TypeError) as error:
        raise DataError(f"{path} is not a MULAN file with 'data' and 'target' ({error}); get it again.") from None
    if len(features) != target.shape[1] or not np.isin(target, (-1, 0, 1)).all():
        shapes = f"data {features.shape} and target {target.shape}"
        raise DataError(f"{path}: {shapes} are not N x D and C x N with labels of -1, 0 or 1; get it again.")
    return features.astype(np.float64), target.T > 0


def _dense(matrix: object) -> np.ndarray:
    return np.asarray(matrix.toarray() if hasattr(matrix, "toarray") else matrix)


READER = Reader(read, counts=counts)
