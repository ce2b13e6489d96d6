"""What actionness learned: purity and stability of T_pos, accuracy against the majority, precision@N (Figs. 4, 5b).

V videos at T positions of the uniform grid; masks and truths (V, T) bool. Truth is only looked at here, never learned.

A training has *collapsed* when T_pos of the training videos is no purer than positions drawn at random, or when
actionness ranks the action of validation videos worse than a coin does (area under the ROC curve below one half).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from methods.weak_localization.parts.base import uniform_grid
from methods.weak_localization.parts.sampling import snippet_labels
from methods.weak_localization.parts.selection import top_k
from methods.weak_localization.parts.selection_localizer import SelectionLocalizer, positions_of
from suite.method import Run
from suite.tasks.localization.samples import Videos

NEAREST = 100 / 750  # Fig. 5b: "Recall@100", the share of action among the best 100 of 750 positions
MEMORY = "t_pos"  # where a run keeps T_pos of the epoch before


def snippet_truth(samples: Videos) -> np.ndarray:
    """(ΣL, C) bool, which classes are under way at each snippet: known in a planted world, else from the segments."""
    if "inside" in samples.oracle:
        return np.asarray(samples.oracle["inside"], dtype=bool)
    classes, parts = samples.video_labels.shape[1], [np.zeros((0, samples.video_labels.shape[1]), dtype=bool)]
    for video, length in enumerate(samples.lengths):
        rows = samples.segments.take(samples.segments.video == video)
        rate = 1 / float(samples.snippet_seconds[video])
        parts.append(snippet_labels(rows.start, rows.end, rows.label, int(length), classes, rate))
    return np.concatenate(parts)


def truth_is_known(samples: Videos) -> bool:
    """Whether anything says when the actions of the videos happen."""
    return "inside" in samples.oracle or len(samples.segments) > 0


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


def purity_by_chance(selected: np.ndarray, action: np.ndarray) -> float:
    """The purity expected of positions drawn at random: the share of action in the videos that have any T_pos."""
    held = selected.any(axis=1)
    return float(action[held].mean()) if held.any() else float("nan")


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


def area_under_roc(actionness: np.ndarray, action: np.ndarray) -> float:
    """How often a position inside an action has more actionness than one outside, in the same video; ties count half.

    Mean over the videos that hold both; NaN where none does. A random order gets one half.
    """
    from scipy.stats import rankdata  # half a second, which runs without analyses do not need

    inside = action.sum(axis=1)
    outside = action.shape[1] - inside
    held = (inside > 0) & (outside > 0)
    if not held.any():
        return float("nan")
    # The area is the Mann-Whitney statistic: ranks of the positions inside, less the least that these can add up to,
    # over the number of pairs. Mean ranks make ties count half.
    ranks = (rankdata(actionness[held], axis=1) * action[held]).sum(axis=1)
    pairs = inside[held] * outside[held]
    return float(((ranks - inside[held] * (inside[held] + 1) / 2) / pairs).mean())


@dataclass(frozen=True)
class Seen:
    """A split under the current weights: T_pos, mean actionness and whether any action is under way, each (V, T)."""

    t_pos: np.ndarray
    actionness: np.ndarray
    action: np.ndarray


@torch.no_grad()
def look(method: SelectionLocalizer, run: Run, samples: Videos) -> Seen:
    """Select as a training step does, on the uniform grid instead of random positions."""
    # On random positions T_pos would change from epoch to epoch with the draws, however stable the selection is.
    outputs, offsets = method.outputs_of_split(run.network, samples, run)
    grid = torch.from_numpy(positions_of(offsets, method.positions))
    # Each snippet's selection once: on the grid of a short video it stands several times.
    t_pos = t_pos_on(grid, method.training_selection(outputs, run), np.asarray(samples.video_labels), method.divisor)
    any_action: np.ndarray = np.any(snippet_truth(samples), axis=1)
    action = any_action[uniform_grid(samples, method.positions)]
    return Seen(t_pos, outputs.actionness.mean(dim=-1)[grid].numpy(), action)


def t_pos_on(grid: Tensor, selection: Tensor, labels: np.ndarray, divisor: int) -> np.ndarray:
    """T_pos (eq. 7) as a mask (V, T): where any class of a video chooses ``grid`` (V, T) rows of ``selection`` (N, C).

    Only the classes of ``labels`` (V, C) are looked at, one or two per video of a hundred.
    """
    video, label = np.nonzero(labels)
    own = selection[grid[video], torch.from_numpy(label)[:, None]]
    found = np.zeros(grid.shape, dtype=bool)
    found[video[:, None], top_k(own[..., None], divisor)[..., 0].numpy()] = True
    return found


def remember(method: SelectionLocalizer, run: Run) -> None:
    """Keep the current T_pos of the training videos in ``run.memory``, to be compared with the next one."""
    run.memory[MEMORY] = torch.from_numpy(look(method, run, run.data.train).t_pos).to(run.device)


def analyses(method: SelectionLocalizer, run: Run, actionness_has_learned: bool) -> dict[str, float]:
    """All analyses of one evaluation point, by name; what needs the truth is left out where it is unknown."""
    train, held = look(method, run, run.data.train), look(method, run, run.data.validation)
    found = selection_analyses(train) if truth_is_known(run.data.train) else {}
    before = run.memory.get(MEMORY)
    if before is not None:
        found["T_pos stability"], found["T_pos stability deviation"] = stability(train.t_pos, before.cpu().numpy())
    if actionness_has_learned:
        found["G accuracy"], found["G majority"] = accuracy(held.actionness, held.t_pos)
        if truth_is_known(run.data.validation):
            found |= actionness_analyses(held)
        found |= verdict(found)
    return found


def selection_analyses(train: Seen) -> dict[str, float]:
    """Purity of T_pos between its bounds (Fig. 4a)."""
    return {
        "T_pos purity": purity(train.t_pos, train.action),
        "T_pos purity by chance": purity_by_chance(train.t_pos, train.action),
        "T_pos purity ceiling": purity_ceiling(train.t_pos, train.action),
    }


def actionness_analyses(held: Seen) -> dict[str, float]:
    """How well actionness finds action in videos that G did not learn from."""
    return {
        "G AUC": area_under_roc(held.actionness, held.action),
        "precision@100 of 750": precision_at(held.actionness, held.action),
        "action rate": float(held.action.mean()),
    }


def verdict(found: dict[str, float]) -> dict[str, float]:
    """``collapsed`` 0 or 1 (see the module), from those of its two signs that are known; empty where none is."""
    signs = []
    if np.isfinite(found.get("T_pos purity", float("nan"))):
        signs.append(found["T_pos purity"] <= found["T_pos purity by chance"])
    if np.isfinite(found.get("G AUC", float("nan"))):
        signs.append(found["G AUC"] < 0.5)
    return {"collapsed": float(any(signs))} if signs else {}
