"""Tables as LaTeX compile, where a compiler is at hand."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from suite.report import tables
from tests.report import synthetic

COMPILERS = {"pdflatex": ("-interaction=nonstopmode", "-halt-on-error"), "tectonic": ("--only-cached",)}
PACKAGES = ("booktabs", "caption", "longtable", "array", "amsmath", "graphicx", "xcolor")


@pytest.mark.slow
@pytest.mark.skipif(not any(map(shutil.which, COMPILERS)), reason="neither pdflatex nor tectonic on this machine")
def test_every_table_of_a_board_compiles(tmp_path):
    program = next(name for name in COMPILERS if shutil.which(name))
    packages = "\n".join(rf"\usepackage{{{name}}}" for name in PACKAGES)
    drawn = "\n".join(tables.to_latex(section.view) for section in synthetic.content(tmp_path / "ledger").sections)
    text = f"\\documentclass{{article}}\n{packages}\n\\begin{{document}}\n{drawn}\n\\end{{document}}\n"
    (tmp_path / "tables.tex").write_text(text, encoding="utf-8")
    command = [program, *COMPILERS[program], "tables.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    assert (tmp_path / "tables.pdf").is_file()
