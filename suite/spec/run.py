"""One run: a method with its parameters on a dataset, under a protocol, with a seed and a budget."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from suite.hyper import Value
from suite.spec.base import Spec, content_hash
from suite.spec.pinned import content_of

Precision = Literal["float32", "bfloat16", "float16"]
Seed = Annotated[int, Field(ge=0, le=2**63 - 1)]  # as the ledger and generators hold it
Seeds = Annotated[tuple[Seed, ...], Field(min_length=1)]


class RunSpec(Spec):
    """Everything that is asked of one training run; ``params`` and ``dials`` are resolved, defaults included.

    ``epochs`` overrides the method's own budget: phases are scaled so that they add up to it. A file among ``params``
    is pinned (:mod:`suite.spec.pinned`): its content is part of the run's name, its path is not.
    """

    method: str
    dataset: str
    params: dict[str, Value] = Field(default_factory=dict)
    dials: dict[str, Value] = Field(default_factory=dict)
    protocol: str = "default"
    seed: Seed = 0
    epochs: int | None = Field(None, ge=1)
    precision: Precision = "float32"

    def run_id(self, fingerprint: str, code: str) -> str:
        """The run's name: a hash of the request, the data's fingerprint and that of the code that computes."""
        params = {name: content_of(value) for name, value in self.params.items()}
        return content_hash(self.model_dump(mode="json") | {"params": params}, fingerprint, code)
