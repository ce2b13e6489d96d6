"""mAP of many settings of post-processing over the same scores, with all that they share done once.

Candidates are made once for all settings that differ in suppression and in the threshold on classes alone; they are
sorted once, and their overlaps with the truth are taken once (:mod:`suite.evaluate.scoring`). Soft suppression is done
for all settings together, once for those of one sigma. Numbers are those of decoding and scoring each setting by
itself, to the bit; settings that a method does not cover go that way.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np

from suite.evaluate.protocols import TemporalProtocol
from suite.evaluate.scoring.pool import Picked, Pool, Thinning
from suite.evaluate.scoring.rematch import Rematch, covers
from suite.evaluate.scoring.soft_settings import thinned_each
from suite.method import Hyper, Scores
from suite.tasks.localization.evaluator import counted_videos, scored
from suite.tasks.localization.samples import Videos
from suite.tasks.scoring.decodings import Decodings


@runtime_checkable
class Searchable(Protocol):
    """A method whose decoding is candidates that are then thinned."""

    @property
    def hypers(self) -> Mapping[str, Hyper]:
        """Its declared parameters."""

    @property
    def thins(self) -> frozenset[str]:
        """Parameters on which :meth:`pool` does not depend."""

    @property
    def chooses(self) -> str:
        """A parameter of which a lower value shows more classes of a video, each with the same candidates; or empty."""

    def pool(self, scores: Scores, samples: Videos) -> Pool:
        """The candidates."""

    def thinning(self) -> Thinning | None:
        """What decoding does with them; None for settings where it does something else."""


def map_per_tiou(
    decodings: Decodings, samples: Videos, protocol: TemporalProtocol
) -> list[tuple[np.ndarray, np.ndarray]] | None:
    """Of each setting tIoUs (T,) and mAP (T,); None where nothing is shared."""
    methods: Sequence[Any] = decodings.methods
    kinds = {type(method): method for method in methods}  # each is asked once: there may be thousands of settings
    if not covers(protocol) or not all(map(_says_how_it_decodes, kinds.values())):
        return None
    names = {kind: _of_candidates(method) for kind, method in kinds.items()}
    alike: dict[Hashable, list[int]] = {}
    for place, method in enumerate(methods):
        values = tuple(getattr(method, name) for name in names[type(method)])
        alike.setdefault((type(method), values), []).append(place)
    found: dict[int, np.ndarray] = {}
    for places in alike.values():
        if len(places) > 1:
            found |= _of_one_pool({place: methods[place] for place in places}, decodings, samples, protocol)
    tiou = np.asarray(protocol.tiou, dtype=np.float64)
    return [
        (tiou, found[place] if place in found else scored(decodings[place], samples, protocol).map_per_tiou)
        for place in range(len(methods))
    ]


def _says_how_it_decodes(method: Any) -> bool:
    """Whether pool and thinning describe the decoding of this very class: not where a subclass decodes otherwise."""
    if not isinstance(method, Searchable):
        return False
    parts = [method, method.detector] if hasattr(method, "detector") else [method]
    return all(
        min(_place(type(part), "pool"), _place(type(part), "thinning")) <= _place(type(part), "decode")
        for part in parts
    )


def _place(kind: type, name: str) -> int:
    """How many classes up from ``kind`` the attribute is defined."""
    return next(place for place, base in enumerate(kind.__mro__) if name in vars(base))


def _of_candidates(method: Searchable) -> list[str]:
    """Parameters of post-processing on which the candidates depend."""
    post = {name for name, declared in method.hypers.items() if declared.post}
    return sorted(post - method.thins - {method.chooses})


def _of_one_pool(
    methods: Mapping[int, Any], decodings: Decodings, samples: Videos, protocol: TemporalProtocol
) -> dict[int, np.ndarray]:
    """mAP (T,) of the settings that have the same candidates, but for those that are not covered."""
    rules = {place: method.thinning() for place, method in methods.items()}
    covered = {place: rule for place, rule in rules.items() if rule is not None}
    if not covered:
        return {}
    lead = min((methods[place] for place in covered), key=_lowest)
    pool = lead.pool(decodings.scores, samples)
    rematch = Rematch(samples.segments, pool, protocol, counted_videos(samples, protocol))
    places = list(covered)
    if lead.chooses:
        shown = lead.shown(decodings.scores["probability"])
        picked = (
            (place, _picked(pool, rule, methods[place], shown, decodings.scores)) for place, rule in covered.items()
        )
    else:
        picked = ((places[number], one) for number, one in thinned_each(pool, list(covered.values())))
    return {place: rematch.map_per_tiou(one) for place, one in picked if one is not None}


def _lowest(method: Any) -> float:
    """What is lowest for the setting that shows most classes."""
    return float(getattr(method, method.chooses)) if method.chooses else 0.0


def _picked(pool: Pool, rule: Thinning, method: Any, shown: np.ndarray, scores: Scores) -> Picked | None:
    """What a setting predicts; ``shown`` (V, C) are the classes whose candidates are in the pool."""
    own = method.shown(scores["probability"])
    if (own & ~shown).any():
        return None
    return pool.thinned(rule, own[pool.found.video, pool.found.label])
