"""What all methods of weakly supervised localization share: sampled positions, video labels, scoring, localization."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn

from methods.weak_localization.parts.localize import Activation, NonMaximumSuppression, localize
from methods.weak_localization.parts.proposals import Runs
from methods.weak_localization.parts.sampling import random_rows, uniform_index
from suite.evaluate.scoring.pool import Pool, Thinning
from suite.evaluate.segments import Segments
from suite.method import Batch, Method, Optimizer, Phase, Run, Scores, hyper
from suite.tasks.data import TaskData
from suite.tasks.localization.samples import Videos

ROWS_AT_ONCE = 2048


class WeakLocalization(Method):
    """Learns from the classes of whole videos. Subclasses give the network, the loss and their inference rule.

    A batch holds ``video`` (B,) and ``index`` (B, T), the row of the feature store at each position.
    """

    task = "weak-localization"

    lr: float = hyper(1e-4, low=1e-7, high=1.0, log=True, packed=True, help="Adam's learning rate")
    weight_decay: float = hyper(5e-4, low=0.0, high=1.0, packed=True, help="L2, added to the gradient")
    batch: int = hyper(16, low=1, high=4096, help="videos a step")
    epochs: int = hyper(100, low=1, high=100_000, source="ASL, released script: 100")
    positions: int = hyper(750, low=1, high=100_000, symbol="T", help="temporal positions a video is sampled at")
    hidden: int = hyper(512, low=1, high=65_536, help="units of a hidden layer")
    evaluate_every: int = hyper(4, low=1, high=10_000, help="epochs between evaluations")
    scale: int = hyper(24, low=1, high=1000, post=True, help="points a position after linear upsampling")
    nms: Literal["hard", "decay", "none"] = hyper(
        "hard", choices=("hard", "decay", "none"), post=True, help="suppression inside video and class"
    )
    nms_threshold: float = hyper(0.5, low=0.0, high=1.0, post=True, help="tIoU from which a proposal is suppressed")
    nms_plus: float = hyper(0.0, low=0.0, high=10.0, post=True, help="seconds added to lengths and overlaps in NMS")

    # What a method says -----------------------------------------------------------------------------------------

    def activations(self, scores: Scores, samples: Videos) -> Iterable[Activation]:
        """For each video the classes it localizes and their signals; depends on post-processing parameters only."""
        raise TypeError(f"{self.name} localizes nothing: implement activations().")

    def propose(self, signal: np.ndarray, probability: float, rank: np.ndarray) -> Runs:
        """Scored runs of one upsampled class signal (P,) of a video that shows the class with ``probability``.

        ``rank`` (P,) is the signal that scores; it is ``signal`` itself unless the activation says otherwise.
        """
        raise TypeError(f"{self.name} proposes nothing: implement propose().")

    # The verbs --------------------------------------------------------------------------------------------------

    def optimizer(self) -> Optimizer:
        """Adam with L2 in the gradient, as all released codes of this family."""
        return Optimizer("adam", lr=self.lr, weight_decay=self.weight_decay)

    def phases(self, data: TaskData[Videos]) -> Sequence[Phase]:
        every = min(self.evaluate_every, self.epochs)
        return [Phase(epochs=self.epochs, optimizer=self.optimizer(), evaluate_every=every)]

    def batches(self, run: Run, generator: np.random.Generator) -> Iterator[Batch]:
        train = run.data.train
        order = generator.permutation(len(train))
        for start in range(0, len(order), self.batch):
            videos = order[start : start + self.batch]
            yield {"video": torch.from_numpy(videos), **self.sampled(train, videos, generator)}

    def sampled(self, train: Videos, videos: np.ndarray, generator: np.random.Generator) -> Batch:
        """The sampled rows of a batch: ``index`` (B, T)."""
        rows = random_rows(train.lengths[videos], self.positions, generator)
        return {"index": torch.from_numpy(train.offsets[videos, None] + rows)}

    def decode(self, scores: Scores, samples: Videos) -> Segments:
        return self.suppression()(self.proposals(scores, samples))

    def proposals(self, scores: Scores, samples: Videos) -> Segments:
        """Scored segments of all videos before suppression."""
        nothing = NonMaximumSuppression("none")
        return localize(self.activations(scores, samples), samples, self.propose, self.scale, nothing)

    def suppression(self) -> NonMaximumSuppression:
        """What is done with the proposals; depends on the parameters in ``thins`` alone."""
        return NonMaximumSuppression(self.nms, self.nms_threshold, plus=self.nms_plus)

    # What searches share (suite.tasks.localization.scoring.search) ----------------------------------------------

    thins: ClassVar[frozenset[str]] = frozenset({"nms", "nms_threshold", "nms_plus", "nms_sigma"})
    chooses: ClassVar[str] = ""

    def pool(self, scores: Scores, samples: Videos) -> Pool:
        """The proposals; settings that differ in ``thins`` alone have the same."""
        return Pool(self.proposals(scores, samples))

    def thinning(self) -> Thinning | None:
        """:meth:`suppression`, as a search applies it to the pool; None where decoding does something else."""
        return self.suppression()

    # For subclasses ---------------------------------------------------------------------------------------------

    def store(self, run: Run) -> Tensor:
        """All training rows (N, D), resident on the device."""
        return run.resident("rows", run.data.train.rows)

    def workspace(self, run: Run, index: Tensor) -> Tensor:
        """Room for the rows of a batch ``index`` (B, T), kept between steps."""
        store, held = self.store(run), run.residents.get("workspace")
        if held is None or len(held) < index.numel():
            held = run.residents["workspace"] = store.new_empty(index.numel(), store.shape[1])
        return held

    def labels(self, run: Run, batch: Batch) -> Tensor:
        """(B, C) the video labels of a batch, zeros and ones."""
        labels = run.resident("video_labels", np.asarray(run.data.train.video_labels, dtype=np.float32))
        return labels[batch["video"]]


def spread(labels: Tensor) -> Tensor:
    """Labels (B, C) divided by their number; a row without labels stays zero."""
    return labels / labels.sum(dim=1, keepdim=True).clamp(min=1.0)


@torch.no_grad()
def per_snippet(
    network: nn.Module, store: np.ndarray, device: torch.device, wanted: np.ndarray | None = None
) -> list[np.ndarray]:
    """Outputs (N, ...) of a network that looks at one snippet at a time, for the ``wanted`` rows of a store, or all."""
    parts = []
    # At least one round: an empty split gives empty arrays of the right shapes.
    for start in range(0, max(1, len(store) if wanted is None else len(wanted)), ROWS_AT_ONCE):
        part = slice(start, start + ROWS_AT_ONCE)
        rows = as_tensor(store[part] if wanted is None else store[wanted[part]])
        parts.append([out.float().cpu().numpy() for out in network(rows.to(device))])
    return [np.concatenate(part) for part in zip(*parts)]


def as_tensor(rows: np.ndarray) -> Tensor:
    """Feature rows as a float32 tensor, without a copy where they have that type."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")  # nobody writes into features
        return torch.from_numpy(np.asarray(rows, dtype=np.float32))


def looked_at(samples: Videos, positions: int) -> tuple[np.ndarray | None, np.ndarray]:
    """The rows (N,) of the store on the uniform grid, each once (None: all of them), and where videos begin (V + 1,).

    A video of at most T snippets is seen whole, a longer one at T of them.
    """
    lengths = samples.lengths
    offsets = np.concatenate([[0], np.cumsum(np.minimum(lengths, positions))])
    if (lengths <= positions).all():
        return None, offsets
    seen = [
        first + (uniform_index(int(n), positions) if n > positions else np.arange(n))
        for first, n in zip(samples.offsets, lengths)
    ]
    return np.concatenate(seen), offsets


def uniform_grid(samples: Videos, positions: int) -> np.ndarray:
    """(V, T) rows of the store that inference looks at."""
    grid = [offset + uniform_index(int(n), positions) for offset, n in zip(samples.offsets, samples.lengths)]
    return np.array(grid, dtype=np.int64).reshape(len(samples), positions)


def grid_batches(samples: Videos, grid: np.ndarray, device: torch.device, size: int = 16) -> Iterator[Tensor]:
    """Features (b, T, D) at the ``grid`` (V, T), a few videos at a time."""
    for start in range(0, max(1, len(grid)), size):
        rows = grid[start : start + size]
        # A short video repeats snippets on the grid; each is read from the store once.
        wanted, place = np.unique(rows, return_inverse=True)
        features = as_tensor(samples.rows[wanted]).to(device)
        yield features[torch.from_numpy(place.reshape(rows.shape)).to(device)]
