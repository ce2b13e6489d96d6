"""Methods that treat some unannotated classes apart, and where their pseudo-labels come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from methods.recognition.parts import losses, neighbours
from methods.recognition.parts.base import HMDB, IGNORED, MASKED, SinglePositive, complete_truth, in_chunks
from suite.errors import UsageError
from suite.method import Presets, Run, Value, extended, hyper
from suite.tasks.recognition.samples import Clips

SHARED_WIDTH = 32  # neighbours kept on disk: searches for fewer read the first columns of the same file
RECALL_SAMPLE = 500


class PseudoLabelled(SinglePositive):
    """A loss with a set of pseudo-labels for each training clip, (N, C) bool in ``run.memory["pseudo"]``."""

    unknown_labels = IGNORED
    reduction: str = hyper(
        "code",
        choices=("code", "paper"),
        source="§3 eq. 1-3 divide by the classes that count; the code sums over classes",
        help="whether each clip's loss is divided by the number of classes that count",
    )

    def pseudo_objective(self, logits: Tensor, target: Tensor, pseudo: Tensor) -> Tensor:
        """The training loss with pseudo-labels (B, C) bool; a class with ``unknown_labels`` takes ``known``, too."""
        raise TypeError(f"{self.name} has no loss: implement pseudo_objective().")

    def objective(self, logits: Tensor, target: Tensor, known: Tensor | None = None) -> Tensor:
        return losses.assume_negative(logits, target, self.reduction, known=known)  # validation has no pseudo-labels

    def train_objective(
        self, logits: Tensor, target: Tensor, index: Tensor, run: Run, known: Tensor | None = None
    ) -> Tensor:
        pseudo = run.memory["pseudo"][index]
        if known is None:
            return self.pseudo_objective(logits, target, pseudo)
        return self.pseudo_objective(logits, target, pseudo, known)  # type: ignore[call-arg]  # as known_objective

    def remember(self, run: Run, pseudo: np.ndarray) -> None:
        """Use ``pseudo`` (N, C) bool from now on, where unknown labels are masked without those."""
        if self.unknown_labels == MASKED:
            pseudo = pseudo & known_or_all(run.data.train)
        run.memory["pseudo"] = torch.from_numpy(np.array(pseudo, dtype=bool)).to(run.device)


class NeighbourLabelled(PseudoLabelled):
    """Pseudo-labels that are frequent among the labels of a clip's nearest neighbours (§3.1).

    Searched once among the features; with ``refresh`` n, searched again every n epochs among the network's own
    embeddings, the released code's end-to-end variant.
    """

    presets: ClassVar[Presets] = extended(SinglePositive.presets, notebook={**HMDB, "neighbours": 10, "tau": 0.2})
    neighbours: int = hyper(
        15,
        low=1,
        high=1000,
        symbol="K",
        packed=True,  # networks of a pack remember their own pseudo-labels
        source="§3.1; 15 in the released code, 10 in the July 2022 notebook",
    )
    tau: float = hyper(
        0.1,
        low=0.0,
        high=1.0,
        symbol="τ",
        packed=True,
        source="§3.1; 0.1 in the released code, 0.2 in the July 2022 notebook",
    )
    metric: str = hyper(
        "euclidean",
        choices=("euclidean", "cosine"),
        source="released code: features as they are",
        help="cosine scales every feature to unit length first",
    )
    neighbours_by_class: str = hyper("", source="released code: overrides by class", help="as 'take:5 put:20'")
    tau_by_class: str = hyper("", source="released code: overrides by class", help="as 'take:0.2 put:0'")
    neighbours_from: str = hyper(
        "features", choices=("features", "random"), help="random: a control, other training clips drawn at random"
    )
    refresh: int = hyper(0, low=0, high=10_000, source="released code, end-to-end: 5", help="0: searched once")
    search: str = hyper("exact", choices=("exact", "cells"), help="cells: approximate, its recall is reported")
    probes: int = hyper(8, low=1, high=100_000, help="cells searched, of about √N")

    def begin(self, run: Run) -> None:
        if self.neighbours_from == "random":
            rows = neighbours.random_others(len(run.data.train), self._width(run), run.seed)
            found = {"rows": rows, "recall": np.zeros(())}
        else:
            found = run.cached(self._key(run), lambda: self._search(run.data.train.features, run))
        self._label(run, found)

    def begin_epoch(self, run: Run) -> None:
        if self.refresh and run.epoch and run.epoch % self.refresh == 0:
            run.network.eval()
            embeddings = in_chunks(run.network.embed, run.data.train.features, run.device)  # type: ignore[arg-type]
            run.network.train()
            self._label(run, self._search(embeddings, run))

    def analyses(self, run: Run) -> dict[str, float]:
        """Pseudo-labels per clip, agreement of neighbours, and precision and recall where label sets are complete."""
        if "pseudo" not in run.memory:
            return {}  # evaluated before the first phase began
        pseudo = run.memory["pseudo"].cpu().numpy()
        found = {
            "pseudo-labels": float(pseudo.sum(axis=1).mean()),
            "clips without": float(1 - pseudo.any(axis=1).mean()),
            "no pseudo-labels": float(not pseudo.any()),
        }
        found |= {name: float(run.memory[name]) for name in ("neighbour agreement", "neighbour recall")}
        if "train" in run.data.facts.get("complete", ()):
            others = complete_truth(run.data, self.name) & ~run.data.train.annotated
            if run.data.train.known is not None:
                pseudo = pseudo & run.data.train.known  # whether the others are right, nobody knows
            hits = float((pseudo & others).sum())
            found["pseudo-label precision"] = hits / max(1.0, float(pseudo.sum()))
            found["pseudo-label recall"] = hits / max(1.0, float(others.sum()))
        return found

    def _key(self, run: Run) -> dict[str, Value]:
        key: dict[str, Value] = {"what": "neighbours", "version": 1, "width": self._width(run)}
        key |= {"metric": self.metric, "search": self.search}
        return key | {"probes": self.probes} if self.search == "cells" else key

    def _width(self, run: Run) -> int:
        return max(int(self.settings(run)[0].max()), min(SHARED_WIDTH, len(run.data.train) - 1))

    def settings(self, run: Run) -> tuple[np.ndarray, np.ndarray]:
        """K and τ of each class, (C,): the declared ones, or a class's own."""
        classes = run.data.classes
        counts = overridden(self.neighbours, self.neighbours_by_class, classes, self.name)
        if (counts < 1).any() or (counts != counts.round()).any():
            raise UsageError(f"{self.name}: neighbours_by_class={self.neighbours_by_class} needs whole numbers from 1.")
        return counts.astype(np.int64), overridden(self.tau, self.tau_by_class, classes, self.name)

    def _search(self, features: np.ndarray, run: Run) -> dict[str, np.ndarray]:
        width = self._width(run)
        if self.search == "exact":
            rows = neighbours.nearest(features, width, metric=self.metric, tell=run.tell)
            return {"rows": rows, "recall": np.ones(())}
        rows = neighbours.approximate(features, width, self.probes, self.metric)
        sample = np.linspace(0, len(features) - 1, min(RECALL_SAMPLE, len(features))).astype(np.int64)
        exact = neighbours.nearest(features, width, rows=sample, metric=self.metric)
        return {"rows": rows, "recall": np.array(neighbours.recall(rows[sample], exact))}

    def _label(self, run: Run, found: Mapping[str, np.ndarray]) -> None:
        train, classes = run.data.train, len(run.data.classes)
        labels = np.asarray(train.label)
        k, tau = (of_class[labels] for of_class in self.settings(run))
        if train.target is None and train.known is None:
            counts = neighbours.label_counts(found["rows"], labels, classes, k)
            self.remember(run, neighbours.pseudo_labels(counts, labels, k, tau))
            agreement = (counts[np.arange(len(labels)), labels] / k).mean()
        else:
            shares = neighbours.label_shares(found["rows"], targets(train), known_or_all(train), k)
            self.remember(run, (shares > tau[:, None]) & ~train.annotated)
            agreement = shares[np.arange(len(labels)), labels].mean()
        run.memory["neighbour agreement"] = torch.tensor(agreement)
        run.memory["neighbour recall"] = torch.tensor(float(found["recall"]))


def targets(train: Clips) -> np.ndarray:
    """(N, C) what training learns from: the targets, or one-hot single labels."""
    return np.asarray(train.annotated if train.target is None else train.target, dtype=np.float64)


def known_or_all(train: Clips) -> np.ndarray:
    """(N, C) bool which entries are known."""
    return np.ones(train.truth.shape, dtype=bool) if train.known is None else np.asarray(train.known, dtype=bool)


def overridden(value: float, text: str, classes: Sequence[str], method: str) -> np.ndarray:
    """(C,) ``value``, but for the classes that ``text`` lists as ``name:value`` (or ``number:value``), with blanks
    between them; raises :class:`UsageError` for what cannot be read."""
    values, places = np.full(len(classes), float(value)), {name: place for place, name in enumerate(classes)}
    for entry in text.split():
        name, _, number = entry.rpartition(":")
        place = places.get(name, int(name) if name.isdigit() and int(name) < len(classes) else -1)
        try:
            values[place] = float(number)
        except ValueError:
            place = -1
        if place < 0:
            raise UsageError(f"{method}: '{entry}' is not class:value with a class of the dataset; correct it.")
    return values


class Ideal(PseudoLabelled):
    """Pseudo-labels that are the clip's other true labels: the result of perfect neighbours."""

    oracle = True

    def begin(self, run: Run) -> None:
        self.remember(run, complete_truth(run.data, self.name) & ~run.data.train.annotated)
