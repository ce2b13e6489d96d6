"""Files in the layouts of released weights, and the names that the releases give their tensors.

``released/*.txt`` list names and shapes as the released networks print them (``state_dict`` of ACAR-Net d684203,
actionformer_release 61ea7eb, BMN a92c1d7, OpenTAD 3dd7b03; Caffe2 blobs whose names SlowFast 287ec00 converts).
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

FOLDER = Path(__file__).parent / "released"
COUNTERS = "num_batches_tracked"


def names(release: str) -> dict[str, tuple[int, ...]]:
    """Name to shape of every tensor of a release."""
    lines = (line.split(" ") for line in (FOLDER / f"{release}.txt").read_text(encoding="utf-8").splitlines())
    return {name: tuple(int(size) for size in "".join(shape).split("x") if size) for name, *shape in lines}


def random(shapes: Mapping[str, tuple[int, ...]], seed: int = 0) -> dict[str, Tensor]:
    """A random tensor of each shape (none negative, so that they may be variances)."""
    generator = torch.Generator().manual_seed(seed)
    return {name: torch.rand(shape, generator=generator) for name, shape in shapes.items()}


def shaken(network: nn.Module) -> nn.Module:
    """``network`` in evaluation mode with every tensor away from its initialization."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            if tensor.is_floating_point():
                fan = max(tensor[0].numel(), 1) if tensor.dim() > 1 else 4
                noise = torch.rand(tensor.shape, generator=generator)
                tensor.copy_(noise + 0.5 if name.endswith("var") else (noise - 0.3) / fan**0.5)
    return network.eval()


def weights_of(network: nn.Module) -> dict[str, Tensor]:
    """What a network would save, but for counters."""
    return {name: tensor for name, tensor in network.state_dict().items() if not name.endswith(COUNTERS)}


def caffe2(tensors: Mapping[str, Tensor], path: Path) -> Path:
    """A pickle of blobs as the model zoo has them: arrays, momenta and the state of training."""
    blobs: dict[str, object] = {name: tensor.numpy() for name, tensor in tensors.items()}
    momenta = {f"{name}_momentum": value for name, value in blobs.items()}
    path.write_bytes(pickle.dumps({"blobs": {**blobs, **momenta, "lr": 0.1, "model_iter": 7}, "cfg": "x"}, protocol=2))
    return path
