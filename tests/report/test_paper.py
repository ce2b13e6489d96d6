"""A paper's table in its own layout, filled from a ledger whose numbers are known."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from functools import cache

import pytest

from suite.leaderboard.plan import find_board, make_plan
from suite.leaderboard.printed import only
from suite.places import Places
from suite.report import paper_forms
from suite.report.build import Content, gather, write
from suite.results.brief import COLUMNS
from suite.results.ledger import Ledger
from suite.results.schema import Outcome
from tests.results.ledgers import outcome

ASL = {"ASL (ours)": (32.0, 32.5, 31.8), "ASL-s": (30.0, 30.1, 30.2), "BaSNet": (28.0, 27.9, 28.1)}
PURITY = 0.715


@cache
def asked(board: str, table: str):
    """The runs of one table, as if their data were there: with ids, and without reasons not to run."""
    spec = only(find_board(board), table)
    places = Places("nowhere", "nowhere")
    runs = [replace(one, run=f"{i:016x}", blocked="") for i, one in enumerate(make_plan(spec, places, Empty()).asked)]
    return spec, runs


class Empty:
    """A ledger that nobody wrote to."""

    def runs(self):
        import polars as pl

        return pl.DataFrame(schema=dict.fromkeys(COLUMNS, pl.String))


def made(one, values: dict[str, float], curve: tuple[str, float] | None = None) -> Outcome:
    """The outcome of a run with these metrics in percent; the authors' selection is half a point above ours."""
    base = outcome(one.spec.method, one.spec.seed, one.dataset, run=one.run, protocol=one.spec.protocol)
    rows = [
        {
            "split": "test", "selection": selection, "metric": "mAP", "label": "", "value": (value + gain) / 100,
            "threshold": float(name) if name else None,
        }
        for name, value in values.items()
        for selection, gain in (("validation", -0.5), ("last", 0.0), ("oracle", 0.0))
    ]  # fmt: skip
    point = {"phase": "train", "epoch": 9, "step": 90, "split": "analysis"}
    curves = [{**point, "metric": curve[0], "value": curve[1]}] if curve else base.curves
    return Outcome(base.run, rows, curves, base.predictions)


@pytest.fixture(scope="module")
def content(tmp_path_factory) -> Content:
    board, runs = asked("paper:asl", "Table 1")
    ledger = Ledger(tmp_path_factory.mktemp("ledger"))
    done = [made(one, {"": ASL[one.row.split(",")[0]][one.spec.seed], "0.5": 31.0}) for one in runs
            if one.row.split(",")[0] in ASL]  # fmt: skip
    broken = next(one for one in runs if one.row.startswith("ASL-BCE"))
    ledger.record_all([*done, made(broken, {}).failed("RuntimeError: no memory")])
    return gather(board, runs, ledger)


def cell(content: Content, row: str, column: str = "mAP"):
    return next(one for one in content.papers[0].rows if one.label == row).cells[column]


def test_rows_and_columns_stand_as_in_print(content):
    (table,) = content.papers
    assert table.columns == ("0.1", "0.3", "0.5", "0.7", "0.9", "mAP")
    assert [row.label for row in table.rows] == [
        "CMCS", "MAAN", "3C-Net", "BaSNet", "BM", "DGAM", "ACL", "TSCN", "EM-MIL", "ASL (ours)", "ASL-s", "ASL-a",
        "ASL-BCE",
    ]  # fmt: skip
    assert {row.group for row in table.rows[:10]} == {""} and {row.group for row in table.rows[10:]} == {"Ablation"}
    assert "0.9" not in table.rows[0].cells, "print leaves it empty"


def test_every_cell_has_a_verdict_in_words(content):
    ours = cell(content, "ASL (ours)")
    assert ours.ours == pytest.approx(32.1) and ours.difference == pytest.approx(-0.1), "at the authors' selection"
    assert ours.verdict.startswith("within interval [")
    assert cell(content, "ASL-s").verdict.startswith("above by 6.1 [")
    other = cell(content, "BaSNet")
    assert other.difference is None and "own authors, whose protocols differ" in other.verdict
    assert cell(content, "ASL (ours)", "0.7").verdict == "not measured by these runs"
    assert cell(content, "ASL-a").verdict == "not run" and cell(content, "ASL-a").printed.digits == "30.4"
    assert cell(content, "DGAM").verdict == "in print only"


def test_a_row_that_did_not_run_has_its_command_and_its_reason(content):
    rows = {row.label: row for row in content.papers[0].rows}
    assert rows["ASL (ours)"].commands == () and rows["ASL (ours)"].state == "3 of 3"
    assert rows["ASL-a"].commands == (
        "suite train action-selection 'thumos-14[validation=test]' --preset published --set localize_by=actionness "
        "--protocol 212 --seed 0",
    )
    assert rows["ASL-BCE"].why == "failed: RuntimeError: no memory" and rows["ASL-BCE"].commands
    assert rows["DGAM"].why.startswith("known by its published numbers only") and not rows["DGAM"].commands
    assert content.papers[0].command == "suite leaderboard paper:asl --table 'Table 1'"
    assert content.papers[0].protocols == ["BaSNet: number of the method's own authors, whose protocols differ."]
    assert [note for note in content.papers[0].notes if note.startswith("ASL-a (Ablation, mAP): inconsistent")]


def test_curves_and_means_over_datasets(tmp_path):
    board, runs = asked("paper:asl", "Fig. 4a")
    ledger = Ledger(tmp_path / "curves")
    ledger.record_all([made(one, {"": 30.0}, ("T_pos purity", PURITY)) for one in runs if one.row == "ASL"])
    (row,) = (row for row in gather(board, runs, ledger).papers[0].rows if row.label == "ASL")
    assert row.cells["share of T_pos with action"].ours == pytest.approx(100 * PURITY)
    board, runs = asked("paper:single-positive", "notebook 2022-07-22")
    ledger = Ledger(tmp_path / "splits")
    mine = [one for one in runs if one.row == "AN"]
    assert {one.dataset for one in mine} == {
        "confusing-hmdb-102[validation=test]",
        "confusing-hmdb-102[split=2,validation=test]",
        "confusing-hmdb-102[split=3,validation=test]",
    }
    score = {one.dataset: 10.0 * place for place, one in enumerate(mine[::3], start=1)}
    ledger.record_all([made(one, {"": score[one.dataset] + one.spec.seed}) for one in mine])
    row = gather(board, runs, ledger).papers[0].rows[0]
    assert row.cells["mAP"].ours == pytest.approx(20.0 + 1.0 - 0.5), (
        "by split, then by seed; epochs chosen on validation"
    )
    assert row.cells["mAP"].verdict.startswith("different protocol: epoch with the best test IoU")


def test_runs_without_pseudo_labels_say_why_nothing_about_them_was_measured(tmp_path):
    board, runs = asked("paper:npl", "Table 3")
    ledger = Ledger(tmp_path / "bare")
    ledger.record_all([made(one, {"": 30.0}, ("no pseudo-labels", 1.0)) for one in runs])
    verdicts = {one.verdict for row in gather(board, runs, ledger).papers[0].rows for one in row.cells.values()}
    assert "no pseudo-labels" in verdicts
    assert "not measured by these runs" not in verdicts


def test_files_say_the_same_in_every_form(content, tmp_path):
    page = write(content, tmp_path / "report").read_text(encoding="utf-8")
    text = (tmp_path / "report" / "report.md").read_text(encoding="utf-8")
    for said in (
        "Table 1: THUMOS-14",
        "30.4",
        "within interval",
        "not run",
        "in print only",
        "--set localize_by=actionness",
    ):
        assert said in page and said in text, said
    frame = paper_forms.frame(content.papers[0])
    assert frame.filter(frame["printed"].is_not_null()).height == frame.height == 69
    assert (tmp_path / "report" / "paper-table-1.csv").is_file()


LATEX = next(filter(None, map(shutil.which, ("pdflatex", "lualatex", "tectonic"))), "")


def test_latex_of_a_rehearsal_says_so(content):
    """A file that is copied into a paper must not pass for results."""
    table = content.papers[0]
    assert "No results" not in paper_forms.latex(table)
    rows = tuple(replace(row, state="1 of 1, generated features, shortened") for row in table.rows)
    assert "No results: generated features, shortened." in paper_forms.latex(replace(table, rows=rows))


def test_latex_has_the_papers_layout(content):
    text = paper_forms.latex(content.papers[0])
    for said in (
        r"\toprule",
        r"\bottomrule",
        r"\emph{Ablation}",
        "32.1 $\\pm$ 0.4 (32.2)",
        r"$^{\uparrow}$ (24.0)",
        "-- (30.4)",
    ):
        assert said in text, said
    rows = [line for line in text.splitlines() if line.endswith(r"\\") and "multicolumn" not in line]
    assert {line.count("&") for line in rows} == {6} and text.count("{") == text.count("}")
    assert (
        paper_forms.tex("a_b & 50 % of λ₁ #1 <x>") == r"a\_b \& 50 \% of $\lambda$$_1$ \#1 \textless{}x\textgreater{}"
    )


@pytest.mark.skipif(not LATEX, reason="no LaTeX is installed")
def test_latex_compiles(content, tmp_path):
    body = paper_forms.latex(content.papers[0])
    (tmp_path / "t.tex").write_text(
        "\\documentclass{article}\n\\usepackage{booktabs,graphicx}\n\\begin{document}\n" + body + "\\end{document}\n"
    )
    done = subprocess.run([LATEX, "t.tex"], cwd=tmp_path, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout.decode(errors="replace")[-2000:]
