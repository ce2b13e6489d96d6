"""The weights of a kept model, with what its file says of them beside the tensors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from suite.errors import DataError

FACTS = "facts"  # of the file's metadata: what marks weights that the suite kept


@dataclass(frozen=True)
class KeptWeights:
    """Tensors by the names that the network gives them, and ``facts``: ``classes`` in the order of scores, ``run``,
    ``method`` and ``dataset``. Models that an earlier suite kept say none of these."""

    tensors: Mapping[str, Tensor]
    facts: Mapping[str, Any]

    @property
    def classes(self) -> tuple[str, ...] | None:
        """The classes of the data that it learned from; None where the file does not say."""
        found = self.facts.get("classes")
        return None if found is None else tuple(found)


def kept_facts(path: Path) -> dict[str, Any] | None:
    """What the file of a kept model says of it; None for any other file, released weights among them."""
    try:
        with safe_open(path, framework="pt") as file:
            facts: dict[str, Any] = json.loads((file.metadata() or {})[FACTS])
            return facts
    except (SafetensorError, OSError, KeyError, ValueError):
        return None


def kept_weights(path: Path) -> KeptWeights | None:
    """The weights in ``path``, where that is the file of a kept model; raises :class:`DataError` if it is damaged."""
    facts = kept_facts(path)
    if facts is None:
        return None
    try:
        with safe_open(path, framework="pt") as file:
            return KeptWeights({name: file.get_tensor(name) for name in file.keys()}, facts)  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise DataError(f"{path} is not a whole file of weights ({error}); keep or export the model again.") from None
