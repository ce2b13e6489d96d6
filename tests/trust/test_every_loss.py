"""No loss of ``methods`` goes without a case: huge scores, certain probabilities, nothing to learn, half precision."""

from __future__ import annotations

import pytest
import torch

from tests.trust.losses import CASES, called, discovered
from tests.trust.test_numerics import LOSSES, PLAIN_ONLY, PROBABILITIES, plain
from tests.trust.test_numerics import test_centres_without_a_labelled_video as centres
from tests.trust.test_numerics import test_counts_of_absent_classes_and_segments_of_no_length as counts

SIZES = {"huge": 1e4, "none": 0.0}


def test_every_loss_that_is_found_in_the_files_has_a_case() -> None:
    with called() as seen:
        for case in CASES.values():
            case.loss(case.point())
        for loss in (LOSSES | PLAIN_ONLY).values():
            loss(plain())
        for loss in PROBABILITIES.values():
            loss(plain().sigmoid())
        centres("mean")
        counts()
    found = discovered()
    assert len(found) > 50 and not found - seen, sorted(found - seen)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.whole])
def test_gradients(name: str) -> None:
    case = CASES[name]
    assert torch.autograd.gradcheck(case.loss, case.point().requires_grad_(), eps=1e-7, atol=1e-5)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.domain == "scores"])
@pytest.mark.parametrize("size", SIZES)
def test_huge_and_equal_scores_are_finite(name: str, size: str) -> None:
    case = CASES[name]
    scores = (SIZES[size] * case.point(torch.float32)).requires_grad_()
    loss = case.loss(scores)
    loss.backward()
    assert torch.isfinite(loss) and torch.isfinite(scores.grad).all()


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.domain == "probabilities"])
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_certain_probabilities_are_finite(name: str, value: float) -> None:
    case = CASES[name]
    probability = torch.full(case.shape, value, requires_grad=True)
    loss = case.loss(probability)
    loss.backward()
    assert torch.isfinite(loss) and torch.isfinite(probability.grad).all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", CASES)
def test_half_precision_is_near(name: str, dtype: torch.dtype) -> None:
    case = CASES[name]
    if dtype == torch.float16 and not case.half:
        return
    point = case.point(dtype)
    exact, half = float(case.loss(point.double())), float(case.loss(point))
    assert half == pytest.approx(exact, rel=0.1, abs=0.1)
