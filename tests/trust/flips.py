"""Every kind of file of an output folder with one bit flipped: how it is read, and what that must give."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from suite.analyse.method_page import _claims
from suite.claims.plan import find_claims
from suite.data.storage import files
from suite.data.storage.store import open_store
from suite.errors import SuiteError
from suite.leaderboard.cost import _held
from suite.models.folder import kept_models
from suite.places import Places
from suite.report.index import About, leave
from suite.report.index import _read as read_about
from suite.results.ledger import Ledger
from suite.results.store import Store
from suite.sealing import with_check
from suite.spec.pinned import KEPT, PinnedFile
from suite.sweep.files import find_sweep, known_sweep, store
from suite.tasks import task
from suite.train.derived import Derived
from suite.train.storage import checkpoint
from suite.work.kept import read_kept, record_or_keep
from suite.work.notes import Notes, read_notes
from suite.work.progress import Standing
from suite.writing import write_whole
from tests.models.worlds import RUNS, trained
from tests.results.ledgers import outcome

FOUND = "found"
FILES = 8  # of a kind


@dataclass(frozen=True)
class Kind:
    """A kind of file: where some lie, what reads them, and whether ``suite results repair`` looks at them."""

    name: str
    files: Callable[[Path], list[Path]]
    read: Callable[[Path, Path], Any]  # the outputs, the file
    repaired: bool = True


def make(outputs: Path) -> None:
    """An output folder that has files of every kind."""
    places = Places(str(outputs))
    trained(RUNS["recognition"], places)
    ledger = Ledger(places.ledger)
    ledger.record_all([outcome(seed=seed) for seed in range(4)])
    ledger.compact(keep_hours=0)
    for seed in range(4, 7):
        ledger.record(outcome(seed=seed))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Store, "append", _full)
        with pytest.raises(SuiteError):
            record_or_keep(ledger, [outcome(seed=9)], places)
    model = next(iter(kept_models(places).values()))
    checkpoint.save(places.checkpoint("0123456789abcdef"), model.tensors(), {"epoch": 1, "curves": [0.25, 1 / 3]})
    Derived(places.derived, "x").cached({"k": 5}, partial(_arrays))
    store(find_sweep("separability"), places)
    page = outputs / "reports" / "claims" / "index.html"
    leave(page, About("claims", "Claims", "2026-01-01 10:00 UTC", "2 claims", ("one: holds", "gain 0.25")))
    verdicts = {one.name: {"kind": "holds", "why": "gain 0.25", "made": "2026-01-01"} for one in find_claims(())}
    write_whole(page.with_name("verdicts.json"), json.dumps(with_check(verdicts)))
    write_whole(outputs / "cache" / "timed.json", json.dumps(with_check({"host": {"timed": {"a": 0.25}, "runs": {}}})))
    page.write_text("page")
    files.sha256_of(page, places.cache)
    Notes(places).tell(Standing("board", 1, 5, 0, (), "", 3.0, 12.5))


def _full(*_: Any) -> None:
    raise SuiteError("full.")


def _arrays() -> dict[str, np.ndarray]:
    return {"a": np.arange(40) / 3}


def _ledger(outputs: Path, _: Path) -> Any:
    """All that a ledger holds."""
    ledger = Ledger.of(outputs)
    frames = [ledger.runs(all_attempts=True), ledger.metrics(), ledger.curves(), ledger.all_predictions()]
    return [frame.to_dicts() for frame in frames], sorted(ledger.finished())


def _tensors(_: Path, file: Path) -> Any:
    tensors, facts = checkpoint.load(file)
    return {name: (tensor.tolist(), str(tensor.dtype)) for name, tensor in tensors.items()}, facts


def _weights(outputs: Path, file: Path) -> Any:
    """Kept weights as predictions use them, and as a training that starts from them does."""
    assert PinnedFile(file).pin().require() == file
    return _tensors(outputs, file)


def _config(outputs: Path, file: Path) -> Any:
    return next(model for run, model in kept_models(Places(str(outputs))).items() if run == file.parent.name).config


def _kept(_: Path, file: Path) -> Any:
    found = read_kept(file.parent)
    return found.run, [getattr(found, name).to_pylist() for name in ("metrics", "curves", "predictions")]


def _packed(_: Path, file: Path) -> Any:
    data = open_store(file.parent, (task("recognition").samples,))
    columns = [vars(data.split(split)) for split in ("train", "validation", "test")]
    return [_plain(some) for some in columns]


def _plain(value: Any) -> Any:
    """Arrays as lists, to be compared."""
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    return value.tolist() if isinstance(value, np.ndarray) else value


def _hash(outputs: Path, _: Path) -> Any:
    files.KNOWN.clear()
    return files.sha256_of(outputs / "reports" / "claims" / "index.html", Places(str(outputs)).cache)


def _sweep(outputs: Path, _: Path) -> Any:
    return known_sweep("separability", Places(str(outputs))).model_dump()


def _about(_: Path, file: Path) -> Any:
    about = read_about(file)
    return FOUND if about is None else asdict(about)


def _verdicts(_: Path, file: Path) -> Any:
    names, claims = ("role", "role-labels", "label-smoothing"), find_claims(())
    lines = [asdict(line) for name in names for line in _claims(name, claims, file)]
    return lines if any(line["verdict"] for line in lines) else FOUND


def _steps(_: Path, file: Path) -> Any:
    return _held(file) or FOUND


def _status(outputs: Path, _: Path) -> Any:
    notes = read_notes(Places(str(outputs)))
    return [(note.standing, note.command, note.host, note.process) for note in notes] or FOUND


def _glob(*patterns: str) -> Callable[[Path], list[Path]]:
    return lambda outputs: sorted(path for pattern in patterns for path in outputs.glob(pattern))


KINDS = (
    Kind("ledger: data file", _glob("ledger/*/*.parquet"), _ledger),
    Kind("ledger: commit", _glob("ledger/*/_delta_log/*.json"), _ledger),
    Kind("ledger: checkpoint of the log", _glob("ledger/*/_delta_log/*.checkpoint.parquet"), _ledger),
    Kind("ledger: pointer to that checkpoint", _glob("ledger/*/_delta_log/_last_checkpoint"), _ledger, repaired=False),
    Kind("ledger: checksums", _glob("ledger/checksums/*.jsonl"), _ledger, repaired=False),
    Kind("checkpoint of a training", _glob("checkpoints/*.safetensors"), _tensors),
    Kind("arrays derived from data", _glob("cache/derived/*.safetensors"), _tensors),
    Kind("kept weights", _glob(f"models/*/{KEPT}", f"models/*/*/{KEPT}"), _weights),
    Kind("kept weights: config.json", _glob("models/*/config.json"), _config),
    Kind("kept outcome: its row", _glob("kept/*/run.json"), _kept),
    Kind("kept outcome: metrics, curves, predictions", _glob("kept/*/*.parquet"), _kept),
    Kind("packed features: index", _glob("cache/data/*/index.json"), _packed),
    Kind("packed features: arrays", _glob("cache/data/*/arrays.bin"), _packed),
    Kind("remembered SHA-256 of a data file", _glob("cache/data/hashes/*.json"), _hash),
    Kind("sweep as it was asked for", _glob("sweeps/*/sweep.json"), _sweep),
    Kind("what the index says of a page", _glob("reports/**/*.about.json"), _about),
    Kind("verdicts of claims", _glob("reports/claims/verdicts.json"), _verdicts),
    Kind("timings of steps", _glob("cache/timed.json"), _steps),
    Kind("where a command stands", _glob("status/*.json"), _status, repaired=False),
)


def flip(kind: Kind, outputs: Path, count: int, seed: int = 0) -> Counter[str]:
    """How often one flipped bit was ``equal``, ``found``, or gave ``other`` numbers; half of them in the first 200
    bytes, where most forms have their headers."""
    chosen, told = random.Random(f"{kind.name}{seed}"), Counter[str]()
    among = chosen.sample(files_of := kind.files(outputs), min(FILES, len(files_of)))
    wanted = {file: kind.read(outputs, file) for file in among}
    for number in range(count):
        file = chosen.choice(among)
        whole = file.read_bytes()
        bit = chosen.randrange(8 * (min(200, len(whole)) if number % 2 else len(whole)))
        changed = bytearray(whole)
        changed[bit // 8] ^= 1 << bit % 8
        file.write_bytes(changed)
        try:
            got = kind.read(outputs, file)
            told[FOUND if got == FOUND else "equal" if got == wanted[file] else f"other: {file.name}, bit {bit}"] += 1
        except SuiteError:
            told[FOUND] += 1
        finally:
            file.write_bytes(whole)
    assert all(kind.read(outputs, file) == wanted[file] for file in among)
    return told
