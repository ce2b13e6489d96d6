"""One dataset as one task sees it.

Arrays may be memory-mapped and are read-only. ``oracle`` arrays of samples hold hidden truth (posteriors of a planted
world, per-snippet ground truth, labels withheld by a split): only evaluators, analyses and methods marked ``oracle``
may look there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    import numpy as np

SPLITS = ("train", "validation", "test")


class Samples(Protocol):
    """What every type of samples has: ``ids`` (N,) str, and ``unit`` (N,) str by which splits are disjoint."""

    @property
    def ids(self) -> np.ndarray:
        """(N,) str."""

    @property
    def unit(self) -> np.ndarray:
        """(N,) str."""

    def __len__(self) -> int: ...

    def take(self, index: np.ndarray) -> Any:
        """The samples at ``index``."""


SamplesT = TypeVar("SamplesT", bound=Samples)


def other_features(facts: Mapping[str, Any], by: str) -> dict[str, Any]:
    """``facts`` of data whose training features are others than the packed ones, and ``by`` what.

    What is found among features (neighbours) is kept on disk under this, too.
    """
    return {**facts, "features_of": ",".join(filter(None, (facts.get("features_of", ""), by)))}


@dataclass(frozen=True)
class TaskData(Generic[SamplesT]):
    """Three splits, disjoint by unit, and what is known about the dataset.

    ``facts`` holds small values that methods and evaluators may need (``groups``: head/tail class ids; ``posterior``
    constants; ``halves``: the first channels are RGB; ``ceilings``: metric name to value; ``premises``: what a
    generated world offers to methods, by name).
    """

    name: str
    task: str
    classes: tuple[str, ...]
    train: SamplesT
    validation: SamplesT
    test: SamplesT
    protocol: str = "default"
    fingerprint: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(
        cls, name: str, task: str, classes: Iterable[str], splits: Mapping[str, SamplesT], facts: Mapping[str, Any]
    ) -> TaskData[SamplesT]:
        """The dataset called ``name`` with its ``splits`` by name."""
        train, validation, test = (splits[split] for split in SPLITS)
        return cls(name, task, tuple(classes), train, validation, test, facts=facts)

    @property
    def validates_on_test(self) -> bool:
        """Whether the validation samples are the test samples, so that what holds for the ones holds for the others."""
        import numpy as np  # not for plans, which only declare data

        declared = bool(self.facts.get("validation_is_test"))
        return declared and np.array_equal(self.validation.ids, self.test.ids)

    def split(self, name: str) -> SamplesT:
        """The split called ``train``, ``validation`` or ``test``."""
        samples: SamplesT = getattr(self, name)
        return samples
