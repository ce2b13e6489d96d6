"""New features as samples of a task: arrays in memory, .npy and .npz files, folders of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from suite.errors import DataError, UsageError
from suite.evaluate.segments import Segments
from suite.models.form import Form, fill
from suite.tasks import task
from suite.tasks.actors.samples import Actors
from suite.tasks.localization.samples import Videos

Arrays = Mapping[str, np.ndarray]
NOTHING = Segments(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0), np.zeros(0))
HELD = ("features", "x", "data")  # names of the one array of an .npz file that holds features of all samples
PIXELS = "it learned from pixels: give a folder of video files with a boxes.csv, or a dataset's name."


@dataclass(frozen=True)
class Timing:
    """Frames per second of videos, frames between their snippets, frames that a snippet sees; 0: as in training."""

    fps: float = 0.0
    stride: float = 0.0
    window: float = 0.0


def read_features(path: Path) -> Arrays | np.ndarray:
    """What a file or a folder of features holds: an array for all samples, or arrays by name.

    Raises :class:`DataError` for anything but ``.npy`` and ``.npz`` files.
    """
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.suffix == ".npy")
        if not files:
            raise DataError(f"{path} holds no .npy files; put one for each video or clip there.")
        return {file.stem: _array(file) for file in files}
    return _array(path) if path.suffix == ".npy" else _arrays(path)


def samples_of(
    served: str, form: Form, given: Any, ids: Sequence[str] | None = None, timing: Timing | None = None
) -> Any:
    """``given`` features as samples of the task ``served``, without labels.

    ``given`` is what a network takes of each sample: (N, D), one row per clip or person; for videos a list, or a
    mapping from name, of (snippets, D) arrays. Raises :class:`UsageError` where they are others than in training.
    """
    kind = task(served).samples
    names, parts = _named(given, ids, ragged=kind is Videos)
    width = _width(served, form)
    for name, part in zip(names, parts):
        if part.ndim != (2 if kind is Videos else 1) or part.shape[-1] != width:
            shape = f"(snippets, {width})" if kind is Videos else f"({width},)"
            raise UsageError(f"the features of {name} are of shape {part.shape}, the model takes {shape}.")
        if not np.isfinite(part).all():
            raise DataError(f"the features of {name} are not all finite numbers; make them again.")
    makers: dict[type[Any], Callable[..., Any]] = {Videos: _videos, Actors: _people}
    columns = form["splits"]["test"]
    return makers.get(kind, _rows)(served, columns, form, np.array(names), parts, timing or Timing())


def _width(served: str, form: Form) -> int:
    column = form["splits"]["test"].get(task(served).features if task(served).samples is not Videos else "rows", {})
    shape = column.get("shape", [0])
    if "clips" in form["splits"]["test"].get("frames", {}) or len(shape) < 2 or not shape[1]:
        raise UsageError(f"this model takes no features: {PIXELS}")
    return int(shape[-1])


def _named(given: Any, ids: Sequence[str] | None, ragged: bool) -> tuple[list[str], list[np.ndarray]]:
    """Names and features of the samples."""
    if isinstance(given, Mapping):
        names, parts = [str(name) for name in given], [np.asarray(part) for part in given.values()]
    else:
        one = ragged and isinstance(given, np.ndarray) and given.ndim == 2  # a single video
        parts = [np.asarray(part) for part in ([given] if one else given)]
        names = [f"{number:05d}" for number in range(len(parts))] if ids is None else [str(name) for name in ids]
    if len(names) != len(parts) or len(set(names)) < len(names):
        raise UsageError(f"{len(parts)} samples need as many names, each once; {len(set(names))} were given.")
    if not ragged and all(part.ndim == 2 for part in parts) and parts:  # several rows by name: one sample each
        rows = [(f"{n}/{i}" if len(p) > 1 else n, row) for n, p in zip(names, parts) for i, row in enumerate(p)]
        names, parts = [name for name, _ in rows], [row for _, row in rows]
    return names, [part.astype(np.float32) if part.dtype.kind in "fiu" else _refuse(part) for part in parts]


def _refuse(part: np.ndarray) -> np.ndarray:
    raise DataError(f"features are numbers, not {part.dtype}; give arrays of float32.")


def _rows(served: str, columns: Form, form: Form, ids: np.ndarray, parts: list[np.ndarray], timing: Timing) -> Any:
    """Samples with one row of features each."""
    features = np.stack(parts) if parts else np.zeros((0, _width(served, form)), dtype=np.float32)
    given = {"ids": ids, "unit": ids, task(served).features: features}
    return fill(task(served).samples, columns, given, len(ids))


def _videos(served: str, columns: Form, form: Form, ids: np.ndarray, parts: list[np.ndarray], timing: Timing) -> Videos:
    known = form["timing"]
    fps, stride, window = (getattr(timing, name) or known[name] for name in ("fps", "stride", "window"))
    lengths = np.array([len(part) for part in parts], dtype=np.int64)
    if not lengths.all():
        raise UsageError(f"video {ids[int((lengths == 0).argmax())]} has no snippet; leave it out.")
    duration = (np.maximum(lengths - 1, 0) * stride + window) / fps
    rows = np.concatenate(parts) if parts else np.zeros((0, _width(served, form)), dtype=np.float32)
    kinds = {"fps": fps, "stride": stride, "window": window, "duration": duration}
    return Videos.annotated(ids, rows, lengths, NOTHING, len(form["classes"]), **kinds)


def _people(served: str, columns: Form, form: Form, ids: np.ndarray, parts: list[np.ndarray], timing: Timing) -> Actors:
    count, classes = len(ids), len(form["classes"])
    none = np.zeros((count, classes), dtype=bool)
    whole = np.tile(np.array([0.0, 0.0, 1.0, 1.0]), (count, 1))
    given: dict[str, Any] = {
        "ids": ids, "unit": ids, "video": ids, "clip_ids": ids, "clip": np.arange(count), "second": np.zeros(count),
        "box": whole, "box_score": np.ones(count), "labels": none, "labelled": np.zeros(count, dtype=bool),
        "features": np.stack(parts) if parts else np.zeros((0, _width(served, form)), dtype=np.float32),
        "truth_clip": np.arange(0), "truth_box": whole[:0], "truth_labels": none[:0],
    }  # fmt: skip
    return Actors(**given)


def _array(file: Path) -> np.ndarray:
    try:
        array = np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{file} is no array of numbers ({error}); save it with numpy.save.") from None
    return np.asarray(array)


def _arrays(path: Path) -> Arrays | np.ndarray:
    if path.suffix != ".npz":
        raise DataError(f"{path} is no file of features; give .npy, .npz, a folder of .npy files, or a dataset's name.")
    try:
        with np.load(path, allow_pickle=False) as file:
            found = {name: np.asarray(file[name]) for name in file.files}
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        raise DataError(f"{path} holds no arrays of numbers ({error}); save them with numpy.savez.") from None
    named = next((name for name in HELD if name in found), "")
    if named and "ids" in found and len(found["ids"]) == len(found[named]):
        return dict(zip(map(str, found["ids"]), found[named]))
    return found
