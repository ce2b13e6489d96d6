"""Figures of what a method logs for every class: curves over training, and histograms of what it saw.

An analysis curve called ``kind: class`` belongs to one class. Kinds that stand in ``BARS`` become bars side by side, as
they were at the end of training; every other kind becomes a figure of curves.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from suite.report.figures import COLOURS, DASHES, blank
from suite.report.views import View

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

MARK = ": "
LETTER = 6  # pixels


class Bars(NamedTuple):
    """A bar chart: heading, what its axis says, kind of curve to legend.

    The highest come first if ``ranked``; else the names are numbers and come in their order.
    """

    heading: str
    axis: str
    kinds: Mapping[str, str]
    ranked: bool


BARS = (
    Bars(
        "Classes at each stage",
        "share, %",
        {"labelled": "labelled", "truth": "hidden truth", "pseudo": "pseudo-labels", "kept": "after sampling"},
        ranked=True,
    ),
    Bars(
        "Overlap with the truth, by tenths of the candidates",
        "mean tIoU, %",
        {"tIoU by score": "least to most sure", "tIoU by agreement": "least to most agreed"},
        ranked=False,
    ),
)
IN_BARS = frozenset(kind for bars in BARS for kind in bars.kinds)


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
    drawn = {f"{kind.capitalize()} of each class": _courses(rows, named, kind) for kind in kinds if kind not in IN_BARS}
    drawn |= {bars.heading: _side_by_side(rows, named, bars) for bars in BARS}
    return {title: figure for title, figure in drawn.items() if figure.data}


def _courses(rows: list[str], named: pl.DataFrame, kind: str) -> Figure:
    """One line per class over the steps; where they are many, their colours go from frequent to rare."""
    figure, owners = blank(420, xaxis_title="step", yaxis_title=kind, showlegend=False), []
    chosen = named.filter(pl.col("kind") == kind)
    present = [row for row in rows if row in set(chosen["row"].to_list())]
    styles, ranked = _styles(named, chosen["name"].unique(maintain_order=True).to_list())
    for place, row in enumerate(present):
        for line in chosen.filter(pl.col("row") == row).partition_by("name", maintain_order=True):
            name = str(line["name"][0])
            figure.add_scatter(
                x=line["step"].to_list(),
                y=line["mean"].round(5).to_list(),
                name=name,
                mode="lines",
                visible=place == 0,
                line={**styles[name], "width": 1.5},
            )
            owners.append(place)
    if ranked:
        note = "frequent classes dark, rare ones light"
        above = {"x": 1, "xanchor": "right", "y": 1.02, "yanchor": "bottom"}
        figure.add_annotation(text=note, xref="paper", yref="paper", showarrow=False, **above)
    return _with_menu(figure, present, owners)


def _styles(named: pl.DataFrame, names: list[str]) -> tuple[dict[str, dict[str, str]], bool]:
    """How the line of each class looks, and whether that shows its frequency among the labelled."""
    from plotly.colors import sample_colorscale

    share = dict(named.filter(pl.col("kind") == "labelled").group_by("name").agg(pl.col("mean").mean()).iter_rows())
    if len(names) > len(COLOURS) and share:
        order = sorted(names, key=lambda name: -share.get(name, 0.0))
        colours = sample_colorscale("Viridis", [0.9 * index / (len(order) - 1) for index in range(len(order))])
        return {name: {"color": colour} for name, colour in zip(order, colours, strict=True)}, True
    looks = ((COLOURS[i % len(COLOURS)], DASHES[i // len(COLOURS) % len(DASHES)]) for i in range(len(names)))
    return {name: {"color": colour, "dash": dash} for name, (colour, dash) in zip(names, looks, strict=True)}, False


def _side_by_side(rows: list[str], named: pl.DataFrame, bars: Bars) -> Figure:
    """One group of bars per name, one colour per kind, at the last point; if ranked, by the first kind at hand."""
    above = {"orientation": "h", "x": 1, "xanchor": "right", "y": 1.02, "yanchor": "bottom"}
    figure, owners = blank(340, yaxis_title=bars.axis, barmode="group", legend=above), []
    chosen = named.filter(pl.col("kind").is_in(bars.kinds))
    present = [row for row in rows if row in set(chosen["row"].to_list())]
    for place, row in enumerate(present):
        own = chosen.filter(pl.col("row") == row)
        last = own.filter(pl.col("step") == own["step"].max())
        there = set(last["kind"].to_list())
        first = last.filter(pl.col("kind") == next(kind for kind in bars.kinds if kind in there))
        by = -pl.col("mean") if bars.ranked else pl.col("name").cast(pl.Int64)
        order = first.sort(by)["name"].to_list()
        for index, (kind, title) in enumerate(bars.kinds.items()):
            shares = dict(last.filter(pl.col("kind") == kind).select("name", "mean").iter_rows())
            if shares:
                heights = [round(100 * shares.get(name, 0.0), 4) for name in order]
                marker = {"color": COLOURS[index]}
                figure.add_bar(x=order, y=heights, name=title, marker=marker, visible=place == 0)
                owners.append(place)
    longest = max((len(str(name)) for bar in figure.data for name in bar.x), default=0)
    figure.update_layout(height=340 + LETTER * longest)  # names stand on end below the axis
    if bars.ranked:
        figure.update_yaxes(type="log", dtick=1)  # a tail of rare classes is thousands of times smaller than the head
    return _with_menu(figure, present, owners)


def _with_menu(figure: Figure, rows: list[str], owners: list[int]) -> Figure:
    buttons: list[dict[str, Any]] = [
        {"label": row, "method": "update", "args": [{"visible": [owner == place for owner in owners]}]}
        for place, row in enumerate(rows)
    ]
    menu = {"buttons": buttons, "x": 0, "xanchor": "left", "y": 1.02, "yanchor": "bottom", "showactive": True}
    figure.update_layout(updatemenus=[menu] if buttons else [], margin_t=60)
    return figure
