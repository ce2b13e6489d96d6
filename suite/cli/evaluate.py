"""``suite evaluate``: score a file of predictions, made here or elsewhere, with intervals and what is odd in it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from suite.cli.complete import datasets
from suite.cli.console import DataOption, JsonOption, OutOption, emit, emit_json, say
from suite.errors import DataError

if TYPE_CHECKING:
    from suite.places import Places
    from suite.tasks.scoring.report import Oddity, Report, Ties


SHOWN_SPREAD = 0.001
"""Over orders of equal scores mAP may move by so much, a tenth of a point, before it is worth a line."""


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
        Path | None, typer.Option("--truth", help="Annotations instead of a card: a file, or a folder groundTruth.")
    ] = None,
    protocol: Annotated[
        str,
        typer.Option("--protocol", help="A protocol of the card, or a named one: thumos-210, activitynet, ava, ..."),
    ] = "",
    videos: Annotated[
        Path | None, typer.Option("--videos", help="Only the videos that this list names: one per line, or a csv.")
    ] = None,
    subset: Annotated[
        str, typer.Option("--subset", help="Which subset of the annotations counts: the card's test subset, or 'test'.")
    ] = "",
    ambiguous: Annotated[
        Path | None, typer.Option("--ambiguous", help="Segments that thumos-kit forgives: Ambiguous_test.txt or JSON.")
    ] = None,
    scores: Annotated[
        str,
        typer.Option("--scores", help="The scale that scores are on: probabilities, logits or LOW..HIGH, e.g. 0..100."),
    ] = "",
    resamples: Annotated[int, typer.Option(help="Bootstrap resamples of videos for intervals; 0: none.", min=0)] = 1000,
    per_class: Annotated[bool, typer.Option("--per-class", help="List the classes, too.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Fail where anything is odd in the file.")] = False,
    data: DataOption = None,
    out: OutOption = "outputs",
    json: JsonOption = False,
) -> None:
    """Score PREDICTIONS, a file made here or elsewhere.

    Prints each metric with its 95 % interval under resampling of videos, and counts what is odd: unknown videos or
    labels, reversed or negative segments, numbers that are none or infinite, frames given as seconds, scores off their
    scale, duplicates.

    PREDICTIONS is a file of segments, boxes, tubes, label sets or class scores, or a folder of labels of frames;
    docs/evaluate shows each form with an example file. Boxes are linked into tubes with --protocol video-map.

    Example: suite evaluate detections.json --dataset thumos-14 --protocol thumos-210
    """
    from suite.places import Places
    from suite.scoring import Against, score_file

    against = Against(dataset, truth, protocol, videos, subset, resamples, scores, ambiguous)
    places = Places(out, data)
    form, report = score_file(predictions, against, places)
    if strict and report.oddities:
        raise strictly(predictions, report)
    compared = _named(dataset, places) if dataset else str(truth)
    show(report, {"file": str(predictions), "form": form, "truth": compared}, per_class, json)


def strictly(predictions: Path, report: Report) -> DataError:
    """The error for a file in which something is odd."""
    said = "; ".join(in_words(oddity) for oddity in report.oddities)
    return DataError(f"{predictions}: {said}: correct the file, or leave --strict out.")


def in_words(oddity: Oddity) -> str:
    """What is odd, how often, and an example."""
    example = f", e.g. {oddity.example}" if oddity.example else ""
    return f"{oddity.count} x {oddity.problem}{example}"


def _equal_scores(ties: Ties) -> str:
    return (
        f"equal scores: {ties.predictions:,} predictions share theirs with others; over their orders mAP runs from "
        f"{ties.low:.4f} to {ties.high:.4f}. Shown is one order that favours none; give scores more digits."
    )


def _named(dataset: str, places: Places) -> str:
    """``dataset`` as it was given; a rehearsal pack as tables name it, for it is marked here, too."""
    from suite.data.request import dataset_request
    from suite.spec.card import GENERATED

    asked = dataset_request(dataset, root=places.root)
    return asked.card.label(asked.dials) if asked.card.kind_of(asked.dials) == GENERATED else dataset


def show(report: Report, about: dict[str, str], per_class: bool, as_json: bool) -> None:
    """Print what a file scored, as text or JSON."""
    if as_json:
        findings = [asdict(oddity) for oddity in report.oddities]
        ties = asdict(report.ties) if report.ties else None
        numbers = {"metrics": report.metrics, "classes": report.classes, "equal scores": ties}
        emit_json(about | {"protocol": report.protocol, "counts": report.counts, "findings": findings} | numbers)
        return
    say(f"{about['file']} ({about['form']}) against {about['truth']}, protocol {report.protocol}")
    say(", ".join(f"{count:,} {name}" for name, count in report.counts.items()))
    columns = ["metric", "threshold", "value"]
    columns += ["low", "high"] if any("low" in row for row in report.metrics) else []
    emit(report.metrics, columns, False)
    if per_class:
        emit(report.classes, list(dict.fromkeys(key for row in report.classes for key in row)), False)
    if report.ties and report.ties.high - report.ties.low > SHOWN_SPREAD:
        say(_equal_scores(report.ties))
    for oddity in report.oddities:
        say(f"odd: {in_words(oddity)} ({oddity.treatment})")
    if "low" in columns:
        say("low and high: 95 % bootstrap interval (BCa), videos resampled.")
