"""Labels of frames in the layouts of 50Salads, GTEA and Breakfast, scored by hand and by a slow reading of MS-TCN."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import accuracy_score

from suite.errors import DataError, SuiteError, UsageError
from suite.places import Places
from suite.scoring import Against, score_file
from suite.tasks.scoring.report import Report

CLASSES = ["background", "take", "open", "pour"]
GTEA = {  # runs by hand: a: take 4, open 4, background 2; b: pour 5, background 5
    "S1_a": ["take"] * 4 + ["open"] * 4 + ["background"] * 2,
    "S1_b": ["pour"] * 5 + ["background"] * 5,
}


def write(folder: Path, videos: dict[str, list[str]]) -> Path:
    truth = folder / "groundTruth"
    truth.mkdir(parents=True)
    for name, labels in videos.items():
        (truth / f"{name}.txt").write_text("\n".join(labels) + "\n")
    (folder / "mapping.txt").write_text("".join(f"{number} {name}\n" for number, name in enumerate(CLASSES)))
    (folder / "test.split1.bundle").write_text("".join(f"{name}.txt\n" for name in videos))
    (folder / "results").mkdir()
    return truth


def score(folder: Path, **more: object) -> Report:
    against = Against(truth=folder / "groundTruth", **{"resamples": 0, **more})  # type: ignore[arg-type]
    return score_file(folder / "results", against, Places())[1]


def values(report: Report) -> dict[tuple[str, float | None], float]:
    return {(row["metric"], row["threshold"]): row["value"] for row in report.metrics}


GUESS = {
    "S1_a": ["take"] * 6 + ["open"] * 2 + ["background"] * 2,  # take IoU 4/6, open IoU 2/4
    "S1_b": ["pour"] * 1 + ["take"] * 4 + ["background"] * 5,  # pour IoU 1/5, take is wrong
}
# accuracy (8 + 6) / 20; edit (1 + 1/2) / 2; hits of 4 predicted and 3 true runs at IoU .1, .25, .5: 3, 2, 2
BY_HAND = {("accuracy", None): 0.7, ("edit", None): 0.75, ("F1", 0.1): 6 / 7, ("F1", 0.25): 4 / 7, ("F1", 0.5): 4 / 7}


@pytest.mark.parametrize("form", ["lines", "ms-tcn", "numbers", "scores", "scores transposed"])
def test_every_form_scores_the_same(form: str, tmp_path: Path) -> None:
    write(tmp_path, GTEA)
    for name, labels in GUESS.items():
        path, number = tmp_path / "results" / name, np.array([CLASSES.index(label) for label in labels])
        if form == "lines":
            path.with_suffix(".txt").write_text("\n".join(labels))
        elif form == "ms-tcn":
            path.write_text("### Frame level recognition: ###\n" + " ".join(labels))
        elif form == "numbers":
            np.save(path.with_suffix(".npy"), number)
        else:
            scores = np.eye(4)[number] + np.random.default_rng(0).uniform(0, 0.4, (10, 4))
            np.save(path.with_suffix(".npy"), scores if form == "scores" else scores.T)
    report = score(tmp_path)
    assert values(report) == pytest.approx(BY_HAND)
    assert not report.oddities
    assert (report.counts["videos"], report.counts["frames"]) == (2, 20)
    flat = [[label for labels in videos.values() for label in labels] for videos in (GTEA, GUESS)]
    assert values(report)["accuracy", None] == accuracy_score(*flat)


def test_breakfasts_silence_counts_unless_it_is_said_not_to(tmp_path: Path) -> None:
    """SIL is right at both ends: two more hits among three runs under MS-TCN's rule, none without silence."""
    labels = ["SIL"] * 3 + ["pour_milk"] * 4 + ["SIL"] * 3
    write(tmp_path, {"P03_cam01": labels})
    (tmp_path / "mapping.txt").unlink()
    (tmp_path / "results" / "P03_cam01.txt").write_text("\n".join(["SIL"] * 3 + ["stir_milk"] * 4 + ["SIL"] * 3))
    report = score(tmp_path)
    assert [one.problem for one in report.oddities] == ["frame with an unknown label"]
    assert values(report)["F1", 0.5] == pytest.approx(2 / 3)
    assert values(score(tmp_path, protocol="frames-without-silence"))["F1", 0.5] == 0.0
    assert values(score(tmp_path, protocol="frames-without-silence"))["edit", None] == 0.0


def test_what_is_missing_is_wrong_and_counted(tmp_path: Path) -> None:
    write(tmp_path, {**GTEA, "S1_c": ["take"] * 10})
    (tmp_path / "results" / "S1_a.txt").write_text("\n".join(GTEA["S1_a"][:8]))
    (tmp_path / "results" / "S1_b.txt").write_text("\n".join([*GTEA["S1_b"], "pour"]))
    (tmp_path / "results" / "other.txt").write_text("pour")
    report = score(tmp_path)
    assert {one.problem: one.count for one in report.oddities} == {
        "unknown video": 1, "video without predictions": 1, "video with another number of frames": 2,
    }  # fmt: skip
    assert values(report)["accuracy", None] == pytest.approx(18 / 30)
    assert values(report)["F1", 0.5] == pytest.approx(2 * 3 / (2 * 3 + 1))


def test_a_bundle_names_the_test_videos(tmp_path: Path) -> None:
    write(tmp_path, GTEA)
    (tmp_path / "results" / "S1_b.txt").write_text("\n".join(GTEA["S1_b"]))
    bundle = tmp_path / "test.split1.bundle"
    bundle.write_text("S1_b.txt\n")
    report = score(tmp_path, videos=bundle, resamples=20)
    assert values(report)["edit", None] == 1.0
    assert report.metrics[0]["low"] == report.metrics[0]["high"] == 1.0
    bundle.write_text("S9.txt\n")
    with pytest.raises(DataError, match="lacks 1 of the listed videos"):
        score(tmp_path, videos=bundle)


def test_mistakes_are_one_sentence(tmp_path: Path) -> None:
    write(tmp_path, GTEA)
    results = tmp_path / "results"
    with pytest.raises(DataError, match="in no form that is known"):
        score(tmp_path)
    np.save(results / "S1_a.npy", np.zeros((10, 7)))
    with pytest.raises(DataError, match="10 x 7 scores, but there are 4 classes"):
        score(tmp_path)
    for wrong in (np.zeros((2, 2, 2)), np.array(["a"]), np.array([None], dtype=object)):
        np.save(results / "S1_a.npy", wrong, allow_pickle=True)
        with pytest.raises(DataError, match=r"S1_a\.npy"):
            score(tmp_path)
    (results / "S1_a.npy").unlink()
    (results / "S1_a.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match="is not UTF-8"):
        score(tmp_path)
    (results / "S1_a.txt").write_text("take")
    with pytest.raises(UsageError, match="--subset does not apply"):
        score(tmp_path, subset="test")
    (tmp_path / "truth.json").write_text("{}")
    with pytest.raises(UsageError, match="the file holds labels of frames but"):
        score_file(results, Against(truth=tmp_path / "truth.json"), Places())
    (tmp_path / "mapping.txt").write_text("zero background\n")
    with pytest.raises(SuiteError, match="line 1: not the number and the name"):
        score(tmp_path)


# A slow reading of MS-TCN's rules over random sequences -------------------------------------------------------------


def runs(labels: list[str]) -> list[tuple[str, int, int]]:
    found, start = [], 0
    for place in range(1, len(labels) + 1):
        if place == len(labels) or labels[place] != labels[start]:
            if labels[start] != "background":
                found.append((labels[start], start, place))
            start = place
    return found


def distance(one: list[str], other: list[str]) -> int:
    if not one or not other:
        return len(one) + len(other)
    return min(
        distance(one[1:], other) + 1, distance(one, other[1:]) + 1, distance(one[1:], other[1:]) + (one[0] != other[0])
    )


def slow(guess: dict[str, list[str]], truth: dict[str, list[str]]) -> dict[tuple[str, float | None], float]:
    edits, hits = [], {0.1: [0, 0, 0], 0.25: [0, 0, 0], 0.5: [0, 0, 0]}
    for name, labels in truth.items():
        ours, theirs = runs(guess[name]), runs(labels)
        longest = max(len(ours), len(theirs))
        edits.append(1 - distance([r[0] for r in ours], [r[0] for r in theirs]) / longest if longest else 1.0)
        for overlap, counts in hits.items():
            taken: set[int] = set()
            for label, start, end in ours:
                ious = [
                    (min(end, b) - max(start, a)) / (max(end, b) - min(start, a)) if label == other else 0.0
                    for other, a, b in theirs
                ]
                best = int(np.argmax(ious)) if ious else -1
                hit = best >= 0 and ious[best] >= overlap and best not in taken
                counts[0 if hit else 1] += 1
                taken |= {best} if hit else set()
            counts[2] += len(theirs) - len(taken)
    right = [a == b for name in truth for a, b in zip(guess[name], truth[name])]
    f1 = {("F1", overlap): 2 * tp / max(1, 2 * tp + fp + fn) for overlap, (tp, fp, fn) in hits.items()}
    return {("accuracy", None): float(np.mean(right)), ("edit", None): float(np.mean(edits)), **f1}


@pytest.mark.parametrize("seed", range(3))
def test_random_sequences_agree_with_the_slow_reading(seed: int, tmp_path: Path) -> None:
    generator = np.random.default_rng(seed)

    def sequence() -> list[str]:
        return [CLASSES[c] for c in np.repeat(generator.integers(0, 4, 6), generator.integers(1, 6, 6))]

    truth = {f"v{place}": sequence() for place in range(4)}
    guess = {name: (sequence() * 6)[: len(labels)] for name, labels in truth.items()}
    guess = {name: labels[:3] + truth[name][3:] if name == "v0" else labels for name, labels in guess.items()}
    guess = {name: labels[:18] + truth[name][18:] for name, labels in guess.items()}
    write(tmp_path, truth)
    for name, labels in guess.items():
        (tmp_path / "results" / f"{name}.txt").write_text("\n".join(labels))
    assert values(score(tmp_path)) == pytest.approx(slow(guess, truth))
