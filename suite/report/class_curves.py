"""Figures of what a method logs for every class: curves over training, and histograms of what it saw.

An analysis curve called ``kind: class`` belongs to one class. Kinds in ``STAGES`` are shares of people (or clips) that
carry the class at successive stages and become one histogram; every other kind becomes a figure of curves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from suite.report.figures import COLOURS, DASHES, blank
from suite.report.views import View

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

MARK = ": "
STAGES = ("labelled", "pseudo", "kept")
TITLES = {"labelled": "labelled", "pseudo": "pseudo-labels", "kept": "after sampling"}


def class_figures(view: View, curves: pl.DataFrame) -> dict[str, Figure]:
    """Heading to figure, each with a menu of the rows that logged something; empty where nothing is logged by class."""
    split = pl.col("metric").str.splitn(MARK, 2)
    logged = curves.filter((pl.col("split") == "analysis") & pl.col("metric").str.contains(MARK, literal=True))
    if logged.is_empty():
        return {}
    named = logged.with_columns(
        split.struct.field("field_0").alias("kind"), split.struct.field("field_1").alias("name")
    )
    kinds = named["kind"].unique(maintain_order=True).to_list()
    rows = [row.label for row in view.rows]
    drawn = {f"{kind.capitalize()} of each class": _courses(rows, named, kind) for kind in kinds if kind not in STAGES}
    if any(kind in STAGES for kind in kinds):
        drawn["Classes at each stage"] = _histogram(rows, named)
    return {title: figure for title, figure in drawn.items() if figure.data}


def _courses(rows: list[str], named: pl.DataFrame, kind: str) -> Figure:
    """One line a class over the steps."""
    figure, owners = blank(420, xaxis_title="step", yaxis_title=kind, showlegend=False), []
    chosen = named.filter(pl.col("kind") == kind)
    present = [row for row in rows if row in set(chosen["row"].to_list())]
    for place, row in enumerate(present):
        lines = chosen.filter(pl.col("row") == row).partition_by("name", maintain_order=True)
        for index, line in enumerate(lines):
            colour, dash = COLOURS[index % len(COLOURS)], DASHES[index // len(COLOURS) % len(DASHES)]
            figure.add_scatter(
                x=line["step"].to_list(),
                y=line["mean"].round(5).to_list(),
                name=str(line["name"][0]),
                mode="lines",
                visible=place == 0,
                line={"color": colour, "dash": dash, "width": 1.5},
            )
            owners.append(place)
    return _with_menu(figure, present, owners)


def _histogram(rows: list[str], named: pl.DataFrame) -> Figure:
    """Bars a class, one colour a stage, at the last point; classes by their share among the labelled."""
    figure, owners = blank(380, yaxis_title="share of people, %", barmode="group", legend={"orientation": "h"}), []
    chosen = named.filter(pl.col("kind").is_in(STAGES))
    present = [row for row in rows if row in set(chosen["row"].to_list())]
    for place, row in enumerate(present):
        own = chosen.filter(pl.col("row") == row)
        last = own.filter(pl.col("step") == own["step"].max())
        order = last.filter(pl.col("kind") == last["kind"][0]).sort("mean", descending=True)["name"].to_list()
        for index, stage in enumerate(STAGES):
            shares = dict(last.filter(pl.col("kind") == stage).select("name", "mean").iter_rows())
            if shares:
                heights = [round(100 * shares.get(name, 0.0), 4) for name in order]
                colour = {"color": COLOURS[index]}
                figure.add_bar(x=order, y=heights, name=TITLES[stage], marker=colour, visible=place == 0)
                owners.append(place)
    return _with_menu(figure, present, owners)


def _with_menu(figure: Figure, rows: list[str], owners: list[int]) -> Figure:
    buttons: list[dict[str, Any]] = [
        {"label": row, "method": "update", "args": [{"visible": [owner == place for owner in owners]}]}
        for place, row in enumerate(rows)
    ]
    menu = {"buttons": buttons, "x": 0, "xanchor": "left", "y": 1.02, "yanchor": "bottom", "showactive": True}
    figure.update_layout(updatemenus=[menu] if buttons else [], margin_t=60)
    return figure
