"""Tables as LaTeX compile, where a compiler is at hand: those of an ordinary board, and of every paper's board."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from suite.leaderboard.plan import find_board
from suite.report import aggregate, paper_forms, tables
from suite.report.paper import Ours, paper_table
from suite.results.ledger import Ledger
from tests.leaderboard.test_printed import PAPERS
from tests.report import synthetic

COMPILERS = {"pdflatex": ("-interaction=nonstopmode", "-halt-on-error"), "tectonic": ("--only-cached",)}
PACKAGES = ("booktabs", "caption", "longtable", "array", "amsmath", "graphicx", "xcolor")
WIDE = 1.0  # points by which a line may stick out, which nobody sees

pytestmark = pytest.mark.skipif(
    not any(map(shutil.which, COMPILERS)), reason="neither pdflatex nor tectonic on this machine"
)


def compiled(body: str, folder: Path) -> str:
    """The compiler's log of ``body`` as a document in ``folder``; fails where it does not compile."""
    program = next(name for name in COMPILERS if shutil.which(name))
    packages = "\n".join(rf"\usepackage{{{name}}}" for name in PACKAGES)
    text = f"\\documentclass{{article}}\n{packages}\n\\begin{{document}}\n{body}\n\\end{{document}}\n"
    (folder / "tables.tex").write_text(text, encoding="utf-8")
    command = [program, *COMPILERS[program], "tables.tex"]
    done = subprocess.run(command, cwd=folder, capture_output=True, timeout=120)
    log = done.stdout.decode(errors="replace")
    assert done.returncode == 0, log[-3000:] + done.stderr.decode(errors="replace")[-1000:]
    assert (folder / "tables.pdf").is_file()
    return log


@pytest.mark.slow
def test_every_table_of_a_board_compiles(tmp_path):
    sections = synthetic.content(tmp_path / "ledger").sections
    compiled("\n".join(tables.to_latex(section.view) for section in sections), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", PAPERS)
def test_every_table_of_a_paper_compiles(name, tmp_path):
    """Without runs: every sign of the papers' words, in tables that fit their page."""
    board, ledger = find_board(name), Ledger(tmp_path / "ledger")
    frame = aggregate.asked_frame([], ledger.runs())
    ours = Ours([], frame, aggregate.values(frame, ledger.metrics([])), ledger.curves([]))
    drawn = [paper_forms.latex(paper_table(one, board, ours)) for one in board.printed]
    log = compiled("\n\\clearpage\n".join(drawn), tmp_path)
    assert not re.search(r"Missing character|LaTeX Warning: Float too large", log), log[-3000:]
    out = [float(points) for points in re.findall(r"Overfull \\hbox \(([\d.]+)pt too wide\)", log)]
    assert not [points for points in out if points > WIDE]
