"""A small dataset of a user's own: a card and a reader in a temporary folder, with faults on request."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

READER = """
import numpy as np
from pathlib import Path
from suite.data import LazyRows, Reader
from suite.tasks.data import TaskData
from suite.tasks.localization.samples import Videos
from suite.tasks.recognition.samples import Clips
from suite.evaluate.segments import Segments

def read(card, folder, dials, task):
    with (Path(__file__).parent / "reads.log").open("a") as log:
        log.write("read\\n")
    make = clips if task == "recognition" else videos
    fault = dials["fault"]
    parts = [make(place, name, int(dials["size"]), fault) for place, name in enumerate(("train", "validation", "test"))]
    return TaskData(card.name, task, ("red", "green", "blue"), *parts, facts={"groups": {"head": [0], "tail": [1, 2]}})

def unit(name, place, fault):
    return f"{'train' if fault == 'shared-unit' else name}-u{place}"

def clips(place, name, size, fault):
    generator = np.random.default_rng(place)
    features = generator.normal(size=(size, 4)).astype(np.float32)
    label = generator.integers(0, 3, size)
    if name == "test":
        features[2, 1] = {"nan": np.nan, "inf": np.inf, "huge": 1e5}.get(fault, 0.5)
        label[1] = 3 if fault == "label" else label[1]
    truth = np.zeros((size, 3), bool)
    truth[np.arange(size), np.minimum(label, 2)] = True
    ids = np.array([f"{name}-{i}" for i in range(size)])
    rows = LazyRows((size + (fault == "short"), 4), lambda: iter([features[:3], features[3:]]))
    return Clips(ids, rows, label, truth, np.array([unit(name, i, fault) for i in range(size)]))

def videos(place, name, size, fault):
    generator = np.random.default_rng(place)
    offsets = np.arange(size + 1) * 5
    rows = generator.normal(size=(5 * size, 4)).astype(np.float32)
    if fault == "nan" and name == "train":
        rows[13] = np.nan
    one = np.ones(size)
    label = np.arange(size) % 3
    if fault == "label" and name == "train":
        label[2] = -1
    truth = np.eye(3, dtype=bool)[label]
    return Videos(np.array([f"{name}-{i}" for i in range(size)]), rows, offsets, 25 * one, 8 * one, 16 * one, 2 * one,
                  truth, Segments(np.arange(size), label, 0 * one, one), np.ones(size, bool),
                  np.array([unit(name, i, fault) for i in range(size)]))

def with_dials(data, dials):
    return TaskData(**{**vars(data), "facts": {**data.facts, "opened": [dials["labelled"], dials["split_seed"]]}})

READER = Reader(read, with_dials, lambda card, folder, data: {"crates": 7})
"""

CARD = """
name = "toy"
title = "A toy"
tasks = ["recognition", "weak-localization"]
kind = "planted"
reader = "toy_reader.py"
about = "{about}"
{files}
[counts]
classes = 3
samples = {samples}
crates = 7
[splits]
train = 6
[layout]
channels = 4
dtype = "{dtype}"
[dials.size]
default = 6
low = 3
high = 50
[dials.fault]
default = ""
[dials.labelled]
default = 1.0
stage = "load"
[dials.split_seed]
default = -1
stage = "load"
[protocols.default]
tiou = [0.5]
[protocols.loose]
tiou = [0.1]
"""


@dataclass
class Toy:
    """Where the toy dataset lies; :meth:`card` writes its card anew with changes."""

    root: Path

    def card(self, about: str = "", files: str = "", samples: int = 18, dtype: str = "float32") -> None:
        text = CARD.format(about=about, files=files, samples=samples, dtype=dtype)
        if files:
            text = text.replace(
                'kind = "planted"', 'kind = "real"\nsource = "s"\nlicence = "l"\ncitation = "c"\nfolder = "toy"'
            )
        (self.root / "cards" / "toy.toml").write_text(text)

    @property
    def reader(self) -> Path:
        return self.root / "cards" / "toy_reader.py"

    @property
    def cache(self) -> Path:
        return self.root / "cache"

    @property
    def folder(self) -> Path:
        return self.root / "data" / "toy"

    def reads(self) -> int:
        """How often the reader was asked."""
        log = self.root / "cards" / "reads.log"
        return len(log.read_text().splitlines()) if log.exists() else 0


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Toy:
    (tmp_path / "cards").mkdir()
    made = Toy(tmp_path)
    made.folder.mkdir(parents=True)
    made.reader.write_text(READER)
    made.card()
    monkeypatch.setenv("SUITE_DATASETS", str(tmp_path / "cards"))
    monkeypatch.setenv("SUITE_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("SUITE_OUTPUTS", str(tmp_path / "outputs"))
    return made
