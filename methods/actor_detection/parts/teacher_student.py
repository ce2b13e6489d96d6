"""What semi-supervised methods share: a teacher scores unlabelled clips, and a student learns from its scores."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from methods.actor_detection.parts.base import ActorMethod, draws_of, labelled_clips, rows_of, unlabelled_clips
from methods.actor_detection.parts.class_balancing import Balance, instance_probabilities
from methods.actor_detection.parts.clip_inputs import ClipInputs
from methods.actor_detection.parts.feature_inputs import View
from methods.actor_detection.parts.losses import (
    action_probabilities,
    balanced_mean,
    multi_label_loss,
    pseudo_label_loss,
)
from methods.actor_detection.parts.tally import PEOPLE, Tally, best_thresholds
from methods.actor_detection.parts.thresholds import PseudoTargets, thresholded_targets
from suite.errors import UsageError
from suite.method import Average, Batch, Losses, Phase, Presets, Run, Schedule, hyper
from suite.tasks.actors.samples import Actors
from suite.tasks.data import TaskData


class TeacherStudent(ActorMethod):
    """A supervised phase, then a phase in which labelled and unlabelled clips come in pairs of batches.

    The teacher starts as the supervised network. It scores the weak view of an unlabelled clip, the student the
    strong one; in each step the labelled batch comes first. Subclasses change thresholds, balance or the teacher.
    """

    presets: ClassVar[Presets] = ActorMethod.presets

    ema: float = hyper(0.999, low=0.0, high=1.0, symbol="m", source="MM 2022 §4.2.3", help="1: the teacher stays")
    weight: float = hyper(0.3, low=0.0, high=100.0, symbol="λ", source="MM 2022 eq. 17; 0.3 in §4.2.3, Fig. 9")
    tau_positive: float = hyper(0.5, low=0.0, high=1.0, symbol="τ_pos", source="MM 2022 §4.4.1: fixed pair .5/.1")
    tau_negative: float = hyper(0.1, low=0.0, high=1.0, symbol="τ_neg", source="MM 2022 §3.2.2")
    evaluate_weights: str = hyper("student", choices=("student", "teacher"), help="which weights are scored")

    student_view: View = "strong"

    # Phases and batches ---------------------------------------------------------------------------------------------

    def phases(self, data: TaskData[Actors]) -> Sequence[Phase]:
        self.require_unlabelled(data)
        return [self.supervised_phase(self.steps, select=False), self.semi_phase(self.semi_steps)]

    def require_unlabelled(self, data: TaskData[Actors]) -> None:
        """Raise :class:`UsageError` where everybody is labelled: the second phase would be supervised, too."""
        if len(unlabelled_clips(data)) == 0:
            raise UsageError(
                f"{self.name} finds nobody unlabelled in {data.name}; lower the dataset's 'labelled', add unlabelled "
                "clips, or train supervised-actors."
            )

    def semi_phase(self, steps: int, name: str = "semi-supervised", ema: float | None = None) -> Phase:
        """A phase with a teacher that follows the student (``ema`` 1: that keeps its first weights)."""
        return Phase(
            name=name,
            steps=steps,
            optimizer=self.optimizer(self.semi_lr),
            schedule=Schedule("one-cycle"),
            average=Average(self.ema if ema is None else ema, exclude=("thresholds",)),
            evaluate="average" if self.evaluate_weights == "teacher" else "network",
        )

    def begin(self, run: Run) -> None:
        if run.teacher is not None:
            Tally.empty(len(run.data.classes)).store(run)

    def batches(self, run: Run, generator: np.random.Generator) -> Iterator[Batch]:
        if run.teacher is None:
            yield from super().batches(run, generator)
            return
        first, second = self._stream(labelled_clips(run.data), generator), self.unlabelled_stream(run, generator)
        plan = [{"labelled": next(first), "unlabelled": next(second)} for _ in range(self.evaluate_steps)]
        yield from self._drawn(run, plan, generator)

    def unlabelled_stream(self, run: Run, generator: np.random.Generator) -> Iterator[np.ndarray]:
        """Groups of unlabelled clips, every one as often as any other."""
        return self._stream(unlabelled_clips(run.data), generator)

    # The loss -------------------------------------------------------------------------------------------------------

    def loss(self, network: nn.Module, batch: Batch, run: Run) -> Losses:
        losses = super().loss(network, batch, run)
        if "unlabelled" in batch and run.teacher is not None:
            part = batch["unlabelled"]
            nobody = len(part["uniform"]) == 0  # no clip of the batch can be decoded
            value = torch.zeros(()) if nobody else self.unsupervised_loss(network, part, run)
            losses["unsupervised"] = self.weight * value.to(losses["supervised"].device)
        return losses

    def supervised_loss(self, network: nn.Module, part: Batch, run: Run) -> Tensor:
        """Eq. 16: cross-entropy of the labelled people, sampled and weighted by :meth:`balance`."""
        logits, labels = self.inputs(run.data).logits(network, part, self.labelled_view, run), self.labels(part, run)
        balance = self.balance(run)
        mask = self.sampled(labels, part, balance)
        losses = multi_label_loss(logits, labels, self.poses(run.data))
        return balanced_mean(losses, mask, None if balance is None else balance.weights)

    def unsupervised_loss(self, network: nn.Module, part: Batch, run: Run) -> Tensor:
        """Eq. 15: the loss of the unlabelled people against the targets from the teacher's scores."""
        teacher = self.teacher_scores(part, run)
        logits = self.inputs(run.data).logits(network, part, self.student_view, run)
        pseudo = self.pseudo_labels(teacher, network, part, run)
        balance = self.balance(run)
        mask = self.sampled(pseudo.labels, part, balance)
        Tally.note(run, pseudo.labels.detach(), mask, rows_of(part))
        losses = pseudo_label_loss(logits, pseudo, self.poses(run.data)) + self.penalty(network)
        return balanced_mean(losses, mask, None if balance is None else balance.weights)

    @torch.no_grad()
    def teacher_scores(self, part: Batch, run: Run) -> Tensor:
        """(n, C) probabilities of the teacher on the weak view."""
        assert run.teacher is not None
        logits = self.inputs(run.data).logits(run.teacher, part, "weak", run)
        return action_probabilities(logits.float(), self.poses(run.data))

    def pseudo_labels(self, teacher: Tensor, network: nn.Module, part: Batch, run: Run) -> PseudoTargets:
        """Targets and weights of the student from the teacher's scores (n, C)."""
        return thresholded_targets(teacher, self.tau_positive, self.tau_negative)

    def penalty(self, network: nn.Module) -> Tensor | float:
        """What is added to the loss of every entry, broadcast to (n, C)."""
        return 0.0

    def balance(self, run: Run) -> Balance | None:
        """How people are sampled and classes weighted; None for equal weights."""
        return None

    def sampled(self, labels: Tensor, part: Batch, balance: Balance | None) -> Tensor | None:
        """(n,) 1 for the people whose loss counts, drawn by the chance of their rarest class (eq. 8)."""
        if balance is None:
            return None
        chances = instance_probabilities(labels, balance.probabilities, balance.rank, balance.keep_empty)
        return (draws_of(part) < chances).to(labels.dtype)

    # Curves ---------------------------------------------------------------------------------------------------------

    def analyses(self, run: Run) -> dict[str, float]:
        """Class histograms; where hidden labels are known, the quality of pseudo-labels and the best thresholds."""
        if run.teacher is None:
            return {}
        return Tally.of(run).curves(run, run.data) | self._best_thresholds(run.teacher, run)

    def _best_thresholds(self, teacher: nn.Module, run: Run) -> dict[str, float]:
        """The best thresholds on the teacher's scores; for features only, where scoring all people is cheap."""
        hidden = run.data.train.labels[~run.data.train.labelled]
        if isinstance(self.inputs(run.data), ClipInputs) or not hidden.any():
            return {}
        rows, scores = unlabelled_scores(self, teacher, run)
        best = best_thresholds(scores[:PEOPLE], run.data.train.labels[rows[:PEOPLE]])
        named = zip(run.data.classes, best.tolist(), strict=True)
        return {f"best threshold: {name}": value for name, value in named if np.isfinite(value)}


class Inferring(TeacherStudent):
    """Methods for which the supervised network scores unlabelled people before the semi-supervised phase."""

    presets: ClassVar[Presets] = TeacherStudent.presets

    inferred: float = hyper(
        1.0, low=1e-5, high=1.0, log=True, timed=True, help="share of the unlabelled clips scored before that phase"
    )

    def infer(self, run: Run) -> tuple[np.ndarray, np.ndarray]:
        """Rows (n,) in the training set of the people scored, and their scores (n, C) by the network as it is."""
        return unlabelled_scores(self, run.network, run, self.inferred)


def unlabelled_scores(
    method: ActorMethod, network: nn.Module, run: Run, share: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """One pass over unlabelled people: their rows in the training set, and the scores (n, C) of ``network``.

    The people are those of a ``share`` of the unlabelled clips (at least one), drawn with the run's seed.
    """
    rows = np.flatnonzero(~run.data.train.labelled)
    if share < 1:
        clips = unlabelled_clips(run.data)
        drawn = np.random.default_rng([run.seed, len(clips)]).choice(
            clips, math.ceil(share * len(clips)), replace=False
        )
        rows = rows[np.isin(run.data.train.clip[rows], drawn)]
    network.eval()
    logits = torch.from_numpy(method.inputs(run.data).score(network, run.data.train, run, rows))
    return rows, torch.nan_to_num(action_probabilities(logits, method.poses(run.data)), nan=0.0).numpy()
