"""Weak and strong views of actor features: noise, and noise with channels masked."""

from __future__ import annotations

from torch import Tensor


def weak_view(features: Tensor, noise: Tensor, spread: Tensor, amount: float) -> Tensor:
    """Features (N, D) with a little noise: unit Gaussian ``noise`` (N, D) times ``amount`` of each channel's spread."""
    return features + amount * spread * noise


def strong_view(features: Tensor, noise: Tensor, kept: Tensor, mean: Tensor, spread: Tensor, amount: float) -> Tensor:
    """Features with more noise, and the channels where ``kept`` (N, D) is False set to their mean."""
    return weak_view(features, noise, spread, amount).where(kept, mean)
