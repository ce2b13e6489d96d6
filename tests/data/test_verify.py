"""Verification says exactly what differs from the card."""

from __future__ import annotations

import pytest

from suite.data.loading import load
from suite.data.request import dataset_request
from suite.data.storage.verify import Agreement, measure, summary, verify
from tests.data.conftest import Toy


def wrong(comparisons: list[Agreement]) -> dict[str, tuple[str, str]]:
    return {one.what: (one.stated, one.found) for one in comparisons if not one.agrees}


def test_a_right_dataset_agrees_in_everything(toy: Toy) -> None:
    asked = dataset_request("toy")
    findings = verify(asked)
    assert wrong(findings) == {}
    assert {"classes", "samples", "crates", "train", "channels", "packed features"} <= {f.what for f in findings}
    assert summary(asked, findings) == ""


def test_a_wrong_count_is_named_with_both_values(toy: Toy) -> None:
    toy.card(samples=1234)
    asked = dataset_request("toy")
    findings = verify(asked)
    assert wrong(findings) == {"samples": ("1,234", "18")}
    said = summary(asked, findings)
    assert said.startswith("toy: samples is 18 where the card states 1,234;")
    assert "toy.toml" in said


def test_a_wrong_split_size_and_an_unmeasured_count_are_named(toy: Toy) -> None:
    path = toy.root / "cards" / "toy.toml"
    path.write_text(path.read_text().replace("train = 6", "train = 5").replace("crates = 7", "boxes = 7"))
    assert wrong(verify(dataset_request("toy"))) == {"train": ("5", "6"), "boxes": ("7", "not measured by the reader")}


def test_missing_and_damaged_files_are_named_before_anything_is_read(toy: Toy) -> None:
    toy.card(
        files='[[files]]\npath = "a.bin"\nsize = 3\n[[files]]\npath = "b.bin"\n'
        '[[files]]\npath = "c.bin"\noptional = true'
    )
    (toy.folder / "a.bin").write_bytes(b"1234")
    found = wrong(verify(dataset_request("toy")))
    assert found["a.bin"] == ("size", "a.bin has 4 bytes instead of 3")
    assert "missing from" in found["b.bin"][1]
    assert set(found) == {"a.bin", "b.bin"}
    assert toy.reads() == 0


def test_many_differences_make_one_short_sentence(toy: Toy) -> None:
    toy.card(files="".join(f'[[files]]\npath = "{name}.bin"\n' for name in "abcde"))
    asked = dataset_request("toy")
    said = summary(asked, verify(asked))
    assert said.startswith(f"toy: a.bin is missing from {toy.folder}; b.bin is")
    assert "; 2 more differences; replace" in said
    assert "d.bin" not in said


def test_an_incomplete_group_of_files_is_named(toy: Toy) -> None:
    toy.card(files='[[files]]\npath = "*.npy"\ncount = 2')
    (toy.folder / "a.npy").write_bytes(b"1234")
    assert wrong(verify(dataset_request("toy"))) == {"*.npy": ("2 files", "1 files")}


@pytest.mark.parametrize("fault", ["nan", "label", "shared-unit"])
def test_data_that_cannot_be_read_are_a_finding(toy: Toy, fault: str) -> None:
    found = wrong(verify(dataset_request(f"toy[fault={fault}]")))
    assert set(found) == {"reading"}
    assert found["reading"][1].startswith("toy")


def test_packed_features_that_changed_are_found(toy: Toy) -> None:
    load("toy")
    asked = dataset_request("toy")
    with (asked.store_folder() / "arrays.bin").open("r+b") as file:
        file.seek(0)
        file.write(b"\x01\x02\x03")
    found = wrong(verify(asked))
    assert set(found) == {"reading"} and "its SHA-256 is another" in found["reading"][1]


def test_counts_by_split(toy: Toy) -> None:
    measured = measure(load("toy[size=4]", "weak-localization"))
    assert measured == {
        "classes": 3, "channels": 4, "samples": 12, "segments": 12, "snippets": 60,
        "train": 4, "train_units": 4, "train_segments": 4, "train_snippets": 20,
        "validation": 4, "validation_units": 4, "validation_segments": 4, "validation_snippets": 20,
        "test": 4, "test_units": 4, "test_segments": 4, "test_snippets": 20,
    }  # fmt: skip
    assert measure(load("toy"))["labels_per_sample"] == 1.0
