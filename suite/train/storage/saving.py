"""What a checkpoint of the loop holds, and how the loop takes it up again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from suite.method import Scores
from suite.train.storage import checkpoint

if TYPE_CHECKING:
    from suite.train.loop import Loop


def save(loop: Loop, epoch: int, over: bool) -> None:
    """Save the loop after ``epoch`` epochs of its current phase (``over``: the phase ends here)."""
    assert loop.settings.checkpoint is not None and loop.optimizer is not None
    run = loop.run
    points, selected = loop.evaluation.selector.state()
    parts: dict[str, dict[str, Tensor]] = {
        "network": run.network.state_dict(),
        "teacher": run.teacher.state_dict() if run.teacher is not None else {},
        "optimizer": checkpoint.optimizer_tensors(loop.optimizer),
        "memory": run.memory,
        "points": points,
        "selected": _flat(loop.evaluation.selected),
    }
    tensors = {name: t for prefix, part in parts.items() for name, t in checkpoint.prefixed(prefix, part).items()}
    facts = {
        "phase": run.phase_index,
        "epoch": epoch,
        "step": run.step,
        "over": over,
        "curves": loop.curves.points,
        "noted": loop.curves.noted,
        "scaler": loop.scaler.state_dict(),
        "selected": selected,
    }
    checkpoint.save(loop.settings.checkpoint, tensors, facts)


def resume(loop: Loop) -> tuple[int, int]:
    """Take up the checkpoint, if there is one; returns the phase to run and the epochs of it already done."""
    path = loop.settings.checkpoint
    if path is None or not path.exists():
        return 0, 0
    tensors, facts = checkpoint.load(path)
    run = loop.run
    loop.enter(facts["phase"], begin=False)
    run.network.load_state_dict(checkpoint.under("network", tensors))
    if run.teacher is not None:
        run.teacher.load_state_dict(checkpoint.under("teacher", tensors))
    assert loop.optimizer is not None
    checkpoint.restore_optimizer(loop.optimizer, checkpoint.under("optimizer", tensors))
    run.memory = {name: t.to(run.device) for name, t in checkpoint.under("memory", tensors).items()}
    run.step, run.epoch = facts["step"], max(0, facts["epoch"] - 1)
    loop.curves.points, loop.curves.noted = facts["curves"], facts["noted"]
    loop.evaluation.selector.restore(checkpoint.under("points", tensors), facts["selected"])
    loop.evaluation.selected = _nested(checkpoint.under("selected", tensors))
    if facts["scaler"]:
        loop.scaler.load_state_dict(facts["scaler"])
    loop.count_steps()
    return (facts["phase"] + 1, 0) if facts["over"] else (facts["phase"], facts["epoch"])


def _flat(scores: dict[str, Scores]) -> dict[str, Tensor]:
    """Arrays by split and name as tensors called ``split/name``."""
    return {f"{split}/{name}": torch.from_numpy(a) for split, found in scores.items() for name, a in found.items()}


def _nested(tensors: dict[str, Tensor]) -> dict[str, Scores]:
    """What :func:`_flat` took apart."""
    scores: dict[str, Scores] = {}
    for key, tensor in tensors.items():
        split, name = key.split("/", 1)
        scores.setdefault(split, {})[name] = tensor.numpy()
    return scores
