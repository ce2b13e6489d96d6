"""What all single-positive methods share: the feature network, its training, scoring, and the loss's own threshold."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from methods.networks.mlp import FeatureMLP
from methods.recognition.parts import losses
from suite.errors import UsageError
from suite.method import Batch, Losses, Method, Optimizer, Phase, Presets, Run, Scores, Stopping, Value, hyper
from suite.tasks.data import TaskData
from suite.tasks.recognition.samples import Clips, ClipScores

ROWS_AT_ONCE = 4096
RECOMMENDED: dict[str, Value] = {"lr": 1e-3, "epochs": 100, "batch": 128, "evaluate_every": 2, "select_by": "recall"}
HMDB: dict[str, Value] = {"epochs": 1000}  # what the released code changes for Confusing-HMDB-102
# CVPR 2021, a linear classifier on fixed features: no stopping rule, the best epoch by validation
COLE: dict[str, Value] = {"layers": 0, "epochs": 25, "batch": 16, "lr": 1e-3, "patience": 25, "log_offset": 1e-5}
IGNORED = "ignored: they have no part in the loss"
MASKED = "masked: the loss sees them as negatives that are certain already, which move nothing"
LOSSES = ("objective", "train_objective", "pseudo_objective", "loss")
SETTLED = 1e4  # a logit at which a class is certain: its gradient is nothing
LOG_OFFSET = hyper(
    0.0,
    low=0.0,
    high=0.1,
    source="codes of CVPR 2021 and ECCV 2022: 1e-5",
    help="added to probabilities inside logarithms; 0: log-sigmoid",
)


class SinglePositive(Method):
    """A loss on one positive label per clip. Subclasses implement :meth:`objective`.

    A dataset may leave labels unknown. A class that says in ``unknown_labels`` what it makes of them is handed the mask
    ``known`` as the last argument of its losses; any other gets logits and targets in which they are settled
    (:func:`settled`), so that a loss written without a thought of them does not take them for negatives. Where several
    annotators differ, ``soft_labels = True`` says that the loss takes the shares of them as targets.

    Training follows the feature experiments of An Action Is Worth Multiple Words: Adam without decay or schedule, and
    a stop when neither validation loss nor what chooses the epoch had a best value for ``patience`` epochs.
    In published presets that metric is accuracy on the annotated label, which is blind to what these methods are for: a
    network that ranks a clip's other labels high is no better by it. Recommended presets choose by the recall of the
    annotated label among as many classes as a clip has labels on average.
    """

    task = "recognition"
    unknown_labels: ClassVar[str] = MASKED
    soft_labels: ClassVar[bool] = False
    presets: ClassVar[Presets] = {"recommended": RECOMMENDED, "published": {}, "published-hmdb": HMDB}

    lr: float = hyper(5e-6, low=1e-8, high=1.0, log=True, packed=True, source="released code, feature experiments")
    epochs: int = hyper(500, low=1, high=100_000, source="released code: 500 for EPIC-Kitchens, 1000 for HMDB")
    batch: int = hyper(
        64, low=2, high=65_536, source="released code", help="clips per step; the last, smaller batch is dropped"
    )
    weight_decay: float = hyper(0.0, low=0.0, high=1.0, packed=True, source="released code: none")
    patience: int = hyper(20, low=1, high=100_000, source="released code", help="epochs without a best value")
    hidden: int = hyper(1024, low=1, high=65_536, source="released code", help="units of a hidden layer")
    layers: int = hyper(2, low=0, high=16, source="released code", help="hidden layers")
    watch: str = hyper(
        "loss and selection",
        choices=("loss and selection", "mAP"),
        source="BMVC 2022 code: both must be old; ECCV 2022 code: mAP alone",
        help="validation curves that stop the training; selection: the one that chooses the epoch",
    )
    select_by: str = hyper(
        "accuracy",
        choices=("accuracy", "recall"),
        source="released code: accuracy on the annotated label",
        help="validation metric that chooses the epoch; recall: of the annotated label among as many classes as a clip "
        "has labels on average",
    )
    evaluate_every: int = hyper(1, low=1, high=10_000, source="released code", help="epochs between evaluations")
    threshold: float = hyper(
        0.0,
        low=0.0,
        high=1.0,
        post=True,
        help="probability from which a class is predicted; 0: the loss's own threshold",
    )

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        own = vars(cls)
        if any(name in own for name in LOSSES):  # another loss: what its parent does with labels is not what it does
            cls.unknown_labels = own.get("unknown_labels", MASKED)
            cls.soft_labels = own.get("soft_labels", False)

    # What a loss defines ---------------------------------------------------------------------------------------------

    def objective(self, logits: Tensor, target: Tensor) -> Tensor:
        """The loss of logits (B, C) against single labels as one-hot rows (B, C); validation uses it too.

        A class that declares ``unknown_labels`` takes a third argument, ``known: Tensor | None = None`` (B, C) bool,
        given where some labels are unknown.
        """
        raise TypeError(f"{self.name} has no loss: implement objective().")

    def train_objective(
        self, logits: Tensor, target: Tensor, index: Tensor, run: Run, known: Tensor | None = None
    ) -> Tensor:
        """The training loss where it also depends on which clips (``index`` (B,)) are in the batch."""
        return self.known_objective(logits, target, known)

    def known_objective(self, logits: Tensor, target: Tensor, known: Tensor | None) -> Tensor:
        """:meth:`objective` of what is ``known`` (B, C), None where all is."""
        if known is None:
            return self.objective(logits, target)
        if self.unknown_labels == MASKED:
            return self.objective(*settled(logits, target, known))
        return self.objective(logits, target, known)  # type: ignore[call-arg]  # who declares unknown_labels takes it

    def own_threshold(self, classes: int) -> float:
        """The probability from which a class counts as predicted under this loss."""
        return 0.5

    # The contract ----------------------------------------------------------------------------------------------------

    def phases(self, data: TaskData[Clips]) -> Sequence[Phase]:
        optimizer = Optimizer("adam", lr=self.lr, weight_decay=self.weight_decay)
        watch = ("mAP",) if self.watch == "mAP" else ("loss", "selection")
        stopping = Stopping(max(1, self.patience // self.evaluate_every), watch)
        return [
            Phase(
                epochs=self.epochs,
                optimizer=optimizer,
                evaluate_every=min(self.evaluate_every, self.epochs),
                stopping=stopping,
            )
        ]

    def chosen_by(self) -> str:
        return "top-set" if self.select_by == "accuracy" else ""  # of single labels top-set is accuracy

    def network(self, data: TaskData[Clips]) -> nn.Module:
        return FeatureMLP(data.train.features.shape[1], len(data.classes), self.hidden, self.layers)

    def batches(self, run: Run, generator: np.random.Generator) -> Iterator[Batch]:
        count = len(run.data.train)
        size = min(self.batch, count)
        order = torch.from_numpy(generator.permutation(count))
        for start in range(0, count - size + 1, size):
            yield {"index": order[start : start + size]}

    def loss(self, network: nn.Module, batch: Batch, run: Run) -> Losses:
        logits, target = self.labelled(network, batch, run)
        index = batch["index"]
        if run.data.train.known is None or self.unknown_labels == MASKED:
            return {"loss": self.train_objective(logits, target, index, run)}
        known = run.resident("known", run.data.train.known)[index]
        return {"loss": self.train_objective(logits, target, index, run, known)}

    def labelled(self, network: nn.Module, batch: Batch, run: Run) -> tuple[Tensor, Tensor]:
        """Logits (B, C) of the batch's clips and what is learned from: their targets, or one-hot single labels."""
        train, index = run.data.train, batch["index"]
        logits = network(run.resident("features", train.features)[index].float())
        if train.target is None:
            target = losses.one_hot(run.resident("label", train.label)[index], logits.shape[1], logits)
        else:
            target = run.resident("target", train.target)[index].to(logits.dtype)
        if train.known is None or self.unknown_labels != MASKED:
            return logits, target
        return settled(logits, target, run.resident("known", train.known)[index])

    def score(self, network: nn.Module, samples: Clips, run: Run) -> Scores:
        return {"logits": self.logits(network, samples, run)}

    def logits(self, network: nn.Module, samples: Clips, run: Run) -> np.ndarray:
        """(N, C) what ``network`` says of a split; computed once for the scores and the loss of an evaluation point."""
        found: np.ndarray = run.once(
            "logits", network, samples, lambda: in_chunks(network, samples.features, run.device)
        )
        return found

    def decode(self, scores: Scores, samples: Clips) -> ClipScores:
        logits = scores["logits"]
        return ClipScores(logits, self.threshold or self.own_threshold(logits.shape[1]))

    def validation_loss(self, network: nn.Module, samples: Clips, run: Run) -> float:
        logits = torch.from_numpy(self.logits(network, samples, run))
        if samples.target is None:
            target = losses.one_hot(torch.from_numpy(np.array(samples.label)), logits.shape[1], logits)
        else:
            target = torch.from_numpy(np.array(samples.target)).to(logits.dtype)
        return float(self.known_objective(logits, target, known_of(samples)))


@torch.no_grad()
def in_chunks(function: Callable[[Tensor], Tensor], features: np.ndarray, device: torch.device) -> np.ndarray:
    """``function`` of the rows of ``features`` (N, D), a few thousand at a time; float32 (N, ...)."""
    starts = range(0, max(1, len(features)), ROWS_AT_ONCE)  # a split without rows still has a shape
    parts = (torch.from_numpy(np.array(features[s : s + ROWS_AT_ONCE], dtype=np.float32)) for s in starts)
    return np.concatenate([function(part.to(device)).float().cpu().numpy() for part in parts])


def settled(logits: Tensor, target: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
    """Logits and targets (B, C) whose unknown entries are certain negatives, through which no gradient flows."""
    return torch.where(known, logits, -SETTLED), torch.where(known, target, 0.0)


def known_of(samples: Clips) -> Tensor | None:
    """(N, C) bool which entries are known, None where all are."""
    return None if samples.known is None else torch.from_numpy(np.array(samples.known, dtype=bool))


def complete_truth(data: TaskData[Clips], method: str) -> np.ndarray:
    """(N, C) bool the label sets of the training clips, complete but for entries that are unknown.

    Raises :class:`UsageError` where the dataset has none.
    """
    if "train" not in data.facts.get("complete", ()):
        raise UsageError(f"{method} needs complete training labels, which {data.name} lacks; use another dataset.")
    return np.asarray(data.train.truth, dtype=bool)


def labels_per_clip(declared: float, data: TaskData[Clips], method: str) -> float:
    """Mean number of labels per clip: ``declared``, or where that is 0 the dataset's."""
    known = float(declared or data.facts.get("cardinality", 0.0))
    if known <= 0:
        raise UsageError(f"{data.name} does not state how many labels a clip has; give {method} --set cardinality=…")
    return known
