"""What a task declares: its samples, its predictions, and what a prediction is worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from suite.tasks.data import TaskData

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from suite.evaluate.resampling import Statistic
    from suite.tasks.scoring.files import PredictionFiles

Wanted = Sequence[tuple[str, float | None]]  # metrics by name and threshold


@dataclass(frozen=True)
class Metric:
    """One number; ``label`` names a class in per-class rows, ``threshold`` is a tIoU or a probability."""

    metric: str
    value: float
    label: str = ""
    threshold: float | None = None


@dataclass(frozen=True)
class Resampled:
    """A metric under resampling (:mod:`suite.evaluate.resampling`): its ``statistic`` of ``units`` weights."""

    statistic: Statistic
    units: int


@dataclass(frozen=True)
class ClassScores:
    """Predictions: ``scores`` (N, C) of all classes, one row per sample."""

    scores: np.ndarray


class Task:
    """A task. Subclass it, give it a name, say what samples are and what a prediction is worth.

    Class attributes: ``name`` (how users call it); ``title`` (how tables print it); ``headline`` (its first metric,
    higher is better); ``selection`` (the metric on validation data that chooses epochs and trials, higher is better;
    empty: the headline); ``oracle_metrics`` (upper bounds that look at the labels they are scored on: tables mark them,
    and nobody wins by them); ``explained`` (what metrics are whose names do not say it, for the notes below a table);
    ``learns_from`` and ``predicts`` (in words); ``samples`` and ``predictions`` (dataclasses
    of arrays; those of samples have ``ids``, ``unit``, ``take`` and a length); ``features`` (the field of samples that
    holds the features, one array); ``scale`` (what class scores are, ``logits`` or ``probabilities``, where it
    matters); ``planted`` (the generated dataset on which methods are checked); ``noise`` (the kind of noise dials on
    which :meth:`withhold` acts, :data:`suite.spec.dials.NOISE`); ``annotated`` (whether it takes several annotators, of
    whom :meth:`withhold` chooses); ``files`` (the prediction files that
    ``suite evaluate`` scores beside the ledger's own form).

    Tasks of one family (two kinds of labels for one kind of prediction) share a base class without a name.
    """

    name: ClassVar[str] = ""
    title: ClassVar[str] = ""
    headline: ClassVar[str] = ""
    selection: ClassVar[str] = ""
    oracle_metrics: ClassVar[Sequence[str]] = ()
    explained: ClassVar[Mapping[str, str]] = {}
    learns_from: ClassVar[str] = ""
    predicts: ClassVar[str] = ""
    samples: ClassVar[type[Any]]
    predictions: ClassVar[type[Any]] = ClassScores
    features: ClassVar[str] = "features"
    scale: ClassVar[str] = ""
    planted: ClassVar[str] = ""
    noise: ClassVar[str] = ""
    annotated: ClassVar[bool] = False
    files: ClassVar[Sequence[PredictionFiles]] = ()

    # What a task implements ---------------------------------------------------------------------------------------

    def evaluate(self, predictions: Any, samples: Any, data: TaskData[Any]) -> list[Metric]:
        """The metrics of ``predictions`` for a split of ``data``; the headline is a row without label or threshold."""
        raise TypeError(f"{self.name} does not say what a prediction is worth: implement evaluate().")

    # What a task overrides that predicts anything but the scores of all classes for each sample ----------------------

    def to_rows(self, predictions: Any, samples: Any) -> dict[str, Any]:
        """Predictions as columns of the ledger: ``item``, ``label``, ``score``, ``start``, ``end``, ``scores``."""
        from suite.tasks.storage.scores import score_lists

        return {"item": samples.ids, "scores": score_lists(predictions.scores)}

    def from_rows(self, table: pa.Table, samples: Any) -> Any:
        """What :meth:`to_rows` made columns of, for the same split."""
        from suite.tasks.storage.scores import scores_of

        return self.predictions(scores_of(table, samples))

    def guess(self, samples: Any, classes: int) -> Any:
        """Some prediction for ``samples``, good or not, from which the names of the metrics are learned."""
        import numpy as np

        return self.predictions(np.zeros((len(samples), classes), dtype=np.float32))

    # What a task may override -------------------------------------------------------------------------------------

    def check(self, samples: Any, split: str, classes: int) -> None:
        """Raise :class:`DataError` when a split that a reader returned contradicts itself or the ``classes`` there are.

        :mod:`suite.tasks.checks` has the usual questions. Lengths of ``unit`` and shared units are checked for all.
        """

    def item(self, samples: Any, row: int) -> str:
        """The id of the sample to which a row of the features belongs."""
        return str(samples.ids[row])

    def counts(self, samples: Any) -> dict[str, int]:
        """What can be counted in a split beside samples and units: ``labels``, ``segments``."""
        return {}

    @staticmethod
    def settle(data: TaskData[Any], dials: Mapping[str, Any]) -> TaskData[Any]:
        """What a reader returned, in the form that is checked and packed; by default as it is.

        ``dials`` are those that packed arrays depend on. The module of this function is part of the data's fingerprint.
        """
        return data

    @staticmethod
    def withhold(data: TaskData[Any], dials: Mapping[str, Any]) -> TaskData[Any]:
        """``data`` of which some training labels are withheld or wrong, as the ``dials`` say; by default as it is.

        Called each time a dataset is opened. The module of this function is part of the data's fingerprint.
        """
        return data

    def people(self, data: TaskData[Any]) -> Mapping[str, list[Metric]]:
        """What the test split's annotators are worth against each other, by name: metrics without those of classes.

        Empty where a dataset has but one annotator.
        """
        return {}

    def calibrated(self, predictions: Mapping[str, Any], data: TaskData[Any]) -> dict[str, Any]:
        """``predictions`` by split with what is decided on those for validation data, such as a threshold, in all.

        Called between decoding and :meth:`evaluate`, with ``validation`` among the splits or nothing to decide from.
        Test data only receive: neither their predictions nor their labels may be looked at. By default nothing changes.
        """
        return dict(predictions)

    def quick(self, predictions: Sequence[Any], samples: Any, data: TaskData[Any], wanted: Wanted) -> np.ndarray | None:
        """(predictions, wanted) metrics of many predictions for one split by a shorter way than :meth:`evaluate`.

        None where there is none for what is wanted.
        """
        return None

    def intervals(
        self, metrics: list[dict[str, Any]], predictions: Any, data: TaskData[Any], resamples: int
    ) -> list[dict[str, Any]]:
        """``metrics`` of the test split, with ``low`` and ``high`` where resampling gives a 95 % interval."""
        return metrics

    def resampled(self, predictions: Any, samples: Any, data: TaskData[Any]) -> Resampled | None:
        """The headline of ``predictions`` for a split as a statistic of how often each unit is drawn.

        Two runs on the same split have the same units. None where the headline is no such statistic.
        """
        return None

    # What follows -------------------------------------------------------------------------------------------------

    @property
    def chosen_by(self) -> str:
        """The metric on validation data that chooses epochs, trials and the best of a sweep."""
        return self.selection or self.headline

    def headline_of(self, metrics: Sequence[Metric]) -> float:
        """The headline value among ``metrics`` (the row of that name without label or threshold)."""
        return value_of(metrics, self.headline)


def value_of(metrics: Sequence[Metric], name: str) -> float:
    """The value of the row called ``name`` without label or threshold; raises :class:`StopIteration` without one."""
    return next(m.value for m in metrics if m.metric == name and not m.label and m.threshold is None)
