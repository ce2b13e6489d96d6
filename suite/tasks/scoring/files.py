"""What a task that scores files of predictions made elsewhere must say about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from suite.errors import UsageError
from suite.tasks.data import TaskData
from suite.tasks.scoring.contents import Contents
from suite.tasks.scoring.report import Report

if TYPE_CHECKING:
    from suite.spec.card import DatasetCard


@dataclass(frozen=True)
class Choice:
    """Which videos of a truth count: those of ``subset`` (empty: its test subset), and only those of a ``listed``
    file of names. ``ambiguous`` is a file of segments that a protocol may forgive."""

    subset: str = ""
    listed: Path | None = None
    ambiguous: Path | None = None

    def only_all(self, kind: str) -> None:
        """Raise :class:`UsageError` where anything is chosen, for a ``kind`` of predictions that is scored whole."""
        for option, given in (("--subset", self.subset), ("--videos", self.listed), ("--ambiguous", self.ambiguous)):
            if given:
                raise UsageError(f"{option} does not apply to {kind}; leave it out.")


class PredictionFiles:
    """Files of one kind of predictions: the forms they come in, the truth they are scored against, and the score.

    ``kind`` names what they hold (``segments``), ``forms`` how it is written, for messages; ``protocols`` are the
    protocols that can be named without a card; ``scale`` is what scores are where nobody says so, if it matters. Rows
    that :meth:`read` returns have a ``form`` and a ``score`` array.
    """

    kind: ClassVar[str]
    forms: ClassVar[tuple[str, ...]]
    protocols: ClassVar[Mapping[str, Any]] = {}
    scale: ClassVar[str] = ""

    def read(self, contents: Contents) -> Any:
        """The rows of a file, or None for a file in no form of this kind; :class:`DataError` for a malformed row."""
        raise NotImplementedError

    def on_scale(self, rows: Any, scores: str) -> Any:
        """The rows with scores of the scale called ``scores`` on the scale of this kind; empty: they are on it."""
        return rows

    def truth_from_file(self, path: Path, choice: Choice) -> Any:
        """The annotations in a published annotation file."""
        raise self.not_the_truth(path)

    def not_the_truth(self, path: Path) -> UsageError:
        """The error about an annotation file that is of another kind."""
        return UsageError(f"the file holds {self.kind} but {path} does not: give predictions and truth of one task.")

    def truth_from_card(self, card: DatasetCard, folder: Path, choice: Choice) -> Any:
        """The test annotations of a card from its files alone; None where its reader is needed to make them."""
        return None

    def truth_from_data(self, data: TaskData[Any], choice: Choice) -> Any:
        """The test annotations of a loaded dataset."""
        raise NotImplementedError

    def protocol_of(self, settings: Mapping[str, Any]) -> Any:
        """The evaluation switches that a card's protocol names."""
        raise NotImplementedError

    def score(self, rows: Any, truth: Any, protocol: Any, resamples: int) -> Report:
        """The metrics of ``rows``, with intervals from so many ``resamples`` of videos (0: none)."""
        raise NotImplementedError
