"""Neighbours, votes and pseudo-labels against the released implementation."""

from __future__ import annotations

import re

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from methods.recognition.parts.neighbours import class_confusion, label_counts, nearest, pseudo_labels
from tests.golden import close, golden

VALUES = golden("neighbour_pseudo_labels.npz")
FEATURES, LABELS, CLASSES = VALUES["features"], VALUES["labels"], int(VALUES["num_classes"])
SETTING = re.compile(r"^(?P<name>K(?P<k>\d+)_tau(?P<tau>[\d.]+))__multi_hot$")
SETTINGS = [(m["name"], int(m["k"]), float(m["tau"])) for m in map(SETTING.match, VALUES) if m]


def _same_sets(found: np.ndarray, expected: np.ndarray, rows: np.ndarray) -> None:
    np.testing.assert_array_equal(np.sort(found[rows], axis=1), np.sort(expected[rows], axis=1))


def _multi_hot(pseudo: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return pseudo | (labels[:, None] == np.arange(CLASSES))


@pytest.mark.parametrize(("name", "k", "tau"), SETTINGS, ids=[s[0] for s in SETTINGS])
def test_setting(name: str, k: int, tau: float) -> None:
    rows = VALUES[f"{name}__row_is_tie_free"]
    neighbours = nearest(FEATURES, k)
    _same_sets(neighbours, VALUES[f"{name}__neighbour_ids"], rows)
    counts = label_counts(neighbours, LABELS, CLASSES)
    np.testing.assert_array_equal(counts[rows], VALUES[f"{name}__neighbour_label_counts"][rows])
    pseudo = pseudo_labels(counts, LABELS, k, tau)
    np.testing.assert_array_equal(_multi_hot(pseudo, LABELS)[rows], VALUES[f"{name}__multi_hot"][rows])
    single = LABELS[:, None] == np.arange(CLASSES)
    np.testing.assert_array_equal((single.astype(int) - pseudo)[rows], VALUES[f"{name}__mask_format"][rows])
    if rows.all():
        close(class_confusion(counts, LABELS, CLASSES), VALUES[f"{name}__class_confusion"], 1e-12)


def test_confusion_of_the_golden_counts() -> None:
    for name, _, _ in SETTINGS:
        counts = VALUES[f"{name}__neighbour_label_counts"]
        close(class_confusion(counts, LABELS, CLASSES), VALUES[f"{name}__class_confusion"], 1e-12)


def test_neighbours_come_nearest_first() -> None:
    k = max(k for _, k, _ in SETTINGS)
    difference = FEATURES[nearest(FEATURES, k)] - FEATURES[:, None, :]
    distances = np.square(difference).sum(axis=2)
    assert (np.diff(distances, axis=1) >= 0).all()


def test_exact_duplicates_are_neighbours() -> None:
    for group in VALUES["exact_duplicate_groups"]:
        members = group[group >= 0]
        others = nearest(FEATURES, len(members) - 1)
        for row in members:
            assert set(others[row]) == set(members) - {row}


def test_unit_length() -> None:
    name = next(key.removesuffix("__multi_hot") for key in VALUES if re.match(r"l2norm_K.*__multi_hot", key))
    match = re.fullmatch(r"l2norm_K(\d+)_tau([\d.]+)", name)
    assert match
    k, tau, rows = int(match[1]), float(match[2]), VALUES[f"{name}__row_is_tie_free"]
    neighbours = nearest(FEATURES, k, metric="cosine")
    _same_sets(neighbours, VALUES[f"{name}__neighbour_ids"], rows)
    pseudo = pseudo_labels(label_counts(neighbours, LABELS, CLASSES), LABELS, k, tau)
    np.testing.assert_array_equal(_multi_hot(pseudo, LABELS)[rows], VALUES[f"{name}__multi_hot"][rows])


def test_settings_per_class() -> None:
    key = next(key for key in VALUES if re.match(r"perclass_K.*__multi_hot", key))
    match = re.fullmatch(r"perclass_K(\d+)_tau([\d.]+)__multi_hot", key)
    assert match
    k, tau = np.full(CLASSES, int(match[1])), np.full(CLASSES, float(match[2]))
    for label, value in VALUES["perclass__K_override"]:
        k[label] = value
    for label, value in VALUES["perclass__tau_override"]:
        tau[int(label)] = value
    counts = label_counts(nearest(FEATURES, int(k.max())), LABELS, CLASSES, k[LABELS])
    pseudo = pseudo_labels(counts, LABELS, k[LABELS], tau[LABELS])
    rows = np.ones(len(LABELS), dtype=bool)
    for value in np.unique(k):
        rows &= _tie_free(int(value)) | (k[LABELS] != value)
    assert rows.any()
    np.testing.assert_array_equal(_multi_hot(pseudo, LABELS)[rows], VALUES[key][rows])


def _tie_free(k: int) -> np.ndarray:
    """(N,) whether the k-th and the next distance of each row differ."""
    distances = cdist(FEATURES, FEATURES, "sqeuclidean")
    np.fill_diagonal(distances, np.inf)
    distances.sort(axis=1)
    return distances[:, k] > distances[:, k - 1]


def test_other_queries() -> None:
    pattern = re.compile(r"(separate_query_K\d+)__neighbour_ids")
    names = [match[1] for match in map(pattern.fullmatch, VALUES) if match]
    assert names
    labels = VALUES["separate_query__labels"]
    for name in names:
        rows, ids = VALUES[f"{name}__row_is_tie_free"], VALUES[f"{name}__neighbour_ids"]
        neighbours = nearest(FEATURES, ids.shape[1], VALUES["separate_query__features"])
        _same_sets(neighbours, ids, rows)
        counts = label_counts(neighbours, LABELS, CLASSES)
        np.testing.assert_array_equal(counts[rows], VALUES[f"{name}__neighbour_label_counts"][rows])
        confusion = class_confusion(VALUES[f"{name}__neighbour_label_counts"], labels, CLASSES)
        close(confusion, VALUES[f"{name}__class_confusion"], 1e-12)


def test_a_copy_of_the_source_keeps_itself() -> None:
    key = next(key for key in VALUES if re.match(r"same_values_other_object_K.*__neighbour_ids", key))
    k = VALUES[key].shape[1]
    neighbours = nearest(FEATURES, k, FEATURES.copy())
    np.testing.assert_array_equal(neighbours[:, 0] == np.arange(len(LABELS)), _lowest_of_duplicates())
    rows = _tie_free(k - 1) & _tie_free(max(1, k - 1))
    distinct = np.square(FEATURES[VALUES[key]] - FEATURES[:, None]).sum(axis=2)
    found = np.square(FEATURES[neighbours] - FEATURES[:, None]).sum(axis=2)
    close(found[rows], distinct[rows], 1e-9)


def _lowest_of_duplicates() -> np.ndarray:
    first = np.ones(len(LABELS), dtype=bool)
    for group in VALUES["exact_duplicate_groups"]:
        members = np.sort(group[group >= 0])
        first[members[1:]] = False
    return first
