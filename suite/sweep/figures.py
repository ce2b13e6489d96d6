"""Figures of a study: the objective against each parameter, pairs, all together, importance, history."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from suite.report.figures import COLOURS, blank
from suite.spec.sweep import PrintedPoint
from suite.sweep.history import Observed
from suite.sweep.problem import Problem
from suite.sweep.space import Parameter

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

CELLS = 16  # an axis with more different values than this is no side of a heat map
FEW = 8  # complete trials below which importance means nothing
GREY = "#8C8C8C"


def against(problem: Problem, parameter: Parameter, complete: Sequence[Observed], metric: str) -> Figure:
    """The objective against one parameter: every trial a dot, a line through the best of each value."""
    points = [(one.settings[parameter.name], one.objectives[0]) for one in complete if parameter.name in one.settings]
    figure = blank(320, showlegend=True, xaxis_title=_label(parameter), yaxis_title=f"{metric}, validation")
    figure.add_scatter(
        x=[_place(value) for value, _ in points],
        y=[number for _, number in points],
        mode="markers",
        name="trials",
        marker={"color": COLOURS[0], "size": 8, "opacity": 0.6},
    )
    down = problem.sweep.objectives[0].direction == "minimize"
    values = list(dict.fromkeys(value for value, _ in points))
    if len(values) <= CELLS and len(points) > len(values):
        ordered = values if parameter.kind == "categorical" and _is_text(parameter) else sorted(values)
        best = [(min if down else max)(n for v, n in points if v == value) for value in ordered]
        line = {"color": COLOURS[1], "width": 2}
        figure.add_scatter(x=[_place(v) for v in ordered], y=best, mode="lines", name="best of each value", line=line)
    _mark(figure, problem, parameter)
    if parameter.log:
        figure.update_xaxes(type="log")
    return figure


def _mark(figure: Figure, problem: Problem, parameter: Parameter) -> None:
    """Lines at the method's default and at the values that papers report, their optimum drawn through."""
    marks: dict[Any, tuple[str, str]] = {parameter.default: ("default", "dot")}
    for published in problem.sweep.published:
        if parameter.name in published.params:
            note = published.note or ("published optimum" if published.best else "published")
            marks[published.params[parameter.name]] = (note, "solid" if published.best else "dash")
    for value, (note, dash) in marks.items():
        line = {"dash": dash, "color": COLOURS[4], "width": 2 if dash == "solid" else 1}
        figure.add_shape(type="line", x0=_place(value), x1=_place(value), y0=0, y1=1, yref="paper", line=line)
        # On a logarithmic axis Plotly takes values for shapes, but exponents for annotations.
        place = np.log10(float(value)) if parameter.log and not isinstance(value, str) else _place(value)
        text = {"text": note, "showarrow": False, "textangle": -90, "yanchor": "top", "xanchor": "right"}
        figure.add_annotation(x=place, y=1, yref="paper", font={"size": 11, "color": COLOURS[4]}, **text)


def pairs(problem: Problem, complete: Sequence[Observed], metric: str) -> dict[str, Figure]:
    """A heat map for every two parameters that take few values: the best objective in each cell."""
    few = [p for p in problem.space.parameters if 1 < len(_values(p, complete)) <= CELLS]
    return {
        f"{_label(first)} and {_label(second)}": _heat(problem, first, second, complete, metric)
        for first, second in itertools.combinations(few, 2)
    }


def _heat(problem: Problem, first: Parameter, second: Parameter, complete: Sequence[Observed], metric: str) -> Figure:
    columns, rows = _values(second, complete), _values(first, complete)
    down = problem.sweep.objectives[0].direction == "minimize"
    cells = [[_cell(complete, {first.name: r, second.name: c}, down) for c in columns] for r in rows]
    figure = blank(120 + 34 * len(rows), xaxis_title=_label(second), yaxis_title=_label(first))
    names: dict[str, Any] = {"x": [str(c) for c in columns], "y": [str(r) for r in rows]}
    bar = {"title": metric, "thickness": 10}
    text = [["" if value is None else f"{value:.1f}" for value in line] for line in cells]
    figure.add_heatmap(
        z=cells, text=text, texttemplate="%{text}", colorscale="Cividis", colorbar=bar, hoverongaps=False, **names
    )
    for published in problem.sweep.published:
        _mark_cell(figure, published, first.name, second.name)
    figure.update_xaxes(type="category")
    figure.update_yaxes(type="category")
    return figure


def _mark_cell(figure: Figure, published: PrintedPoint, row: str, column: str) -> None:
    if row in published.params and column in published.params:
        marker = {"symbol": "star" if published.best else "x", "size": 14, "color": COLOURS[4]}
        place = {"x": [str(published.params[column])], "y": [str(published.params[row])]}
        note = published.note or "published"
        figure.add_scatter(**place, mode="markers", marker=marker, name=note, showlegend=False, hovertext=note)


def parallel(problem: Problem, complete: Sequence[Observed], metric: str) -> Figure | None:
    """Every trial as a line over all axes and the objective; None for fewer than two axes."""
    axes = problem.space.parameters
    if len(axes) < 2 or len(complete) < 2:
        return None
    dimensions = [_dimension(p, complete) for p in axes]
    numbers = [one.objectives[0] for one in complete]
    figure = blank(380)
    figure.add_parcoords(
        dimensions=[*dimensions, {"label": metric, "values": numbers}],
        line={"color": numbers, "colorscale": "Cividis", "showscale": False},
        labelangle=-15,
    )
    figure.update_layout(margin={"l": 60, "r": 40, "t": 70, "b": 30})
    return figure


def _dimension(parameter: Parameter, complete: Sequence[Observed]) -> dict[str, Any]:
    values = [one.settings.get(parameter.name, parameter.default) for one in complete]
    if parameter.kind == "categorical":
        names = list(dict.fromkeys(map(str, [*parameter.choices, *values])))
        places = [names.index(str(value)) for value in values]
        return {"label": _label(parameter), "values": places, "tickvals": list(range(len(names))), "ticktext": names}
    if parameter.log:
        ticks = np.linspace(np.log10(parameter.low), np.log10(parameter.high), 5)
        texts = [f"{10**tick:.2g}" for tick in ticks]
        logs = [float(np.log10(float(value))) for value in values]
        return {"label": _label(parameter), "values": logs, "tickvals": ticks.tolist(), "ticktext": texts}
    return {"label": _label(parameter), "values": [float(value) for value in values]}


def importance(problem: Problem, complete: Sequence[Observed]) -> Figure | None:
    """How much of the objective's variance each parameter explains (functional ANOVA); None where that says nothing."""
    shares = importances(problem, complete)
    if not shares:
        return None
    names = list(reversed(list(shares)))
    figure = blank(110 + 26 * len(names), xaxis_title="share of the objective's variance (fANOVA)")
    figure.add_bar(x=[shares[name] for name in names], y=names, orientation="h", marker={"color": COLOURS[0]})
    return figure


def importances(problem: Problem, complete: Sequence[Observed]) -> dict[str, float]:
    """The fANOVA importance of each parameter, greatest first; empty for too few trials or a flat objective."""
    import optuna

    # fANOVA fits a model over the space; what lies outside has no place in it.
    inside = [one for one in complete if problem.space.contains(one.settings)]
    if len(inside) < FEW or len(problem.space.parameters) < 2 or len({one.objectives[0] for one in inside}) < 2:
        return {}
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(direction=problem.sweep.objectives[0].direction)
    create = optuna.trial.create_trial
    study.add_trials(
        [
            create(
                params=dict(one.settings),
                distributions=problem.space.distributions(one.settings),
                value=one.objectives[0],
            )
            for one in inside
        ]
    )
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
    return dict(optuna.importance.get_param_importances(study, evaluator=evaluator))


def history(problem: Problem, complete: Sequence[Observed], metric: str) -> Figure:
    """The objective trial by trial in the order they were started, and the best so far."""
    numbers = [one.objectives[0] for one in complete]
    down = problem.sweep.objectives[0].direction == "minimize"
    best = (np.minimum if down else np.maximum).accumulate(np.array(numbers))
    figure = blank(300, xaxis_title="trial", yaxis_title=f"{metric}, validation")
    count = list(range(1, len(numbers) + 1))
    figure.add_scatter(x=count, y=numbers, mode="markers", name="trial", marker={"color": COLOURS[0], "opacity": 0.6})
    figure.add_scatter(
        x=count, y=list(best), mode="lines", name="best so far", line={"color": COLOURS[1], "shape": "hv"}
    )
    return figure


def front(complete: Sequence[Observed], metrics: Sequence[str], best: Sequence[Observed]) -> Figure:
    """Two objectives against each other, those that nothing beats in both drawn full."""
    figure = blank(380, xaxis_title=f"{metrics[0]}, validation", yaxis_title=f"{metrics[1]}, validation")
    for name, several, colour in (("trials", complete, GREY), ("front", best, COLOURS[0])):
        x, y = ([one.objectives[i] for one in several] for i in (0, 1))
        figure.add_scatter(x=x, y=y, mode="markers", name=name, marker={"color": colour, "size": 8})
    return figure


def _label(parameter: Parameter) -> str:
    same = not parameter.symbol or parameter.symbol == parameter.name
    return parameter.name if same else f"{parameter.symbol} ({parameter.name})"


def _values(parameter: Parameter, complete: Sequence[Observed]) -> list[Any]:
    found = list({one.settings[parameter.name] for one in complete if parameter.name in one.settings})
    return sorted(found, key=parameter.choices.index) if _is_text(parameter) else sorted(found)


def _is_text(parameter: Parameter) -> bool:
    return parameter.kind == "categorical" and any(isinstance(choice, str) for choice in parameter.choices)


def _cell(complete: Sequence[Observed], place: dict[str, Any], down: bool) -> float | None:
    numbers = [one.objectives[0] for one in complete if all(one.settings.get(k) == v for k, v in place.items())]
    return (min if down else max)(numbers) if numbers else None


def _place(value: Any) -> Any:
    return str(value) if isinstance(value, bool) else value
