"""Cards: names with dials, validation, discovery."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from suite.data.request import dataset_request
from suite.data.storage.cards import all_cards, find_card, folders, shipped
from suite.data.storage.files import require_with
from suite.errors import DataError, UsageError
from suite.spec.card import DatasetCard, Dial, FileSpec, load_card, parse_dataset_name
from tests.data.conftest import Toy


def card(**changes: object) -> DatasetCard:
    values: dict[str, object] = {
        "name": "planted-x",
        "title": "X",
        "tasks": ("recognition",),
        "reader": "planted.x",
        "kind": "planted",
        "dials": {
            "ambiguity": Dial(default=2.0, low=1, high=4),
            "size": Dial(default=10, low=1),
            "real": Dial(default=False),
            "kind": Dial(default="a", choices=("a", "b")),
        },
    }
    return DatasetCard.model_validate(values | changes)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hapt", ("hapt", {})),
        ("hapt[]", ("hapt", {})),
        ("planted-verbs[ambiguity=2.5]", ("planted-verbs", {"ambiguity": "2.5"})),
        (" planted-verbs[ ambiguity = 2.5 , snr=3 ] ", ("planted-verbs", {"ambiguity": "2.5", "snr": "3"})),
    ],
)
def test_a_name_splits_into_dataset_and_dials(text: str, expected: tuple[str, dict[str, str]]) -> None:
    assert parse_dataset_name(text) == expected


@pytest.mark.parametrize("text", ["", "[a=1]", "x[a=1", "x]", "x[a]", "x[=1]", "x[a=]", "x[a=1,a=2]", "x[a=1][b=2]"])
def test_a_malformed_name_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError, match="write"):
        parse_dataset_name(text)


def test_dials_are_typed_by_their_defaults() -> None:
    resolved = card().resolve_dials({"ambiguity": "3", "size": "4", "real": "true", "kind": "b"})
    assert resolved == {"ambiguity": 3.0, "size": 4, "real": True, "kind": "b"}
    assert isinstance(resolved["ambiguity"], float)
    assert isinstance(resolved["size"], int)


@pytest.mark.parametrize(
    ("given_dials", "said"),
    [
        ({"ambiguty": 2}, "did you mean 'ambiguity'"),
        ({"ambiguity": 9}, "out of range"),
        ({"ambiguity": "much"}, "not of type float"),
        ({"size": 1.5}, "not of type int"),
        ({"kind": "c"}, "not a choice"),
    ],
)
def test_a_wrong_dial_is_told(given_dials: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        card().resolve_dials(given_dials)
    assert "planted-x" in str(caught.value)


@given(st.floats(1, 4), st.integers(1, 10**6), st.booleans())
def test_a_label_says_exactly_which_dials_are_turned(ambiguity: float, size: int, real: bool) -> None:
    subject = card()
    label = subject.label({"ambiguity": ambiguity, "size": size, "real": real})
    name, dials = parse_dataset_name(label)
    assert name == "planted-x"
    assert subject.resolve_dials(dials) == {"ambiguity": ambiguity, "size": size, "real": real, "kind": "a"}
    assert subject.label({}) == "planted-x"


def test_prose_does_not_touch_what_arrays_depend_on() -> None:
    assert card(about="new words", title="Y").identity() == card().identity()
    assert card(version=2).identity() != card().identity()
    assert card(options={"window": 3}).identity() != card().identity()


def test_real_data_must_state_their_provenance() -> None:
    with pytest.raises(ValueError, match="source and licence and citation and folder"):
        card(kind="real")


@pytest.mark.parametrize("path", ["/etc/passwd", "../x.zip", "a/../../x", ""])
def test_files_stay_inside_the_folder(path: str) -> None:
    with pytest.raises(ValueError, match="inside"):
        FileSpec(path=path)


def test_a_protocol_has_sane_thresholds() -> None:
    with pytest.raises(ValueError, match="tIoU"):
        card(protocols={"default": {"tiou": [0.5, 1.5]}})
    with pytest.raises(UsageError, match="did you mean 'default'"):
        card().protocol("defualt")


def test_a_task_it_does_not_serve_is_told() -> None:
    assert card().task() == "recognition"
    with pytest.raises(UsageError, match="does not serve the task 'weak-localization'"):
        card().task("weak-localization")


def test_every_shipped_card_is_valid_and_findable() -> None:
    names = {path.stem for path in shipped("datasets").glob("*.toml")}
    assert "hapt" in names
    assert names <= {found.name for found in all_cards()}
    assert all(find_card(name).name == name for name in names)


def test_an_unknown_dataset_suggests_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"no dataset 'hatp'; did you mean 'hapt'"):
        find_card("hatp")


def test_a_users_card_is_found_and_hides_a_shipped_one(toy: Toy) -> None:
    assert find_card("toy").title == "A toy"
    text = (toy.root / "cards" / "toy.toml").read_text().replace('name = "toy"', 'name = "hapt"')
    (toy.root / "cards" / "hapt.toml").write_text(text)
    assert find_card("hapt").title == "A toy"


def test_a_folder_of_cards_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUITE_DATASETS", "/nowhere")
    with pytest.raises(UsageError, match="/nowhere"):
        folders()


def test_a_card_bears_its_files_name(tmp_path: Path, toy: Toy) -> None:
    (toy.root / "cards" / "toy.toml").rename(tmp_path / "other.toml")
    with pytest.raises(UsageError, match=r"rename the file to toy\.toml"):
        load_card(tmp_path / "other.toml")


def test_an_unknown_key_is_told_with_its_place(toy: Toy) -> None:
    path = toy.root / "cards" / "toy.toml"
    path.write_text('colour = "red"\n' + path.read_text())
    with pytest.raises(UsageError, match=r"toy\.toml: colour"):
        find_card("toy")


def test_a_card_that_names_annotators_gets_their_dials() -> None:
    made = card(annotators={"names": ["ann", "bob"]})
    assert made.resolve_dials({})["annotator"] == made.resolve_dials({})["test_annotator"] == "majority"
    assert made.label({"annotator": "soft", "test_annotator": "bob"}).endswith("[annotator=soft,test_annotator=bob]")
    assert {made.dials[name].stage for name in ("annotator", "test_annotator")} == {"load"}
    expert = card(annotators={"names": ["ann", "bob"], "reference": "bob"})
    assert expert.resolve_dials({})["test_annotator"] == "bob"
    assert expert.identity() != made.identity() != card().identity()
    with pytest.raises(UsageError):
        made.resolve_dials({"test_annotator": "soft"})


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["ann"], "at least 2 items"),
        (["ann", "ann"], "names must differ"),
        (["ann", "majority"], "none of majority, soft, all"),
        (["ann", "b,c"], "letters, digits"),
    ],
)
def test_annotators_must_have_names_that_dials_can_take(names: list[str], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        card(annotators={"names": names})


def test_a_task_for_one_annotator_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (shipped("datasets") / "planted-actors.toml").read_text(encoding="utf-8")
    text = text.replace('"planted-actors"', '"many-eyes"', 1) + '\n[annotators]\nnames = ["ann", "bob"]\n'
    (tmp_path / "many-eyes.toml").write_text(text, encoding="utf-8")
    monkeypatch.setenv("SUITE_DATASETS", str(tmp_path))
    with pytest.raises(UsageError, match="actor-detection takes one annotator; leave 'annotators' out"):
        dataset_request("many-eyes")


def test_optional_files_are_needed_with_some_settings(tmp_path: Path) -> None:
    """The protocols of papers score a detector's boxes: without the file their runs cannot start."""
    card = find_card("ava-v2.2")
    boxes, more = (next(file for file in card.files if file.path == f"ava_{part}_predicted_boxes.csv")
                   for part in ("val", "unlabelled"))  # fmt: skip
    dials = card.resolve_dials({})
    assert boxes.needed_with(dials) and not boxes.needed_with({**dials, "boxes": "annotated"})
    assert not more.needed_with(dials) and more.needed_with({**dials, "ema": 0.999})
    assert not more.needed_with({**dials, "ema": 0.999, "discarded": "unlabelled"})
    assert (boxes.condition, more.condition) == ("boxes=detected", "ema and discarded=drop")
    with pytest.raises(DataError, match=r"timestamps_v2\.2\.csv is not in .*needed with boxes=detected; get it"):
        require_with(card, tmp_path, {"boxes": "detected"})
    scores = next(file for file in find_card("thumos-14-tsn").files if file.path == "uNet_test.npy")
    assert scores.needed_with({"class_agnostic": True}) and not scores.needed_with({"class_agnostic": False})
