"""Losses and gradients against the released implementation, on every case of the golden file."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from methods.recognition.parts import losses
from tests.golden import close, golden

VALUES = golden("single_positive_losses.npz")
CASES = sorted({key.split("__")[0] for key in VALUES})
PAIRS = sorted(key.rsplit("__", 1)[0] for key in VALUES if key.endswith("__loss"))

Loss = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]
LOSSES: dict[str, Loss] = {
    "AN": lambda z, t, _: losses.assume_negative(z, t),
    "WAN": lambda z, t, _: losses.weak_assume_negative(z, t, 1 / (z.shape[1] - 1)),
    "LS": lambda z, t, _: losses.label_smoothing(z, t, 0.1),
    "NLS": lambda z, t, _: losses.negative_label_smoothing(z, t, 0.1),
    "Focal": lambda z, t, _: losses.focal(z, t, 0.25, 2.0),
    "EM": lambda z, t, _: losses.entropy_maximization(z, t, 0.2),
    "MaskBCE": losses.mask_bce,
    "PSBCE": losses.pseudo_single_bce,
    "CE": lambda z, t, _: torch.nn.functional.cross_entropy(z, t.argmax(dim=1)),
}


def _inputs(case: str, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    logits = torch.from_numpy(VALUES[f"{case}__logits"]).to(dtype).requires_grad_()
    if f"{case}__target" in VALUES:
        target = torch.from_numpy(VALUES[f"{case}__target"]).to(dtype)
        return logits, target, torch.zeros_like(target, dtype=torch.bool)
    labels = torch.from_numpy(VALUES[f"{case}__single_label"])
    pseudo = torch.from_numpy(VALUES[f"{case}__pseudo_multi_hot"]).bool()
    return logits, losses.one_hot(labels, logits.shape[1], logits), pseudo


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 1e-5)])
@pytest.mark.parametrize("pair", PAIRS)
def test_loss_and_gradient(pair: str, dtype: torch.dtype, tolerance: float) -> None:
    case, name = pair.split("__")
    logits, target, pseudo = _inputs(case, dtype)
    loss = LOSSES[name](logits, target, pseudo)
    loss.backward()
    close(loss.detach().numpy(), VALUES[f"{pair}__loss"], tolerance)
    assert logits.grad is not None and torch.isfinite(logits.grad).all()
    close(logits.grad.numpy(), VALUES[f"{pair}__grad"], tolerance)


@pytest.mark.parametrize("case", [case for case in CASES if f"{case}__mask_format_target" in VALUES])
def test_pseudo_labels_never_hold_the_annotated_class(case: str) -> None:
    target = VALUES[f"{case}__mask_format_target"]
    _, single, pseudo = _inputs(case, torch.float64)
    np.testing.assert_array_equal(single.numpy() - pseudo.numpy().astype(float), target)


@pytest.mark.parametrize("case", [case for case in CASES if f"{case}__mask_format_target" in VALUES])
def test_paper_divides_by_the_classes_that_count(case: str) -> None:
    logits, target, pseudo = _inputs(case, torch.float64)
    rows = [losses.mask_bce(logits[i : i + 1], target[i : i + 1], pseudo[i : i + 1]) for i in range(len(logits))]
    expected = torch.stack([row / (~mask).sum() for row, mask in zip(rows, pseudo, strict=True)]).mean()
    close(losses.mask_bce(logits, target, pseudo, "paper").detach().numpy(), expected.detach().numpy(), 1e-12)
    close(
        losses.assume_negative(logits, target, "paper").detach().numpy() * logits.shape[1],
        VALUES[f"{case}__AN__loss"],
        1e-9,
    )
