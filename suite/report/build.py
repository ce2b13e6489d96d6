"""Building a report: from what was asked and the ledger to a folder of files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from io import BytesIO
from itertools import groupby
from pathlib import Path

import polars as pl

from suite.errors import SuiteError
from suite.registry import method
from suite.report import aggregate, details, facts, figures, given, page, paper_forms, pictures, tables
from suite.report.across import Across, across
from suite.report.comparison import compare
from suite.report.drawing import Picture, png, svg
from suite.report.findings import sentence
from suite.report.history import history
from suite.report.index import About, counts, leave
from suite.report.paper import Ours, PaperTable, paper_table
from suite.report.published import load_published
from suite.report.rows import row_facts, run_pages
from suite.report.run_page import FOLDER, METHODS, write_runs
from suite.report.section import Section
from suite.report.trials import chosen_only, shown, trials
from suite.report.views import View, make_view, with_people
from suite.results.ledger import Ledger
from suite.spec.board import BoardRun, LeaderboardSpec
from suite.tasks import task
from suite.tasks.annotators import SELECTION
from suite.writing import write_whole


@dataclass(frozen=True)
class Content:
    """Everything a report says, independent of its form."""

    board: LeaderboardSpec
    sections: tuple[Section, ...]
    summaries: pl.DataFrame
    used: tuple[facts.Used, ...]
    sources: tuple[facts.DatasetFacts, ...]
    provenance: tuple[tuple[str, list[str]], ...]
    asked: int
    finished: int
    failed: int
    made: datetime
    papers: tuple[PaperTable, ...] = ()
    across: tuple[Across, ...] = ()


@dataclass(frozen=True)
class Frames:
    """The ledger as a board sees it: all runs ``tried``, their ``trials`` and their overall values on test data
    (``tests``); those ``shown``, of chosen trials, their overall values (``found``), those of each class (``classes``:
    means over seeds) and ``curves``; and what annotators have (``people``).
    """

    tried: pl.DataFrame
    trials: pl.DataFrame
    tests: pl.DataFrame
    shown: pl.DataFrame
    found: pl.DataFrame
    classes: pl.DataFrame
    people: pl.DataFrame
    curves: pl.DataFrame

    def by_place(self, places: Sequence[tuple[int, str]]) -> list[Frames]:
        """The rows of each of ``places``: of one table on one dataset."""
        frames = [getattr(self, field.name) for field in fields(self)]
        split = [frame.partition_by("table", "dataset", as_dict=True) for frame in frames]
        return [
            Frames(*(own.get(place, frame.clear()) for own, frame in zip(split, frames, strict=True)))
            for place in places
        ]


def gather(
    board: LeaderboardSpec, asked: Sequence[BoardRun], ledger: Ledger, pages: Mapping[str, str] | None = None
) -> Content:
    """Read the ledger once and arrange what ``board`` shows; ``pages`` leads from a run or method to its page."""
    wanted = {one.run for one in asked if one.run}
    everything = ledger.runs()
    runs = everything.filter(pl.col("run").is_in(sorted(wanted)))
    logged = ledger.curves(wanted)
    tried, metrics = aggregate.asked_frame(asked, runs, logged), ledger.metrics(wanted)
    compared = trials(tried, aggregate.values(tried, metrics, "validation"))
    frame = chosen_only(tried, compared)
    tests = aggregate.values(tried, metrics)
    people = aggregate.people(tests)
    tests = tests.filter(~pl.col("selection").str.starts_with(SELECTION))
    found = tests if compared["chosen"].all() else chosen_only(tests, compared)
    # Nearly all numbers are of single classes: they are summarized at once, not table by table.
    classes, overall = figures.per_class(found), pl.col("label") == ""
    each = (tests.filter(overall), frame, found.filter(overall), classes, people, aggregate.curves(frame, logged))
    frames = Frames(tried, compared, *each)
    places = _places(frame, bool(board.printed))
    outside, in_tables = given.files(ledger, everything), shown(asked, frame)
    past = history(in_tables, everything, ledger)
    sections = [
        replace(_section(board, asked, own, outside, pages or {}, *place), moved=past.get(place, ()))
        for place, own in zip(places, frames.by_place(places), strict=True)
    ]
    short = board.shortened.words if board.shortened else ""
    ours = Ours(asked if board.printed else (), frame, found, logged, short)
    finished = runs.filter(pl.col("status") == "finished")
    return Content(
        board=board,
        sections=tuple(sections),
        summaries=_named(aggregate.summaries(found), board),
        used=tuple(facts.used_settings(in_tables)),
        sources=tuple(facts.sources(asked, runs)),
        provenance=tuple(facts.provenance_rows(finished)),
        asked=len({one.run or one.spec.canonical_json() for one in asked}),  # without data a run has no name
        finished=len(finished),
        failed=int((runs["status"] == "failed").sum()),
        made=datetime.now(UTC),
        papers=tuple(paper_table(one, board, ours) for one in board.printed),
        across=tuple(_across([section.view for section in sections])),
    )


def _across(views: Sequence[View]) -> Iterator[Across]:
    """The tables that span several datasets."""
    for _, group in groupby(views, key=lambda view: view.index):
        found = across(list(group))
        if found is not None:
            yield found


def _places(frame: pl.DataFrame, begun: bool) -> list[tuple[int, str]]:
    """The sections, by table and dataset; where papers' tables show what is missing, those ``begun`` alone."""
    frame = frame.filter(pl.col("status") != "") if begun else frame
    return list(frame.select("table", "dataset").unique(maintain_order=True).iter_rows())


def _section(
    board: LeaderboardSpec,
    asked: Sequence[BoardRun],
    own: Frames,
    outside: pl.DataFrame,
    pages: Mapping[str, str],
    index: int,
    dataset: str,
) -> Section:
    spec = board.tables[index]
    kind = task(method(own.shown["method"][0]).task)
    view = with_people(make_view(index, spec, dataset, kind, own.shown, own.found, outside), own.people)
    return Section(
        view,
        own.curves,
        own.classes.drop("table", "dataset"),
        tuple(compare(view, own.found, load_published(spec.published), asked, board.shortened))
        if spec.published
        else (),
        details.every_seed(view),
        details.every_trial(spec.trials, own.trials, own.tests, view.headline),
        details.cost(own.tried, own.shown),
        row_facts(view, asked, own.shown, own.found, pages),
    )


def _named(summaries: pl.DataFrame, board: LeaderboardSpec) -> pl.DataFrame:
    """The tidy summaries with the tables' titles in place of their numbers."""
    titles = {index: table.title for index, table in enumerate(board.tables)}
    return summaries.with_columns(pl.col("table").replace_strict(titles, return_dtype=pl.String))


def write(content: Content, folder: Path, single: bool = False) -> Path:
    """Write page, Markdown, CSV, Parquet, LaTeX and pictures below ``folder``; returns the page's path.

    Pages of one folder share the library that draws figures, unless ``single`` puts it into the page.
    Raises :class:`SuiteError` when the folder cannot be written.
    """
    try:
        files = _files(content)
        for name, made in files.items():
            write_whole(folder / name, made)
        file = page.write_page(folder / "index.html", "page.html.j2", content, single, files=sorted(files))
        leave(file, _about(content))
    except OSError as error:
        raise SuiteError(f"cannot write the report to {folder}: {error.strerror}; choose another --out.") from error
    return file


def _about(content: Content) -> About:
    """What the index of pages says of this one."""
    tally = counts([(content.finished, f"of {content.asked} runs"), (content.failed, "failed")])
    lines = tuple(f"{one.view.spec.title}: {sentence(one.view)}" for one in content.sections)
    return About("leaderboard", content.board.title, f"{content.made:%Y-%m-%d %H:%M} UTC", tally, lines)


def _files(content: Content) -> dict[str, str | bytes]:
    """Every file of the report beside the page, by name."""
    files: dict[str, str | bytes] = {"report.md": page.render("report.md.j2", content)}
    files |= _numbers("numbers", content.summaries) | _numbers("settings", facts.settings_frame(content.used))
    for table in content.papers:
        files[f"paper-{table.name}.csv"] = paper_forms.frame(table).write_csv()
        files[f"paper-{table.name}.tex"] = paper_forms.latex(table)
    for section in content.sections:
        name = section.view.name
        files |= _numbers(f"table-{name}", tables.numbers(section.view))
        files[f"table-{name}.tex"] = tables.to_latex(section.view)
        files |= _pictured(f"ranking-{name}", pictures.ranking(section.view))
        files |= _pictured(f"cost-{name}", pictures.cost(section.view))
        if len(section.per_class):
            files |= _numbers(f"classes-{name}", section.per_class)
    for place, one in enumerate(content.across):
        files |= _pictured(f"ranks-{place + 1}", pictures.ranks(one))
    return files


def _numbers(name: str, frame: pl.DataFrame) -> dict[str, str | bytes]:
    """A frame as CSV for every program, and as Parquet, which keeps types and the last digit."""
    file = BytesIO()
    frame.write_parquet(file)
    return {f"{name}.csv": frame.write_csv(), f"{name}.parquet": file.getvalue()}


def _pictured(name: str, picture: Picture | None) -> dict[str, str | bytes]:
    return {} if picture is None else {f"{name}.svg": svg(picture), f"{name}.png": png(picture)}


def build(
    board: LeaderboardSpec, asked: Sequence[BoardRun], ledger: Ledger, folder: Path, single: bool = False
) -> Path:
    """Build the report of ``board`` in ``folder`` from what the ledger holds now; returns the page's path.

    Pages of its runs, which its rows lead to, lie beside ``folder``; so do those of methods that are there already.
    """
    runs = [*(one.run for one in asked if one.run), *given.files(ledger)["run"].unique()]
    write_runs(ledger, runs, folder.parent)
    pages = run_pages(runs, folder.parent / FOLDER, f"../{FOLDER}/")
    pages |= run_pages({one.spec.method for one in asked}, folder.parent / METHODS, f"../{METHODS}/")
    return write(gather(board, asked, ledger, pages), folder, single)
