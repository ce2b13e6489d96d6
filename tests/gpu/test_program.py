"""The program for a CUDA machine, tried on the CPU; and what a machine without a device can tell of one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.gpu import __main__ as program
from tests.gpu import agreement, neighbours, speed, training
from tests.gpu.cases import CASES, made
from tests.gpu.report import Report

ROOT = Path(__file__).resolve().parents[2]
CHEAP = ["recognition head", "teacher and student"]


@pytest.fixture
def report(tmp_path: Path) -> Report:
    return Report(tmp_path / "report.json", 600.0, program.facts("cpu"))


@pytest.mark.parametrize("name", CHEAP)
def test_a_network_agrees_with_itself(report: Report, name: str) -> None:
    agreement.networks(report, "cpu", [name])
    assert not report.failures
    half = [row.value for row in report.rows if row.measure == "gradients, bfloat16"]
    assert half[0] > 0  # it was computed in half precision


@pytest.mark.slow
def test_every_network_agrees_with_itself_in_half_precision(report: Report) -> None:
    agreement.networks(report, "cpu")
    assert not report.failures
    assert {row.item for row in report.rows} == set(CASES)


def test_rules_and_neighbours(report: Report) -> None:
    agreement.rules(report, "cpu")
    neighbours.neighbours(report, "cpu", full=False)
    assert not report.failures and not report.skipped
    recalls = [row.value for row in report.rows if row.measure == "recall at 15"]
    assert recalls == sorted(recalls) and recalls[-1] > 0.9


def test_speed_has_a_floor_below_the_step(report: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed, "SECONDS", 0.1)
    speed.steps(report, "cpu", full=False, names=CHEAP)
    shares = [row.value for row in report.rows if "utilization" in row.measure]
    assert len(shares) == 2 * len(CHEAP) and all(0 < share < 1 for share in shares)


def test_a_method_is_compared(report: Report) -> None:
    training.methods(report, "cpu", ["assume-negative"])
    gap = next(row for row in report.rows if row.measure == "relative difference of the first loss")
    assert gap.value == 0 and not report.failures


def test_a_wrong_number_is_a_failure(report: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    found = agreement.gradients
    calls = iter(range(100))
    monkeypatch.setattr(agreement, "gradients", lambda case: {k: v + next(calls) for k, v in found(case).items()})
    agreement.networks(report, "cpu", ["recognition head"])
    assert report.failures and json.loads(report.path.read_text())["failures"] == len(report.failures)


def test_what_is_missing_fails_or_late_leaves_the_rest(report: Report) -> None:
    def missing() -> None:
        raise ModuleNotFoundError("No module named 'polars'")

    report.part("one", missing)
    report.part("two", lambda: [][0])
    report.seconds = 0.0
    report.part("three", pytest.fail)
    written = json.loads(report.path.read_text())
    assert "polars" in written["skipped"]["one"] and "time" in written["skipped"]["three"]
    assert [row["item"] for row in written["rows"]] == ["failure"]


@pytest.mark.slow
def test_torch_and_numpy_are_enough_for_the_networks(tmp_path: Path) -> None:
    code = f"""
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {{"polars", "pyarrow", "ray", "numba", "scipy", "typer", "rich", "pydantic", "faiss"}}:
            raise ModuleNotFoundError(f"No module named '{{name}}'", name=name)
sys.meta_path.insert(0, Missing())
sys.argv = "tests.gpu --device cpu --small rules neighbours methods --out".split() + [{str(tmp_path / "r.json")!r}]
from tests.gpu.__main__ import main
main()
"""
    said = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    written = json.loads((tmp_path / "r.json").read_text())
    assert said.returncode == 0, said.stderr
    assert "pydantic" in written["skipped"]["methods"] and written["failures"] == 0
    assert {row["part"] for row in written["rows"]} >= {"agreement", "neighbours"}


@pytest.mark.parametrize("name", [name for name in CASES if name not in ("BMN", "SlowFast 8x8 R50", "ACAR")])
def test_published_sizes_fit_together(name: str) -> None:
    """On meta tensors, which have shapes and no values: a step at the published size, forward and backward."""
    with torch.device("meta"):
        case = CASES[name](True)
    loss = case.loss(case.network, case.inputs)
    loss.backward()
    assert loss.shape == () and all(p.grad is not None for p in case.network.parameters() if p.requires_grad)


def test_one_forward_for_both_views_is_the_same_step() -> None:
    apart, together = (agreement.gradients(made(name, full=False)) for name in list(CASES)[-2:])
    assert agreement.difference(together, apart) < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("name", CHEAP)
def test_a_compiled_network_gives_the_same_loss(name: str) -> None:
    torch.manual_seed(0)
    case = agreement.without_chance(CASES[name](False))
    try:
        compiled = case.loss(torch.compile(case.network), case.inputs)  # type: ignore[arg-type]
    except Exception as error:
        if "compiler" in str(error).lower():
            pytest.skip("torch.compile finds no C++ compiler here")
        raise
    torch.testing.assert_close(compiled, case.loss(case.network, case.inputs))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device on this machine")
def test_a_cuda_device_agrees_with_the_cpu(report: Report) -> None:
    agreement.networks(report, "cuda")
    agreement.rules(report, "cuda")
    training.methods(report, "cuda")
    assert not report.failures
