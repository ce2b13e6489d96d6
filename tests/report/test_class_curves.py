"""Figures of class-wise curves: thresholds over training, histograms by stage."""

from __future__ import annotations

import polars as pl
from plotly.colors import sample_colorscale

from suite.report.class_curves import class_figures
from suite.report.views import Row, View
from suite.spec.board import MetricKey, TableSpec


def view(*labels: str) -> View:
    spec = TableSpec(title="t", datasets=["d"], methods=["m"])
    blank = dict.fromkeys(Row.__dataclass_fields__)
    rows = tuple(Row(**{**blank, "label": label, "cells": (), "errors": ()}) for label in labels)
    return View(0, spec, "d", "planted", "actor-detection", MetricKey("mAP"), (MetricKey("mAP"),), rows)


def curves(*points: tuple[str, str, int, float]) -> pl.DataFrame:
    rows = [(row, "analysis", metric, step, value) for row, metric, step, value in points]
    return pl.DataFrame(rows, schema=["row", "split", "metric", "step", "mean"], orient="row")


def test_thresholds_become_a_line_a_class_with_a_menu_of_rows() -> None:
    points = [
        (row, f"threshold: {name}", step, 0.9 - step / 100)
        for row in ("one", "two")
        for name in ("stand", "talk to: someone")
        for step in (0, 10)
    ]
    figures = class_figures(view("one", "two", "silent"), curves(*points))
    figure = figures["Threshold of each class"]
    assert [line.name for line in figure.data] == ["stand", "talk to: someone"] * 2
    assert [line.visible for line in figure.data] == [True, True, False, False]
    assert list(figure.data[0].y) == [0.9, 0.8]
    assert [button.label for button in figure.layout.updatemenus[0].buttons] == ["one", "two"]


def test_stages_become_bars_at_the_last_point() -> None:
    points = [("one", f"{kind}: {name}", step, value * (step + 1)) for kind, name, value in (
        ("labelled", "a", 0.01), ("labelled", "b", 0.02), ("pseudo", "a", 0.03), ("pseudo", "b", 0.04)
    ) for step in (0, 1)]  # fmt: skip
    figure = class_figures(view("one"), curves(*points))["Classes at each stage"]
    assert [bar.name for bar in figure.data] == ["labelled", "pseudo-labels"]
    assert list(figure.data[0].x) == ["b", "a"], "most frequent first"
    assert list(figure.data[1].y) == [8.0, 6.0]


def test_tenths_become_bars_in_their_order() -> None:
    points = [("one", f"tIoU by {kind}: {place}", 1, value) for kind, value in (("score", 0.5), ("agreement", 0.25))
              for place in (1, 2, 10)]  # fmt: skip
    figure = class_figures(view("one"), curves(*points))["Overlap with the truth, by tenths of the candidates"]
    assert [list(bar.x) for bar in figure.data] == [["1", "2", "10"]] * 2
    assert [bar.y[0] for bar in figure.data] == [50.0, 25.0]


def test_many_classes_are_coloured_from_frequent_to_rare() -> None:
    names = [f"class {number}" for number in range(12)]
    points = [("one", f"threshold: {name}", step, 0.5) for name in names for step in (0, 10)]
    points += [("one", f"labelled: {name}", 10, 0.1 * (number + 1)) for number, name in enumerate(names)]
    figures = class_figures(view("one"), curves(*points))
    figure = figures["Threshold of each class"]
    colours = {line.name: line.line.color for line in figure.data}
    assert len(set(colours.values())) == len(names)
    assert colours["class 11"] == sample_colorscale("Viridis", [0.0])[0], "the most frequent is the darkest"
    assert "rare ones light" in figure.layout.annotations[0].text
    assert figures["Classes at each stage"].layout.yaxis.type == "log"


def test_nothing_logged_nothing_drawn() -> None:
    assert class_figures(view("one"), curves(("one", "loss", 1, 0.5))) == {}
