"""What actionness learned: purity and stability of T_pos, accuracy against the majority, precision@N (Figs. 4, 5b).

V videos at T positions of the uniform grid; masks and truths (V, T) bool. Truth is only looked at here, never learned.
"""

from __future__ import annotations

import numpy as np
import torch

from methods.weak_localization.parts.base import uniform_grid
from methods.weak_localization.parts.sampling import snippet_labels
from methods.weak_localization.parts.selection import selected_positions, top_k
from methods.weak_localization.parts.selection_localizer import SelectionLocalizer
from suite.method import Run
from suite.tasks.localization.samples import Videos

NEAREST = 100 / 750  # Fig. 5b: "Recall@100", the share of action among the best 100 of 750 positions


def snippet_truth(samples: Videos) -> np.ndarray:
    """(ΣL, C) bool, which classes are under way at each snippet: known in a planted world, else from the segments."""
    if "inside" in samples.oracle:
        return np.asarray(samples.oracle["inside"], dtype=bool)
    classes, parts = samples.video_labels.shape[1], []
    for video, length in enumerate(samples.lengths):
        rows = samples.segments.take(samples.segments.video == video)
        rate = 1 / float(samples.snippet_seconds[video])
        parts.append(snippet_labels(rows.start, rows.end, rows.label, int(length), classes, rate))
    return np.concatenate(parts)


def purity(selected: np.ndarray, action: np.ndarray) -> float:
    """Share of T_pos that is inside an action, mean over the videos that have any T_pos (Fig. 4a)."""
    size = selected.sum(axis=1)
    held = size > 0
    return float(((selected & action).sum(axis=1)[held] / size[held]).mean()) if held.any() else float("nan")


def purity_ceiling(selected: np.ndarray, action: np.ndarray) -> float:
    """The purity of a T_pos of the same size chosen with the truth: below 1 where a video holds less action."""
    size = selected.sum(axis=1)
    held = size > 0
    return float(np.minimum(1, action.sum(axis=1)[held] / size[held]).mean()) if held.any() else float("nan")


def accuracy(actionness: np.ndarray, selected: np.ndarray) -> tuple[float, float]:
    """How often ``actionness`` >= .5 predicts T_pos (Fig. 4b), and the rate of the more frequent answer beside it."""
    share = float(selected.mean())
    return float(((actionness >= 0.5) == selected).mean()), max(share, 1 - share)


def stability(selected: np.ndarray, before: np.ndarray) -> tuple[float, float]:
    """IoU of T_pos with that of an earlier epoch (Fig. 4c): mean and standard deviation over videos."""
    union = (selected | before).sum(axis=1)
    held = union > 0
    overlap = (selected & before).sum(axis=1)[held] / union[held]
    return (float(overlap.mean()), float(overlap.std())) if held.any() else (float("nan"), float("nan"))


def precision_at(actionness: np.ndarray, action: np.ndarray, share: float = NEAREST) -> float:
    """Share of action among the best ``share`` of a video's positions by actionness, mean over videos.

    The paper calls it Recall@100; it is precision, and the base rate of action is what a random order gets.
    """
    count = max(1, round(share * actionness.shape[1]))
    best = np.argsort(-actionness, axis=1, kind="stable")[:, :count]
    return float(np.take_along_axis(action, best, axis=1).mean())


def selected_by(method: SelectionLocalizer, run: Run, samples: Videos) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """T_pos, mean actionness and truth, each (V, T), of a split under the current weights."""
    scores = method.score(run.network, samples, run)
    places = [scores["offsets"][v] + uniform_positions(scores, v, method.positions) for v in range(len(samples))]
    grid = torch.from_numpy(np.array(places))
    class_score, actionness = (torch.from_numpy(scores[name])[grid] for name in ("class_score", "actionness"))
    chosen = top_k(method.selection(class_score, actionness), method.divisor)
    labels = torch.from_numpy(np.asarray(samples.video_labels, dtype=np.float32))
    mask = np.asarray(selected_positions(chosen, labels, method.positions).numpy() > 0)
    any_action: np.ndarray = np.any(snippet_truth(samples), axis=1)
    action = any_action[uniform_grid(samples, method.positions)]
    return mask, actionness[..., 0].numpy(), action


def uniform_positions(scores: dict[str, np.ndarray], video: int, positions: int) -> np.ndarray:
    """(T,) which of the positions looked at in a video the uniform grid takes."""
    first, last = scores["offsets"][video : video + 2]
    return np.arange(positions) * int(last - first) // positions


def actionness_analyses(method: SelectionLocalizer, run: Run) -> dict[str, float]:
    """All analyses of one evaluation point, by name. ``run.memory`` keeps T_pos for the next point."""
    mask, _, action = selected_by(method, run, run.data.train)
    found = {"T_pos purity": purity(mask, action), "T_pos purity ceiling": purity_ceiling(mask, action)}
    before = run.memory.get("selected")
    if before is not None:
        found["T_pos stability"], found["T_pos stability deviation"] = stability(mask, before.cpu().numpy())
    run.memory["selected"] = torch.from_numpy(mask).to(run.device)
    held_mask, held_actionness, held_action = selected_by(method, run, run.data.validation)
    found["G accuracy"], found["G majority"] = accuracy(held_actionness, held_mask)
    found["precision@100 of 750"] = precision_at(held_actionness, held_action)
    found["action rate"] = float(held_action.mean())
    return found
