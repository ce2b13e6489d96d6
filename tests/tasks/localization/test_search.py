"""Settings of post-processing scored together have the numbers of decoding and scoring each, to the bit."""

from __future__ import annotations

import numpy as np
import pytest

from suite.evaluate.protocols import ACTIVITYNET, THUMOS_KIT
from suite.evaluate.segments import Segments
from suite.registry import method as method_class
from suite.tasks.localization.evaluator import scored
from suite.tasks.localization.samples import Videos
from suite.tasks.localization.scoring.quick import map_only
from suite.tasks.localization.scoring.search import map_per_tiou
from suite.tasks.scoring.decodings import Decodings

CLASSES, LENGTHS = 4, [40, 25, 60, 1, 33]


@pytest.fixture(scope="module")
def videos() -> Videos:
    generator = np.random.default_rng(0)
    video = np.repeat(np.arange(len(LENGTHS)), 6)
    start = generator.uniform(0, 15, len(video))
    truth = Segments(
        video, generator.integers(0, CLASSES, len(video)), start, start + generator.exponential(3, len(video))
    )
    rows = np.zeros((sum(LENGTHS), 2), dtype=np.float32)
    seconds = np.array(LENGTHS) * 16 / 25
    ids = np.array([f"v{n}" for n in range(len(LENGTHS))])
    return Videos.annotated(ids, rows, LENGTHS, truth, CLASSES, fps=25.0, stride=16, window=16, duration=seconds)


def selection_scores(generator: np.random.Generator) -> dict[str, np.ndarray]:
    count = sum(LENGTHS)
    return {
        "offsets": np.concatenate([[0], np.cumsum(LENGTHS)]),
        "class_score": generator.random((count, CLASSES)).astype(np.float32),
        "actionness": generator.random((count, 1)).astype(np.float32),
        "probability": generator.dirichlet(np.ones(CLASSES), len(LENGTHS)),
    }


def candidate_scores(generator: np.random.Generator, size: int = 600) -> dict[str, np.ndarray]:
    start = generator.uniform(0, 20, size)
    return {
        "video": generator.integers(0, len(LENGTHS), size),
        "label": generator.integers(0, CLASSES, size),
        "start": start,
        "end": start + generator.exponential(5, size),
        "score": np.round(generator.random(size), 2),
    }


CASES = {
    "action-selection": (
        selection_scores,
        {
            "nms": ["decay", "hard", "none"],
            "nms_threshold": [0.1, 0.4, 0.7],
            "nms_sigma": [0.1, 0.35],
            "nms_plus": [0.0, 1.0],
            "class_threshold": [0.0, 0.2, 0.3, 0.9],
            "localize_by": ["same", "same", "class", "actionness"],
            "thresholds": [9, 9, 4],
        },
    ),
    "topk-mil": (selection_scores, {"class_threshold": [0.1, 0.25, 0.5], "nms_threshold": [0.2, 0.4]}),
    "actionformer": (
        candidate_scores,
        {"nms_sigma": [0.1, 0.5, 2.0], "min_score": [0.0, 0.3], "max_segments": [1, 20, 200], "voting": [0.0, 0.5]},
    ),
    "bmn": (
        candidate_scores,
        {"nms_sigma": [0.1, 0.3], "min_score": [0.0, 0.3], "max_segments": [5, 200], "voting": [0.0, 0.0, 0.9]},
    ),
}
CASES["bmn original"] = CASES["bmn"]
CASES["spot"] = (candidate_scores, {"nms_sigma": [0.1, 0.3], "min_score": [0.0, 0.3], "max_segments": [5, 200]})
FIXED = {"bmn original": {"code": "original"}, "action-selection": {"scale": 4}, "topk-mil": {"scale": 4}}


@pytest.mark.parametrize("case", CASES)
def test_settings_together_are_settings_one_by_one(case: str, videos: Videos) -> None:
    drawn_scores, space = CASES[case]
    generator = np.random.default_rng(1)
    scores, kind = drawn_scores(generator), method_class(case.split()[0])
    methods = [
        kind(**FIXED.get(case, {}), **{name: values[generator.integers(len(values))] for name, values in space.items()})
        for _ in range(40)
    ]
    protocol = ACTIVITYNET.at(0.1, 0.3, 0.5)
    decodings = Decodings(methods, scores, videos)
    found = map_per_tiou(decodings, videos, protocol)
    assert found is not None
    alone = [scored(method.decode(scores, videos), videos, protocol) for method in methods]
    np.testing.assert_array_equal([values for _, values in found], [one.map_per_tiou for one in alone])
    assert len({float(one.average_map) for one in alone}) > 5
    wanted = [("mAP", None), ("mAP", 0.3), ("mAP", 0.7)]
    table = map_only(decodings, videos, ACTIVITYNET.at(0.1, 0.3, 0.5, 0.7), [("mAP", 0.7), ("mAP", 0.3)])
    assert table is not None
    np.testing.assert_array_equal(table[:, 1], [one.map_per_tiou[1] for one in alone])
    assert map_only(decodings, videos, protocol, [*wanted, ("recall", 0.3)]) is None


def test_most_settings_decode_nothing(videos: Videos, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = method_class("actionformer")
    owner = next(base for base in kind.__mro__ if "decode" in vars(base))
    monkeypatch.setattr(owner, "decode", lambda *_: pytest.fail("decoded"))
    methods = [kind(nms_sigma=sigma) for sigma in (0.1, 0.2, 0.3)]
    scores = candidate_scores(np.random.default_rng(2))
    assert map_per_tiou(Decodings(methods, scores, videos), videos, ACTIVITYNET.at(0.5)) is not None


def test_a_subclass_that_decodes_otherwise_is_decoded(videos: Videos) -> None:
    kind = method_class("actionformer")

    class Other(kind):
        """Predicts nothing."""

        def decode(self, scores, samples):
            return Segments.empty(scored=True)

    scores = candidate_scores(np.random.default_rng(2))
    methods = [Other(nms_sigma=sigma) for sigma in (0.1, 0.2)]
    assert map_per_tiou(Decodings(methods, scores, videos), videos, ACTIVITYNET.at(0.5)) is None


def test_a_protocol_that_is_not_covered_is_scored_one_by_one(videos: Videos) -> None:
    methods = [method_class("bmn")(nms_sigma=sigma) for sigma in (0.1, 0.5)]
    scores = candidate_scores(np.random.default_rng(3))
    decodings = Decodings(methods, scores, videos)
    assert map_per_tiou(decodings, videos, THUMOS_KIT) is None
    table = map_only(decodings, videos, THUMOS_KIT, [("mAP", None)])
    expected = [scored(one, videos, THUMOS_KIT).average_map for one in decodings]
    assert table is not None
    np.testing.assert_array_equal(table[:, 0], expected)
