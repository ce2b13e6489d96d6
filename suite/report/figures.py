"""Interactive figures: seeds and means, learning curves, classes; fragments that expect plotly on the page."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from suite.report.aggregate import CELL
from suite.report.beside import sides
from suite.report.numbers import HONEST
from suite.report.views import View

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

# Okabe and Ito's colours, which all eyes distinguish; then they repeat with other dashes.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#8C8C8C", "#B8A800")
DASHES = ("solid", "dash", "dot", "dashdot")
POINTS = 150  # a curve has at most about this many
WORDS = ("x", "y", "text", "hovertext", "name")  # of a trace: what may hold labels
PLOT = (1000.0, 310.0)  # pixels between the axes of a figure on a wide page
POSITIONS = {
    "right": "middle right",
    "left": "middle left",
    "top": "top center",
    "bottom": "bottom center",
    "": "top left",
}
CLASSES = 200  # more classes than this do not fit a heat map


def library() -> str:
    """The source of plotly.js, which a page needs once."""
    from plotly.offline import get_plotlyjs

    return str(get_plotlyjs())


def library_name() -> str:
    """The file that pages share: it carries its version, so that an older page keeps the one it was made with."""
    from plotly.offline import get_plotlyjs_version

    return f"plotly-{get_plotlyjs_version()}.min.js"


def fragment(figure: Figure, name: str) -> str:
    """A figure as HTML without the library, its words as they are: plotly obeys some tags in them."""
    for trace in figure.data:
        for field in WORDS:
            if field in trace and trace[field] is not None:
                trace[field] = _literal(trace[field])
    for menu in figure.layout.updatemenus:
        for button in menu.buttons:
            button.label = _literal(button.label)
    for axis in (figure.layout.xaxis, figure.layout.yaxis):
        axis.title.text = _literal(axis.title.text)
    name = "".join(c if (c.isascii() and c.isalnum()) or c in "-_" else "_" for c in name)
    config = {"displaylogo": False, "responsive": True, "modeBarButtonsToRemove": ["lasso2d", "select2d"]}
    return str(figure.to_html(full_html=False, include_plotlyjs=False, div_id=name, config=config))


def _literal(value: Any) -> Any:
    """Text whose tags are shown; numbers as they are."""
    if isinstance(value, str):
        return escape(value, quote=False)
    if isinstance(value, list | tuple | np.ndarray) and any(isinstance(one, str) for one in value):
        return [_literal(one) for one in value]
    return value


def blank(height: int, **layout: Any) -> Figure:
    """An empty figure in the style of the page."""
    from plotly.graph_objects import Figure

    figure = Figure()
    figure.update_layout(
        height=height,
        margin={"l": 10, "r": 10, "t": 30, "b": 40},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": "system-ui, sans-serif", "size": 13, "color": "#808080"},
        hoverlabel={"namelength": -1},
        modebar={"bgcolor": "rgba(0,0,0,0)", "color": "#8C8C8C"},
        **layout,
    )
    figure.update_xaxes(gridcolor="rgba(128,128,128,0.25)", zeroline=False, automargin=True)
    figure.update_yaxes(gridcolor="rgba(128,128,128,0.25)", zeroline=False, automargin=True, exponentformat="power")
    return figure


def ranking(view: View) -> Figure | None:
    """The headline of every row: each seed (or annotator) a dot, the mean a bar mark; ceilings and people hollow."""
    if view.headline not in view.columns:
        return None
    column = view.columns.index(view.headline)
    rows = [row for row in reversed(view.rows) if row.cells[column].values]
    if not rows:
        return None
    figure = blank(90 + 26 * len(rows), showlegend=False, xaxis_title=f"{view.headline}, % (dots: seeds)")
    for row in rows:
        shares = [100 * value for value in row.cells[column].values]
        colour = COLOURS[0] if row.competes else "#8C8C8C"
        symbol = ("diamond" if row.files else "circle") + ("" if row.competes else "-open")
        seeds = {"color": colour, "size": 8, "symbol": symbol, "opacity": 0.6}
        figure.add_scatter(x=shares, y=[row.label] * len(shares), mode="markers", marker=seeds, name=row.label)
        mean = {"color": colour, "size": 16, "symbol": "line-ns", "line": {"width": 3, "color": colour}}
        figure.add_scatter(x=[np.mean(shares)], y=[row.label], mode="markers", marker=mean, name=f"{row.label}: mean")
    return figure


def quality_and_time(view: View) -> Figure | None:
    """The headline over the seconds of a run; a line joins the methods that none beats in both."""
    known = costs(view)
    if len(known) < 2:
        return None
    figure = blank(380, showlegend=False, xaxis_title="median seconds per run", yaxis_title=f"{view.headline}, %")
    seconds, means, labels = zip(*known, strict=True)
    front = undominated(known)
    line = {"color": COLOURS[6], "width": 1, "dash": "dot"}
    figure.add_scatter(
        x=[one[0] for one in front], y=[one[1] for one in front], mode="lines", line=line, hoverinfo="skip"
    )
    powers = np.log10(seconds)
    x, y = _span(powers, 0.05), _span(means, 0.1)
    dots = [((p - x[0]) / (x[1] - x[0]) * PLOT[0], (y[1] - v) / (y[1] - y[0]) * PLOT[1]) for p, v in zip(powers, means)]
    beside = sides(dots, labels, *PLOT)  # a name without room is there when one points at its dot
    figure.add_scatter(
        x=seconds,
        y=means,
        text=[label if side else "" for label, side in zip(labels, beside, strict=True)],
        hovertext=labels,
        mode="markers+text",
        textposition=[POSITIONS[side] for side in beside],
        marker={"color": COLOURS[0], "size": 9},
    )
    figure.update_xaxes(type="log", range=x)
    figure.update_yaxes(range=y)
    return figure


def _span(values: Sequence[float] | np.ndarray, room: float) -> list[float]:
    """An axis with room beside the least and the greatest value."""
    low, high = float(np.min(values)), float(np.max(values))
    more = room * (high - low) or 1.0
    return [low - more, high + more]


def costs(view: View) -> list[tuple[float, float, str]]:
    """Median seconds per run, headline in percent and label of each method that has both."""
    if view.headline not in view.columns:
        return []
    column = view.columns.index(view.headline)
    return [
        (row.seconds, 100 * row.cells[column].summary.mean, row.label)
        for row in view.methods
        if row.seconds and row.cells[column].values
    ]


def undominated(known: Sequence[tuple[float, float, str]]) -> list[tuple[float, float, str]]:
    """Of (seconds, value, label) those that no other beats in both, the fastest first."""
    front: list[tuple[float, float, str]] = []
    for one in sorted(known, key=lambda one: (one[0], -one[1])):
        if not front or one[1] > front[-1][1]:
            front.append(one)
    return front


def learning(labels: Sequence[str], headline: str, curves: pl.DataFrame) -> Figure | None:
    """Learning curves, one line per row of ``labels``, with a menu of the curves there are, ``headline`` first.

    Shading spans the seeds, where there are several; a diamond begins each phase after the first.
    """
    kinds = _curve_kinds(curves, headline)
    if not kinds:
        return None
    figure = blank(420, xaxis_title="step", yaxis_title=_curve_name(*kinds[0]), legend={"orientation": "h", "y": -0.2})
    owners: list[int] = []
    for place, (split, metric) in enumerate(kinds):
        chosen = curves.filter((pl.col("split") == split) & (pl.col("metric") == metric))
        for index, label in enumerate(labels):
            line = _thinned(chosen.filter(pl.col("row") == label))
            if len(line):
                owners += [place] * _add_line(figure, line, label, index, visible=place == 0)
    figure.update_layout(updatemenus=[_menu(kinds, owners)], margin_t=60)
    return figure


def _curve_kinds(curves: pl.DataFrame, headline: str) -> list[tuple[str, str]]:
    """Curves worth a menu entry: the headline, losses and analyses, in this order."""
    pairs = set(curves.select("split", "metric").unique().iter_rows())
    first = [("validation", headline), ("test", headline), ("train", "loss"), ("validation", "loss")]
    parts = sorted(p for p in pairs if p[0] in ("train", "analysis") and p not in first and ": " not in p[1])
    return [pair for pair in first if pair in pairs] + parts


def _curve_name(split: str, metric: str) -> str:
    return f"{metric} (analysis)" if split == "analysis" else f"{metric}, {split}"


def _thinned(line: pl.DataFrame) -> pl.DataFrame:
    every = max(1, len(line) // POINTS)
    return line.gather_every(every)


def _add_line(figure: Figure, line: pl.DataFrame, label: str, index: int, visible: bool) -> int:
    """Draw one row's curve and the span of its seeds; returns how many traces that took."""
    colour = COLOURS[index % len(COLOURS)]
    dash = DASHES[index // len(COLOURS) % len(DASHES)]
    step = line["step"].to_list()
    shared = {"legendgroup": label, "visible": visible}
    several = len(line) > 1 and int(line["seeds"].max()) > 1  # type: ignore[arg-type]
    if several:
        band = {"fill": "toself", "fillcolor": colour, "opacity": 0.12, "line": {"width": 0}, "hoverinfo": "skip"}
        around = line["greatest"].round(5).to_list() + line["least"].round(5).to_list()[::-1]
        figure.add_scatter(x=step + step[::-1], y=around, showlegend=False, **band, **shared)
    phases = line["phase"].to_list()
    begins = [old != new for old, new in pairwise([phases[0], *phases])]
    sizes = [8] if len(line) == 1 else [9 if begin else 0 for begin in begins]
    figure.add_scatter(
        x=step,
        y=line["mean"].round(5).to_list(),
        name=label,
        text=phases,
        hovertemplate="%{y} at step %{x}, phase %{text}",
        mode="lines+markers",
        line={"color": colour, "dash": dash, "width": 2},
        marker={"symbol": "diamond", "size": sizes, "opacity": 1},
        **shared,
    )
    return 1 + several


def _menu(kinds: list[tuple[str, str]], owners: list[int]) -> dict[str, Any]:
    buttons = [
        {
            "label": _curve_name(*kind),
            "method": "update",
            "args": [{"visible": [owner == place for owner in owners]}, {"yaxis.title.text": _curve_name(*kind)}],
        }
        for place, kind in enumerate(kinds)
    ]
    return {"buttons": buttons, "x": 0, "xanchor": "left", "y": 1.02, "yanchor": "bottom", "showactive": True}


def per_class(found: pl.DataFrame) -> pl.DataFrame:
    """Mean over seeds (and over thresholds, where there are several) of each class's metrics, one row per class."""
    rows = found.filter((pl.col("label") != "") & (pl.col("selection") == HONEST))
    overall, single = pl.col("threshold").is_null(), ["run", "metric", "label"]
    others = rows.filter(~overall).join(rows.filter(overall), on=single, how="anti", maintain_order="left")
    groups = pl.concat([rows.filter(overall), others]).group_by(*CELL, "metric", "label", maintain_order=True)
    return groups.agg(pl.col("value").mean())


def classes(view: View, table: pl.DataFrame, metric: str) -> Figure | None:
    """A heat map of one per-class metric: rows of the table by classes, best classes first."""
    chosen = table.filter(pl.col("metric") == metric)
    order = chosen.group_by("label").agg(pl.col("value").mean()).sort("value", "label", descending=[True, False])
    labels = order["label"].to_list()
    if not labels or len(labels) > CLASSES:
        return None
    rows = [row.label for row in reversed(view.rows) if row.label in set(chosen["row"])]
    known = {(row, label): value for row, label, value in chosen.select("row", "label", "value").iter_rows()}
    shares = [[_percent(known.get((row, label))) for label in labels] for row in rows]
    figure = blank(110 + 22 * len(rows))
    bar = {"title": "%", "thickness": 10}
    figure.add_heatmap(x=labels, y=rows, z=shares, colorscale="Cividis", colorbar=bar, hoverongaps=False)
    figure.update_xaxes(type="category", showticklabels=len(labels) <= 60)
    return figure


def _percent(value: float | None) -> float | None:
    return None if value is None else round(100 * value, 1)
