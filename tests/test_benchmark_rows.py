"""What the page of benchmarks says of each row: a part of the machine's ceiling, and of what."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from methods.networks.products import linear
from tests.benchmarks import ceilings
from tests.benchmarks.page import row_of, table
from tests.benchmarks.rows import Row, shown

KEPT = sorted((Path(__file__).parent / "benchmarks" / "results").glob("*.json"))


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.stem)
def test_every_row_has_its_part_of_a_measured_ceiling(path: Path) -> None:
    kept = json.loads(path.read_text(encoding="utf-8"))
    assert kept["rows"], "a benchmark that only prints has no row on the page"
    rows = [row_of(line) for line in kept["rows"] if line["kind"] == "row"]
    assert [row.what for row in rows if row.share is None or not row.bound] == []
    assert [row.what for row in rows if row.share is not None and not 0 < row.share < 2] == []


def test_operations_are_those_of_products() -> None:
    left, right = torch.randn(3, 5), torch.randn(5, 7)
    assert ceilings.operations(lambda: left @ right) == 2 * 3 * 5 * 7
    values, weight = torch.randn(1024, 256), torch.randn(512, 256)
    for route in (linear, torch.nn.functional.linear):
        assert ceilings.operations(lambda: route(values, weight)) == 2 * 1024 * 256 * 512  # noqa: B023


def test_ceilings_are_proportional_to_the_work() -> None:
    assert ceilings.products(2e9) == pytest.approx(2 * ceilings.products(1e9))
    assert ceilings.reading(2e9) == pytest.approx(2 * ceilings.reading(1e9))
    assert ceilings.products(1e9) > 0
    assert ceilings.reading(1e9) > 0
    assert ceilings.sorting(np.random.default_rng(0).random(200_000)) > 0


def test_a_row_says_what_bounds_it() -> None:
    row = Row("asl", "a step", "before", 2.0, 0.5, 0.25, 3.0, bound="its products")
    text = table([({}, row)], with_command=False)
    assert "| a step | 0.5 | 2.0 | before | 25%: its products | 3 times: **missed** |" in text
    assert (shown(0.5), shown(0.0123)) == ("50%", "1.2%")
