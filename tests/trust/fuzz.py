"""Files of every kind that the suite reads, and bytes that are almost such files."""

from __future__ import annotations

import json
import pickle
import resource
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from hypothesis import strategies as st
from scipy.io import savemat

from suite.data.array_pickles import load_arrays, object_array
from suite.data.readers.i3d import open_array
from suite.data.readers.mulan import read_file
from suite.data.storage.store import build_once, open_store, write_store
from suite.data.video import read_video, write_video
from suite.places import Places
from suite.results.ledger import Ledger
from suite.scoring import Against, score_file
from suite.spec.board import load_board
from suite.spec.card import load_card
from suite.spec.claim import load_claim
from suite.sweep.files import find_sweep
from suite.train.storage import checkpoint
from suite.weights.reading import read_tensors
from tests.results.ledgers import outcome

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "docs" / "evaluate" / "examples"
MEMORY = 3 * 2**30  # bytes that a reader may take beyond what the process has
TRUTH = {"boxes": "boxes_truth.csv", "labels": "labels_truth.csv", "segments": "segments_truth.json",
         "tube_boxes": "tubes_truth.json", "tubes": "tubes_truth.json", "eval_results": "segments_truth.json",
         "scores": "labels_truth.csv"}  # fmt: skip


@dataclass(frozen=True)
class Kind:
    """A kind of file: one that is whole, and what reads it."""

    name: str
    suffix: str
    whole: Callable[[Path], None]
    read: Callable[[Path], Any]
    stem: str = "file"


def _copy(source: Path, path: Path) -> None:
    path.write_bytes(source.read_bytes())


def _scored(name: str, path: Path) -> Any:
    return score_file(path, Against(truth=EXAMPLES / TRUTH[name], resamples=0), Places())


def _truth(found: str, path: Path) -> Any:
    return score_file(EXAMPLES / found, Against(truth=path, resamples=0), Places())


def _segments(path: Path) -> None:
    columns = {
        "item": ["a", "a"],
        "label": ["Run", "Jump"],
        "start": [0.0, 2.0],
        "end": [1.0, 3.0],
        "score": [0.5, 0.1],
    }
    pq.write_table(pa.table(columns), path)


def _objects(path: Path) -> None:
    np.save(path, np.array([np.ones((2, 3)), np.zeros((1, 3))], dtype=object), allow_pickle=True)


def _video(path: Path) -> None:
    write_video(path, np.random.default_rng(0).integers(0, 255, (12, 32, 32, 3)).astype(np.uint8))


def _table(part: str, path: Path) -> None:
    """A file of a ledger's table of runs: its data, or a commit of its log."""
    folder = path.parent / "whole"
    if not folder.exists():
        Ledger(folder).record(outcome(seed=0))
    (found,) = folder.glob(part)
    _copy(found, path)


def _ledger(part: str, path: Path) -> Any:
    """What a ledger says in which one file was replaced."""
    import shutil

    folder = path.parent / "ledger"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(path.parent / "whole", folder)
    (place,) = folder.glob(part)
    _copy(path, place)
    return Ledger(folder).runs()


def _index(path: Path) -> None:
    folder = path.parent / "store"
    if not folder.exists():
        write_store(folder, {"a": np.arange(6.0).reshape(2, 3)}, lambda _: None)
    _copy(folder / "index.json", path)


def _store(path: Path) -> Any:
    _copy(path, path.parent / "store" / "index.json")
    return open_store(path.parent / "store")


def _packed(read: Callable[[Path], Any], path: Path) -> Any:
    """What a reader yields, on the way on which readers are called."""
    import shutil

    folder = path.parent / "packed"
    shutil.rmtree(folder, ignore_errors=True)
    return build_once(folder, lambda place: write_store(place, {"read": len(read(path))}, lambda _: None))


CLAIM = ROOT / "reports/claims/mask-bce.toml"


KINDS = [
    Kind("TOML: dataset card", ".toml", partial(_copy, ROOT / "datasets" / "hapt.toml"), load_card, "hapt"),
    Kind("TOML: sweep", ".toml", partial(_copy, ROOT / "sweeps/neighbours.toml"), lambda path: find_sweep(str(path))),
    Kind("TOML: board", ".toml", partial(_copy, ROOT / "reports/leaderboards/quick.toml"), load_board, "quick"),
    Kind("TOML: claim", ".toml", partial(_copy, CLAIM), load_claim, CLAIM.stem),
    *(
        Kind(
            f"{name}{suffix} predictions", suffix, partial(_copy, EXAMPLES / f"{name}{suffix}"), partial(_scored, name)
        )
        for name, suffix in (
            ("segments", ".json"),
            ("tubes", ".json"),
            ("boxes", ".csv"),
            ("labels", ".csv"),
            ("scores", ".csv"),
            ("eval_results", ".pkl"),
        )
    ),
    Kind(
        "JSON: annotations", ".json", partial(_copy, EXAMPLES / "segments_truth.json"), partial(_truth, "segments.json")
    ),
    Kind("CSV: annotated boxes", ".csv", partial(_copy, EXAMPLES / "boxes_truth.csv"), partial(_truth, "boxes.csv")),
    Kind("Parquet: segments", ".parquet", _segments, partial(_scored, "segments")),
    Kind(
        "NPY: features", ".npy", lambda path: np.save(path, np.ones((4, 3), np.float32)), partial(_packed, open_array)
    ),
    Kind("NPY: arrays of arrays", ".npy", _objects, partial(_packed, object_array)),
    Kind("pickle: arrays", ".pkl", lambda path: path.write_bytes(pickle.dumps({"a": np.ones(3)}, 2)), load_arrays),
    Kind("weights: torch.save", ".pth", lambda path: torch.save({"a": torch.ones(3)}, path), read_tensors),
    Kind(
        "weights: older torch.save",
        ".pth",
        lambda path: torch.save({"a": torch.ones(3)}, path, _use_new_zipfile_serialization=False),
        read_tensors,
    ),
    Kind(
        "weights: safetensors",
        ".safetensors",
        lambda path: checkpoint.save(path, {"a": torch.ones(3)}, {}),
        read_tensors,
    ),
    Kind("checkpoint", ".safetensors", lambda path: checkpoint.save(path, {"a": torch.ones(3)}, {}), checkpoint.load),
    Kind(
        "MAT: MULAN",
        ".mat",
        lambda path: savemat(path, {"data": np.ones((3, 2)), "target": np.ones((2, 3))}, do_compression=True),
        partial(_packed, read_file),
    ),
    Kind("video: H.264 in MP4", ".mp4", _video, lambda path: read_video(path, [0.0, 0.2])),
    Kind("packed features: index", ".json", _index, _store),
    Kind("ledger: data file", ".parquet", partial(_table, "runs/*.parquet"), partial(_ledger, "runs/*.parquet")),
    Kind(
        "ledger: commit",
        ".json",
        partial(_table, "runs/_delta_log/*1.json"),
        partial(_ledger, "runs/_delta_log/*1.json"),
    ),
]

TOKENS = [
    b"\x00" * 8,
    b"\xff" * 8,
    b"\xff\xff\xff\x7f",
    b"NaN",
    b"Infinity",
    b"-1",
    b"9" * 400,
    b"null",
    b"[]",
    b"{}",
    b'""',
    b"\xed\xa0\x80",
    b"\xef\xbb\xbf",
    b"\r\n",
    b",",
    b"../",
    b"/etc/passwd",
    b"\x1b[31m",
    b"cos\nsystem\n(S'exit 9'\ntR.",
    b"__import__",
    b"1e999",
    b"true",
    b"[[[[[[[[",
    b"0x10",
    b"=",
    b'"""',
]


@st.composite
def mutated(draw: st.DrawFn, whole: bytes) -> bytes:
    """``whole`` cut, overwritten, doubled, or with something strange put in, once or several times."""
    data = bytearray(whole)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(0, len(data) - 1)))
        kind = draw(st.sampled_from(["flip", "set", "cut", "drop", "insert", "over", "double"]))
        if kind == "flip" and data:
            data[at] ^= 1 << draw(st.integers(0, 7))
        elif kind == "set" and data:
            data[at] = draw(st.integers(0, 255))
        elif kind == "cut":
            del data[at:]
        elif kind == "drop":
            del data[at : at + draw(st.integers(1, 16))]
        elif kind == "insert":
            data[at:at] = draw(st.sampled_from(TOKENS) | st.binary(max_size=8))
        elif kind == "over":
            token = draw(st.sampled_from(TOKENS))
            data[at : at + len(token)] = token
        elif kind == "double":
            data[at:at] = data[at : at + draw(st.integers(1, 64))]
    return bytes(data)


@contextmanager
def bounded() -> Iterator[None]:
    """Inside, this process cannot take more than :data:`MEMORY` bytes of addresses beyond what it has."""
    now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (now + MEMORY, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def shape_of(sentence: str) -> str:
    """The kind of a refusal: its words without names and numbers."""
    words = [word for word in sentence.split() if word.isalpha()]
    return " ".join(words[:8])


def note(file: Path, name: str, told: Counter[str]) -> None:
    """Add a line to a file of records, for the table of ``docs/survival.md``."""
    with file.open("a", encoding="utf-8") as out:
        out.write(json.dumps({"kind": name, "told": dict(told)}) + "\n")
