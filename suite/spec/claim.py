"""A claim of a paper: a method, the control that lacks its mechanism, and a dial that turns the premise off and on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from suite.errors import UsageError
from suite.hyper import Value
from suite.spec.base import Spec, load_toml
from suite.spec.board import Trials

Expectation = Literal["gain", "none"]


class Arm(Spec):
    """A method with parameters over its defaults; ``label`` is its name in figures (empty: the method's title)."""

    method: str
    label: str = ""
    params: dict[str, Value] = Field(default_factory=dict)


class Point(Spec):
    """One position of the dial: ``at`` on the axis, the ``dataset`` with its dials, and what is expected there.

    ``gain``: the premise holds, the method beats its control; ``none``: the premise is off, no gain is expected.
    ``params`` are settings of all arms there, over those of the claim, for dials that are no dials of a dataset.
    """

    at: float | str
    dataset: str
    expect: Expectation
    params: dict[str, Value] = Field(default_factory=dict)


class Premise(Spec):
    """An analysis curve of the method that says whether the premise holds, and its least value where it does."""

    measure: str
    least: float | None = None
    about: str = ""


class Claim(Spec):
    """One claim, as its file states it; the expected signs are written down before anything runs.

    ``trials`` are settings that all sides try, each choosing by its own validation data (:mod:`suite.report.trials`);
    ``params`` are shared by all runs. ``reference`` is shown beside the two and never judged: an oracle, say, that
    bounds what the method can reach. ``measures`` are further analysis curves of the method to show. ``quick`` claims
    are those of ``suite claims --quick``.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    paper: str
    place: str
    sentence: str
    about: str = ""
    task: str = ""
    method: Arm
    control: Arm
    reference: Arm | None = None
    metric: str
    dial: str
    points: tuple[Point, ...] = Field(min_length=1)
    seeds: Annotated[int, Field(ge=2, le=1000)] = 5
    epochs: int | None = Field(None, ge=1)
    protocol: str = "default"
    params: dict[str, Value] = Field(default_factory=dict)
    trials: Trials = ({},)
    premise: Premise | None = None
    measures: tuple[str, ...] = ()
    quick: bool = False

    @model_validator(mode="after")
    def _expects_something(self) -> Claim:
        if not any(point.expect == "gain" for point in self.points):
            raise ValueError("points: at least one must expect a gain")
        return self


def load_claim(path: Path) -> Claim:
    """Read a claim; its name must be the file's."""
    claim = load_toml(path, Claim)
    if claim.name != path.stem:
        raise UsageError(f"{path} is the claim '{claim.name}'; rename the file to {claim.name}.toml.")
    return claim
