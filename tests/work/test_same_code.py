"""The print of a node's code, and the sentence about nodes that have other code."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from suite.errors import UsageError
from suite.work import same_code
from suite.work.same_code import complaint, require_same_code

ROOT = Path(__file__).resolve().parents[2]


def test_other_nodes_are_named_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = same_code.code_print()
    monkeypatch.setattr(same_code, "_asked", lambda: [("a (10.0.0.1)", mine), ("b (10.0.0.2)", ""), ("c (1)", "f")])
    with pytest.raises(UsageError, match=r"sweep toys: the suite on b \(10.0.0.2\), c \(1\) is not the driver's code"):
        require_same_code("sweep toys")
    monkeypatch.setattr(same_code, "_asked", lambda: [("a (10.0.0.1)", mine)])
    require_same_code("sweep toys")
    assert "n0, n1, n2, n3 and 6 more is not" in complaint("t", [f"n{number}" for number in range(10)])


def test_the_print_follows_every_file_and_no_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "own.py"
    own.write_text("A = 1\n")
    monkeypatch.setenv("SUITE_METHODS", str(own))

    def print_now() -> str:
        same_code._print_with.cache_clear()
        return same_code.code_print()

    before = print_now()
    own.write_text("A = 2\n")
    assert print_now() != before
    moved = tmp_path / "elsewhere" / "own.py"
    moved.parent.mkdir()
    moved.write_text("A = 1\n")
    monkeypatch.setenv("SUITE_METHODS", str(moved))
    assert print_now() == before
    monkeypatch.undo()
    assert same_code.code_print() != before, "own files that are named later count, too"


@pytest.mark.slow
def test_a_second_copy_on_a_second_raylet_is_an_error_before_work_starts(tmp_path: Path) -> None:
    from ray.cluster_utils import Cluster

    from tests.work.drivers import Driver, board

    other = tmp_path / "other"
    for part in ("suite", "methods", "datasets", "sweeps", "reports"):
        shutil.copytree(ROOT / part, other / part, ignore=shutil.ignore_patterns("__pycache__"))
    changed = other / "suite" / "train" / "loop.py"
    changed.write_text(changed.read_text(encoding="utf-8") + "# another version\n", encoding="utf-8")
    # Ray adds the driver's own path to that of its workers; on another machine nothing is there. Here it would be found
    # first, unless the packages are imported before.
    (other / "sitecustomize.py").write_text("import suite, methods\n", encoding="utf-8")
    store = {"num_cpus": 1, "object_store_memory": 200 * 2**20}
    nodes = Cluster(initialize_head=True, head_node_args=store)
    try:
        with pytest.MonkeyPatch.context() as patched:
            patched.setenv("PYTHONPATH", str(other))
            nodes.add_node(**store)
        words = ["leaderboard", board(tmp_path), "--json", "--address", nodes.address]
        driver = Driver(tmp_path, words, RAY_AUTH_MODE=os.environ.get("RAY_AUTH_MODE", "disabled"))
        assert driver.process.wait(timeout=240) == 2, driver.said()
    finally:
        nodes.shutdown()
    said = driver.said().strip()
    assert said.startswith("suite: leaderboard toys: the suite on ") and "\n" not in said, said
    assert not driver.finished()


def test_the_module_imports_without_ray() -> None:
    code = "import sys, suite.work.same_code; sys.exit('ray' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
