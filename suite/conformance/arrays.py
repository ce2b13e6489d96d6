"""What samples of any task hold, found by the names and shapes of their fields.

A task of one's own has fields of its own, so nothing here asks for a task: what samples do not have is None.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from suite.tasks import Task

LEARNED = ("target", "label", "video_labels", "labels")  # what training sees: label sets (N, C), or a class a sample
TRUE = ("truth", "video_labels", "labels", "label")  # what predictions are compared with
AT_ONCE = 1024  # samples whose features are read together: they may be a memory map larger than the memory


def float_arrays(value: Any, path: str = "") -> Iterator[tuple[str, np.ndarray]]:
    """Every array of floating-point numbers in a dataclass, with its path: ``duration``, ``segments.start``."""
    for one in fields(value):
        held, name = getattr(value, one.name), f"{path}{one.name}"
        if is_dataclass(held) and not isinstance(held, type):
            yield from float_arrays(held, f"{name}.")
        elif isinstance(held, np.ndarray) and np.issubdtype(held.dtype, np.floating):
            yield name, held


def label_sets(samples: Any, classes: int, names: Sequence[str]) -> np.ndarray | None:
    """(N, C) bool: the classes of each sample, from the first field of these ``names`` that the samples have."""
    for name in names:
        held = getattr(samples, name, None)
        if not isinstance(held, np.ndarray) or len(held) != len(samples):
            continue
        if held.ndim == 2 and held.shape[1] == classes:
            return np.asarray(held > 0)
        if held.ndim == 1 and np.issubdtype(held.dtype, np.integer):
            return np.asarray(held[:, None] == np.arange(classes))
    return None


def has_labels(samples: Any) -> np.ndarray:
    """(N,) bool: which samples may be learned from; all, where nothing is withheld."""
    held = getattr(samples, "labelled", None)
    return np.ones(len(samples), dtype=bool) if held is None else np.asarray(held, dtype=bool)


def unknown_share(samples: Any) -> float:
    """The share of labels that nobody gave, of samples with a mask ``known`` (N, C); else 0."""
    held = getattr(samples, "known", None)
    return 0.0 if held is None or not held.size else 1 - float(np.asarray(held, dtype=bool).mean())


def wholly_known(samples: Any) -> np.ndarray:
    """(N,) bool: the samples of which every label is known."""
    held = getattr(samples, "known", None)
    known: np.ndarray = np.ones((len(samples), 1), dtype=bool) if held is None else np.asarray(held, dtype=bool)
    return np.asarray(known.all(axis=1))


def vectors(served: Task, samples: Any, chosen: np.ndarray) -> np.ndarray | None:
    """(n, D) features of the ``chosen`` samples (n,): their own, or the means of their snippets; None without any."""
    held = getattr(samples, served.features, None)
    if held is None or held.ndim < 2 or not held.shape[-1]:
        return None
    offsets = getattr(samples, "offsets", None)
    if offsets is None:
        return np.asarray(held[chosen], dtype=np.float64).reshape(len(chosen), -1)
    means = [np.asarray(held[offsets[v] : offsets[v + 1]], dtype=np.float64).mean(axis=0) for v in chosen]
    return np.array(means).reshape(len(chosen), held.shape[-1])


def snippets(samples: Any, classes: int) -> tuple[np.ndarray, np.ndarray] | None:
    """(ΣL, D) snippets of untrimmed videos and the classes (ΣL, C) of the segments in which their middles lie.

    None for other samples, and for videos without any segment.
    """
    segments, offsets = getattr(samples, "segments", None), getattr(samples, "offsets", None)
    if offsets is None or not segments:
        return None
    video = np.repeat(np.arange(len(samples)), np.diff(offsets))
    place = np.arange(len(video)) - offsets[video]
    middle = (place * samples.stride[video] + samples.window[video] / 2) / samples.fps[video]
    shown = np.zeros((len(video), classes), dtype=bool)
    for which, label, start, end in zip(segments.video, segments.label, segments.start, segments.end):
        own = slice(int(offsets[which]), int(offsets[which + 1]))
        shown[own, label] |= (middle[own] >= start) & (middle[own] <= end)
    return samples.rows, shown


def prints(served: Task, samples: Any, chosen: np.ndarray) -> dict[bytes, str]:
    """A print of the features of each of the ``chosen`` samples (n,), with its id; constant features are left out.

    Of untrimmed videos all snippets count, in their order: two videos may have the same mean.
    """
    held = getattr(samples, served.features, None)
    if held is None or held.ndim < 2 or not held.shape[-1]:
        return {}
    found: dict[bytes, str] = {}
    for start in range(0, len(chosen), AT_ONCE):
        rows = chosen[start : start + AT_ONCE]
        for row, own in zip(rows, _features(samples, held, rows)):
            if own.size and np.ptp(own) > 0:
                found[hashlib.blake2b(own.tobytes(), digest_size=16).digest()] = str(samples.ids[row])
    return found


def _features(samples: Any, held: Any, rows: np.ndarray) -> Iterator[np.ndarray]:
    """The features of samples, one after the other: their own (D,), or their snippets (L, D)."""
    offsets = getattr(samples, "offsets", None)
    if offsets is None:
        yield from np.asarray(held[rows])
    else:
        yield from (np.asarray(held[offsets[v] : offsets[v + 1]]) for v in rows)
