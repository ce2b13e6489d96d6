"""Action Selection Learning's inference against the reference, up to the final detections and their mAP."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch

from methods.weak_localization.action_selection import ActionSelection
from methods.weak_localization.parts.localize import NonMaximumSuppression
from methods.weak_localization.parts.networks import SnippetScores
from methods.weak_localization.parts.proposals import (
    ProposalRule,
    Runs,
    chosen_classes,
    outer_inner_contrast,
    propose,
    runs_above,
    upsample,
)
from methods.weak_localization.parts.selection import pool, select, top_k
from methods.weak_localization.parts.selection_localizer import class_score, mean_actionness, video_probability
from suite.evaluate.protocols import ACTIVITYNET
from suite.evaluate.segments import Segments
from suite.evaluate.temporal import temporal_map
from suite.method import Scores
from suite.tasks.localization.samples import Videos
from tests.golden import close, golden

GOLD = golden("asl_inference.npz")
TEXT = golden("asl_inference.json")
FPS, FRAMES = 25, 16
PREFIXES = sorted(m[1] for key in GOLD if (m := re.fullmatch(r"((?:mini__)?v\d+__)cas_logits", key)))


def world(prefix: str) -> str:
    return "mini__" if prefix.startswith("mini__") else ""


def infer(prefix: str) -> dict[str, np.ndarray]:
    """Selection, pooled logits, probabilities and classes of a video, from its stored network outputs."""
    logits = torch.from_numpy(GOLD[f"{prefix}cas_logits"])[None]
    actionness = np.stack([GOLD[f"{prefix}actionness_{stream}"] for stream in ("rgb", "flow")], axis=-1)
    selection = select(logits.softmax(-1), torch.from_numpy(actionness)[None], 2 / 3)
    video = pool(logits, top_k(selection, 8))
    probability = video.softmax(1)[0].numpy()
    return {
        "selection": selection[0].numpy(),
        "video": video[0].numpy(),
        "probability": probability,
        "classes": chosen_classes(probability, 0.25),
    }


def sorted_rows(rows: np.ndarray) -> np.ndarray:
    rows = np.asarray(rows, dtype=np.float64).reshape(-1, 4)
    return rows[np.lexsort((np.round(rows[:, 1], 4), rows[:, 3], rows[:, 2], rows[:, 0]))]


def proposals(prefix: str, seen: dict[str, np.ndarray], outer: float) -> np.ndarray:
    """Rows [class, score, start, end] before suppression."""
    scale = int(GOLD[f"{world(prefix)}scale"])
    snippets, positions = int(GOLD[f"{prefix}num_snippets"]), len(seen["selection"])
    rule = ProposalRule(tuple(GOLD[f"{world(prefix)}activation_thresholds"]), outer, 0.2)
    rows = [np.zeros((0, 4))]
    for which in seen["classes"]:
        runs = propose(upsample(seen["selection"][:, which], scale), float(seen["probability"][which]), rule)
        start, end = runs.seconds(scale * positions, snippets * FRAMES / FPS)
        rows.append(np.stack([np.full(len(start), which), runs.score, start, end], axis=1))
    return np.concatenate(rows)


@pytest.mark.parametrize("prefix", PREFIXES)
def test_selection_classes_and_probabilities(prefix):
    seen = infer(prefix)
    close(seen["selection"], GOLD[f"{prefix}selection_h"], 1e-5)
    close(seen["video"], GOLD[f"{prefix}video_logits"], 1e-5)
    close(seen["probability"], GOLD[f"{prefix}video_class_probability"], 1e-5)
    assert np.array_equal(seen["classes"], GOLD[f"{prefix}predicted_classes"])


@pytest.mark.parametrize("prefix", [p for p in PREFIXES if f"{p}upsampled_h_of_predicted_classes" in GOLD])
def test_upsampled_selection(prefix):
    seen = infer(prefix)
    upsampled = upsample(seen["selection"][:, seen["classes"]], int(GOLD[f"{world(prefix)}scale"]))
    close(upsampled, GOLD[f"{prefix}upsampled_h_of_predicted_classes"], 1e-5)


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("declared", [False, True], ids=["released", "declared-ratio"])
def test_proposals_before_suppression(prefix, declared):
    outer = 0.25 if declared else float(GOLD["effective_oic_lambda"])
    expected = GOLD[f"{prefix}{'lambda0.25_' if declared else ''}proposals_before_nms"]
    rows = proposals(prefix, infer(prefix), outer)
    assert len(rows) == len(expected)
    close(sorted_rows(rows), sorted_rows(expected), 1e-5)


@pytest.mark.parametrize("key", [key for key in GOLD if key.startswith("upsample_only__scale")])
def test_upsampling_alone(key):
    scale = int(key.removeprefix("upsample_only__scale"))
    close(upsample(GOLD["upsample_only__input"], scale), GOLD[key], 1e-9)


def test_outer_inner_contrast_alone():
    signal, positions = GOLD["oic_only__signal"], GOLD["oic_only__positions"]
    first, last = runs_above(np.isin(np.arange(len(signal)), positions))
    key = next(key for key in GOLD if key.startswith("oic_only__proposals_"))
    scale, length, fps = map(int, re.search(r"scale(\d+)_len(\d+)_fps(\d+)", key).groups())
    score = outer_inner_contrast(signal, first, last, 0.25) + 0.2 * float(GOLD["oic_only__probability"])
    start, end = Runs(first, last, score).seconds(len(signal) * scale, length * FRAMES / fps)
    close(np.stack([score, start, end], axis=1), GOLD[key][:, 1:], 1e-9)


def test_a_run_of_the_first_point_alone_is_dropped():
    alone, two = np.zeros(9, bool), np.zeros(9, bool)
    alone[:1], two[:2] = True, True
    assert len(runs_above(alone)[0]) == int(GOLD["oic_only__position_zero_only_gives"])
    assert len(runs_above(two)[0]) == int(GOLD["oic_only__positions_0_and_1_gives"])


def split_of(prefix: str) -> tuple[ActionSelection, Scores, Videos, list[str]]:
    """All videos of a world as one split, the stored network outputs as a method's scores, and the videos' names."""
    chosen = [p for p in PREFIXES if world(p) == prefix]
    chosen.sort(key=lambda p: int(re.search(r"v(\d+)__$", p)[1]))
    positions, classes = GOLD[f"{chosen[0]}cas_logits"].shape
    lengths = np.array([int(GOLD[f"{p}num_snippets"]) for p in chosen])
    method = ActionSelection(preset="published", positions=positions, scale=int(GOLD[f"{prefix}scale"]))
    offsets = np.arange(len(chosen) + 1) * positions
    logits = torch.from_numpy(np.concatenate([GOLD[f"{p}cas_logits"] for p in chosen]))
    streams = [np.concatenate([GOLD[f"{p}actionness_{s}"] for p in chosen]) for s in ("rgb", "flow")]
    outputs = SnippetScores(logits, torch.from_numpy(np.stack(streams, axis=1)))
    probability = video_probability(logits, method.selection(outputs), offsets, positions, method.divisor)
    kept = {"class_score": class_score(logits, method.class_score), "actionness": mean_actionness(outputs)}
    scores = {"offsets": offsets, "probability": probability, **{k: v.numpy() for k, v in kept.items()}}
    return (
        method,
        scores,
        bare_videos(lengths, classes),
        [f"video_test_{p.removeprefix(prefix)[1:-2]:0>7}" for p in chosen],
    )


def bare_videos(lengths: np.ndarray, classes: int) -> Videos:
    """Videos of which only the lengths matter."""
    count = len(lengths)
    return Videos(
        ids=np.array([str(i) for i in range(count)]),
        rows=np.zeros((int(lengths.sum()), 1), np.float32),
        offsets=np.concatenate([[0], np.cumsum(lengths)]),
        fps=np.full(count, float(FPS)),
        stride=np.full(count, float(FRAMES)),
        window=np.full(count, float(FRAMES)),
        duration=lengths * FRAMES / FPS,
        video_labels=np.zeros((count, classes), bool),
        segments=Segments.empty(),
        labelled=np.ones(count, bool),
        unit=np.arange(count).astype(str),
    )


WORLDS = sorted({world(prefix) for prefix in PREFIXES})
KINDS = {"soft": {"nms": "decay"}, "hard": {"nms": "hard"}}


@pytest.mark.parametrize("prefix", WORLDS, ids=[name or "full" for name in WORLDS])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("outer", ["released", "declared"])
def test_final_detections(prefix, kind, outer):
    method, scores, samples, _ = split_of(prefix)
    method = ActionSelection(**{**method.params, **KINDS[kind], "outer": 0.2 if outer == "released" else 0.25})
    found = method.decode(scores, samples)
    names = [p for p in PREFIXES if world(p) == prefix]
    for video, name in enumerate(sorted(names, key=lambda p: int(re.search(r"v(\d+)__$", p)[1]))):
        key = f"{name}{'' if outer == 'released' else 'lambda0.25_'}proposals_after_{kind}_nms"
        if key in GOLD:
            rows = found.take(found.video == video)
            actual = np.stack([rows.label, rows.score, rows.start, rows.end], axis=1)
            assert len(actual) == len(GOLD[key])
            close(sorted_rows(actual), sorted_rows(GOLD[key]), 1e-5)


@pytest.mark.parametrize("prefix", WORLDS, ids=[name or "full" for name in WORLDS])
@pytest.mark.parametrize("kind", KINDS)
def test_mean_average_precision_of_the_detections(prefix, kind):
    method, scores, samples, names = split_of(prefix)
    found = ActionSelection(**{**method.params, **KINDS[kind]}).decode(scores, samples)
    truth, vocabulary = truth_of(TEXT[f"{prefix}ground_truth"]["database"], names)
    predictions = detections_of(TEXT[f"{prefix}detections_{kind}_nms"], names, vocabulary)
    assert len(predictions) == len(found)
    protocol = ACTIVITYNET.at(*np.linspace(0.1, 0.9, 9))
    for rows in (predictions, relabelled(found, predictions)):
        result = temporal_map(truth, rows, protocol)
        close(result.average_map, GOLD[f"{prefix}mean_ap_{kind}_nms"], 1e-5)
        close(result.map_per_tiou, GOLD[f"{prefix}map_per_tiou_{kind}_nms"], 1e-5)


def truth_of(database, names):
    """Annotations of the test subset; videos that were not localized at all count too, after the others."""
    tested = {video: entry for video, entry in database.items() if entry["subset"] == "test"}
    names = [*names, *(video for video in tested if video not in names)]
    rows = [(names.index(v), r["label"], *r["segment"]) for v, entry in tested.items() for r in entry["annotations"]]
    vocabulary = sorted({row[1] for row in rows})
    video, label, start, end = (np.array(column) for column in zip(*rows))
    return Segments(video, [vocabulary.index(name) for name in label], start, end), vocabulary


def detections_of(detections, names, vocabulary):
    rows = [(names.index(v), r["label"], r["score"], *r["segment"]) for v, found in detections.items() for r in found]
    label = [vocabulary.index(row[1]) if row[1] in vocabulary else len(vocabulary) + hash(row[1]) % 997 for row in rows]
    return Segments([r[0] for r in rows], label, [r[3] for r in rows], [r[4] for r in rows], [r[2] for r in rows])


def relabelled(found: Segments, reference: Segments) -> Segments:
    """Our detections with the reference's class numbers: matched row by row by video, times and score."""
    ours = np.lexsort((np.round(found.score, 4), np.round(found.end, 3), np.round(found.start, 3), found.video))
    theirs = np.lexsort(
        (np.round(reference.score, 4), np.round(reference.end, 3), np.round(reference.start, 3), reference.video)
    )
    close(found.start[ours], reference.start[theirs], 1e-4)
    close(found.score[ours], reference.score[theirs], 1e-4)
    label = np.empty(len(found), dtype=np.int64)
    label[ours] = reference.label[theirs]
    return Segments(found.video, label, found.start, found.end, found.score)


@pytest.mark.parametrize("kind", ["hard", "soft"])
def test_suppression_alone(kind):
    rows = GOLD["nms_only__proposals"]
    for key in [key for key in GOLD if key.startswith(f"nms_only__{kind}_thr")]:
        threshold, sigma = re.search(r"thr([\d.]+)(?:_alpha([\d.]+))?$", key).groups()
        rule = NonMaximumSuppression(
            {"soft": "decay"}.get(kind, kind), float(threshold), float(sigma or 0.35), plus=1.0
        )
        zeros = np.zeros(len(rows))
        kept = rule(Segments(zeros, zeros, rows[:, 2], rows[:, 3], rows[:, 1]))
        expected = GOLD[key]
        actual = np.stack([np.full(len(kept), rows[0, 0]), kept.score, kept.start, kept.end], axis=1)
        assert len(actual) == len(expected)
        close(sorted_rows(actual)[:, 1:], sorted_rows(expected)[:, 1:], 1e-9)
