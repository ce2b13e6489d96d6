"""What a checkpoint of a training holds, when one is taken, and how the training goes on from it."""

from __future__ import annotations

import time

import torch
from torch import Tensor

from suite.method import Scores
from suite.train.stepper import Solo
from suite.train.storage import checkpoint
from suite.train.storage.keeping import Keeper


class Checkpoints:
    """Saves the training of ``stepper`` to the file that its settings name, and resumes from it; without one, neither.

    A training long enough to have a checkpoint leaves its end there too, until its rows are safe in the ledger.
    With a ``keeper``, the weights that it keeps go along.
    """

    def __init__(self, stepper: Solo, keeper: Keeper | None = None) -> None:
        self.stepper, self.training, self.keeper = stepper, stepper.training, keeper
        self.path = self.training.settings.checkpoint
        self.saved_at = time.monotonic()

    def save(self, epoch: int, over: bool, now: bool, done: bool) -> None:
        """Save after ``epoch`` epochs of the current phase when the last checkpoint is old, or ``now``.

        ``over``: the phase ends here, so that a resume starts with the next one; ``done``: so does the training.
        """
        if self.path is None:
            return
        old = time.monotonic() - self.saved_at >= self.training.settings.checkpoint_seconds
        if old or now or (done and self.path.exists()):
            run = self.training.run
            # Mostly the last point is the best so far, whose raw scores are then the same arrays.
            tensors, same = checkpoint.distinct(self._tensors())
            facts = {"phase": run.phase_index, "epoch": epoch, "over": over, "same": same, **self._facts()}
            checkpoint.save(self.path, tensors, facts)
            self.saved_at = time.monotonic()

    def resume(self) -> tuple[int, int]:
        """Take up the checkpoint, if there is one; returns the phase to run and the epochs of it already done."""
        if self.path is None or not self.path.exists():
            return 0, 0
        tensors, facts = checkpoint.load(self.path)
        tensors |= {name: tensors[earlier] for name, earlier in facts["same"].items()}
        # In this order: the phase decides which optimizer and teacher there are, and those must exist to be filled in.
        self.training.place(facts["phase"])
        self.stepper.prepare()
        self._restore_stepper(tensors, facts["scaler"])
        run, seen = self.training.run, self.training.evaluation
        run.memory = {name: t.to(run.device) for name, t in checkpoint.under("memory", tensors).items()}
        run.step, run.epoch = facts["step"], max(0, facts["epoch"] - 1)
        self.training.curves.points, self.training.curves.noted = facts["curves"], facts["noted"]
        seen.selector.restore(checkpoint.under("points", tensors), facts["selected"])
        seen.scores, seen.selected = (_nested(checkpoint.under(name, tensors)) for name in ("scores", "selected"))
        if self.keeper is not None:
            self.keeper.restore(checkpoint.under("kept", tensors))
        # A phase that was over is not prepared again: the loop enters the next one from the restored weights.
        return (facts["phase"] + 1, 0) if facts["over"] else (facts["phase"], facts["epoch"])

    def _tensors(self) -> dict[str, Tensor]:
        run, seen = self.training.run, self.training.evaluation
        assert self.stepper.optimizer is not None
        parts = {
            "network": run.network.state_dict(),
            "teacher": run.teacher.state_dict() if run.teacher is not None else {},
            "optimizer": checkpoint.optimizer_tensors(self.stepper.optimizer),
            "memory": run.memory,
            "points": seen.selector.tensors(),
            "scores": _flat(seen.scores),
            "selected": _flat(seen.selected),
            "kept": self.keeper.tensors() if self.keeper is not None else {},
        }
        return {name: t for prefix, part in parts.items() for name, t in checkpoint.prefixed(prefix, part).items()}

    def _facts(self) -> dict[str, object]:
        curves = self.training.curves
        return {
            "step": self.training.run.step,
            "curves": curves.points,
            "noted": curves.noted,
            "scaler": self.stepper.scaler.state_dict(),
            "selected": self.training.evaluation.selector.facts(),
        }

    def _restore_stepper(self, tensors: dict[str, Tensor], scaler: dict[str, float]) -> None:
        """Weights, optimizer and loss scale."""
        run = self.training.run
        run.network.load_state_dict(checkpoint.under("network", tensors))
        if run.teacher is not None:
            run.teacher.load_state_dict(checkpoint.under("teacher", tensors))
        assert self.stepper.optimizer is not None
        checkpoint.restore_optimizer(self.stepper.optimizer, checkpoint.under("optimizer", tensors))
        if scaler:
            self.stepper.scaler.load_state_dict(scaler)


def _flat(scores: dict[str, Scores]) -> dict[str, Tensor]:
    """Arrays by split and name as tensors called ``split/name``; those of a read-only file are copied."""
    flat = {f"{split}/{name}": array for split, found in scores.items() for name, array in found.items()}
    return {key: torch.from_numpy(a if a.flags.writeable else a.copy()) for key, a in flat.items()}


def _nested(tensors: dict[str, Tensor]) -> dict[str, Scores]:
    """What :func:`_flat` took apart."""
    scores: dict[str, Scores] = {}
    for key, tensor in tensors.items():
        split, name = key.split("/", 1)
        scores.setdefault(split, {})[name] = tensor.numpy()
    return scores
