"""The report against a ledger whose numbers are known."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import polars as pl
import pytest
from scipy import stats

from suite.errors import SuiteError
from suite.registry import method
from suite.report import aggregate, figures, tables
from suite.report.build import build, gather, write
from suite.report.index import refresh
from suite.report.page import render
from suite.report.spread import common_spread
from suite.report.views import Cell, Row, _marked
from suite.results.ledger import Ledger
from suite.spec.board import MetricKey
from suite.tasks.recognition.task import RecognitionTask
from tests.report import synthetic


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    return synthetic.content(tmp_path_factory.mktemp("ledger"))


@pytest.fixture(scope="module")
def page(content, tmp_path_factory):
    folder = tmp_path_factory.mktemp("report") / "synthetic"
    write(content, folder)
    refresh(folder.parent, Ledger(folder.parent / "empty"))
    return folder


def labels_of(section):
    return [row.label for row in section.view.rows]


def row(content, label, section=0):
    return next(row for row in content.sections[section].view.rows if row.method == label)


def test_mean_deviation_and_interval_over_seeds(content):
    summary = row(content, "mask-bce").cells[0].summary
    values = np.array(synthetic.ONE["mask-bce"])
    assert summary.mean == pytest.approx(values.mean()) and summary.deviation == pytest.approx(values.std(ddof=1))
    low, high = stats.t.interval(0.95, 2, values.mean(), stats.sem(values))
    assert (summary.low, summary.high) == pytest.approx((low, high))
    tidy = content.summaries.filter(
        (pl.col("metric") == "IoU") & (pl.col("selection") == "validation") & (pl.col("count") == 3)
    )
    assert tidy["mean"].max() == pytest.approx(0.95 / 2)


def test_rows_are_ranked_and_ceilings_stand_apart(content):
    view = content.sections[0].view
    assert [row.method for row in view.rows] == ["mask-bce", "focal", "label-smoothing", "ce", "full-label"]
    assert [row.method for row in view.ceilings] == ["full-label"]
    assert row(content, "mask-bce").cells[0].best and not row(content, "full-label").cells[0].best


def test_what_is_not_told_from_the_best_is_marked(content):
    assert row(content, "focal").cells[0].near
    assert not row(content, "ce").cells[0].near


def decides_as(spread, first, second, p, methods=2):
    """Whether the spread finds a difference at levels above ``p``, and at none below."""
    levels = (p * 0.99, min(0.999, p * 1.01))
    return [spread.apart(first, second, methods, alpha=alpha) for alpha in levels] == [False, True]


def test_methods_that_share_their_seeds_are_compared_seed_by_seed():
    first, second = (0.1, 0.2, 0.4), (0.15, 0.22, 0.49)
    spread = common_spread([first, second], seeds=3)
    assert spread.freedom == 2
    assert decides_as(spread, first, second, stats.ttest_rel(first, second).pvalue)


def test_blocks_of_three_methods_by_hand():
    # seed effects -1, 0, 1; what is left of each method is (1, -1, 0), (-1, 1, 0) and nothing
    methods = [(1.0, 0.0, 2.0), (-1.0, 2.0, 2.0), (4.0, 5.0, 6.0)]
    spread = common_spread(methods, seeds=3)
    assert (spread.deviation, spread.freedom) == (pytest.approx(1.0), 4)


def test_without_all_seeds_methods_are_compared_as_groups():
    first, second = (0.1, 0.2, 0.4), (0.5, 0.55, 0.7)
    spread = common_spread([first, second], seeds=4)
    assert decides_as(spread, first, second, stats.ttest_ind(first, second).pvalue)
    assert not common_spread([(0.1,), (0.2,)], seeds=1).apart((0.1,), (0.2,), 2)


def test_several_methods_are_compared_as_tukey_does():
    methods = [(0.10, 0.12, 0.16), (0.30, 0.33, 0.31), (0.35, 0.30, 0.36)]
    spread = common_spread(methods, seeds=4)  # one short of the seeds asked for: groups
    found = stats.tukey_hsd(*methods)
    for a, b in ((0, 1), (0, 2), (1, 2)):
        assert decides_as(spread, methods[a], methods[b], found.pvalue[a, b], methods=3)


def test_leak_is_what_test_selection_would_add(content):
    assert row(content, "mask-bce").leak.mean == pytest.approx(0.02)


def test_failed_and_missing_runs_are_told(content):
    partial = row(content, "label-smoothing")
    assert partial.state == "1 of 3, 1 failed" and len(partial.cells[0].values) == 1
    assert content.failed == 1 and content.finished == 14 and content.asked == 16
    assert content.sections[0].view.errors == ((partial.label, "RuntimeError: <no> memory"),)


def test_empty_cells_say_why(content):
    recall = content.sections[0].view.columns.index(MetricKey("recall"))
    assert "not measured" in row(content, "ce").cells[recall].why
    assert tables.plain(row(content, "ce").cells[recall]).startswith("— (not measured")


def test_nothing_run_yet_still_gives_a_page(tmp_path):
    asked, _ = synthetic.asked_and_outcomes()
    page = build(synthetic.BOARD, asked, Ledger(tmp_path / "empty"), tmp_path / "report")
    text = page.read_text()
    assert "not run yet" in text and "0 of 16" in text


def test_per_class_means_and_curves(content):
    section = content.sections[0]
    ap = section.per_class.filter((pl.col("row") == row(content, "ce").label) & (pl.col("label") == "open"))
    assert ap["value"].item() == pytest.approx(0.61)
    assert section.curves.filter(pl.col("row") == "CE")["step"].to_list() == [0, 10, 20]
    heat = figures.classes(section.view, section.per_class, "AP")
    assert list(heat.data[0].x) == ["open", "close | shut"]
    assert list(heat.data[0].z[-1]) == [82.0, 20.5]
    assert (
        len(figures.learning(labels_of(section), section.view.headline.metric, section.curves).data) == 2 * 5 - 1
    )  # one row has one seed: no span


def test_steps_of_phases_follow_each_other():
    """Two phases and a turn of the second: 200 steps, then 100, then 50, each recorded from zero."""
    places = [("a", 0), ("a", 200), ("b", 0), ("b", 100), ("b", 50)]
    rows = [{"run": run, "phase": phase, "step": step} for run in "xy" for phase, step in places]
    found = aggregate.cumulative(pl.DataFrame(rows))
    assert found["step"].to_list() == [0, 200, 200, 300, 350] * 2 and found.columns == ["run", "phase", "step"]


def test_a_row_with_one_point_per_phase_is_drawn_and_its_phases_are_marked(content):
    view = content.sections[0].view
    point = {"split": "test", "metric": "top-set", "seeds": 1, "row": view.rows[0].label}
    lines = [{**point, "step": s, "phase": p, "mean": m, "least": m, "greatest": m}
             for s, p, m in ((200, "labelled", 0.5), (400, "pseudo-labelled", 0.6))]  # fmt: skip
    alone = {**lines[0], "row": view.rows[1].label}
    both, single = figures.learning(
        [row.label for row in view.rows], view.headline.metric, pl.DataFrame([*lines, alone])
    ).data
    assert list(both.x) == [200, 400] and list(both.marker.size) == [0, 9] and "pseudo-labelled" in both.text
    assert list(single.x) == [200] and list(single.marker.size) == [8]


def test_settings_have_symbol_source_and_what_changed(content):
    used = next(one for one in content.used if one.method == "mask-bce" and "planted-verbs" in one.datasets)
    rate = next(setting for setting in used.settings if setting.name == "lr")
    assert rate.changed and rate.value == "0.01" and rate.source and used.epochs == 7
    assert not any(setting.changed for setting in used.settings if setting.name != "lr")
    assert used.unknown_labels.startswith("ignored")


class Tags(HTMLParser):
    """Collects what a page refers to."""

    def __init__(self):
        super().__init__()
        self.links, self.left, self.ids, self.text = [], [], set(), []

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        for address in [given[name] for name in ("href", "src") if name in given]:
            leaves = tag == "a" and address.startswith("https://")  # asks the network only where a reader presses it
            (self.left if leaves else self.links).append(address)
        self.ids.add(given.get("id"))

    def handle_data(self, data):
        self.text.append(data)


def test_page_asks_no_network_and_escapes(page):
    text = (page / "index.html").read_text()
    tags = Tags()
    tags.feed(text)
    for link in tags.links:
        assert not re.match(r"(https?:)?//", link), link
        assert link.removeprefix("#") in tags.ids or (page / link).exists(), link
    assert "https://github.com/kiyoon/verb_ambiguity" in tags.left
    assert "Synthetic &lt;board&gt;" in text and "RuntimeError: &lt;no&gt; memory" in text
    assert "planted data: planted-verbs[snr=3]" in "".join(tags.text)


def test_the_names_of_tables_are_safe_in_style_sheets(page):
    """A dot in an id is the start of a class there: all styles of such a table would be dropped."""
    text = (page / "index.html").read_text()
    ids = re.findall(r'<div[^>]* id="(table-[^"]*)"', text)
    assert len(ids) == 2 and all(re.fullmatch(r"[\w-]+", name) and f"#{name} " in text for name in ids)


def test_pages_share_the_library_of_figures_and_one_file_holds_all(page, content, tmp_path):
    (library,) = re.findall(r'<script src="([^"]+)"', (page / "index.html").read_text())
    assert "plotly.js v" in (page / library).read_text()
    assert (page / "index.html").stat().st_size < 1_000_000
    text = write(content, tmp_path / "mailed", single=True).read_text()
    assert text.count("plotly.js v") == 1 and "<script src" not in text
    assert [path.name for path in tmp_path.iterdir()] == ["mailed"]


def test_other_forms_hold_the_same_numbers(page, content):
    best = tables.plain(row(content, "mask-bce").cells[0])
    assert best == "**82.0** ± 2.0"
    assert best in (page / "report.md").read_text()
    table = pl.read_csv(page / "table-1-planted-verbs.csv").filter(metric="top-set")
    first = table.row(0, named=True)
    summary = row(content, "mask-bce").cells[0].summary
    assert first["mean"] == pytest.approx(0.82) and first["sd"] == pytest.approx(0.02) and first["n"] == 3
    assert (first["low"], first["high"]) == pytest.approx((summary.low, summary.high))
    assert table.filter(method="LS").select("n", "sd").row(0) == (1, None)
    latex = (page / "table-1-planted-verbs.tex").read_text()
    assert r"\textbf{82.0} $\pm$ 2.0" in latex and r"$\approx$ 80.7" in latex and latex.isascii()
    assert "\\caption{One: planted-verbs}\n\\label{tab:1-planted-verbs}" in latex
    numbers = pl.read_csv(page / "numbers.csv")
    one = numbers.filter(
        (pl.col("row") == "CE") & (pl.col("metric") == "top-set") & (pl.col("selection") == "validation")
    )
    assert one["mean"].item() == pytest.approx(0.61) and one["table"].item() == "One"
    assert pl.read_parquet(page / "table-1-planted-verbs.parquet").filter(metric="top-set")["mean"][0] == summary.mean
    assert pl.read_parquet(page / "numbers.parquet").height == numbers.height
    settings = pl.read_csv(page / "settings.csv")
    assert settings.filter((pl.col("name") == "lr") & (pl.col("row") == "CE"))["value"].to_list() == ["0.01"]


def test_notes_name_data_seeds_and_the_smallest_detectable_difference(content):
    notes = " ".join(tables.notes(content.sections[0].view))
    assert "planted (generated) data" in notes and "3 seeds" in notes
    assert f"{100 * content.sections[0].view.detectable:.1f} points" in notes
    assert "One seed says nothing" in " ".join(tables.notes(content.sections[1].view))


def test_markdown_tables_are_well_formed(page):
    lines = [line for line in (page / "report.md").read_text().splitlines() if line.startswith("|")]
    unescaped = [len(re.findall(r"(?<!\\)\|", line)) for line in lines]
    assert len(set(unescaped[:7])) == 1


def test_provenance_is_told(content):
    facts = dict(content.provenance)
    assert facts["Commit"] == ["c0ffee"] and facts["Compute"][0].startswith("14 runs")
    assert content.sources[0].fingerprints == ("f00d",)
    assert content.sources[0].kind == "planted"


def test_unwritable_report_folder_is_told_in_one_sentence(content, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SuiteError, match="cannot write the report"):
        write(content, tmp_path / "file" / "report")


def test_a_recipe_selected_on_test_data_carries_a_mark_and_its_note(content):
    """Its authors' numbers are oracle numbers; the table says so beside the honest one."""
    view = content.sections[0].view
    assert not [note for note in tables.notes(view) if note.startswith(tables.DAGGER)]
    marked = replace(view, rows=(replace(view.rows[0], reported="oracle"), *view.rows[1:]))
    for draw in (tables.plain, tables.latex):
        labels = tables.frame(marked, draw)[tables.METHOD].to_list()
        assert labels == [f"{view.rows[0].label} †", *(row.label for row in view.rows[1:])]
    (note,) = [note for note in tables.notes(marked) if note.startswith(tables.DAGGER)]
    assert "epoch best on test data (oracle)" in note
    assert f"{view.rows[0].label} †" in tables.to_html(marked)


def test_the_mark_comes_from_method_and_preset(tmp_path, monkeypatch):
    asked = synthetic.asked_and_outcomes()[0]
    chosen = method("mask-bce")
    monkeypatch.setattr(chosen, "published_selection", "oracle")
    published = [replace(a, spec=a.spec.model_copy(update={"params": {**a.spec.params, "preset": p}}))
                 for a, p in ((asked[0], "published"), (asked[0], "recommended"))]  # fmt: skip
    frame = aggregate.asked_frame(published, Ledger(str(tmp_path)).runs())
    assert frame["reported"].to_list() == ["oracle", "validation"]


def test_marked_runs_are_counted_beside_the_mean_and_explained(tmp_path):
    asked, outcomes = synthetic.asked_and_outcomes()
    point = {"phase": "joint", "epoch": 1, "step": 5, "split": "analysis", "metric": "collapsed"}
    seeds = [o for o in outcomes if o.run["method"] == "mask-bce"][:3]
    lost = [replace(o, curves=[{**point, "value": value}]) for o, value in zip(seeds, (1.0, 0.0, 1.0), strict=True)]
    ledger = Ledger(tmp_path)
    ledger.record_all([*lost, *(o for o in outcomes if o.id not in {one.id for one in lost})])
    content = gather(synthetic.BOARD, asked, ledger)
    view = content.sections[0].view
    drawn = tables.frame(view, tables.plain)
    assert dict(drawn.select(tables.METHOD, "collapsed").iter_rows()) == {
        one.label: "2 of 3" if one.method == "mask-bce" else tables.NOTHING for one in view.rows
    }
    assert any(note.startswith("collapsed: runs that logged it") for note in tables.notes(view))
    assert "2 of 3" in tables.to_html(view) and "collapsed" in tables.to_latex(view)
    assert "2 collapsed" in tables.numbers(view)["marks"].to_list()
    assert "collapsed" not in tables.frame(content.sections[1].view, tables.plain).columns


def test_rows_with_the_same_numbers_are_named(content):
    view = content.sections[0].view
    assert not [note for note in tables.notes(view) if "same numbers" in note]
    copied = replace(view, rows=(*view.rows, replace(view.rows[0], label="Copy")))
    (note,) = [note for note in tables.notes(copied) if "same numbers" in note]
    assert view.rows[0].label in note and "Copy" in note


def test_labels_are_escaped_once_in_html_and_never_raw_in_markdown(content):
    view = content.sections[0].view
    odd = replace(view, rows=(replace(view.rows[0], label="<b>A & B</b>"), *view.rows[1:]))
    table = tables.to_html(odd)
    assert "&lt;b&gt;A &amp; B&lt;/b&gt;" in table and "&amp;lt;" not in table and "<b>A" not in table
    section = replace(content.sections[0], view=odd)
    text = render("report.md.j2", replace(content, sections=(section,)))
    assert "&lt;b>A & B&lt;/b>" in text and "# Synthetic &lt;board>" in text and "<" not in text


def test_memory_is_a_column_where_it_is_known(content):
    section = content.sections[0]
    assert not section.view.weighed and "GiB" not in tables.frame(section.view, tables.plain).columns
    rows = [replace(one, memory=0.5 if one.method == "ce" else None) for one in section.view.rows]
    view = replace(section.view, rows=tuple(rows))
    drawn = tables.frame(view, tables.plain)
    assert drawn.filter(pl.col("Method") == "CE")["GiB"].item() == "0.50"
    assert set(drawn.filter(pl.col("Method") != "CE")["GiB"]) == {tables.NOTHING}
    assert tables.numbers(view).filter(method="CE")["memory_gib"][0] == 0.5
    assert any(note.startswith("GiB: median over runs") for note in tables.notes(view))


def test_one_seed_is_no_winner():
    cells = [Row(label, label, False, (Cell((value,)),), None, 1, 1) for label, value in (("a", 0.2), ("b", 0.9))]
    assert not any(cell.best or cell.near for one in _marked(cells, [0]) for cell in one.cells)


def test_an_oracle_metric_is_marked_and_nobody_wins_by_it(tmp_path, monkeypatch):
    monkeypatch.setattr(RecognitionTask, "oracle_metrics", ("IoU",))
    monkeypatch.setattr(RecognitionTask, "explained", {"IoU": "the best threshold for the test labels"})
    view = synthetic.content(tmp_path).sections[0].view
    assert tables.frame(view, tables.plain).columns[3] == "IoU@0.5 ‡"
    assert any(row.cells[0].best for row in view.rows)
    assert not any(row.cells[1].best or row.cells[1].near for row in view.rows)
    assert "IoU@0.5 ‡: the best threshold for the test labels." in tables.notes(view)
    assert r"$\ddagger$" in tables.to_latex(view) and "IoU@0.5 ‡" in tables.to_html(view)
    assert set(tables.numbers(view).filter("oracle")["metric"]) == {"IoU"}


def test_every_seed_stands_on_the_page_and_in_the_text(page, content):
    heading, first, *_ = content.sections[0].seeds
    assert heading == ["Method", "seed 0", "seed 1", "seed 2"] and first == ["Mask BCE", "80.0", "82.0", "84.0"]
    assert ["LS", "", "70.0", ""] in content.sections[0].seeds
    assert "| Mask BCE | 80.0 | 82.0 | 84.0 |" in (page / "report.md").read_text()
    assert "Every seed of top-set" in (page / "index.html").read_text()
    assert "Every trial" not in (page / "index.html").read_text() and not content.sections[0].trials


def test_annotators_stand_below_methods_and_compete_with_none(tmp_path):
    asked, outcomes = synthetic.asked_and_outcomes()
    said = {"ann": 0.9, "bob": 0.7}
    rows = [
        {"split": "test", "selection": f"annotator:{name}", "metric": metric, "threshold": at, "value": value}
        for name, value in said.items()
        for metric, at in (("top-set", None), ("IoU", 0.5))
    ]
    ledger = Ledger(tmp_path / "ledger")
    planted = [one for one in outcomes if one.run["dataset"] == "planted-verbs"]
    finished = [replace(one, metrics=[*one.metrics, *rows]) if one.metrics else one for one in planted]
    ledger.record_all(finished)
    content = gather(synthetic.BOARD, asked, ledger)
    first, second = (section.view for section in content.sections)
    assert [one.label for one in first.people] == ["Annotators"] == [first.rows[-1].label]
    cells = dict(zip(map(str, first.columns), first.rows[-1].cells))
    assert cells["top-set"].values == cells["IoU@0.5"].values == pytest.approx((0.9, 0.7))
    assert not cells["recall"].values and first.rows[-1].state == "2 annotators"
    assert not second.people
    assert first.methods[0].cells[0].best and not any(cell.best or cell.near for cell in first.rows[-1].cells)
    assert not content.summaries["selection"].str.starts_with("annotator").any()
    text = render("report.md.j2", content)
    assert "People: the annotators of these data" in text and "80.0 ± 14.1" in text
    assert "against the majority of the others" in text
    html = tables.to_html(first)
    assert "2 annotators" in html and "People" in html
    assert figures.ranking(first) is not None
    assert {"People: the annotators of these data"} < set(tables.numbers(first)["kind"])
    assert "2 annotators" in tables.to_latex(first)
