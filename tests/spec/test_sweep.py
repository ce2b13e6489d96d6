"""Sweep files: what they may say, and the sentences for what they may not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from suite.errors import UsageError
from suite.spec.base import load_toml, validate
from suite.spec.sweep import Axis, SweepSpec, parse_over

BASE: dict[str, Any] = {"name": "s", "methods": ["m"], "datasets": ["d"], "space": {"q": {}}}


def test_short_forms_mean_the_long_ones() -> None:
    short = validate(
        SweepSpec, {**BASE, "space": {"q": [1, 2]}, "seeds": 2, "sampler": "gp", "objective": "mAP"}, "here"
    )
    objective = {"metric": "mAP"}
    long = {**BASE, "space": {"q": {"choices": [1, 2]}}, "seeds": [0, 1], "sampler": {"name": "gp"}}
    assert short == validate(SweepSpec, {**long, "objectives": [objective]}, "here")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"space": {}}, "neither space nor points"),
        ({"space": {"q": {"low": 1, "high": 1}}}, "empty"),
        ({"space": {"q": {"low": 2, "high": 1}}}, "empty"),
        ({"space": {"q": {"low": 0, "high": 1, "log": True}}}, "logarithmic"),
        ({"space": {"q": {"grid": [1, 1]}}}, "twice"),
        ({"space": {"q": {"grid": [1], "low": 0}}}, "both"),
        ({"space": {"q": {"when": {"r": 1}}}}, "'r'"),
        ({"params": {"q": 1}}, "fixed in params"),
        ({"objective": {"metric": "mAP", "split": "test"}}, "validation data only"),
        ({"objectives": ["a", "b"], "pruner": "median"}, "cannot prune"),
        ({"seeds": 0}, "seeds"),
        ({"sampler": {"name": "tpe", "colour": "red"}}, "sampler.colour"),
        ({"budget": {"trials": 0}}, "budget.trials"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_malformed_file_is_one_sentence(values: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        validate(SweepSpec, {**BASE, **values}, "s.toml")
    assert str(caught.value).startswith("s.toml") and "\n" not in str(caught.value)


def test_broken_toml_names_the_line(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text('name = "s\n')
    with pytest.raises(UsageError, match="line 1"):
        load_toml(tmp_path / "s.toml", SweepSpec)


def test_over_on_the_command_line() -> None:
    axes = parse_over("q=0.1..1,beta, lr=1e-5..1e-2:log,k=5/10,kind=a/b")
    assert axes["q"] == Axis(low=0.1, high=1.0) and axes["beta"] == Axis()
    assert axes["lr"] == Axis(low=1e-5, high=1e-2, log=True)
    assert axes["k"].choices == (5, 10) and axes["kind"].choices == ("a", "b")


@pytest.mark.parametrize("text", ["", "q=", "=1", "q=1..0", "q=a..b", "q=0..inf", "q,q", "q=1..2:lin"])
def test_over_that_makes_no_sense_is_one_sentence(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_over(text)
    assert "--over" in str(caught.value)
