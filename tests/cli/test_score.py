"""``suite score``: kept predictions give the same numbers again, and other numbers under another protocol."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from suite.results.ledger import Ledger
from suite.tasks import Metric
from suite.tasks.recognition.task import RecognitionTask
from tests.cli.conftest import Typed, sentence
from tests.cli.test_train import QUICK, SMALL


@pytest.fixture
def trained(typed: Typed, tmp_path: Path) -> Path:
    typed("train", "assume-negative", SMALL, *QUICK, "--out", tmp_path, "--json")
    return tmp_path


def test_predictions_score_as_they_did(typed: Typed, trained: Path):
    rows = json.loads(typed("score", "--out", trained, "--json")[0])
    assert {"IoU calibrated", "IoU oracle threshold"} <= {row["metric"] for row in rows}
    for row in rows:
        assert row["value"] == pytest.approx(row["before"], abs=1e-6, nan_ok=True)


def test_a_new_metric_is_recorded_without_training(typed: Typed, trained: Path, monkeypatch: pytest.MonkeyPatch):
    evaluate = RecognitionTask.evaluate
    monkeypatch.setattr(RecognitionTask, "evaluate", lambda self, *given: [*evaluate(*given), Metric("answer", 42.0)])
    typed("score", "--record", "--out", trained)
    ledger = Ledger.of(trained)
    assert len(ledger.runs()) == 1
    assert "answer" in ledger.metrics()["metric"].to_list()
    assert len(ledger.curves()) > 0
    assert len(ledger.predictions(ledger.runs()["run"][0])) == 60


def test_a_changed_dataset_is_told(typed: Typed, trained: Path):
    _, err = typed("score", "--protocol", "other", "--record", "--out", trained, code=2)
    assert "leave --protocol or --record out" in sentence(err)
