"""Weak and strong views of actor features: noise, noise with channels masked, and nuisance drawn anew."""

from __future__ import annotations

from torch import Tensor


def weak_view(features: Tensor, noise: Tensor, spread: Tensor, amount: float) -> Tensor:
    """Features (N, D) with a little noise: unit Gaussian ``noise`` (N, D) times ``amount`` of each channel's spread."""
    return features + amount * spread * noise


def redrawn(features: Tensor, mean: Tensor, nuisance: Tensor, draws: Tensor) -> Tensor:
    """Features (N, D) with another nuisance: what lies along its orthogonal directions gives way to new ``draws``.

    As a change of light or view point changes a picture of the same action: labels keep all of their evidence.

    Args:
        mean: (D,) of the training features. nuisance: (J, D) orthogonal, as long as people spread along them.
        draws: (N, J) unit Gaussian.
    """
    unit = nuisance / nuisance.norm(dim=1, keepdim=True)
    return features - (features - mean) @ unit.T @ unit + draws @ nuisance


def strong_view(features: Tensor, noise: Tensor, kept: Tensor, mean: Tensor, spread: Tensor, amount: float) -> Tensor:
    """Features with more noise, and the channels where ``kept`` (N, D) is False set to their mean."""
    return weak_view(features, noise, spread, amount).where(kept, mean)
