"""Predictions of one network under many settings of post-processing, decoded when they are looked at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, overload

from suite.method import Method, Scores


@dataclass(frozen=True)
class Decodings(Sequence[Any]):
    """The predictions of each of ``methods``, which differ in post-processing alone, from the same ``scores``."""

    methods: Sequence[Method]
    scores: Scores
    samples: Any

    def __len__(self) -> int:
        return len(self.methods)

    @overload
    def __getitem__(self, place: int) -> Any: ...

    @overload
    def __getitem__(self, place: slice) -> Decodings: ...

    def __getitem__(self, place: int | slice) -> Any:
        if isinstance(place, slice):
            return Decodings(self.methods[place], self.scores, self.samples)
        return self.methods[place].decode(self.scores, self.samples)

    def __iter__(self) -> Iterator[Any]:
        return (method.decode(self.scores, self.samples) for method in self.methods)
