"""Presets and aliases: how a method declares them, how the registry finds it, how a run's settings are named."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import pytest

from suite import registry
from suite.environment import PLUGINS
from suite.errors import UsageError
from suite.leaderboard.plan import make_plan
from suite.method import Method, extended, hyper
from suite.places import Places
from suite.presets import changes, in_words, reported_selection, selection_note
from suite.results.ledger import Ledger
from suite.spec.board import LeaderboardSpec
from suite.sweep.files import ad_hoc
from suite.sweep.problem import problems


class Parent(Method):
    name, title = "parent", "PARENT"
    aliases = ("p",)
    presets: ClassVar = {"recommended": {}, "published": {"rate": 1, "norm": "layer"}}
    published_selection = "oracle"

    rate: float = hyper(0.5, low=0.0, high=1.0)
    norm: str = hyper("batch", choices=("batch", "layer"))


class Child(Parent):
    name = "child"
    presets = extended(Parent.presets, published={"rate": 0.25, "depth": 3}, literal={"depth": 1})

    depth: int = hyper(2, low=1, high=9)


def test_the_first_preset_is_the_default():
    assert Parent.default_preset() == "recommended"
    assert Parent().params == {"rate": 0.5, "norm": "batch", "preset": "recommended"}
    assert Parent(preset="published").params == {"rate": 1.0, "norm": "layer", "preset": "published"}
    assert Parent(preset="published", norm="batch").norm == "batch"


def test_values_of_presets_have_the_declared_types():
    """An integer for a float would name another run than the same value given by hand."""
    assert isinstance(Parent(preset="published").rate, float)


def test_a_subclass_extends_the_presets_of_its_parent():
    assert list(Child.presets) == ["recommended", "published", "literal"]
    assert Child.presets["published"] == {"rate": 0.25, "norm": "layer", "depth": 3}
    assert Parent.presets["published"] == {"rate": 1.0, "norm": "layer"}
    assert Child.hypers["preset"].choices == ("recommended", "published", "literal")


def test_a_subclass_does_not_answer_to_its_parents_alias():
    assert Parent.aliases == ("p",)
    assert Child.aliases == ()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            {"presets": {"published": {"rte": 1.0}}},
            "wrong, preset published: there is no parameter 'rte'; did you mean",
        ),
        ({"presets": {"published": {"rate": 7.0}}}, r"wrong, preset published: rate=7.0 is out of range; .* \[0, 1\]"),
        ({"presets": {"published": {"norm": "group"}}}, "norm=group is not a choice; use one of batch, layer"),
        ({"presets": {"published": {"rate": "much"}}}, "is not of type float"),
        ({"presets": {"published": {"preset": "recommended"}}}, "there is no parameter 'preset'"),
        ({"aliases": "w"}, "aliases = 'w' is no tuple of names"),
        ({"published_selection": "best"}, "'best'; use one of validation, last, oracle"),
    ],
)
def test_a_malformed_declaration_is_an_error_when_the_class_is_defined(body: dict, said: str):
    with pytest.raises(UsageError, match=said):
        type("Wrong", (Parent,), {"name": "wrong", **body})


def test_a_method_without_presets_says_so():
    class Plain(Method):
        name = "plain"
        rate: float = hyper(0.5)

    with pytest.raises(UsageError, match="plain has no presets; leave preset=published out"):
        Plain.resolve({"preset": "published"})
    assert in_words(Plain, Plain.resolve({})) == "plain (), declared defaults"


def test_a_runs_settings_in_words():
    assert in_words(Parent, Parent.resolve({})) == "parent (PARENT), preset recommended"
    changed = Child.resolve({"preset": "published", "depth": 4, "norm": "layer"})
    assert in_words(Child, changed, epochs=5) == "child (PARENT), preset published, depth=4, --epochs 5"


def test_settings_of_a_run_that_was_made_by_older_code():
    old = {"rate": 0.5, "width": 7, "preset": "recommended"}
    assert changes(Parent, old) == {"width": 7}
    renamed = {"norm": "batch", "rate": 0.5, "preset": "paper"}
    assert list(changes(Parent, renamed)) == ["rate", "norm"]
    assert in_words(Parent, renamed) == "parent (PARENT), preset paper, rate=0.5, norm=batch"


def test_a_published_preset_says_which_epoch_the_authors_report():
    assert reported_selection(Parent, {"preset": "published"}) == "oracle"
    assert selection_note(Parent, {"preset": "published"}).endswith("best on test data: see column oracle")
    assert selection_note(Parent, {"preset": "recommended"}) == ""
    assert selection_note(Parent, {}) == ""


FILE = """
from methods.recognition.assume_negative import AssumeNegative


class One(AssumeNegative):
    name = "one-more"
    aliases = ("om", {alias!r})
"""


def registered(folder: Path, monkeypatch: pytest.MonkeyPatch, alias: str) -> None:
    file = folder / "own.py"
    file.write_text(FILE.format(alias=alias))
    monkeypatch.setenv(PLUGINS.name, str(file))


def test_an_alias_finds_its_method(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    registered(tmp_path, monkeypatch, "1-more")
    for name in ("one-more", "om", "1-more", "OM", "One-More"):
        assert registry.method(name).name == registry.canonical_name(name) == "one-more"
    assert {"om", "1-more"} <= set(registry.names())
    assert "om" not in registry.methods()
    with pytest.raises(UsageError, match="did you mean '1-more'"):
        registry.method("1-mor")
    assert registry.canonical_name("forgotten") == "forgotten"


def test_boards_and_sweeps_store_the_canonical_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    registered(tmp_path, monkeypatch, "1-more")
    table = {"title": "T", "datasets": ["planted-verbs"], "methods": ["om", "all"], "without": ["MASK-BCE"]}
    board = LeaderboardSpec.model_validate({"name": "b", "title": "B", "tables": [table]})
    places = Places(str(tmp_path))
    asked = [one.spec.method for one in make_plan(board, places, Ledger(places.ledger)).asked]
    assert asked[0] == "one-more" and asked.count("one-more") == 1 and "mask-bce" not in asked
    sweep = ad_hoc("om", "planted-verbs", "lr", {})
    assert sweep.name == "one-more-planted-verbs"
    assert [p.method for p in problems(sweep.model_copy(update={"methods": ("1-more", "one-more")}))] == ["one-more"]


@pytest.mark.parametrize("taken", ["mask-bce", "assume-negative"])
def test_two_methods_with_one_alias_are_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taken: str):
    registered(tmp_path, monkeypatch, taken)
    with pytest.raises(UsageError, match=f"are called '{taken}'; rename that of one"):
        registry.method("ce")
