"""The ActivityNet-1.3 reader on files in the published layouts, and on the real annotations where they are at hand."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from suite.data.loading import load
from suite.data.readers import activitynet
from suite.data.storage.cards import find_card, shipped
from suite.errors import DataError, UsageError
from suite.spec.card import load_card
from suite.tasks.localization.splits import withhold_segments

CARD = load_card(shipped("datasets") / "activitynet-13.toml")
REAL = Path(os.environ.get("SUITE_DATA") or Path(__file__).resolve().parents[2].parent / "shared" / "data")
SUBSETS = ["training"] * 8 + ["validation"] * 3 + ["testing"]


def names() -> list[str]:
    return [f"v_{index:011d}" for index in range(len(SUBSETS))]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve videos of 30 s at 25 frames a second, 744 of 750 frames covered; two classes."""
    place = tmp_path / "activitynet13"
    (place / "csv_mean_100").mkdir(parents=True)
    generator = np.random.default_rng(0)
    database, info = {}, ["video,numFrame,seconds,fps,rfps,subset,featureFrame"]
    for index, (name, subset) in enumerate(zip(names(), SUBSETS, strict=True)):
        rows = [{"segment": [3.0, 12.0], "label": ("Jump", "Archery")[index % 2]}] if subset != "testing" else []
        database[name] = {
            "duration_second": 30.0, "duration_frame": 750, "feature_frame": 744, "annotations": rows,
        }  # fmt: skip
        info.append(f"{name},750,30.0,25.0,25.0,{subset},744")
        cells = generator.random((100, 6))
        text = ["f0,f1,f2,f3,f4,f5", *(",".join(f"{x:.6f}" for x in row) for row in cells)]
        (place / "csv_mean_100" / f"{name}.csv").write_text("\n".join(text))
    (place / activitynet.ANNOTATIONS).write_text(json.dumps(database))
    (place / activitynet.INFO).write_text("\n".join(info))
    return place


def dials(**given: object) -> dict[str, object]:
    return {**CARD.resolve_dials({}), **given}


def test_cells_span_what_the_features_cover(folder: Path) -> None:
    data = activitynet.read(CARD, folder, dials(), "semi-localization")  # type: ignore[arg-type]
    assert data.classes == ("Archery", "Jump")
    assert [len(data.split(s)) for s in ("train", "validation", "test")] == [6, 2, 3]
    train = data.train
    assert train.lengths.tolist() == [100] * 6
    assert train.duration[0] == pytest.approx(744 / 25)
    assert train.stride[0] == pytest.approx(7.44)
    assert train.segments.label.tolist() == [1, 0, 1, 1, 0, 1]
    assert not set(train.ids) & set(data.validation.ids)


@pytest.mark.parametrize(("width", "fps"), [(2048, 25.0), (512, 15.0)])
def test_native_snippets(folder: Path, width: int, fps: float) -> None:
    for path in (folder / "csv_mean_100").glob("*.csv"):
        path.unlink()
    (folder / "csv_mean_100").rmdir()
    (folder / "features").mkdir()
    for index, name in enumerate(names()):
        np.save(folder / "features" / f"{name}.npy", np.full((40 + index, width), index, dtype=np.float32))
    data = activitynet.read(CARD, folder, dials(validation="test"), "semi-localization")  # type: ignore[arg-type]
    assert len(data.train) == 8
    assert np.array_equal(data.validation.ids, data.test.ids)
    assert data.train.lengths.tolist() == list(range(40, 48))
    assert data.train.duration[0] == 30.0
    assert data.train.stride[0] == 16
    assert set(data.train.fps.tolist()) == {fps}, "packs resample videos before they extract"


def test_a_rate_is_never_guessed(folder: Path) -> None:
    shutil.rmtree(folder / "csv_mean_100")
    (folder / "features").mkdir()
    for name in names():
        np.save(folder / "features" / f"{name}.npy", np.zeros((40, 7), dtype=np.float32))
    with pytest.raises(DataError, match="nothing states at how many frames per second features 7 wide were taken"):
        activitynet.read(CARD, folder, dials(), "semi-localization")  # type: ignore[arg-type]


def test_published_list(folder: Path) -> None:
    labelled = names()[:3]
    text = ["video,subset"]
    text += [f"{n},{'training' if n in labelled else 'training_unlabel'}" for n in names()[:8]]
    (folder / "video_info_new_0.6.csv").write_text("\n".join(text))
    data = activitynet.read(CARD, folder, dials(), "semi-localization")  # type: ignore[arg-type]
    split = withhold_segments(data, dials(list="published", labelled=0.4))  # type: ignore[arg-type]
    assert [str(name) for name in split.train.ids[split.train.labelled]] == labelled
    with pytest.raises(UsageError, match=r"no published list for labelled=0.1 \(there are: 0.4\)"):
        withhold_segments(data, dials(list="published", labelled=0.1))  # type: ignore[arg-type]
    drawn = withhold_segments(data, dials(labelled=0.5, split_seed=0))  # type: ignore[arg-type]
    assert 0 < drawn.train.labelled.sum() < 6


def test_class_scores_follow_the_order_of_classes(folder: Path) -> None:
    results = {name.removeprefix("v_"): [0.9, 0.1] for name in names() if SUBSETS[names().index(name)] == "validation"}
    (folder / activitynet.CLASS_SCORES).write_text(json.dumps({"class": ["Jump", "Archery"], "results": results}))
    data = activitynet.read(CARD, folder, dials(), "semi-localization")  # type: ignore[arg-type]
    scores = data.facts["class_scores"]
    assert set(scores) == {"test"}
    assert scores["test"].tolist() == [[0.1, 0.9]] * 3


def test_missing_and_damaged_files(folder: Path) -> None:
    (folder / "csv_mean_100" / f"{names()[0]}.csv").unlink()
    with pytest.raises(DataError, match="no features of v_00000000000"):
        activitynet.read(CARD, folder, dials(), "semi-localization")  # type: ignore[arg-type]
    (folder / activitynet.INFO).unlink()
    with pytest.raises(DataError, match=r"lacks video_info_new\.csv"):
        activitynet.read(CARD, folder, dials(), "semi-localization")  # type: ignore[arg-type]


def test_loads_through_the_card(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    card = (shipped("datasets") / "activitynet-13.toml").read_text()
    lines = [line for line in card.splitlines() if not line.startswith(("sha256", "size"))]
    (tmp_path / "cards").mkdir()
    (tmp_path / "cards" / "tiny-anet.toml").write_text("\n".join(lines).replace('"activitynet-13"', '"tiny-anet"'))
    monkeypatch.setenv("SUITE_DATASETS", str(tmp_path / "cards"))
    data = load("tiny-anet[labelled=0.5]", "semi-localization", tmp_path, tmp_path / "cache", seed=1)
    assert data.train.rows.shape == (600, 6)
    assert 0 < data.train.labelled.sum() < 6
    assert data.facts["missing_classes"] == []


@pytest.mark.skipif(not (REAL / "activitynet13").is_dir(), reason="the real annotations are not here: set SUITE_DATA")
def test_real_annotations() -> None:
    found = activitynet.counts(CARD, REAL / "activitynet13", None)
    assert found == {name: CARD.counts[name] for name in found}
    entries = activitynet.read_entries(CARD, REAL / "activitynet13")
    assert len({label for entry in entries for label, _, _ in entry.rows}) == 200


def test_cards_of_one_pack_read_that_pack_alone(folder: Path) -> None:
    """Both packs may lie in one folder; neither card takes the other's features for its own."""
    (folder / "features").mkdir()
    for name in names():
        np.save(folder / "features" / f"{name}.npy", np.ones((46, 2048), dtype=np.float32))
    read = {
        pack: activitynet.read(find_card(f"activitynet-13-{pack}"), folder, dials(), "semi-localization").test
        for pack in ("tsn", "i3d")
    }
    assert read["tsn"].lengths.tolist() == [100] * 3 and read["tsn"].rows.shape[1] == 6
    assert read["i3d"].lengths.tolist() == [46] * 3 and set(read["i3d"].fps.tolist()) == {25.0}
