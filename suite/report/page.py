"""Filling the templates: pages that need no network, and the same as Markdown."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from suite.declarations import shipped
from suite.report import figures, findings, history, paper_forms, tables, versions
from suite.report.across import ranks_figure
from suite.report.class_curves import class_figures
from suite.report.rows import to_json
from suite.writing import write_whole

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

    from suite.report.across import Across
    from suite.report.paper import PaperTable
    from suite.report.section import Section


def render(template: str, content: Any, **more: Any) -> str:
    """The template called ``template`` filled with ``content``; values in ``*.html.j2`` are escaped."""
    filled = _templates(template.endswith(".md.j2")).get_template(template)
    return filled.render(content=content, **more)


@cache
def _templates(markdown: bool) -> Environment:
    """The templates, each compiled once: a board writes dozens of pages."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(shipped("reports") / "templates"),
        autoescape=lambda name: bool(name) and ".html" in str(name),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_without_html if markdown else None,
    )
    environment.filters.update(percent=tables.number, points=tables.points)
    helpers: dict[str, Any] = {"table": _table, "markdown": tables.markdown, "notes": tables.notes, "figures": _figures}
    helpers |= {"rows": _rows, "ranks": _ranks, "sentence": findings.sentence, "ranking": findings.ranking}
    helpers |= {"moved": _moved, "versions": versions, "class_table": class_table, "comparison": _comparison}
    helpers |= {"paper_table": _paper, "paper_markdown": paper_forms.markdown}
    environment.globals.update(helpers)
    return environment


def write_page(file: Path, template: str, content: Any, single: bool = False, **more: Any) -> Path:
    """Write ``template`` filled with ``content`` to ``file``, its folder made if need be; returns ``file``.

    Figures take plotly.js from a file in the folder above, which all pages there share; ``single`` puts it into the
    page, for mailing (5 MB). Raises :class:`OSError` where nothing can be written.
    """
    script = _inline() if single else _shared(file.parent.parent)
    write_whole(file, render(template, content, plotly=script, **more))
    return file


def _shared(folder: Path) -> Markup:
    """The tag that loads the library from ``folder``, one above the page, where it is put unless it lies there."""
    from markupsafe import Markup

    library = folder / figures.library_name()
    if not library.is_file():
        write_whole(library, figures.library())
    return Markup('<script src="../{}"></script>').format(library.name)


def _without_html(value: Any) -> Any:
    """Text that Markdown shows as it is: most of its readers obey raw HTML."""
    return value.replace("<", "&lt;") if isinstance(value, str) else value


def _table(section: Section) -> Markup:
    from markupsafe import Markup

    return Markup(tables.to_html(section.view))


def _rows(section: Section) -> Markup:
    from markupsafe import Markup

    return Markup(to_json(section.view, section.rows))


def _paper(table: PaperTable) -> Markup:
    from markupsafe import Markup

    return Markup(paper_forms.html(table))


def _moved(section: Section) -> Markup:
    from markupsafe import Markup

    view = section.view
    drawn = history.figure(section.moved, str(view.headline))
    return Markup(figures.fragment(drawn, f"history-{view.name}"))


def _ranks(one: Across) -> Markup:
    from markupsafe import Markup

    return Markup(figures.fragment(ranks_figure(one), f"ranks-{one.title}".replace(" ", "-")))


def _inline() -> Markup:
    from markupsafe import Markup

    return Markup("<script>{}</script>").format(Markup(figures.library()))


def _figures(section: Section) -> dict[str, Markup]:
    """The section's figures by heading, those left out that would be empty."""
    from markupsafe import Markup

    view, metrics = section.view, section.per_class["metric"].unique(maintain_order=True).to_list()
    drawn = {
        f"{view.headline}: every seed": figures.ranking(view),
        f"{view.headline} and time": figures.quality_and_time(view),
        "Learning curves": figures.learning([row.label for row in view.rows], view.headline.metric, section.curves),
        **class_figures(view, section.curves),
        **{f"{metric} of each class": figures.classes(view, section.per_class, metric) for metric in metrics},
    }
    named = {title: figure for title, figure in drawn.items() if figure is not None}
    return {
        title: Markup(figures.fragment(figure, f"figure-{view.name}-{place}"))
        for place, (title, figure) in enumerate(named.items())
    }


def class_table(section: Section, metric: str) -> list[list[str]]:
    """One per-class metric as text: a heading, then a line per class, in percent."""
    chosen = section.per_class.filter(pl.col("metric") == metric)
    labels = [row.label for row in section.view.rows if row.label in set(chosen["row"])]
    wide = chosen.pivot("row", index="label", values="value").sort("label")
    lines = [
        [str(line["label"]), *("" if line[label] is None else tables.number(line[label]) for label in labels)]
        for line in wide.iter_rows(named=True)
    ]
    return [["class", *labels], *lines]


def _comparison(section: Section) -> list[dict[str, str]]:
    """Printed numbers beside ours, as text."""
    return [
        {
            "method": one.label,
            "metric": str(one.printed.key),
            "ours": _ours(one.ours, one.deviation),
            "printed": one.printed.digits,
            "difference": "" if one.difference is None else tables.points(one.difference / 100),
            "verdict": one.verdict,
            "where": f"{one.printed.paper}, {one.printed.table}, {one.printed.row} ({one.printed.protocol})",
            "note": one.printed.note,
        }
        for one in section.compared
    ]


def _ours(mean: float | None, deviation: float | None) -> str:
    if mean is None:
        return tables.NOTHING
    return f"{mean:.1f}" if deviation is None else f"{mean:.1f} ± {deviation:.1f}"
