"""Windows of HAPT with twins: on a small archive, and on the real one where it is at hand."""

from __future__ import annotations

import os
import random
from pathlib import Path

import numpy as np
import pytest

from suite.data import find_card, load
from suite.data.checks import check_task_data
from suite.data.readers import hapt_confusing
from suite.data.request import dataset_request
from suite.data.storage.verify import verify
from tests.data.test_hapt import files, zipped

REAL = Path(os.environ.get("SUITE_DATA") or Path(__file__).resolve().parents[2].parent / "shared" / "data")
LABELS = "1 1 5 1 160\n2 6 1 1 200\n3 2 12 1 140\n3 2 1 141 300\n"


def test_windows_of_a_small_archive(tmp_path: Path) -> None:
    (tmp_path / "hapt.zip").write_bytes(zipped(files(LABELS)))
    card = find_card("hapt-confusing-24")
    card = card.model_copy(update={"layout": card.layout.model_copy(update={"window": 40.0, "stride": 20.0})})
    data = hapt_confusing.read(card, tmp_path, {"coin": 12}, "recognition")
    assert [len(data.split(s)) for s in ("train", "validation", "test")] == [7, 9, 6 + 7]
    assert [(data.test.label % 12).tolist().count(c) for c in (11, 0)] == [6, 7]
    coin = random.Random(12)
    tossed = [coin.randint(0, 1) for _ in range(7)]
    assert (data.train.label >= 12).astype(int).tolist() == tossed
    assert (data.test.truth.sum(axis=1) == 2).all() and (data.validation.truth.sum(axis=1) == 1).all()
    assert data.train.features.shape == (7, 36)
    np.testing.assert_allclose(data.train.features.mean(axis=0), 0, atol=1e-4)
    check_task_data(data)


@pytest.mark.skipif(not (REAL / "hapt").is_dir(), reason=f"HAPT is not in {REAL}")
def test_real_archive(tmp_path: Path) -> None:
    findings = verify(dataset_request("hapt-confusing-24", root=REAL, cache=tmp_path))
    assert not [found for found in findings if not found.agrees], findings
    data = load("hapt-confusing-24", root=REAL, cache=tmp_path)
    assert (np.bincount(data.train.label, minlength=24) > 5).all()
    halves = np.bincount(data.train.label // 12)
    assert abs(halves[0] / halves.sum() - 0.5) < 0.03
