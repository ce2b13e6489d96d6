"""The notebooks: stored without outputs, their code parses, and (slow) runs from the first cell to the last."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import suite
from docs.generate.notebooks import FOLDER, cells, code_of, page

NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def test_there_are_two():
    assert [path.stem for path in NOTEBOOKS] == ["first-run", "two-methods"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_stored_without_outputs_and_parses(path: Path):
    assert not [cell for cell in cells(path) if cell.get("outputs") or cell.get("execution_count")]
    compile("\n".join(code_of(path)), str(path), "exec")
    shown = page(path)
    assert shown.startswith("# Notebook: ") and shown.count("```python") == len(code_of(path))


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(suite, "load"), reason="suite has no library yet: import suite gives a version alone")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path: Path, tmp_path: Path):
    """In a process of its own, cell by cell, the last value of each shown as a notebook shows it."""
    script = tmp_path / "notebook.py"
    script.write_text(RUNNER, encoding="utf-8")
    places = {"SUITE_OUTPUTS": str(tmp_path / "outputs"), "SUITE_METHODS": "", "SUITE_DATASETS": ""}
    environment = {**os.environ, **places, "PYTHONPATH": str(Path(suite.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, script, path], capture_output=True, text=True, env=environment, cwd=tmp_path, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "points" in done.stdout and "shown: " in done.stdout


RUNNER = """
import ast, json, sys
names = {}
for cell in json.load(open(sys.argv[1], encoding="utf-8"))["cells"]:
    if cell["cell_type"] != "code":
        continue
    tree = ast.parse("".join(cell["source"]))
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "cell", "exec"), names)
    if last is not None:
        value = eval(compile(ast.Expression(last.value), "cell", "eval"), names)
        html = getattr(value, "_repr_html_", lambda: repr(value))()
        print("shown:", type(value).__name__, len(html or ""))
"""
