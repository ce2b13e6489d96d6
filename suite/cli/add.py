"""``suite results add``: a file of predictions that was made elsewhere becomes a row of boards."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from suite.cli.complete import datasets
from suite.cli.console import DataOption, JsonOption, OutOption, emit_json, say


def add(
    predictions: Annotated[Path, typer.Argument(help="A file that suite evaluate reads.")],
    dataset: Annotated[
        str, typer.Option(help="The dataset with its dials, e.g. thumos-14.", autocompletion=datasets)
    ] = "",
    label: Annotated[str, typer.Option(help="What tables call it.")] = "",
    protocol: Annotated[str, typer.Option(help="A protocol of the dataset's card.")] = "default",
    seed: Annotated[int, typer.Option(help="Which seed made it; files of one label are seeds of one row.", min=0)] = 0,
    scores: Annotated[
        str, typer.Option("--scores", help="The scale that scores are on: probabilities, logits or LOW..HIGH.")
    ] = "",
    strict: Annotated[bool, typer.Option("--strict", help="Refuse a file in which anything is odd.")] = False,
    out: OutOption = "outputs",
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Score PREDICTIONS, a file made elsewhere, and show it as a row of boards.

    It is scored as suite evaluate does and stands, marked as a file, in every table of the same dataset, dials and
    protocol once the board is built again. The same label, dataset, protocol and seed again replace it.

    Example: suite results add detections.json --dataset thumos-14 --label 'Their method'
    """
    from suite.cli.evaluate import show, strictly
    from suite.cli.pages import run_page
    from suite.outside import add_file
    from suite.places import Places
    from suite.results.ledger import Ledger
    from suite.scoring import Against, score_file

    places = Places(out, data)
    places.require_writable()
    against = Against(dataset=dataset, protocol=protocol, resamples=0, scores=scores)
    if strict and (report := score_file(predictions, against, places)[1]).oddities:
        raise strictly(predictions, report)
    ledger = Ledger(places.ledger)
    run, form, report = add_file(predictions, against, label, seed, ledger, places)
    page = run_page(ledger, places, run, drawn=False)
    if json:
        emit_json({"run": run, "form": form, "page": page, "metrics": report.metrics, "counts": report.counts})
        return
    show(report, {"file": str(predictions), "form": form, "truth": dataset}, False, False)
    say(f"recorded as run {run}, row '{label} (file)'; build a board to see it there. Page: {page}")
