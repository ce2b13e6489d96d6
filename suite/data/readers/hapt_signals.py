"""HAPT's recordings: smartphone signals of 30 people doing six activities and six postural transitions.

Source: Reyes-Ortiz et al., "Transition-Aware Human Activity Recognition Using Smartphones", Neurocomputing 2016; the
raw part of the UCI archive (``RawData/acc_expXX_userYY.txt``, ``gyro_…``, ``labels.txt``), read from a zip or a folder.

A snippet is described by 36 statistics of a window: for each of the six channels (acceleration x y z in g, angular
velocity x y z in rad/s) its mean, standard deviation, minimum, maximum, mean absolute change from sample to sample, and
the correlation with the next axis of the same sensor. The first 18 are the accelerometer's (posture), the last 18 the
gyroscope's (motion), so two-stream methods find their halves. All are standardized by the training users' snippets.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from suite.errors import DataError

RATE = 50.0
"""Samples per second."""
OFFICIAL_TRAINING_USERS = (1, 3, 5, 6, 7, 8, 11, 14, 15, 16, 17, 19, 21, 22, 23, 25, 26, 27, 28, 29, 30)
VALIDATION_USERS = (6, 14, 19, 25, 29)
"""Every fourth of the official training users: 16 remain to train on, the 9 official test users stay the test."""
STATISTICS = 6
"""Statistics per channel; 36 for the six channels."""


@dataclass(frozen=True)
class Recording:
    """One continuous recording, or a piece of one: T samples of six channels and S annotated segments.

    ``signals`` (T, 6) float32; ``label`` (S,) int from 0; ``start`` and ``end`` (S,) int samples, end exclusive.
    """

    name: str
    user: int
    signals: np.ndarray
    label: np.ndarray
    start: np.ndarray
    end: np.ndarray

    def __len__(self) -> int:
        return len(self.signals)

    def cut(self, first: int, last: int, name: str) -> Recording:
        """Samples ``first`` up to ``last`` as a recording of their own; segments that cross a cut are shortened."""
        keep = np.flatnonzero((self.end > first) & (self.start < last))
        start = np.maximum(self.start[keep], first) - first
        end = np.minimum(self.end[keep], last) - first
        return Recording(name, self.user, self.signals[first:last], self.label[keep], start, end)

    def sample_labels(self) -> np.ndarray:
        """(T,) the class of every sample, -1 in the background."""
        labels = np.full(len(self), -1, dtype=np.int64)
        for label, start, end in zip(self.label, self.start, self.end):
            labels[start:end] = label
        return labels


def split_of(user: int) -> str:
    """The split that a user belongs to."""
    if user not in OFFICIAL_TRAINING_USERS:
        return "test"
    return "validation" if user in VALIDATION_USERS else "train"


# Reading -----------------------------------------------------------------------------------------------------------


def read_recordings(folder: Path) -> tuple[list[Recording], tuple[str, ...]]:
    """All recordings in order of experiment, and the class names, from an archive or unpacked files in ``folder``."""
    files = _Files(folder)
    classes = tuple(
        line.split()[1].lower().replace("_", " ") for line in files.text("activity_labels.txt").splitlines()
    )
    table = files.table("RawData/labels.txt", columns=5).astype(np.int64)
    recordings = []
    for name in files.matching(r"RawData/acc_exp(\d+)_user(\d+)\.txt$"):
        experiment, user = (int(digits) for digits in re.findall(r"\d+", name.rsplit("/", 1)[-1]))
        signals = _both_sensors(files, name)
        rows = table[(table[:, 0] == experiment) & (table[:, 1] == user)]
        rows = rows[np.argsort(rows[:, 3], kind="stable")]
        label, start, end = rows[:, 2] - 1, rows[:, 3] - 1, rows[:, 4]
        if len(end) and (end.max() > len(signals) or (start >= end).any()):
            raise DataError(
                f"hapt: {name} is shorter than its labels say or a label is reversed; get the archive again."
            )
        recordings.append(Recording(f"exp{experiment:02d}", user, signals.astype(np.float32), label, start, end))
    return recordings, classes


def _both_sensors(files: _Files, name: str) -> np.ndarray:
    """(T, 6) acceleration and angular velocity of one experiment."""
    acceleration, velocity = files.table(name, 3), files.table(name.replace("/acc_", "/gyro_"), 3)
    if len(acceleration) != len(velocity):
        counted = f"{len(velocity)} gyroscope samples for {len(acceleration)} of the accelerometer"
        raise DataError(f"hapt: {name} in {files.where} has {counted}; get the archive again.")
    return np.hstack([acceleration, velocity])


class _Files:
    """The text files of the archive, wherever its root folder is, zipped or not."""

    def __init__(self, folder: Path) -> None:
        self.where, self.read, names = _open(folder)
        root = next((name[: -len("RawData/labels.txt")] for name in names if name.endswith("RawData/labels.txt")), None)
        if root is None:
            raise DataError(f"hapt: {self.where} holds no RawData/labels.txt; get the archive of the raw signals.")
        self.root, self.names = root, sorted(name[len(root) :] for name in names if name.startswith(root))

    def text(self, name: str) -> str:
        try:
            return self.read(self.root + name).decode("latin-1")
        except (KeyError, OSError, zipfile.BadZipFile) as error:
            raise DataError(f"hapt: cannot read {name} in {self.where} ({error}); get the archive again.") from None

    def table(self, name: str, columns: int) -> np.ndarray:
        try:
            values = np.loadtxt(io.StringIO(self.text(name)), ndmin=2)
        except ValueError as error:
            raise DataError(f"hapt: {name} in {self.where} is damaged ({error}); get the archive again.") from None
        if values.shape[1] != columns:
            raise DataError(f"hapt: {name} in {self.where} has {values.shape[1]} columns, not {columns}; get it again.")
        return values

    def matching(self, pattern: str) -> list[str]:
        return [name for name in self.names if re.match(pattern, name)]


def _open(folder: Path) -> tuple[Path, Callable[[str], bytes], list[str]]:
    """The place that holds the raw files, a way to read one, and all names: a zip, a zip in a zip, or the folder."""
    for path in sorted(folder.glob("*.zip")):
        try:
            outer = zipfile.ZipFile(path)
            inner = [name for name in outer.namelist() if name.endswith(".zip")]
            for archive in [outer, *(zipfile.ZipFile(io.BytesIO(outer.read(name))) for name in inner)]:
                if any(name.endswith("RawData/labels.txt") for name in archive.namelist()):
                    return path, archive.read, archive.namelist()
        except (OSError, zipfile.BadZipFile) as error:
            raise DataError(f"hapt: {path} is not a whole zip archive ({error}); get it again.") from None
    names = [path.relative_to(folder).as_posix() for path in folder.rglob("*.txt")]
    return folder, lambda name: (folder / name).read_bytes(), names


# Building blocks ---------------------------------------------------------------------------------------------------


def statistics(signals: np.ndarray, window: int, stride: int) -> np.ndarray:
    """(L, 36) statistics of windows of ``window`` samples that start every ``stride`` samples.

    ``signals`` (T, 6); L = (T - window) // stride + 1, and 1 for a recording shorter than a window (its ends repeat).
    """
    if len(signals) < window:
        signals = np.pad(signals, ((0, window - len(signals)), (0, 0)), mode="edge")
    # A view, not a copy: windows overlap, so together they are several times the signal. Double precision, since
    # deviations and correlations subtract means that are large beside them (gravity).
    views = np.lib.stride_tricks.sliding_window_view(signals, window, axis=0)[::stride].astype(np.float64)
    centred = views - views.mean(axis=2, keepdims=True)
    deviation = views.std(axis=2)
    following = [1, 2, 0, 4, 5, 3]
    # A channel that stands still has no correlation: 0 divided by the floor.
    product = np.maximum(deviation * deviation[:, following], 1e-12)
    correlation = (centred * centred[:, following]).mean(axis=2) / product
    change = np.abs(np.diff(views, axis=2)).mean(axis=2)
    columns = [views.mean(axis=2), deviation, views.min(axis=2), views.max(axis=2), change, correlation]
    return np.stack(columns, axis=2).reshape(len(views), 6 * STATISTICS).astype(np.float32)


def scale_of(training_rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation (D,) by which rows are standardized, from training rows alone."""
    return training_rows.mean(axis=0), np.maximum(training_rows.std(axis=0), 1e-6)


def pure_windows(recording: Recording, window: int, stride: int) -> tuple[np.ndarray, np.ndarray]:
    """Starts (n,) and classes (n,) of the windows that lie inside one segment, segment by segment.

    Windows start every ``stride`` samples from a segment's first; a segment shorter than ``window`` gives the one
    window around its centre when at least half of that window is the segment's, so that short transitions count.
    """
    starts: list[int] = []
    labels: list[int] = []
    for label, start, end in zip(recording.label, recording.start, recording.end):
        found = list(range(int(start), int(end) - window + 1, stride))
        if not found and end - start >= window / 2:
            centred = int(start + end - window) // 2
            found = [min(max(0, centred), max(0, len(recording) - window))]
        starts += found
        labels += [int(label)] * len(found)
    return np.array(starts, dtype=np.int64), np.array(labels, dtype=np.int64)


def by_split(recordings: Iterable[Recording]) -> dict[str, list[Recording]]:
    """The recordings of each split, disjoint by user."""
    splits: dict[str, list[Recording]] = {"train": [], "validation": [], "test": []}
    for recording in recordings:
        splits[split_of(recording.user)].append(recording)
    return splits
