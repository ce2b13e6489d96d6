"""What pages say beside their tables: findings in words, rows for the script, the page of a run, the index."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import replace
from io import BytesIO
from itertools import pairwise
from xml.etree import ElementTree

import numpy as np
import polars as pl
import pytest
from PIL import Image

from suite.analyse.examples import examples
from suite.analyse.label_sets import label_sets, spread
from suite.cli.train import parse_settings
from suite.declarations import shipped
from suite.places import Places
from suite.registry import method
from suite.report import figures, findings, pictures, tables
from suite.report.build import build, gather
from suite.report.drawing import Dot, png, scale, svg
from suite.report.index import SUFFIX, refresh
from suite.report.rows import script_json
from suite.report.run_page import command, write_runs
from suite.report.spread import Spread, common_spread
from suite.results.ledger import Ledger
from suite.results.schema import Outcome
from suite.runs import resolve_run
from suite.work.machine import Machine
from suite.work.record import run_row
from tests.report import synthetic

TEMPLATES = shipped("reports") / "templates"


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    return synthetic.fill(tmp_path_factory.mktemp("pages") / "ledger")


@pytest.fixture(scope="module")
def view(filled):
    asked, ledger = filled
    return gather(synthetic.BOARD, asked, ledger).sections[0].view


def test_a_sentence_says_what_the_seeds_support(view):
    said = findings.sentence(view)
    assert said.startswith("Mask BCE has the highest top-set, 82.0 %; 3 seeds cannot distinguish Focal")
    assert said.endswith(", of the runs that have finished.")  # label smoothing lacks two


def test_without_ties_the_best_is_distinguished_from_each(view):
    rows = [row for row in view.rows if row.label in ("Mask BCE", "CE")]
    rows = [replace(row, cells=tuple(replace(cell, near=False) for cell in row.cells)) for row in rows]
    assert findings.sentence(replace(view, rows=tuple(rows))).endswith("3 seeds distinguish it from the other one.")


def test_one_seed_claims_nothing(filled):
    asked, ledger = filled
    one = [run for run in asked if run.spec.seed == 0 and run.table == 0]
    said = findings.sentence(gather(synthetic.BOARD, one, ledger).sections[0].view)
    assert "a single seed cannot tell it from the others" in said


def test_open_pairs_say_how_many_seeds_would_settle_them(view):
    (label, gap, seeds), *_ = sorted(view.open, key=lambda one: one[1])
    assert label == "Focal" and gap == pytest.approx(0.0133, abs=1e-3)
    assert any(f"Focal ({tables.points(-gap)} points) {seeds}" in note for note in tables.notes(view))


def test_seeds_that_would_settle_a_pair_do_so_with_power_080():
    """Simulated: two of five methods apart by so much are told apart in 80 % of tables with as many seeds."""
    rng, gap, deviation, methods = np.random.default_rng(0), 1.5, 1.0, 5
    needed = common_spread(rng.normal(0, deviation, (methods, 400)).tolist(), 400).settling(gap, 400, methods)
    offsets = np.array([gap, 0, 0, 0, 0])[:, None]
    found = 0
    for _ in range(400):
        values = (rng.normal(0, deviation, (methods, needed)) + offsets).tolist()
        found += common_spread(values, needed).apart(values[0], values[1], methods)
    assert 0.72 < found / 400 < 0.88
    assert Spread(1.0, 8).settling(0.0, 3, 5) == 0 and Spread(float("nan"), 0).settling(1.0, 1, 5) == 0


def test_the_leak_is_paired_by_seed_and_has_an_interval(view):
    leak = next(row.leak for row in view.rows if row.label == "Mask BCE")
    assert (leak.mean, leak.low, leak.high) == pytest.approx((0.02, 0.02, 0.02))
    assert tables.leak(leak) == "+2.0 [+2.0, +2.0]"
    assert tables.leak(replace(leak, low=float("nan"))) == "+2.0" and tables.leak(None) == tables.NOTHING
    assert {"leak_low", "leak_high"} <= set(tables.numbers(view).columns)


def test_the_ranking_shares_the_first_rank_among_ties(view):
    ranks = findings.ranking(view)
    assert ranks[0] == ("1–3", ("Mask BCE", "Focal", "LS")) or ranks[0] == ("1–2", ("Mask BCE", "Focal"))
    assert [label for _, labels in ranks for label in labels][-1] == "CE"


def test_a_script_element_cannot_be_ended_by_text():
    text = script_json({"label": "</script><script>alert(1)</script>&"})
    assert "<" not in text and json.loads(text)["label"].endswith("&")


def test_a_run_page_gives_the_command_that_names_the_run(filled, tmp_path):
    asked, ledger = filled
    assert write_runs(ledger, [one.run for one in asked if one.run], tmp_path) == 15  # one never ran
    one = asked[0]
    text = (tmp_path / "runs" / f"{one.run}.html").read_text(encoding="utf-8")
    (command,) = re.findall(r'<pre class="command"[^>]*>(.*?)</pre>', text)
    words = shlex.split(command)
    assert words[:4] == ["suite", "train", "mask-bce", "planted-verbs"]
    assert "--seed" in words and "lr=0.01" in words
    assert "80.0" in text and "82.0" in text  # validation and oracle


def test_a_run_page_says_where_weights_and_predictions_lie(filled, tmp_path):
    asked, ledger = filled
    kept, other = [one.run for one in asked if one.run][:2]
    (tmp_path / "models" / kept).mkdir(parents=True)
    (tmp_path / "models" / kept / "README.md").write_text("a card", encoding="utf-8")
    write_runs(ledger, [kept, other], tmp_path / "reports")
    pages = [(tmp_path / "reports" / "runs" / f"{run}.html").read_text(encoding="utf-8") for run in (kept, other)]
    (link,) = re.findall(r'href="([^"]+README.md)"', pages[0])
    assert (tmp_path / "reports" / "runs" / link).resolve() == tmp_path / "models" / kept / "README.md"
    assert f"suite predict {kept[:8]}" in pages[0] and "suite predict" not in pages[1] and "not kept" in pages[1]
    assert all(f"suite score {run[:8]}" in page for run, page in zip((kept, other), pages, strict=True))


def test_a_run_page_is_written_once_per_attempt(filled, tmp_path):
    asked, ledger = filled
    runs = [asked[0].run]
    assert write_runs(ledger, runs, tmp_path) == 1 and write_runs(ledger, runs, tmp_path) == 0


def test_a_failed_run_of_an_unknown_method_has_a_page(tmp_path):
    base = synthetic.made("ce", 0, "planted-verbs", None)
    ledger = Ledger(tmp_path / "ledger")
    ledger.record(Outcome({**base.run, "method": "gone", "title": "Gone <b>"}))
    assert write_runs(ledger, [base.id], tmp_path) == 1
    text = (tmp_path / "runs" / f"{base.id}.html").read_text(encoding="utf-8")
    assert "Gone &lt;b&gt;" in text and "failed" in text and "No numbers were recorded" in text


def test_the_index_lists_pages_and_runs(filled, tmp_path):
    asked, ledger = filled
    page = build(synthetic.BOARD, asked, ledger, tmp_path / "synthetic")
    text = refresh(tmp_path, ledger).read_text(encoding="utf-8")
    assert 'href="synthetic/index.html"' in text and "Synthetic &lt;board&gt;" in text
    assert "Mask BCE has the highest top-set" in text
    rows = json.loads(re.findall(r'id="rows">(.*?)</script>', text)[0])
    assert len(rows) == len(ledger.runs()) and all(len(row) == 10 for row in rows)
    known = {row[0]: row for row in rows}[asked[0].run]
    assert known[6] == 80.0 and known[9] == f"runs/{asked[0].run}.html"
    page.with_suffix(SUFFIX).write_text("{half", encoding="utf-8")
    assert "synthetic/index.html" not in refresh(tmp_path, ledger).read_text(encoding="utf-8")


def test_an_empty_ledger_has_an_index(tmp_path):
    assert "No page yet" in refresh(tmp_path / "reports", Ledger(tmp_path / "ledger")).read_text(encoding="utf-8")


def test_examples_are_spread_and_escaped():
    assert spread(np.arange(100), 4) == [0, 33, 66, 99] and spread(np.arange(2), 4) == [0, 1]
    labels, scores = np.array([[1, 0], [0, 1]], dtype=bool), np.array([[0.9, 0.1], [0.8, 0.2]])
    drawn = label_sets(["a", "<i>"], ["open", "<b>"], labels, scores, 2)
    assert "<b>open</b>" in drawn and "&lt;i&gt;" in drawn and "<b>&lt;b&gt;</b>" in drawn


def test_examples_of_a_run_without_predictions_are_none(filled, tmp_path):
    asked, ledger = filled
    row = ledger.runs().filter(pl.col("run") == asked[0].run).row(0, named=True)
    assert examples(row, Ledger(tmp_path / "other"), Places(str(tmp_path))) == {}


@pytest.mark.parametrize(
    ("name", "dataset", "given"),
    [
        ("mask-bce", "planted-verbs[snr=3]", {"lr": 0.1 + 0.2, "tau": 0.25}),
        ("action-selection", "planted-videos", {"preset": "published", "warm_epochs": 2}),
    ],
)
def test_the_command_of_a_page_asks_for_the_same_run(name, dataset, given, tmp_path):
    spec = resolve_run(name, dataset, given, seed=3, epochs=5)
    row = run_row(spec, Places(str(tmp_path)), Machine(), "")
    words = shlex.split(command(row, method(name), spec.params))
    options = dict(pairwise(words[4:]))
    settings = parse_settings(value for option, value in pairwise(words) if option == "--set")
    settings |= {"preset": options["--preset"]} if "--preset" in options else {}
    again = resolve_run(words[2], words[3], settings, seed=int(options["--seed"]), epochs=int(options["--epochs"]))
    assert again == spec


def test_the_ranking_is_a_picture(view):
    drawn = ElementTree.fromstring(svg(pictures.ranking(view)))
    space = "{http://www.w3.org/2000/svg}"
    assert len(drawn.findall(f"{space}circle")) == 13  # seeds of five rows
    labels = [text.text for text in drawn.findall(f"{space}text") if text.get("text-anchor") == "end"]
    assert labels == [row.label for row in view.rows]
    assert "Mask BCE 82.0" in drawn.find(f"{space}desc").text
    width = float(drawn.get("width"))
    assert all(0 <= float(circle.get("cx")) <= width for circle in drawn.findall(f"{space}circle"))
    assert pictures.ranking(replace(view, rows=())) is None


def test_figures_show_words_as_they_are(view):
    rows = (replace(view.rows[0], label="A <b>bold</b> & name"), *view.rows[1:])
    text = figures.fragment(figures.ranking(replace(view, rows=rows)), 'a"><b>')
    assert 'id="a___b_"' in text and "bold" in text and "<b>bold" not in text
    data = json.loads(re.search(r"Plotly\.newPlot\(\s*\"[^\"]+\",\s*(\[.*?\]),\s*\{", text, re.DOTALL)[1])
    assert data[-1]["name"] == "A &lt;b&gt;bold&lt;/b&gt; &amp; name: mean"
    assert data[-2]["x"] == pytest.approx([80.0, 82.0, 84.0])  # numbers stay numbers


def test_quality_over_cost_is_a_picture(view):
    known = replace(view, rows=tuple(replace(row, seconds=10.0 * (place + 1)) for place, row in enumerate(view.rows)))
    drawn = pictures.cost(known)
    assert "Mask BCE 82.0 in 10 s" in drawn.about and "Full-label" not in drawn.about  # a ceiling does not compete
    assert all(
        0 <= shape.x <= drawn.width and 0 <= shape.y <= drawn.height for shape in drawn.shapes if "x" in vars(shape)
    )
    assert pictures.cost(replace(view, rows=view.rows[:1])) is None


def test_a_png_shows_what_the_svg_does(view):
    image = Image.open(BytesIO(png(pictures.ranking(view), scale=1)))
    drawn = pictures.ranking(view)
    assert image.size == (drawn.width, drawn.height) and image.text["Title"] == drawn.title
    dots = [shape for shape in drawn.shapes if isinstance(shape, Dot) and shape.filled]
    blue = [image.getpixel((round(dot.x), round(dot.y))) for dot in dots]
    assert all(colour[2] > colour[0] + 40 for colour in blue)  # each dot is where it belongs
    assert image.getpixel((1, 1)) == (255, 255, 255)


@pytest.mark.parametrize(
    ("values", "ends"),
    [([3.0, 97.0], (0, 100)), ([50.0], (50.0, 50.2)), ([61.2, 61.9], (61.2, 62.0)), ([0.0, 0.0], (0, 0.2))],
)
def test_a_scale_is_round_and_holds_its_values(values, ends):
    low, high, ticks = scale(values)
    assert (low, high) == pytest.approx(ends) and low <= min(values) and high >= max(values)
    assert ticks[0] == pytest.approx(low) and ticks[-1] == pytest.approx(high) and 2 <= len(ticks) <= 8


@pytest.mark.parametrize("template", sorted(TEMPLATES.glob("*.html.j2")), ids=lambda file: file.name.partition(".")[0])
def test_every_template_names_its_parts_and_leads_to_the_index(template):
    text = template.read_text(encoding="utf-8")
    for tag in re.findall(r"<(?:nav|figure)\b[^>]*>", text):
        assert "aria-label=" in tag, tag
    assert text.count("<figure") == text.count("<figcaption")
    if "<html" in text and template.name != "index.html.j2":
        assert 'href="../index.html"' in text
