"""``suite evaluate``: score a file of predictions, whoever made it, with intervals and a list of what is odd in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from suite.cli.complete import datasets
from suite.cli.console import DataOption, JsonOption, OutOption, emit, emit_json, say
from suite.errors import DataError, UsageError, did_you_mean

if TYPE_CHECKING:
    from suite.data.samples import TaskData
    from suite.places import Places
    from suite.scoring.predictions_files import BoxRows, Rows, SegmentRows
    from suite.scoring.predictions_join import Finding
    from suite.scoring.score_files import Report
    from suite.scoring.truth_files import BoxTruth, SegmentTruth
    from suite.spec.card import DatasetCard

P = TypeVar("P")


def register(app: typer.Typer) -> None:
    """Add ``suite evaluate``."""
    app.command("evaluate")(evaluate)


def evaluate(
    predictions: Annotated[
        Path, typer.Argument(help="ActivityNet or ActionFormer JSON, THUMOS text, AVA csv, or Parquet of the ledger.")
    ],
    dataset: Annotated[
        str, typer.Option("--dataset", help="The dataset's card, e.g. thumos-14.", autocompletion=datasets)
    ] = "",
    truth: Annotated[
        Path | None, typer.Option("--truth", help="An annotation file instead of a card: ActivityNet JSON or AVA csv.")
    ] = None,
    protocol: Annotated[
        str,
        typer.Option("--protocol", help="A protocol of the card, or a named one: thumos-210, activitynet, ava, ..."),
    ] = "",
    videos: Annotated[
        Path | None, typer.Option("--videos", help="Only the videos that this list names: one a line, or a csv.")
    ] = None,
    subset: Annotated[str, typer.Option("--subset", help="Which subset of the annotations counts.")] = "test",
    resamples: Annotated[int, typer.Option(help="Bootstrap resamples of videos for intervals; 0: none.", min=0)] = 1000,
    per_class: Annotated[bool, typer.Option("--per-class", help="List the classes, too.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Fail where anything is odd in the file.")] = False,
    data: DataOption = None,
    out: OutOption = "outputs",
    json: JsonOption = False,
) -> None:
    """Score PREDICTIONS, a file made here or elsewhere.

    Prints each metric with its 95 % interval under resampling of videos, and counts what is odd: unknown videos or
    labels, reversed or negative segments, numbers that are not, duplicate rows.

    Example: suite evaluate detections.json --dataset thumos-14 --protocol thumos-210
    """
    from suite.places import Places
    from suite.scoring.predictions_files import ScoreRows, read_predictions
    from suite.scoring.score_files import score_items

    if bool(dataset) == bool(truth):
        raise UsageError("say what the truth is: --dataset CARD or --truth FILE, one of them.")
    rows, places = read_predictions(predictions), Places(out, data)
    if isinstance(rows, ScoreRows):
        if not dataset:
            raise UsageError("scores of clips or people need the dataset they belong to: give --dataset.")
        report = score_items(rows, _load(dataset, rows, places, protocol or "default"), resamples)
    else:
        found = _only(videos, subset, _truth(dataset, truth, subset, rows, places))
        report = _detections(rows, found, dataset, protocol, resamples)
    if strict and report.findings:
        told = "; ".join(_told(finding) for finding in report.findings)
        raise DataError(f"{predictions}: {told}: correct the file, or leave --strict out.")
    _show(report, {"file": str(predictions), "form": rows.form, "truth": dataset or str(truth)}, per_class, json)


def _truth(dataset: str, file: Path | None, subset: str, rows: Rows, places: Places) -> SegmentTruth | BoxTruth:
    """The annotations: from a file, from the files that a card names, or else from the packed dataset."""
    from suite.data.storage.files import dataset_folder
    from suite.scoring.truth_files import truth_from_card, truth_from_data, truth_from_file

    if file is not None:
        return truth_from_file(file, subset)
    card = _card(dataset)
    found = None if "[" in dataset else truth_from_card(card, dataset_folder(card, places.root), subset)
    if found is None:
        found = truth_from_data(_load(dataset, rows, places))
    return found


def _only(videos: Path | None, subset: str, truth: SegmentTruth | BoxTruth) -> SegmentTruth | BoxTruth:
    from suite.scoring.truth_files import BoxTruth, only_videos, video_names

    if videos is None:
        return truth
    if isinstance(truth, BoxTruth):
        raise UsageError("--videos chooses among videos with segments; leave it out for boxes.")
    return only_videos(truth, video_names(videos, subset))


def _load(dataset: str, rows: Rows, places: Places, protocol: str = "default") -> TaskData[Any]:
    """The dataset as the task sees it that predicts such rows."""
    from suite.data import load
    from suite.scoring.predictions_files import BoxRows, SegmentRows

    wanted: tuple[str, ...] = ("recognition", "actor-detection")
    if isinstance(rows, SegmentRows):
        wanted = ("weak-localization", "semi-localization")
    elif isinstance(rows, BoxRows):
        wanted = ("actor-detection",)
    card = _card(dataset)
    task = next((name for name in card.tasks if name in wanted), None)
    if task is None:
        raise UsageError(f"{card.name} serves {', '.join(card.tasks)}, which no {rows.form} of this kind can answer.")
    return load(dataset, task, places.root, places.cache, protocol=protocol)


def _card(dataset: str) -> DatasetCard:
    from suite.data import find_card
    from suite.spec.card import parse_dataset_name

    return find_card(parse_dataset_name(dataset)[0])


def _detections(
    rows: SegmentRows | BoxRows, truth: SegmentTruth | BoxTruth, dataset: str, protocol: str, resamples: int
) -> Report:
    from suite.evaluate.protocols import SPATIAL_PROTOCOLS, TEMPORAL_PROTOCOLS
    from suite.scoring.predictions_files import BoxRows, SegmentRows
    from suite.scoring.score_files import score_boxes, score_segments
    from suite.scoring.truth_files import BoxTruth, SegmentTruth
    from suite.tasks import actors, localization

    if isinstance(rows, SegmentRows) and isinstance(truth, SegmentTruth):
        rules = _protocol(dataset, protocol, TEMPORAL_PROTOCOLS, localization.protocol_of)
        return score_segments(rows, truth, rules, resamples)
    if isinstance(rows, BoxRows) and isinstance(truth, BoxTruth):
        return score_boxes(rows, truth, _protocol(dataset, protocol, SPATIAL_PROTOCOLS, actors.protocol_of), resamples)
    kind = "segments" if isinstance(rows, SegmentRows) else "boxes"
    raise UsageError(f"the file holds {kind} but the truth does not: give predictions and truth of one task.")


def _protocol(dataset: str, name: str, named: Mapping[str, P], of_card: Callable[[Mapping[str, Any]], P]) -> P:
    """The card's protocol called ``name`` (its default without a name), or one of the named ones."""
    card = _card(dataset) if dataset else None
    if card is not None and (not name or name in card.protocols):
        return of_card(card.protocol(name or "default"))
    if name in named:
        return named[name]
    if not name:
        return of_card({})
    known = [*named, *(card.protocols if card else ())]
    raise UsageError(f"no protocol is called '{name}'{did_you_mean(name, known)}")


def _told(finding: Finding) -> str:
    example = f", e.g. {finding.example}" if finding.example else ""
    return f"{finding.count} x {finding.problem}{example}"


def _show(report: Report, about: dict[str, str], per_class: bool, as_json: bool) -> None:
    if as_json:
        findings = [asdict(finding) for finding in report.findings]
        numbers = {"metrics": report.metrics, "classes": report.classes}
        emit_json(about | {"protocol": report.protocol, "counts": report.counts, "findings": findings} | numbers)
        return
    say(f"{about['file']} ({about['form']}) against {about['truth']}, protocol {report.protocol}")
    say(", ".join(f"{count:,} {name}" for name, count in report.counts.items()))
    columns = ["metric", "threshold", "value"]
    columns += ["low", "high"] if any("low" in row for row in report.metrics) else []
    emit(report.metrics, columns, False)
    if per_class:
        emit(report.classes, list(dict.fromkeys(key for row in report.classes for key in row)), False)
    for finding in report.findings:
        say(f"odd: {_told(finding)} ({finding.treatment})")
    if "low" in columns:
        say("low and high: 95 % bootstrap interval (BCa), videos resampled.")
