"""What a setting was measured to take, and what it is kept under; light to import, for plans."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from suite.data import find_card
from suite.errors import UsageError
from suite.presets import changes, preset_of, value_text
from suite.registry import method
from suite.spec.base import content_hash
from suite.spec.card import DatasetCard, Size
from suite.spec.run import RunSpec


@dataclass(frozen=True)
class Timed:
    """Seconds on this machine: of a ``step`` by phase, of ``entering`` it per training sample, of scoring a sample.

    They are those of the processor: what other programs take meanwhile is no cost of a run.

    ``peak`` is the largest resident memory of a process that does so and has a run's libraries, less the noise that it
    trains on (0: not measured; of :func:`timed` itself: that noise). Of a test sample, ``kept`` is what its scores take
    and ``judged`` what it takes at most to decode and evaluate them. All in bytes.
    """

    step: Mapping[str, float]
    entering: Mapping[str, float]
    score: float
    peak: float = 0.0
    kept: float = 0.0
    judged: float = 0.0


def size_of(card: DatasetCard) -> Size:
    """The published size that the card states; raises :class:`UsageError` where it states none."""
    if card.size is None:
        raise UsageError(f"{card.name} states no published size; add [size] to its card to estimate what runs cost.")
    return card.size


def scored(spec: RunSpec) -> int:
    """Samples that an evaluation scores: of two splits, taken as equally long, or of the test alone for both.

    Of videos cut into clips, the test split holds every ``test_stride``-th.
    """
    every = math.ceil(size_of(find_card(spec.dataset)).test / int(spec.dials.get("test_stride", 1)))
    return every * (1 if spec.dials.get("validation") == "test" else 2)


def name_of(spec: RunSpec) -> str:
    """What runs of one setting and length share, whatever their seed."""
    from suite.report.matching import key_of  # which brings what is in print

    return content_hash([*key_of(spec), *([str(spec.epochs)] if spec.epochs else [])])


def key_for(spec: RunSpec) -> str:
    """What runs of one cost per step share: ablations and shares of labels change how many, hardly how long.

    Hyper-parameters that are declared to change that are named where they are not the preset's.
    """
    chosen = method(spec.method)
    changed = {name: value for name, value in changes(chosen, spec.params).items() if name in chosen.hypers}
    apart = [f"{name}={value_text(value)}" for name, value in changed.items() if chosen.hypers[name].timed]
    return ", ".join([spec.method, preset_of(chosen, spec.params), spec.dataset, *apart])
