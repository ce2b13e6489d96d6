"""Neighbours from bounded products against brute force: every precision, block and room gives the same."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from methods.recognition.parts import neighbour_bounds, neighbours
from methods.recognition.parts.neighbour_bounds import all_nearest
from tests.methods.recognition.test_neighbours import _brute

CASES: dict[str, Callable[[np.random.Generator], np.ndarray]] = {
    "ties": lambda g: g.integers(-1, 2, (300, 3)).astype(np.float32),
    "far from the origin": lambda g: (g.normal(size=(500, 40)) + 900).astype(np.float32),
    "double precision": lambda g: g.normal(size=(400, 33)),
    "tiny": lambda g: (g.normal(size=(300, 200)) * 1e-18).astype(np.float32),
    "clusters": lambda g: (g.normal(size=(8, 300))[g.integers(0, 8, 600)] + g.normal(size=(600, 300)) / 50).astype("f"),
    "mixed lengths": lambda g: (g.normal(size=(400, 64)) * np.exp(3 * g.normal(size=(400, 1)))).astype(np.float32),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("block", [64, 2048])
def test_agrees_with_brute_force(case: str, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    source = CASES[case](np.random.default_rng(0))
    monkeypatch.setattr(neighbour_bounds, "BLOCK", block)
    found, unsettled = all_nearest(source, 7)
    assert len(unsettled) < len(source) / 2  # very long rows have wide bounds
    settled = np.setdiff1d(np.arange(len(source)), unsettled)
    np.testing.assert_array_equal(found[settled], _brute(source, 7)[settled])


@pytest.mark.parametrize("half", [False, True])
def test_bounds_hold_whatever_the_product_is_off_by(half: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Products that are off by nearly as much as the stated error allows, at random, give the same neighbours."""
    source = CASES["clusters"](np.random.default_rng(0))
    generator = np.random.default_rng(1)

    def disturbed(left: torch.Tensor, right: torch.Tensor) -> np.ndarray:
        exact = (left.double() @ right.double().T).numpy()
        lengths = np.outer(left.double().norm(dim=1), right.double().norm(dim=1))
        error = 2.0**-23 * left.shape[1] * lengths + (2.0**-8 * np.abs(exact) if half else 0.0)
        return (exact + generator.choice([-0.9, 0.9], exact.shape) * error).astype(np.float32)

    monkeypatch.setattr(neighbour_bounds, "multiplied_in_bfloat16", lambda: half)
    monkeypatch.setattr(neighbour_bounds, "product", disturbed)
    np.testing.assert_array_equal(all_nearest(source, 7)[0], _brute(source, 7))


@pytest.mark.parametrize("sizes", [(300, 500), (1, 500), (500, 1), (1, 1), (3, 17)])
@pytest.mark.parametrize("case", [*CASES, "wide"])
def test_products_are_off_by_no_more_than_stated(case: str, sizes: tuple[int, int]) -> None:
    """Whichever way this processor takes, for few rows, too."""
    generator = np.random.default_rng(0)
    source = CASES[case](generator) if case in CASES else generator.normal(2.0, 1.0, size=(500, 4096)).astype("f")
    known = neighbour_bounds.rounded(source)
    left, right = known.rows[: sizes[0]], known.rows[-sizes[1] :]
    found, exact = neighbour_bounds.product(left, right), (left.double() @ right.double().T).numpy()
    factor, least, kept, _, _ = known.limits
    lengths = np.sqrt(np.outer(known.squares[: sizes[0]], known.squares[-sizes[1] :]))
    assert (np.abs(found - exact) <= factor * lengths + least + kept * np.abs(found)).all()


def test_precision_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    source = np.random.default_rng(0).normal(size=(700, 257)).astype(np.float32)
    found = all_nearest(source, 5)[0]
    monkeypatch.setattr(neighbour_bounds, "multiplied_in_bfloat16", lambda: False)
    np.testing.assert_array_equal(all_nearest(source, 5)[0], found)


def test_products_outside_keep_their_precision() -> None:
    a, b = torch.randn(2, 300, 300)
    before = a @ b
    with neighbour_bounds.bfloat16_allowed():
        a @ b
    assert torch.equal(a @ b, before)


def test_rows_with_too_many_candidates_are_searched_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """A third of the rows are one and the same, more than there is room for."""
    source = np.random.default_rng(0).normal(size=(900, 16)).astype(np.float32)
    source[::3] = source[0]
    assert np.isin(np.arange(0, 900, 3), all_nearest(source, 4)[1]).all()
    monkeypatch.setattr(neighbours, "BOUNDED", (1, 1))
    np.testing.assert_array_equal(neighbours.nearest(source, 4), _brute(source, 4))
