"""How weights start."""

from __future__ import annotations

from torch import nn

CHOICES = ("xavier", "default")


def initialized(network: nn.Module, kind: str) -> nn.Module:
    """``network`` with its linear and convolutional layers drawn anew (in place).

    ``xavier``: uniform by Glorot and Bengio (AISTATS 2010), biases 0; ``default``: as PyTorch made them.
    """
    if kind == "xavier":
        for module in network.modules():
            if isinstance(module, nn.Linear | nn.Conv1d):
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
    return network
