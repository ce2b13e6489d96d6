"""Scoring a file of predictions, made here or elsewhere, against a dataset or an annotation file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from suite.data import find_card, load
from suite.data.array_pickles import load_arrays
from suite.data.storage.files import dataset_folder
from suite.errors import DataError, UsageError, did_you_mean
from suite.places import Places
from suite.spec.card import DatasetCard, parse_dataset_name
from suite.tasks import task, tasks
from suite.tasks.scoring.contents import Contents, open_contents
from suite.tasks.scoring.files import Choice, PredictionFiles
from suite.tasks.scoring.ledger_form import clean_table
from suite.tasks.scoring.report import Report, metric_row
from suite.tasks.scoring.scale import Scale
from suite.tasks.scoring.text import uncollected

LEDGER_FORM = "Parquet"


@dataclass(frozen=True)
class Against:
    """What predictions are scored against: a ``dataset`` (with or without dials) or an annotation file, ``truth``.

    ``videos`` lists the only ones that count; ``subset`` of the annotations counts (empty: the card's test subset, else
    ``test``); ``protocol`` is one of the card's, or a named one (empty: the default); ``resamples`` of videos give
    intervals (0: none); ``scores`` is the scale that scores are on: ``probabilities``, ``logits`` or ``LOW..HIGH``;
    ``ambiguous`` is a file of segments that a protocol may forgive.
    """

    dataset: str = ""
    truth: Path | None = None
    protocol: str = ""
    videos: Path | None = None
    subset: str = ""
    resamples: int = 1000
    scores: str = ""
    ambiguous: Path | None = None

    @property
    def choice(self) -> Choice:
        """Which videos of the truth count."""
        return Choice(self.subset, self.videos, self.ambiguous)

    @property
    def card(self) -> DatasetCard | None:
        """The card of the dataset, if there is one."""
        return find_card(parse_dataset_name(self.dataset)[0]) if self.dataset else None


def score_file(path: Path, against: Against, places: Places) -> tuple[str, Report]:
    """The form of the file at ``path`` and what it scores.

    Raises:
        UsageError: a truth that does not fit the predictions, or an unknown protocol.
        DataError: a file that is missing, malformed or in no known form.
    """
    if bool(against.dataset) == bool(against.truth):
        raise UsageError("say what the truth is: --dataset CARD or --truth FILE, one of them.")
    contents, card = _open(path), against.card
    for name in card.tasks if card is not None else tasks():
        for files in _candidates(name, against):
            if (rows := _read(files, contents)) is not None:
                oddities = contents.oddities
                del contents  # of millions of rows it is the larger part of the memory
                truth = _truth(files, against, name, places)
                protocol = _protocol(files, card, against.protocol)
                off_scale = scale.oddities(rows.score) if (scale := _scale(files, against)) else []
                report = files.score(files.on_scale(rows, against.scores), truth, protocol, against.resamples)
                return rows.form, replace(report, oddities=[*oddities, *report.oddities, *off_scale])
    return LEDGER_FORM, _score_ledger_form(contents, against, card, places)


def _read(files: PredictionFiles, contents: Contents) -> Any:
    """The rows of a file, if it is of this kind; nobody looks for cycles among the objects of millions of rows."""
    with uncollected():
        return files.read(contents)


def _open(path: Path) -> Contents:
    """The file or folder as it stands; a pickle is read as arrays and containers, and nothing in it is run."""
    if path.suffix not in (".pkl", ".pickle") or not path.is_file():
        return open_contents(path)
    try:
        return Contents(path, json=load_arrays(path))
    except (MemoryError, RecursionError, ArithmeticError, LookupError, OSError) as error:
        raise DataError(f"{path} is not a whole file of arrays ({type(error).__name__}): get it again.") from None


def _scale(files: PredictionFiles, against: Against) -> Scale | None:
    """The scale that scores are on: the one stated, else the one that files of this kind are expected to use."""
    name = against.scores or files.scale
    return Scale.named(name) if name else None


def _candidates(task_name: str, against: Against) -> list[PredictionFiles]:
    """The kinds of files of a task; where the protocol is one of certain kinds alone, those."""
    card, name = against.card, against.protocol
    kinds = {type(files) for one in tasks().values() for files in one.files if name in files.protocols}
    chosen = kinds if kinds and not (card is not None and name in card.protocols) else None
    return [files for files in task(task_name).files if chosen is None or type(files) in chosen]


def _truth(files: PredictionFiles, against: Against, task_name: str, places: Places) -> Any:
    """The annotations: from a file, from the files that a card names, or else from the packed dataset."""
    card = against.card
    if against.truth is not None:
        if not against.truth.exists():
            raise DataError(f"there is no annotation file {against.truth}: give ActivityNet's JSON or AVA's csv")
        return files.truth_from_file(against.truth, against.choice)
    if card is not None and "[" not in against.dataset:
        truth = files.truth_from_card(card, dataset_folder(card, places.root), against.choice)
        if truth is not None:
            return truth
    return files.truth_from_data(load(against.dataset, task_name, places.root, places.cache), against.choice)


def _protocol(files: PredictionFiles, card: DatasetCard | None, name: str) -> Any:
    """The card's protocol called ``name`` (its default without a name), or one of the named ones."""
    if card is not None and (not name or name in card.protocols):
        return files.protocol_of(card.protocol(name or "default"))
    if name in files.protocols:
        return files.protocols[name]
    if not name:
        return files.protocol_of({})
    known = [*files.protocols, *(card.protocols if card else ())]
    raise UsageError(f"no protocol is called '{name}'{did_you_mean(name, known)}")


def _score_ledger_form(contents: Contents, against: Against, card: DatasetCard | None, places: Places) -> Report:
    """The score of a table that holds, as the ledger does, what a task made of its predictions."""
    others = [files for one in tasks().values() for files in one.files if files.read(contents) is not None]
    if others and card is not None:
        raise UsageError(f"{card.name} serves {', '.join(card.tasks)}, which a file of {others[0].kind} cannot answer.")
    if contents.table is None or not contents.has_columns("item"):
        known = dict.fromkeys(form for one in tasks().values() for files in one.files for form in files.forms)
        raise DataError(
            f"{contents.path} is in no form that is known: write {', '.join(known)} or the ledger's Parquet"
        )
    if card is None:
        raise UsageError("predictions in the ledger's form need the dataset they belong to: give --dataset.")
    against.choice.only_all("predictions in the ledger's form")
    protocol = against.protocol or "default"
    data = load(against.dataset, card.tasks[0], places.root, places.cache, protocol=protocol)
    served = task(card.tasks[0])
    table, oddities = clean_table(contents.path, contents.table, served, data, against.scores)
    predictions = served.from_rows(table, data.test)
    found = served.evaluate(predictions, data.test, data)
    metrics = [metric_row(row.metric, row.threshold, row.value) for row in found if not row.label]
    classes = [{"class": row.label, "AP": row.value} for row in found if row.label]
    counts = {"predictions": len(contents.table), "counted": len(table)}
    metrics = served.intervals(metrics, predictions, data, against.resamples)
    return Report(data.protocol, metrics, classes, oddities, counts)
