"""Dials of datasets: what one is, and those that a card gets by a word."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator

from suite.hyper import Hyper, Value
from suite.spec.base import Spec

NAME = re.compile(r"\w[\w.-]*")
CHOICES = ("majority", "soft", "all")  # what may stand in place of an annotator's name


class Dial(Spec):
    """A knob of a dataset: default, range or choices, unit and what it does.

    ``stage`` ``load`` marks a knob that acts on the packed arrays (which labels are withheld): turning it packs nothing
    anew. ``words`` says in a sentence what a value means, where its name does not.
    """

    default: Value
    low: float | None = None
    high: float | None = None
    choices: tuple[Value, ...] = ()
    unit: str = ""
    help: str = ""
    stage: Literal["read", "load"] = "read"
    words: dict[str, str] = Field(default_factory=dict)

    def check(self, value: Any, name: str, owner: str) -> Value:
        """``value`` as the default's type; raises :class:`UsageError` for a wrong type, range or choice."""
        if type(value) is type(self.default) and value == self.default:
            return self.default  # which the card was checked with; boards ask for thousands of them
        return Hyper(self.default, self.low, self.high, choices=self.choices).check(value, name, owner)


_SEED = Dial(
    default=-1,
    low=-1,
    high=1_000_000,
    unit="seed",
    help="Which labels are lost or wrong; -1 goes with the run's seed.",
    stage="load",
)


def _share(of: str, high: float, text: str) -> Dial:
    return Dial(default=0.0, low=0.0, high=high, unit=f"share of {of}", help=text, stage="load")


# Noise in the labels of the training split, by the word that a card says in ``noise``. Validation and test stay.
NOISE: Mapping[str, Mapping[str, Dial]] = {
    "labels": {
        "label_drop": _share("training clips", 0.95, "Clips that lose their single label, and so leave training."),
        "label_flip": _share(
            "training clips", 1.0, "Clips whose single label is a class that is not in their label set."
        ),
        "noise_seed": _SEED,
    },
    "segments": {
        "segment_drop": _share("training segments", 1.0, "Segments that the annotator missed."),
        "class_flip": _share(
            "training segments", 1.0, "Segments that have another class, each as likely as the others."
        ),
        "boundary_jitter": Dial(
            default=0.0,
            low=0.0,
            high=1000.0,
            help="Standard deviation by which boundaries of training segments move, in jitter_unit.",
            stage="load",
        ),
        "jitter_unit": Dial(
            default="share",
            choices=("share", "seconds"),
            help="Of boundary_jitter: shares of each segment's own length, or seconds.",
            stage="load",
        ),
        "noise_seed": _SEED,
    },
}


class Annotators(Spec):
    """Who annotated a dataset, by ``names``, in the order in which its reader gives their labels.

    ``reference``: the one among them whose labels are the truth; it has no part in a majority, and the others are
    scored against it.
    """

    names: tuple[str, ...] = Field(min_length=2)
    reference: str = ""

    @model_validator(mode="after")
    def _distinct(self) -> Annotators:
        wrong = [name for name in self.names if not NAME.fullmatch(name) or name in CHOICES]
        if wrong or len(set(self.names)) < len(self.names):
            raise ValueError(
                f"names must differ, be of letters, digits, '.', '_', '-', and none of {', '.join(CHOICES)}"
            )
        if self.reference and self.reference not in self.names:
            raise ValueError("reference must be one of names")
        return self

    def dials(self) -> dict[str, Dial]:
        """Whose labels train, and whose test."""
        who = "one of them, the majority"
        return {
            "annotator": Dial(
                default=CHOICES[0],
                choices=(*CHOICES, *self.names),
                help=f"Whose labels train: {who}, soft (shares of them) or all (of each, side by side).",
                stage="load",
            ),
            "test_annotator": Dial(
                default=self.reference or CHOICES[0],
                choices=(CHOICES[0], *self.names),
                help=f"Whose labels validate and test: {who}.",
                stage="load",
            ),
        }


def annotator_dials(values: Any) -> Mapping[str, Dial]:
    """The dials of what a card says of its annotators; none for anything else, of which the card's own check tells."""
    if values is None:
        return {}
    try:
        return Annotators.model_validate(values).dials()
    except ValidationError:
        return {}


def noise_dials(kind: Any) -> Mapping[str, Dial]:
    """The dials of one kind of :data:`NOISE`; none for anything else, of which the card's own check tells."""
    return NOISE.get(kind, {}) if isinstance(kind, str) else {}
