"""Which parameters of a transformer decay: weights of linear maps and convolutions, nothing else."""

from __future__ import annotations

from typing import Any

from torch import nn


def decay_groups(network: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Two optimizer groups: weights of ``nn.Linear`` and convolutions decay; biases, norms and scales do not."""
    decaying = {
        f"{prefix}.weight".lstrip(".")
        for prefix, module in network.named_modules()
        if isinstance(module, nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d)
    }
    named = list(network.named_parameters())
    return [
        {"params": [p for name, p in named if name in decaying], "weight_decay": weight_decay},
        {"params": [p for name, p in named if name not in decaying], "weight_decay": 0.0},
    ]
