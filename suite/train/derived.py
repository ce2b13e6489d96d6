"""Arrays computed once per content and kept on disk: neighbours' labels, splits, anything a method prepares."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from suite.identity.code import function_fingerprint
from suite.spec.base import content_hash
from suite.train.storage import checkpoint


@dataclass(frozen=True)
class Derived:
    """A cache in ``folder`` (None: no cache) for arrays derived from the data with ``fingerprint``."""

    folder: Path | None
    fingerprint: str

    def cached(self, key: Mapping[str, Any], make: Callable[[], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
        """The arrays of ``make()``, computed once for this data, its code and ``key``, which must name all else."""
        if self.folder is None:
            return make()
        path = self.folder / f"{content_hash(self.fingerprint, dict(key), function_fingerprint(make))}.safetensors"
        # No lock: two processes that come here at once compute the same arrays, and each file appears whole.
        if not path.exists():
            arrays = make()
            checkpoint.save(path, {name: torch.from_numpy(np.asarray(a)) for name, a in arrays.items()}, dict(key))
        # Read back even where just made, so that the first use gets the very arrays that later ones get.
        return {name: tensor.numpy() for name, tensor in checkpoint.load(path)[0].items()}
