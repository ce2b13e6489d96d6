"""Labels that nobody gave: how a table says so, what is refused, and a dataset from outside that is full of them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, precision_recall_curve

from suite.data import load
from suite.errors import DataError
from suite.places import Places
from suite.results.ledger import Ledger
from suite.runs import resolve_run
from suite.scoring import Against, score_file
from suite.tasks.data import TaskData
from suite.tasks.recognition.samples import Clips
from suite.tasks.recognition.storage.rows import from_rows
from suite.tasks.recognition.unknown import check_unknown, settle_unknown
from suite.train.storage.reporter import Silent
from suite.work.execute import execute
from suite.work.machine import Machine
from suite.work.packing import run_packed
from tests.cli.conftest import Typed, typed

__all__ = ["typed"]  # a fixture

NAN = float("nan")
UNKNOWN = {"missing": "unknown"}
NETWORK = ("--set", "hidden=16", "--set", "lr=0.01", "--set", "batch=50", "--epochs", "4")


def clips(truth: list[list[float]], **more: np.ndarray) -> Clips:
    table = np.array(truth)
    ids = np.array([f"clip-{row}" for row in range(len(table))])
    return Clips(ids, np.zeros((len(table), 2)), np.nan_to_num(table).argmax(axis=1), table, ids, **more)


def world(train: Clips) -> TaskData[Clips]:
    whole = clips([[1, 0, 0], [0, 1, 1]])
    return TaskData("toy", "recognition", ("a", "b", "c"), train, whole, whole)


def test_a_declared_nan_is_neither_present_nor_absent() -> None:
    settled = settle_unknown(world(clips([[1, NAN, 0], [NAN, 1, NAN]])), UNKNOWN)
    assert settled.train.known is not None and settled.validation.known is None
    np.testing.assert_array_equal(settled.train.truth, [[True, False, False], [False, True, False]])
    np.testing.assert_array_equal(settled.train.known, [[True, False, True], [False, True, False]])
    whole = np.array([[1, -1, 0], [-1, 1, -1]])
    np.testing.assert_array_equal(
        settle_unknown(world(replace(clips([[1, 0, 0], [0, 1, 0]]), truth=whole)), UNKNOWN).train.known, whole >= 0
    )


def test_a_mask_of_the_readers_own_and_one_that_hides_nothing() -> None:
    known = np.array([[True, True, False], [True, True, True]])
    both = settle_unknown(world(clips([[1, NAN, 0], [0, 1, 1]], known=known)), UNKNOWN).train
    np.testing.assert_array_equal(both.known, [[True, False, False], [True, True, True]])
    assert settle_unknown(world(clips([[1, 0, 0], [0, 1, 1]], known=np.ones((2, 3), bool))), {}).train.known is None


@pytest.mark.parametrize(
    ("truth", "dials", "said"),
    [
        ([[1, 0, 0], [NAN, 1, NAN]], {}, r"'clip-1' \(nan\) and 1 more entries: neither present nor absent; .*missing"),
        ([[1, 0, 0], [NAN, 1, 0]], {"missing": "error"}, r"'clip-1' \(nan\): neither present nor absent"),
        ([[1, 0.3, 0], [0, 1, 0]], UNKNOWN, r"'clip-0' \(0.3\): neither 0 nor 1"),
        ([[1, 0, 0], [0, 2, 0]], UNKNOWN, r"'clip-1' \(2\): neither 0 nor 1"),
    ],
)
def test_what_nobody_declared_is_refused(truth: list[list[float]], dials: dict[str, str], said: str) -> None:
    with pytest.raises(DataError, match=rf"toy: train 'truth' of {said}"):
        settle_unknown(world(clips(truth)), dials)


@pytest.mark.parametrize(
    ("known", "target", "said"),
    [
        (np.ones((2, 2), bool), None, "'known' is"),
        (np.ones((2, 3)), None, "not bool"),
        (np.array([[1, 1, 1], [1, 1, 0]], bool), None, "'clip-1' .* has a 'truth' in a class that is unknown"),
        (np.array([[1, 0, 1], [1, 1, 1]], bool), [[1, 1, 0], [0, 1, 0]], "'clip-0' .* has a 'target' in a class"),
        (None, [[1, 0, 0], [0, 1.5, 0]], "outside"),
        (None, [[1, 0, 0], [0, NAN, 0]], "outside"),
    ],
)
def test_masks_and_targets_that_contradict_the_labels(known: np.ndarray, target: object, said: str) -> None:
    table = clips([[1, 0, 0], [0, 1, 1]])
    table = replace(table, truth=table.truth > 0, known=known, target=None if target is None else np.array(target))
    with pytest.raises(DataError, match=said):
        check_unknown(table, "train")


CARD = """
name = "half-said"
title = "Labels that few gave"
tasks = ["recognition"]
kind = "real"
reader = "half_said.py:read"
folder = "half-said"
source = "https://example.org"
licence = "CC BY 4.0"
citation = "An example; published nowhere."
[[files]]
path = "labels.npz"
[counts]
classes = 5
[splits]
train = 300
validation = 80
test = 200
[layout]
channels = 6
"""
DIAL = """
[dials.missing]
default = "unknown"
choices = ["error", "unknown"]
help = "What NaN in the labels is: a fault, or a label that nobody gave."
"""
READER = """
import numpy as np
from suite.tasks.data import TaskData
from suite.tasks.recognition.samples import Clips

def read(card, folder, dials, task):
    stored = np.load(folder / "labels.npz")
    splits = {}
    for name in ("train", "validation", "test"):
        x, truth, label = (stored[f"{name}_{part}"] for part in ("x", "truth", "label"))
        ids = np.array([f"{name}-{row}" for row in range(len(x))])
        splits[name] = Clips(ids, x, label, truth, ids)
    return TaskData(card.name, task, tuple("abcde"), **splits, facts={"cardinality": 2.0, "complete": ["train"]})
"""


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A dataset of a user's own, in which 60 % of all entries are NaN, and nothing else that is set."""
    generator, stored = np.random.default_rng(1), {}
    mixing = generator.normal(size=(5, 6))
    for name, count in (("train", 300), ("validation", 80), ("test", 200)):
        truth = (generator.random((count, 5)) < 0.4).astype(np.float64)
        label = generator.integers(5, size=count)
        truth[np.arange(count), label] = 1
        unsaid = generator.random(truth.shape) < 0.75  # of the four other classes: 60 % of all five
        unsaid[np.arange(count), label] = False
        stored[f"{name}_x"] = (truth @ mixing + generator.normal(size=(count, 6))).astype(np.float32)
        stored[f"{name}_truth"], stored[f"{name}_label"] = np.where(unsaid, NAN, truth), label
    (tmp_path / "data" / "half-said").mkdir(parents=True)
    np.savez(tmp_path / "data" / "half-said" / "labels.npz", **stored)
    (tmp_path / "half-said.toml").write_text(CARD + DIAL)
    (tmp_path / "half_said.py").write_text(READER)
    for name, value in {"SUITE_DATASETS": ".", "SUITE_DATA": "data", "SUITE_OUTPUTS": "outputs"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("SUITE_METHODS", "")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def envelope(truth: np.ndarray, scores: np.ndarray) -> float:
    """The area under sklearn's curve with each precision the best at any recall from there on."""
    precision, recall, _ = precision_recall_curve(truth, scores)
    best = np.maximum.accumulate(precision[:-1])  # from the highest recall down
    return float(-np.diff(recall) @ best)


@pytest.mark.parametrize("method", ["mask-bce", "assume-negative", "em"])
def test_trained_and_scored_on_what_is_known(method: str, outside: Path, typed: Typed) -> None:
    printed, _ = typed("train", method, "half-said", *NETWORK)
    assert "mAP" in printed
    ledger, test = Ledger.of("outputs"), load("half-said").test
    raw = np.load("data/half-said/labels.npz")["test_truth"]
    assert 0.55 < np.isnan(raw).mean() < 0.65
    (run,) = ledger.runs()["run"].to_list()
    logits = from_rows(ledger.predictions(run).to_arrow(), test).logits.astype(np.float64)
    rows = [r for r in ledger.metrics().to_dicts() if (r["split"], r["selection"]) == ("test", "validation")]
    areas, counts = ({r["label"]: r["value"] for r in rows if r["metric"] == name} for name in ("AP", "known"))
    for place, name in enumerate("abcde"):
        said = ~np.isnan(raw[:, place])
        assert counts[name] == said.sum()
        assert areas[name] == pytest.approx(envelope(raw[said, place], logits[said, place]), abs=1e-9)
        assert areas[name] >= average_precision_score(raw[said, place], logits[said, place]) - 1e-9
    whole = {r["metric"]: r["value"] for r in rows if not r["label"]}
    assert whole["mAP"] == pytest.approx(np.mean(list(areas.values())))
    best = np.where(np.isnan(raw), -np.inf, logits).argmax(axis=1)
    assert whole["top-1"] == pytest.approx((raw[np.arange(len(raw)), best] == 1).mean())
    assert whole["top-1"] > 0.6


def test_prediction_files_are_scored_on_what_is_known(outside: Path) -> None:
    test = load("half-said").test
    assert test.known is not None
    chosen = np.asarray(test.truth) | ~np.asarray(test.known)  # right wherever anybody knows
    rows = ["|".join(name for name, here in zip("abcde", row) if here) for row in chosen]
    Path("found.csv").write_text("\n".join(["id,labels", *(f"{i},{r}" for i, r in zip(test.ids, rows))]))
    report = score_file(Path("found.csv"), Against("half-said", resamples=20), Places())[1]
    assert {row["metric"]: row["value"] for row in report.metrics} == {"IoU": 1.0, "F1": 1.0, "exact match": 1.0}
    assert [row["known"] for row in report.classes] == np.asarray(test.known).sum(axis=0).tolist()


def test_without_the_dial_a_nan_is_one_sentence(outside: Path, typed: Typed) -> None:
    (outside / "half-said.toml").write_text(CARD)
    for words in (("train", "em", "half-said", *NETWORK), ("data", "prepare", "half-said")):
        _, err = typed(*words, code=1)
        (line,) = [line for line in err.splitlines() if "truth" in line]
        assert "half-said: train 'truth' of 'train-0' (nan)" in line
        assert "missing=unknown" in line
    (outside / "half-said.toml").write_text(CARD + DIAL)
    _, err = typed("train", "em", "half-said[missing=error]", *NETWORK, code=1)
    assert "of 'train-0' (nan)" in err


def test_a_mask_of_nothing_changes_no_number(outside: Path, typed: Typed) -> None:
    """The same labels without NaN, with and without the dial: the same logits to the last bit."""
    stored = dict(np.load("data/half-said/labels.npz"))
    np.savez("data/half-said/labels.npz", **{name: np.nan_to_num(values) for name, values in stored.items()})
    found = []
    for text in (CARD, CARD + DIAL):
        (outside / "half-said.toml").write_text(text)
        typed("train", "mask-bce", "half-said", *NETWORK)
        ledger = Ledger.of("outputs")
        found.append({run: ledger.predictions(run)["scores"].to_list() for run in ledger.runs()["run"]})
    assert len(found[1]) == 2
    assert len({json.dumps(scores) for scores in found[1].values()}) == 1


@pytest.mark.parametrize("method", ["mask-bce", "focal"])
def test_a_packed_run_takes_the_mask_as_a_run_alone_does(method: str, outside: Path) -> None:
    places, machine = Places(), Machine(checkpoints=False)
    common = {"hidden": 16, "batch": 50}
    asked = [resolve_run(method, "half-said", {**common, "lr": lr}, epochs=2) for lr in (0.01, 0.003)]
    for spec, together in zip(asked, run_packed(asked, places, machine, "", Silent()), strict=True):
        assert together is not None
        alone = execute(spec, places, machine=machine)
        for split in ("validation", "test"):
            one, other = (o.extra["scores"][split]["logits"] for o in (alone, together))
            np.testing.assert_allclose(other, one, rtol=0, atol=1e-5)
